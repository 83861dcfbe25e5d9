"""What SearchAccessPolicies, SearchClusters and approvals restrict less than before.

Where it cannot be decided, a change counts: a plan rather marks once too often that something is loosened.
"""

from collections.abc import Iterator, Mapping
from typing import Any, Final

from searchaccess.api.searchaccesspolicy import OnViolation, SearchAccessPolicySpec
from searchaccess.api.times.durations import seconds
from searchaccess.api.vocabulary.actions import Action
from searchaccess.core.answers.plan.model import Loosened
from searchaccess.core.messages import some_of
from searchaccess.core.model.canonical import canonical_json
from searchaccess.core.model.intake.metadata import bounded_text
from searchaccess.core.model.intake.reading import mapping
from searchaccess.core.patterns.containment import contained
from searchaccess.core.policy.guardrails.policy import Policy
from searchaccess.core.policy.guardrails.rules.grants import Bounds, bounds_of

_SHOWN: Final = 120
"""Characters of a value."""
_ABSENT: Final = "absent"
_EXAMPLES: Final = ("a-b", "z9-y")
"""Namespaces, in place of ``{namespace}``: both sides have the same. What holds for one alone, by a pattern such as
``a*``, holds not for all."""
_MORE_WHEN_LONGER: Final = frozenset({"rotateEvery", "validUntil"})
_MORE_WHEN_GREATER: Final = frozenset({"grants", "patterns"})
_REQUIRED_LISTS: Final = frozenset({"hiddenFields", "annotations"})
"""Lists of which each item restricts; of all other lists each item allows."""
_OF_CLUSTERS: Final[Mapping[str, str]] = {
    "urls": "rights are granted in another place",
    "cloudId": "rights are granted in another place",
    "eck": "rights are granted in another place",
    "ca": "other certificates are trusted",
    "allowExposure": "the cluster may be reached from elsewhere",
    "login": "the operator has other rights",
    "identity": "other tokens are accepted, or name other callers",
    "secretStores": "secrets may go to other places",
    "adoption": "rights that others made may be taken over",
    "takeOver": "rights of another installation are taken over",
    "mapping": "callers get their roles in another way",
}
"""Fields of a SearchCluster whose every change must be looked at."""


def loosened_policy(before: Policy | None, after: Policy | None) -> tuple[Loosened, ...]:
    """Return what a policy restricts less; None: there is none."""
    if before is None or before.spec is None or before.audits:
        # What cannot be read refuses everything, and whatever is readable is less strict.
        unread = before is not None and before.spec is None and (after is None or after.spec is not None)
        return (Loosened("spec", "unreadable", _ABSENT, "it refused everything"),) if unread else ()
    if after is None:
        return (Loosened("spec", "in force", "removed", "it refuses nothing any more"),)
    return () if after.spec is None else tuple(_of_policy(before.spec, after.spec))


def _of_policy(before: SearchAccessPolicySpec, after: SearchAccessPolicySpec) -> Iterator[Loosened]:
    if before.mode is not after.mode:
        yield Loosened("spec.mode", str(before.mode), str(after.mode), "it only reports what it refused")
    if before.on_violation is not after.on_violation and after.on_violation is OnViolation.KEEP:
        why = "rights that it refuses stay if they were granted before"
        yield Loosened("spec.onViolation", str(before.on_violation), str(after.on_violation), why)
    was, now = (spec.model_dump(mode="json", by_alias=True, exclude_none=True) for spec in (before, after))
    yield from _match(mapping(was.get("match")), mapping(now.get("match")))
    for what in (_allow, _deny):
        found = (tuple(what(bounds_of(before, each), bounds_of(after, each))) for each in _EXAMPLES)
        yield from next(filter(None, found), ())
    subjects, present = was.get("subjects"), now.get("subjects")
    if subjects is not None and (present is None or any(each not in subjects for each in present)):
        yield Loosened("spec.subjects", _shown(subjects), _shown(present), "it accepts other subjects")
    for part in ("require", "limits"):
        yield from _demands(f"spec.{part}", mapping(was.get(part)), mapping(now.get(part)))
    yield from _exceptions(was.get("exceptions") or [], now.get("exceptions") or [])


def _match(before: Mapping[str, Any], after: Mapping[str, Any]) -> Iterator[Loosened]:
    for key, now in after.items():
        was = before.get(key)
        is_wider = isinstance(was, list) and isinstance(now, list) and all(each in now for each in was)
        if now != was and not is_wider:
            yield Loosened(f"spec.match.{key}", _shown(was), _shown(now), "it may apply to fewer SearchAccesses")


