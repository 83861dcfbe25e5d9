"""Decides whether a SearchAccess has the approvals that policies require, and until when."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final

from searchaccess.api.policies.approval import ApprovalRule
from searchaccess.api.searchaccessapproval import ApprovedBy
from searchaccess.api.times.durations import seconds
from searchaccess.api.times.moments import moment
from searchaccess.core.model.access import Access
from searchaccess.core.model.consent import NOT_NEEDED, Consent, ConsentState
from searchaccess.core.model.intake.metadata import bounded_text
from searchaccess.core.model.timeboxes.timebox import shown_time
from searchaccess.core.model.verdict import Outcome, PolicyOutcome, PolicyVerdict
from searchaccess.core.policy.consent.approval import Approval
from searchaccess.core.policy.consent.messages import how_to_approve, whose_request
from searchaccess.core.policy.consent.vouching import Vouching

_LIMIT: Final = 2_000
"""Characters of a message."""
_AGAIN: Final = "delete it, review the SearchAccess as it is now, and create another one"
_NOT_APPROVED: Final = "approval: another person must approve it"


@dataclass(frozen=True, slots=True)
class Demand:
    """A policy that applies to a SearchAccess and requires an approval.

    Args:
        policy: name of the SearchAccessPolicy.
        rule: what it requires.
        audits: whether it only reports.
    """

    policy: str
    rule: ApprovalRule
    audits: bool = False


@dataclass(frozen=True, slots=True)
class Around:
    """What a decision depends on beside the SearchAccess and the policies.

    Args:
        approvals: those that name the uid of the SearchAccess.
        listed: whether all approvals of its namespace were listed.
        vouching: whether the API server checks names.
        now: the time, in seconds since the epoch.
        premature: uids of approvals that never count, because they were given in advance.
        suspects: uids of approvals of which that is not certain yet.
    """

    approvals: Sequence[Approval]
    listed: bool
    vouching: Vouching
    now: float
    premature: tuple[str, ...] = ()
    suspects: Collection[str] = ()


def consent_of(access: Access, demands: Iterable[Demand], around: Around) -> Consent:
    """Decide whether the approvals that policies require are there: each policy must be satisfied.

    What is not known yet grants nothing new. What it would grant if it were as expected, it keeps until then.
    """
    ends, bypassed, missing, unknown = list[int](), "", "", ""
    for demand in demands:
        approved = _approved_until(access, demand, around)
        certain = approved is not None and around.vouching.known
        glass = None if certain else _bypassed_until(access, demand, around.now)
        if glass is not None:
            bypassed = bypassed or demand.policy
        elif approved is None:
            missing = missing or _why_missing(access, demand, around)
        elif not certain:
            unknown = around.vouching.problem
        end = approved if glass is None else glass
        ends += [] if end is None else [end]
    if missing and not around.listed:
        return Consent(ConsentState.UNKNOWN, message="the SearchAccessApprovals were not read yet")
    if missing:
        return Consent(ConsentState.MISSING, message=bounded_text(missing, _LIMIT))
    if not ends:
        return NOT_NEEDED
    if unknown:
        return Consent(ConsentState.UNKNOWN, min(ends), unknown)
    if bypassed:
        return Consent(ConsentState.BREAK_GLASS, min(ends), _bypass_message(access, bypassed, min(ends), around))
    return Consent(ConsentState.APPROVED, min(ends))


def _approved_until(access: Access, demand: Demand, around: Around) -> int | None:
    """Return when the last approval ends that satisfies a policy; None: none does."""
    if _unvouched(access, around.vouching):
        return None
    ends = [
        _end(approval.created or 0, demand.rule)
        for approval in around.approvals
        if not _fault(approval, access, demand, around)
    ]
    return max(ends, default=None)


def _unvouched(access: Access, vouching: Vouching) -> str:
    """Return why it is not certain who requests a SearchAccess; empty: it is."""
    if not access.requested_by:
        return whose_request(access)
    if not vouching.known:
        return ""
    if vouching.since is None:
        return f"approvals do not count: {vouching.problem}"
    created = moment(access.created_at)
    if created is None or created < vouching.since:
        return (
            "it was created before the API server checked who requests it (until "
            f"{shown_time(int(vouching.since))}): delete it, and create it again"
        )
    return ""


def _fault(approval: Approval, access: Access, demand: Demand, around: Around) -> str:
    """Return why an approval does not satisfy a policy; empty: it does."""
    spec, created, rule = approval.spec, approval.created, demand.rule
    if spec is None or created is None:
        return f"it cannot be read ({approval.invalid})" if approval.invalid else "it cannot be read"
    by = spec.approved_by
    may = _may_approve(by, rule)
    about = approval.namespace, spec.name, spec.uid
    checks = (
        (approval.is_leaving, "it is being deleted"),
        (about != (access.namespace, access.name, access.uid), "it is about another SearchAccess"),
        (
            approval.uid in around.premature,
            f"it was given in advance, when there was no generation {spec.generation} yet, and never counts: {_AGAIN}",
        ),
        (spec.generation != access.generation, f"it is about generation {spec.generation}, not {access.generation}"),
        (approval.uid in around.suspects, "it is being checked whether it was given in advance"),
        (by.username == access.requested_by, "nobody approves what they request themselves"),
        (not may, "its spec.approvedBy names no user or group that may approve"),
    )
    # Times are parsed only for those who may approve: anybody else could create thousands.
    found = next((text for applies, text in checks if applies), "")
    return found or _untimely(created, access, rule, around)


def _may_approve(by: ApprovedBy, rule: ApprovalRule) -> bool:
    return by.username in (rule.by.users or ()) or bool(set(by.groups or ()) & set(rule.by.groups or ()))


def given_ahead(access: Access, demands: Iterable[Demand], approvals: Iterable[Approval]) -> list[Approval]:
    """Return the approvals of a later generation than the known one, by those who may approve it.

    Where no policy requires one, all: a later policy may say that any of their authors may approve.
    """
    rules = [demand.rule for demand in demands]
    return [
        each
        for each in approvals
        if each.spec is not None and each.spec.generation > access.generation
        if not rules or any(_may_approve(each.spec.approved_by, rule) for rule in rules)
    ]


def _untimely(created: float, access: Access, rule: ApprovalRule, around: Around) -> str:
    """Return why an approval does not count now; empty: it does."""
    requested, since, end = moment(access.created_at), around.vouching.since, _end(created, rule)
    if requested is None:
        return "it cannot be read"
    checks = (
        (rule.within is not None and created > requested + seconds(rule.within or ""), "it came too late"),
        (around.vouching.known and (since is None or created < since), "its author was not checked at that time"),
        (around.now >= end, f"it ended at {shown_time(end)}"),
    )
    return next((text for applies, text in checks if applies), "")


def _end(created: float, rule: ApprovalRule) -> int:
    return int(created + seconds(rule.lasts))


def _bypassed_until(access: Access, demand: Demand, now: float) -> int | None:
    """Return when an emergency ends in which a policy needs no approval; None: there is none, or it is over."""
    created, rule = moment(access.created_at), demand.rule.break_glass
    if rule is None or created is None or not access.break_glass:
        return None
    end = int(created + seconds(rule.lasts))
    return end if now < end else None


def _why_missing(access: Access, demand: Demand, around: Around) -> str:
    parts = [f"SearchAccessPolicy {demand.policy} requires an approval"]
    if access.break_glass:
        over = demand.rule.break_glass is not None
        parts.append("the time of searchaccess.dev/break-glass is over" if over else "it allows no break-glass")
    if unvouched := _unvouched(access, around.vouching):
        return "; ".join([*parts, unvouched])
    latest = max(around.approvals, key=lambda each: (each.created or 0, each.name), default=None)
    if latest is not None:
        parts.append(f"the approval {latest.name} does not count: {_fault(latest, access, demand, around)}")
    return "; ".join([*parts, how_to_approve(access, demand.rule)])


def _bypass_message(access: Access, policy: str, end: int, around: Around) -> str:
    vouched = not _unvouched(access, around.vouching) and around.vouching.known
    who = access.requested_by if vouched else "somebody whom the API server did not check"
    text = f"without the approval that SearchAccessPolicy {policy} requires, until {shown_time(end)}, by {who}"
    return bounded_text(f"{text}: {access.break_glass}", _LIMIT)


def with_approvals(verdict: PolicyVerdict, demands: Iterable[Demand], consents: Mapping[str, Consent]) -> PolicyVerdict:
    """Return what policies say, with those that lack an approval, or only report that it is missing.

    Args:
        verdict: what they say of all else.
        demands: the approvals that policies require.
        consents: by policy, whether the approval that it requires is there.
    """
    lacking = {each.policy: each for each in demands if consents[each.policy].state is ConsentState.MISSING}
    if not lacking:
        return verdict
    outcomes = (_lacking(each, lacking[each.policy]) if each.policy in lacking else each for each in verdict.outcomes)
    return replace(verdict, outcomes=tuple(outcomes))


def first_end(audited: Mapping[str, Consent]) -> int | None:
    """Return when the first approval, or emergency, of those that policies require ends; None: none does."""
    return min((consent.ends for consent in audited.values() if consent.ends is not None), default=None)


def _lacking(outcome: PolicyOutcome, demand: Demand) -> PolicyOutcome:
    if demand.audits:
        return replace(outcome, outcome=Outcome.WOULD_DENY, reasons=(*outcome.reasons, _NOT_APPROVED))
    if outcome.outcome is not Outcome.ACCEPTED:
        return outcome
    return replace(outcome, outcome=Outcome.PENDING_APPROVAL, reasons=(_NOT_APPROVED,))
