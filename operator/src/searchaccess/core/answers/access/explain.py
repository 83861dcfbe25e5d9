"""Why somebody may do something on an index, or may not: the chain of what gives it, and what does not."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Any, Final

from searchaccess.core.answers.access.actions import Question
from searchaccess.core.answers.access.groups import Part, Rights, groups_of, rights_of
from searchaccess.core.answers.access.holders import Finding, Holder, Kind, Outcome, acting, in_doubt, judge
from searchaccess.core.answers.access.state import IndexedRoles, Target
from searchaccess.core.answers.access.words import documents_in_words, fields_in_words
from searchaccess.core.answers.statuses.overview import last_use
from searchaccess.core.answers.statuses.report import Use
from searchaccess.core.model.access import Access
from searchaccess.core.model.consent import ConsentState
from searchaccess.core.model.intake.reading import mapping, objects, text, texts
from searchaccess.core.model.timeboxes.timebox import Term, shown_time
from searchaccess.core.policy.decision import OPEN, Do, decide
from searchaccess.core.policy.guardrails.messages import refusal_message

_MOST: Final = 20
"""Roles that give nothing, and that are named."""
_BEST: Final = (Outcome.YES, Outcome.UNKNOWN, Outcome.NO)


class Says(StrEnum):
    """What a step of the chain says."""

    GRANTS = "grants"
    NOTHING = "nothing"
    BLOCKS = "blocks"
    UNKNOWN = "unknown"
    INFO = "info"


@dataclass(frozen=True, slots=True)
class Step:
    """One step of the chain.

    Args:
        what: kind of the object, such as ``role``.
        name: of the object.
        says: what it means for the answer.
        text: why, in a sentence.
    """

    what: str
    name: str
    says: Says
    text: str


@dataclass(frozen=True, slots=True)
class Asked:
    """What is asked: whether somebody may do something.

    Args:
        subject: as it was asked about.
        target: the index.
        question: what is asked about.
        field: that must be shown; empty: any.
    """

    subject: str
    target: Target
    question: Question
    field: str = ""


@dataclass(frozen=True, slots=True)
class Explanation:
    """The answer about one subject.

    Args:
        asked: what was asked.
        finding: what follows from what was read; None: nobody of this name was found.
        steps: the chain, from the declaration to Elasticsearch.
        verified: what Elasticsearch itself answered; None: it was not asked.
        not_verified: why it was not asked; empty: it was.
        unread: what could not be read, and why.
        unseen: what no API shows.
    """

    asked: Asked
    finding: Finding | None
    steps: tuple[Step, ...]
    verified: bool | None = None
    not_verified: str = ""
    unread: tuple[str, ...] = ()
    unseen: tuple[str, ...] = ()

    @property
    def outcome(self) -> Outcome:
        """The answer. What Elasticsearch says about the action itself overrides what was concluded."""
        concluded = self.finding.outcome if self.finding else Outcome.UNKNOWN
        if self.verified is None:
            return concluded
        if self.verified:
            # Elasticsearch says nothing about fields.
            return concluded if self.finding and self.finding.hidden_field else Outcome.YES
        # It was asked about the usual way; others may be open.
        finding = self.finding
        special = finding is not None and (finding.acting_as or (finding.rights is not None and finding.rights.how))
        return concluded if special else Outcome.NO

    @property
    def acting_as(self) -> str:
        """The user by acting as whom it gets the rights; empty: it has them itself."""
        return self.finding.acting_as if self.finding else ""

    @property
    def rights(self) -> Rights | None:
        """What it certainly has; None: nothing, or that is not known."""
        return self.finding.rights if self.finding else None


def describe(rights: Rights) -> str:
    """Return what rights show, in a sentence."""
    parts = [rights.how] if rights.how else []
    if rights.documents:
        parts.append(f"documents: {documents_in_words(rights)}")
    if rights.fields:
        parts.append(f"fields: {fields_in_words(rights)}")
    return "; ".join(parts) or "without restrictions"


def steps_of_holder(holder: Holder, roles: IndexedRoles, question: Question) -> Iterator[Step]:
    """Yield what each role of somebody gives, and by what it has the role.

    Args:
        holder: who.
        roles: of the cluster, for one index.
        question: what is asked about.
    """
    left = _MOST
    for each in holder.given:
        part, by = roles.part(each.role), f"by {each.by}"
        found = rights_of(groups_of([part], roles.names), roles.names, question) if part else None
        if found:
            says = Says.GRANTS if each.sure else Says.UNKNOWN
            yield Step("role", each.role, says, f"{by}{'' if each.sure else ', perhaps'}: {describe(found)}")
        elif each.role not in roles.known:
            yield Step("role", each.role, Says.UNKNOWN, f"{by}: there is none, or it is in a file of the nodes")
        elif roles.unlicensed(each.role):
            yield Step(
                "license", each.role, Says.BLOCKS, f"{by}: the license lacks where or fields, so it gives nothing"
            )
        elif left > 0:
            left -= 1
            yield Step("role", each.role, Says.NOTHING, f"{by}: does not allow {question.action} on this index")
    for number, parts in enumerate(holder.own):
        what = "rights of its owner" if number else "own rights"
        if holder.kind is Kind.SERVICE:
            what = "built-in rights"
        yield _step_of_own(what, parts, holder, roles, question)
    for doubt in holder.doubts:
        yield Step("doubt", holder.name, Says.UNKNOWN, doubt)


def _step_of_own(what: str, parts: Sequence[Part], holder: Holder, roles: IndexedRoles, question: Question) -> Step:
    found = rights_of(groups_of(parts, roles.names), roles.names, question)
    if found is None:
        return Step(what, holder.name, Says.BLOCKS, f"do not allow {question.action} on this index")
    return Step(what, holder.name, Says.GRANTS, describe(found))


def steps_of_access(access: Access, target: Target, question: Question) -> Iterator[Step]:
    """Yield what a SearchAccess declares, and what decides whether it is in force.

    Args:
        access: the SearchAccess, with what policies, approvals and clocks say.
        target: the index.
        question: what is asked about.
    """
    what, name = "SearchAccess", access.ref
    if access.invalid:
        yield Step(what, name, Says.BLOCKS, f"its spec cannot be applied: {access.invalid}")
    else:
        found = rights_of(groups_of([Part(name, access.share.body)], target.names), target.names, question)
        declared = access.summary or "nothing"
        if found is None:
            yield Step(what, name, Says.NOTHING, f"declares {declared}: not {question.action} on this index")
        else:
            yield Step(what, name, Says.GRANTS, f"declares {declared}: {describe(found)}")
    yield from _policies(access)
    yield from _consent(access)
    yield from _time(access)
    decision = decide(access, OPEN)
    if decision.reason and decision.do is not Do.ENFORCE:
        does = "holds its rights as they are" if decision.do is Do.HOLD else "removes its rights"
        yield Step("operator", name, Says.BLOCKS, f"{does}: {decision.reason}: {decision.message}")
    elif decision.do is Do.HOLD:
        yield Step("operator", name, Says.INFO, "observes only (spec.mode): it neither grants nor revokes")
    elif access.deleted_at:
        yield Step("operator", name, Says.BLOCKS, f"it is being deleted since {access.deleted_at}")


def _policies(access: Access) -> Iterator[Step]:
    verdict = access.verdict
    for each in verdict.outcomes:
        says = Says.BLOCKS if each in verdict.denied_by else Says.INFO
        reasons = f": {'; '.join(each.reasons)}" if each.reasons else ""
        yield Step("SearchAccessPolicy", each.policy, says, f"{each.outcome}{reasons}")
    if verdict.unmatched:
        yield Step("SearchAccessPolicy", "none", Says.BLOCKS, refusal_message(access))
    if verdict.unknown:
        yield Step("SearchAccessPolicy", "all", Says.UNKNOWN, verdict.unknown)


def _consent(access: Access) -> Iterator[Step]:
    consent = access.consent
    says = {
        ConsentState.MISSING: Says.BLOCKS,
        ConsentState.UNKNOWN: Says.UNKNOWN,
        ConsentState.APPROVED: Says.INFO,
        ConsentState.BREAK_GLASS: Says.INFO,
    }.get(consent.state)
    if says is not None:
        until = f" until {shown_time(consent.ends)}" if consent.ends is not None else ""
        yield Step(
            "approval", access.ref, says, f"{consent.state}{until}{': ' if consent.message else ''}{consent.message}"
        )


def _time(access: Access) -> Iterator[Step]:
    term, box = access.validity.term, access.bounded_box
    if term is Term.IN_FORCE:
        if box.ends is not None:
            yield Step("time box", access.ref, Says.INFO, f"in force until {shown_time(box.ends)}")
        return
    says = Says.UNKNOWN if term is Term.UNKNOWN else Says.BLOCKS
    yield Step("time box", access.ref, says, f"{term}: see spec.validFrom, spec.validUntil and spec.schedule")


def steps_of_status(raw: Mapping[str, Any], access: Access) -> Iterator[Step]:
    """Yield what the operator reported last, and what a gateway accepts of the caller.

    Args:
        raw: the SearchAccess with its status, as the API server has it.
        access: the same.
    """
    status = mapping(raw.get("status"))
    for each in objects(status.get("conditions")):
        if each.get("type") == "Ready":
            ready, since = each.get("status"), text(each.get("lastTransitionTime")) or "?"
            message = text(each.get("message")) or ""
            says = Says.INFO if ready == "True" else Says.UNKNOWN
            yield Step("status", access.ref, says, f"Ready {ready} since {since}: {each.get('reason')}: {message}")
    limits = mapping(status.get("limits"))
    if isinstance(limits.get("apis"), list):
        apis = ", ".join(texts(limits["apis"]))
        says = Says.INFO if apis else Says.BLOCKS
        yield Step("limits", access.ref, says, f"whatever is granted, the gateway accepts these APIs: {apis or 'none'}")


def steps_of_use(use: Use, access: Access, now: float) -> Iterator[Step]:
    """Yield which revisions serve, and when the caller was last allowed a request.

    Args:
        use: of the caller.
        access: the SearchAccess.
        now: seconds since the epoch.
    """
    if use.revisions:
        yield Step("revision", access.ref, Says.INFO, f"serving: {', '.join(use.revisions)}")
    if text := last_use(use.usage, now):
        yield Step("last use", access.ref, Says.INFO, f"{text}, of any index")


def best_of(findings: Iterable[Finding]) -> Finding | None:
    """Return the finding that allows most, of one subject that is several holders; None: it is none."""
    return min(findings, key=lambda each: _BEST.index(each.outcome), default=None)


def explain(
    asked: Asked,
    holders: Sequence[Holder],
    roles: IndexedRoles,
    before: Iterable[Step] = (),
    users: Sequence[Finding] = (),
    *,
    knows_aliases: bool = True,
) -> Explanation:
    """Return whether a subject may do something, and why.

    Args:
        asked: what is asked.
        holders: what the subject is in Elasticsearch; none: nobody.
        roles: of the cluster, for the index.
        before: the first steps of the chain.
        users: those who may, or may perhaps: somebody may act as one of them (``run_as``).
        knows_aliases: whether all aliases and data streams are known.
    """
    target, question = asked.target, asked.question
    steps = list(before)
    if target.exists is False:
        steps.append(Step("index", target.name, Says.INFO, "there is none of this name now, as far as the login sees"))
    leads = f"leads to {target.name}: rights on it count too"
    steps += [Step("alias", each, Says.INFO, leads) for each in target.leading]
    findings = []
    for holder in holders:
        where = f" ({holder.about})" if holder.about else ""
        steps.append(Step(str(holder.kind), holder.name, Says.INFO, f"in Elasticsearch{where}"))
        steps += steps_of_holder(holder, roles, question)
        judged = judge(holder, roles, question, asked.field)
        findings.append(judged if knows_aliases else in_doubt(judged, roles, question))
        if findings[-1].outcome is not Outcome.YES and (by_acting := acting(holder, roles, users)):
            says = Says.GRANTS if by_acting.outcome is Outcome.YES else Says.UNKNOWN
            steps.append(Step("run_as", by_acting.acting_as, says, "it may act as this user, who may"))
            findings.append(by_acting)
    finding = best_of(findings)
    if finding and finding.hidden_field:
        steps.append(Step("field", asked.field, Says.BLOCKS, "no role that allows the action shows this field"))
    return Explanation(asked, finding, tuple(steps))


def confirmed(found: Explanation, *, answer: bool | None, why: str = "") -> Explanation:
    """Return an explanation with what Elasticsearch answered.

    Args:
        found: what was concluded.
        answer: whether it allows the usual way; None: it was not asked.
        why: it was not asked; empty: it was.
    """
    if answer is None:
        return replace(found, not_verified=why)
    concluded = found.finding is not None and found.finding.outcome is Outcome.YES
    says = Says.GRANTS if answer else Says.BLOCKS
    text = "allows it" if answer else "does not allow it"
    if answer and not concluded:
        text += ": by something that cannot be seen, such as a role in a file"
    elif not answer and concluded and not (found.rights and found.rights.how) and not found.acting_as:
        text += ", although what was read does: a role in a file may replace one that was read"
    return replace(found, verified=answer, steps=(*found.steps, Step("Elasticsearch", "_has_privileges", says, text)))