def _allow(before: Bounds, after: Bounds) -> Iterator[Loosened]:
    if before.allowed is None:
        return
    if after.allowed is None:
        yield Loosened("spec.allow", "given", _ABSENT, "it allows everything that it does not deny")
        return
    for name, patterns in after.allowed.items():
        known = before.allowed.get(name, ())
        if new := [each for each in patterns if not contained(each, known).contained]:
            yield Loosened(f"spec.allow ({name})", _list(known), _list(new), "it allows more indices")


def _deny(before: Bounds, after: Bounds) -> Iterator[Loosened]:
    freed = dict[str, list[str]]()
    for pattern, actions in before.denied:
        for action in Action:
            if actions is None or action in actions:
                still = tuple(other for other, what in after.denied if what is None or action in what)
                if not contained(pattern, still).contained:
                    freed.setdefault(pattern, []).append(action)
    for pattern, words in freed.items():
        what = "every action" if len(words) == len(Action) else ", ".join(words)
        yield Loosened("spec.deny", pattern, "not denied", f"{what} is no longer denied there")


def _demands(path: str, before: Mapping[str, Any], after: Mapping[str, Any]) -> Iterator[Loosened]:
    for key, was in before.items():
        now = after.get(key)
        if now != was and _is_less(key, was, now):
            yield Loosened(f"{path}.{key}", _shown(was), _shown(now), "it restricts less")


def _is_less(key: str, was: Any, now: Any) -> bool:
    if now is None:
        return True
    if key in _MORE_WHEN_LONGER:
        return seconds(str(now)) > seconds(str(was))
    if key in _MORE_WHEN_GREATER:
        return bool(now > was)
    if key == "literalPrefix":
        return bool(now < was)
    if isinstance(was, list) and isinstance(now, list):
        one, other = (was, now) if key in _REQUIRED_LISTS else (now, was)
        return any(each not in other for each in one)
    # Of a flag, `require: true` and `limits: false` are the strict ones, which is why it was set.
    return True


def _exceptions(before: list[Any], after: list[Any]) -> Iterator[Loosened]:
    known = {(each["namespace"], each["name"]): each["until"] for each in before}
    for each in after:
        ref, until = (each["namespace"], each["name"]), each["until"]
        if until != known.get(ref):
            name = "/".join(ref)
            yield Loosened("spec.exceptions", known.get(ref, _ABSENT), until, f"it does not apply to {name} until then")


def loosened_cluster(before: Mapping[str, Any], after: Mapping[str, Any]) -> tuple[Loosened, ...]:
    """Return what a SearchCluster restricts less, or what of it must be looked at.

    Args:
        before: its spec, with defaults.
        after: the same.
    """
    return tuple(_of_cluster(before, after))


def _of_cluster(before: Mapping[str, Any], after: Mapping[str, Any]) -> Iterator[Loosened]:
    for key, why in _OF_CLUSTERS.items():
        if before.get(key) != after.get(key):
            yield Loosened(f"spec.{key}", _shown(before.get(key)), _shown(after.get(key)), why)
    was, now = before.get("allowedNamespaces"), after.get("allowedNamespaces")
    if was is not None and was != now and not _are_fewer(mapping(was), now):
        yield Loosened("spec.allowedNamespaces", _shown(was), _shown(now), "other namespaces may have rights there")
    if mapping(before.get("policies")).get("unmatched") == "Deny" != mapping(after.get("policies")).get("unmatched"):
        why = "what no policy applies to is allowed"
        yield Loosened("spec.policies.unmatched", "Deny", "Allow", why)
    if mapping(after.get("orphans")).get("allowed") is True is not mapping(before.get("orphans")).get("allowed"):
        why = "rights may stay when their SearchAccess is deleted"
        yield Loosened("spec.orphans.allowed", "false", "true", why)


def _are_fewer(was: Mapping[str, Any], now: Any) -> bool:
    names, others = was.get("names"), mapping(now).get("names")
    if not isinstance(names, list) or not isinstance(others, list) or {*was, *mapping(now)} != {"names"}:
        return False
    return all(each in names for each in others)


def _shown(value: Any) -> str:
    return _ABSENT if value is None else bounded_text(canonical_json(value), _SHOWN)


def _list(patterns: tuple[str, ...] | list[str]) -> str:
    return bounded_text(some_of(list(patterns)), _SHOWN) or "none"
