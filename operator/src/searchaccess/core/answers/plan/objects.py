"""What happens to manifests, and what is reported about them."""

from collections.abc import Iterator, Mapping
from typing import Any, Final

from searchaccess.api.conditions.reasons import Reason
from searchaccess.core.answers.plan.guardrails import loosened_cluster, loosened_policy
from searchaccess.core.answers.plan.loosening import loosened_in
from searchaccess.core.answers.plan.model import Loosened, Object, ObjectChange, sorted_objects
from searchaccess.core.answers.plan.stated import REFUSED, Declared, Effect, Stated
from searchaccess.core.model.intake.metadata import part
from searchaccess.core.model.verdict import Outcome, PolicyOutcome
from searchaccess.core.policy.decision import Do

_RIGHTS_STAY: Final = "its rights stay in Elasticsearch, without an owner"
_MATCHES: Final = "what no policy applied to may be allowed: a SearchCluster has policies.unmatched: Deny"
_APPROVES: Final = "SearchAccesses may get rights by it, if the API server vouches for who wrote it"


def changes_between(before: Declared, after: Declared) -> tuple[ObjectChange, ...]:
    """Return the manifests that change, or about which something else is reported than before."""
    found = [*_accesses(before, after), *_policies(before, after)]
    found += _clusters(before, after)
    found += _approvals(before.approvals, after.approvals)
    return sorted_objects(found)


def _accesses(before: Declared, after: Declared) -> Iterator[ObjectChange]:
    for ref in sorted({*before.accesses, *after.accesses}):
        was, now = before.accesses.get(ref), after.accesses.get(ref)
        found = _removed(ref, was) if now is None and was else _access(ref, was, now, after) if now else None
        if found:
            yield found


def _removed(ref: str, was: Stated) -> ObjectChange:
    note = _RIGHTS_STAY if was.at_deletion.do is Do.RELEASE else ""
    return ObjectChange("SearchAccess", ref, Object.REMOVED, note=note)


def _access(ref: str, was: Stated | None, now: Stated, after: Declared) -> ObjectChange | None:
    change = Object.ADDED if was is None else Object.SAME if _says_the_same(was, now) else Object.CHANGED
    decision, former = now.decision, was.decision if was else None
    outcomes = [each for each in now.access.verdict.outcomes if each.outcome is not Outcome.ACCEPTED]
    known = set(was.access.verdict.outcomes) if was and change is Object.SAME else set[PolicyOutcome]()
    verdicts = tuple(each for each in outcomes if each not in known)
    problem = f"{decision.reason}: {decision.message}" if decision.reason else ""
    is_new = (
        change is not Object.SAME
        or former is None
        or (former.reason, former.message)
        != (
            decision.reason,
            decision.message,
        )
    )
    if change is Object.SAME and not is_new and not verdicts:
        return None
    return ObjectChange(
        "SearchAccess",
        ref,
        change,
        loosened_in(was.access, now.access) if was else (),
        verdicts,
        problem,
        _note(now, after),
        failed=decision.reason in REFUSED and is_new,
    )


def _says_the_same(was: Stated, now: Stated) -> bool:
    one, other = was.access, now.access
    marks = (one.labels, one.annotated, one.adopt, one.break_glass)
    return was.spec == now.spec and marks == (other.labels, other.annotated, other.adopt, other.break_glass)


def _note(now: Stated, after: Declared) -> str:
    access, notes = now.access, list[str]()
    if access.cluster and access.cluster not in {*after.clusters, *after.others}:
        notes.append(f"SearchCluster {access.cluster} is not in the files: what it allows is not known")
    if now.effect is Effect.HELD:
        notes.append("rights that it has in Elasticsearch stay as they are")
    if now.decision.reason is Reason.PENDING:
        notes.append("its rights count as granted until that is known")
    return "; ".join(notes)


def _policies(before: Declared, after: Declared) -> Iterator[ObjectChange]:
    is_needed = any(part(spec, "policies").get("unmatched") == "Deny" for spec in after.clusters.values())
    for name in sorted({*before.policies, *after.policies}):
        was, now = before.policies.get(name), after.policies.get(name)
        if was and now and (was.spec, was.invalid) == (now.spec, now.invalid):
            continue
        problem = now.invalid if now else ""
        loosened = loosened_policy(was, now)
        if is_needed and now and now.spec and not (was and was.spec and was.spec.match == now.spec.match):
            loosened += (Loosened("spec.match", "absent" if was is None else "other", "given", _MATCHES),)
        yield ObjectChange(
            "SearchAccessPolicy", name, _change(was, now), loosened, problem=problem, failed=bool(problem)
        )


def _clusters(before: Declared, after: Declared) -> Iterator[ObjectChange]:
    for name in sorted({*before.clusters, *after.clusters}):
        was, now = before.clusters.get(name), after.clusters.get(name)
        if was == now:
            continue
        loosened = loosened_cluster(was, now) if was is not None and now is not None else ()
        problem = after.invalid_clusters.get(name, "")
        yield ObjectChange("SearchCluster", name, _change(was, now), loosened, problem=problem, failed=bool(problem))


def _approvals(before: Mapping[str, Mapping[str, Any]], after: Mapping[str, Mapping[str, Any]]) -> list[ObjectChange]:
    found = []
    for ref in sorted({*before, *after}):
        was, now = before.get(ref), after.get(ref)
        if was != now:
            new = (Loosened("spec", "absent" if was is None else "other", "given", _APPROVES),) if now else ()
            found.append(ObjectChange("SearchAccessApproval", ref, _change(was, now), new))
    return found


def _change(was: object | None, now: object | None) -> Object:
    if now is None:
        return Object.REMOVED
    return Object.ADDED if was is None else Object.CHANGED
