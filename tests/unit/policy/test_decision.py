"""What may be done about a SearchAccess: each check, and which comes first."""

from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from searchaccess.api.conditions.reasons import Reason
from searchaccess.core.model.access import Access
from searchaccess.core.model.admission import Admission
from searchaccess.core.model.consent import Consent, ConsentState
from searchaccess.core.model.identities.identity import Identity, State
from searchaccess.core.model.limits import DeclaredLimits
from searchaccess.core.model.timeboxes.timebox import NOT_COMPARED, Term, TimeBox, Validity
from searchaccess.core.model.timeboxes.windows import Schedule
from searchaccess.core.model.verdict import Outcome, PolicyOutcome, PolicyVerdict
from searchaccess.core.policy import decision as policy
from searchaccess.core.policy.callers import Limit
from searchaccess.core.policy.decision import CHECKS, OPEN, AccessDecision, Check, Do, Gate, Inputs, decide
from searchaccess.core.policy.login import LoginRights
from tests.unit.builders import NOW, a_grant, an_access

CLOSED = Gate(grants=False, reason=Reason.REALM_MISMATCH, message="realm")
BASIC = Gate(grants=False, reason=Reason.LICENSE_INSUFFICIENT, message="jwt", field_security=False, license="basic")
ONLY_OTHERS = Gate(
    limits=(
        Limit("node-0", "realm.required_claims.email", "email", frozenset({"other@acme-shop.iam.gserviceaccount.com"})),
    ),
    place="elasticsearch.yml",
)
NO_FIELD_SECURITY = Gate(field_security=False, license="gold")
ONLY_READS = Gate(login=LoginRights("observer"))
NO_ORPHANS = Gate(orphans=False)
REALM_ALONE = Gate(gateway=False)
BEHIND_GATEWAY = Gate(gateway=True)
OLD, NEW = Gate(version=(8, 18)), Gate(version=(9, 1))
Spec = dict[str, Any]
DELETED: Spec = {"deleted_at": NOW}
LIMITED: Spec = {"limits": {"requestsPerSecond": 5}}
ORPHAN: Spec = {"deletionPolicy": "Orphan"}
OBSERVED: Spec = {"mode": "Observe"}
SUSPENDED: Spec = {"suspend": True}
INVALID: Spec = {"grants": [a_grant("Upper")]}
UNREADABLE: Spec = {"clusterCan": "?"}
RESTRICTED: Spec = {"grants": [a_grant(where={"term": {"region": "eu"}})]}
FROM_9_1: Spec = {"clusterCan": ["monitor_esql"]}
FROM_8_19: Spec = {"grants": [a_grant(privileges=["read_failure_store"])]}
WIDENING: Spec = {"grants": [a_grant(where={"term": {"region": "eu"}}), a_grant(fields={"include": ["region"]})]}
WITH_KEY: Spec = {"auth": "ApiKey", "credential": {"store": "main", "name": "orders-key"}}


@dataclass(frozen=True)
class Case:
    """A SearchAccess in its surroundings.

    Args:
        spec: keywords of the builder.
        gate: of its cluster.
        rejection: by Elasticsearch.
        more: what is known of the SearchAccess beside its object.
    """

    spec: Spec
    gate: Gate = OPEN
    rejection: str = ""
    more: tuple[tuple[str, Any], ...] = ()

    @property
    def inputs(self) -> Inputs:
        return Inputs(replace(an_access(**self.spec), **dict(self.more)), self.gate, self.rejection)


def case(*specs: Spec, gate: Gate = OPEN, rejection: str = "", **more: Any) -> Case:
    together: Spec = {}
    for spec in specs:
        together |= spec
    return Case(together, gate, rejection, tuple(more.items()))


REFUSED: dict[str, Any] = {"admission": Admission.REFUSED}
UNKNOWN: dict[str, Any] = {"admission": Admission.UNKNOWN}
VIOLATES: dict[str, Any] = {"verdict": PolicyVerdict((PolicyOutcome("limits", Outcome.DENIED, ("too wide",)),))}
VIOLATES_AND_KEEPS: dict[str, Any] = {
    "verdict": PolicyVerdict((PolicyOutcome("limits", Outcome.DENIED, ("too wide",), keeps=True),))
}
UNDECIDED: dict[str, Any] = {"verdict": PolicyVerdict(unknown="the labels of the namespace shop are not known")}

SOON: dict[str, Any] = {"time_box": TimeBox(begins=2_000_000_000), "validity": Validity(Term.NOT_YET, 2_000_000_000)}
BEGUN: dict[str, Any] = {"time_box": TimeBox(begins=5), "validity": Validity(Term.IN_FORCE)}
CURRENT: dict[str, Any] = {"time_box": TimeBox(ends=2_000_000_000), "validity": Validity(Term.IN_FORCE, 2_000_000_000)}
HOURS = Schedule("0 8 * * *", "UTC", 3600)
OUTSIDE: dict[str, Any] = {"time_box": TimeBox(schedule=HOURS), "validity": Validity(Term.OUTSIDE, 2_000_000_000)}
LAST_WINDOW: dict[str, Any] = {
    "time_box": TimeBox(ends=2_000_000_000, schedule=HOURS),
    "validity": Validity(Term.OUTSIDE, 2_000_000_000),
}
OVER: dict[str, Any] = {"time_box": TimeBox(ends=5), "validity": Validity(Term.EXPIRED)}
NO_TIME: dict[str, Any] = {"time_box": TimeBox(problem="no time"), "validity": Validity(Term.UNREADABLE)}
NOT_CHECKED: dict[str, Any] = {"time_box": TimeBox(ends=5), "validity": NOT_COMPARED}

MISSING = Consent(ConsentState.MISSING, message="SearchAccessPolicy people requires an approval")
UNAPPROVED: dict[str, Any] = {"consent": MISSING}
APPROVED: dict[str, Any] = {"consent": Consent(ConsentState.APPROVED, 2_000_000_000)}
NOT_APPROVED_YET: dict[str, Any] = {"consent": Consent(ConsentState.UNKNOWN, 2_000_000_000, "not read yet")}
APPROVALS_UNREAD: dict[str, Any] = {"consent": Consent(ConsentState.UNKNOWN, message="not read yet")}
APPROVAL_OVER: dict[str, Any] = {
    "consent": Consent(ConsentState.APPROVED, 5), "validity": Validity(Term.EXPIRED),
}  # fmt: skip


def nobody(state: State, message: str = "") -> dict[str, Any]:
    return {"principals": (), "identity": Identity(state=state, message=message)}


Row = tuple[Case, Do, Reason | None]
DECISIONS: dict[str, Row] = {
    "a healthy one is enforced": (case(), Do.ENFORCE, None),
    "an observed one is held, and nothing is wrong": (case(OBSERVED), Do.HOLD, None),
    "a suspended one is held": (case(SUSPENDED), Do.HOLD, Reason.SUSPENDED),
    "an invalid one is held": (case(INVALID), Do.HOLD, Reason.INVALID_SPEC),
    "one whose own grants would widen each other is held": (case(WIDENING), Do.HOLD, Reason.RESTRICTIONS_WOULD_WIDEN),
    "one that could not be read is held": (case(fault="KeyError"), Do.HOLD, Reason.INTERNAL_ERROR),
    "one that Elasticsearch refused is held": (case(rejection="no such privilege"), Do.HOLD, Reason.REJECTED),
    # the namespace
    "one of a refused namespace is removed": (case(**REFUSED), Do.REMOVE, Reason.NAMESPACE_NOT_ALLOWED),
    "an observed one of a refused namespace too": (case(OBSERVED, **REFUSED), Do.REMOVE, Reason.NAMESPACE_NOT_ALLOWED),
    "one of a namespace whose labels are unknown is held": (case(**UNKNOWN), Do.HOLD, Reason.PENDING),
    # policies
    "what a policy refuses is removed": (case(**VIOLATES), Do.REMOVE, Reason.POLICY_VIOLATION),
    "it is held where that policy lets it stay": (case(**VIOLATES_AND_KEEPS), Do.HOLD, Reason.POLICY_VIOLATION),
    "an observed one is removed too": (case(OBSERVED, **VIOLATES), Do.REMOVE, Reason.POLICY_VIOLATION),
    "a key too": (case(WITH_KEY, **VIOLATES), Do.REMOVE, Reason.POLICY_VIOLATION),
    "what a policy refused stays revoked after an internal error": (
        case(fault="KeyError", **VIOLATES), Do.REMOVE, Reason.INTERNAL_ERROR,
    ),
    "what that policy lets stay is held then": (
        case(fault="KeyError", **VIOLATES_AND_KEEPS), Do.HOLD, Reason.INTERNAL_ERROR,
    ),
    "what could not be read is not left behind before policies judged it": (
        case(DELETED, ORPHAN, fault="KeyError", summary="", **UNDECIDED), Do.REMOVE, None,
    ),
    "what was read before waits for them": (
        case(DELETED, ORPHAN, fault="KeyError", **UNDECIDED), Do.HOLD, Reason.PENDING,
    ),
    "what policies did not decide yet is held": (case(**UNDECIDED), Do.HOLD, Reason.PENDING),
    "what a policy refuses does not stay when it is deleted": (
        case(DELETED, ORPHAN, **VIOLATES_AND_KEEPS), Do.REMOVE, None,
    ),
    "it is not known yet whether it may stay": (case(DELETED, ORPHAN, **UNDECIDED), Do.HOLD, Reason.PENDING),
    # the time
    "one in its time is enforced": (case(**CURRENT), Do.ENFORCE, None),
    "one before its time has nothing": (case(**SOON), Do.REMOVE, Reason.NOT_YET_VALID),
    "one after its time loses everything": (case(**OVER), Do.REMOVE, Reason.EXPIRED),
    "a suspended one too": (case(SUSPENDED, **OVER), Do.REMOVE, Reason.EXPIRED),
    "an observed one whose time is over too": (case(OBSERVED, **OVER), Do.REMOVE, Reason.EXPIRED),
    "and a key": (case(WITH_KEY, **OVER), Do.REMOVE, Reason.EXPIRED),
    "an invalid one too": (case(INVALID, **OVER), Do.REMOVE, Reason.EXPIRED),
    "a time that cannot be read denies": (case(**NO_TIME), Do.REMOVE, Reason.INVALID_SPEC),
    "a time that was not compared with the clock grants nothing": (case(**NOT_CHECKED), Do.HOLD, Reason.PENDING),
    "nor after an internal error": (case(fault="KeyError", **NOT_CHECKED), Do.HOLD, Reason.INTERNAL_ERROR),
    "an internal error keeps nothing past its time": (case(fault="KeyError", **OVER), Do.REMOVE, Reason.EXPIRED),
    "what has an end is not left behind": (case(DELETED, ORPHAN, **CURRENT), Do.REMOVE, None),
    "nor what may not be there now": (case(DELETED, ORPHAN, **SOON), Do.REMOVE, None),
    "what only had a beginning is left behind": (case(DELETED, ORPHAN, **BEGUN), Do.RELEASE, None),
    "what is observed and has an end is not either": (case(DELETED, OBSERVED, **CURRENT), Do.REMOVE, None),
    "it may be disabled": (case(DELETED, {"deletionPolicy": "Disable"}, **OVER), Do.DISABLE, None),
    # approvals
    "one that is approved is enforced": (case(**APPROVED), Do.ENFORCE, None),
    "one without an approval has nothing": (case(**UNAPPROVED), Do.REMOVE, Reason.PENDING_APPROVAL),
    "a suspended one without an approval too": (case(SUSPENDED, **UNAPPROVED), Do.REMOVE, Reason.PENDING_APPROVAL),
    "an observed one without an approval too": (case(OBSERVED, **UNAPPROVED), Do.REMOVE, Reason.PENDING_APPROVAL),
    "a key without an approval too": (case(WITH_KEY, **UNAPPROVED), Do.REMOVE, Reason.PENDING_APPROVAL),
    "an internal error replaces no approval": (
        case(fault="KeyError", **UNAPPROVED), Do.REMOVE, Reason.PENDING_APPROVAL,
    ),
    "a policy that lets rights stay replaces no approval": (
        case(**VIOLATES_AND_KEEPS, **UNAPPROVED), Do.REMOVE, Reason.PENDING_APPROVAL,
    ),
    "an approval that is not known yet grants nothing, and takes nothing": (
        case(**NOT_APPROVED_YET), Do.HOLD, Reason.PENDING,
    ),
    "one before its time says that it needs an approval": (
        case(**SOON, **UNAPPROVED), Do.REMOVE, Reason.PENDING_APPROVAL,
    ),
    "an approval that is over is no expiration": (case(**APPROVAL_OVER), Do.REMOVE, Reason.PENDING_APPROVAL),
    "what is approved has an end, and is not left behind": (case(DELETED, ORPHAN, **APPROVED), Do.REMOVE, None),
    "what is not approved is not left behind either": (case(DELETED, ORPHAN, **UNAPPROVED), Do.REMOVE, None),
    "what may not be approved is not left behind": (case(DELETED, ORPHAN, **APPROVALS_UNREAD), Do.REMOVE, None),
    # the subject
    "one of a workload that does not exist is held": (
        case(**nobody(State.MISSING)), Do.HOLD, Reason.SERVICE_NOT_FOUND,
    ),
    "one of whom Google was not asked yet is held": (case(**nobody(State.RECALLED)), Do.HOLD, Reason.PENDING),
    "one of whose account Google does not say is held": (
        case(**nobody(State.UNKNOWN, "403")), Do.HOLD, Reason.IDENTITY_UNKNOWN,
    ),
    "one that names nobody is held": (case(principals=()), Do.HOLD, Reason.IDENTITY_UNKNOWN),
    "a key belongs to nobody else": (case(WITH_KEY), Do.ENFORCE, None),
    # the cluster
    "a closed gate holds": (case(gate=CLOSED), Do.HOLD, Reason.REALM_MISMATCH),
    "a closed gate holds no key": (case(WITH_KEY, gate=CLOSED), Do.ENFORCE, None),
    "a realm that shuts the caller out holds": (case(gate=ONLY_OTHERS), Do.HOLD, Reason.REALM_MISMATCH),
    "it does not shut out a key": (case(WITH_KEY, gate=ONLY_OTHERS), Do.ENFORCE, None),
    "a basic license holds": (case(gate=BASIC), Do.HOLD, Reason.LICENSE_INSUFFICIENT),
    "restrictions need their license": (
        case(RESTRICTED, gate=NO_FIELD_SECURITY), Do.HOLD, Reason.LICENSE_INSUFFICIENT,
    ),
    "those of a key too": (case(RESTRICTED, WITH_KEY, gate=BASIC), Do.HOLD, Reason.LICENSE_INSUFFICIENT),
    "without restrictions that license is enough": (case(gate=NO_FIELD_SECURITY), Do.ENFORCE, None),
    "a privilege that the release lacks holds": (case(FROM_8_19, gate=OLD), Do.HOLD, Reason.VERSION_UNSUPPORTED),
    "on the cluster too": (case(FROM_9_1, gate=OLD), Do.HOLD, Reason.VERSION_UNSUPPORTED),
    "for a key too": (case(FROM_9_1, WITH_KEY, gate=OLD), Do.HOLD, Reason.VERSION_UNSUPPORTED),
    "it is granted where the release has it": (case(FROM_8_19, FROM_9_1, gate=NEW), Do.ENFORCE, None),
    "and tried where the release is not known": (case(FROM_9_1), Do.ENFORCE, None),
    "what the login may not grant is held": (case(gate=ONLY_READS), Do.HOLD, Reason.PERMISSION_DENIED),
    "it is not said where nothing is to be granted": (case(OBSERVED, gate=ONLY_READS), Do.HOLD, None),
    # what may stay
    "what would be left behind is held where that is not allowed": (
        case(ORPHAN, gate=NO_ORPHANS), Do.HOLD, Reason.ORPHAN_NOT_ALLOWED,
    ),
    "an observed one too": (case(ORPHAN, OBSERVED, gate=NO_ORPHANS), Do.HOLD, Reason.ORPHAN_NOT_ALLOWED),
    "it is enforced where it is allowed": (case(ORPHAN), Do.ENFORCE, None),
    "deleted, it is revoked where it may not stay": (case(DELETED, ORPHAN, gate=NO_ORPHANS), Do.REMOVE, None),
    "observed, then deleted: it is revoked there too": (case(DELETED, OBSERVED, gate=NO_ORPHANS), Do.REMOVE, None),
    "observed, then deleted: nothing is disabled there": (
        case(DELETED, OBSERVED, {"deletionPolicy": "Disable"}, gate=NO_ORPHANS), Do.REMOVE, None,
    ),
    "what is disabled does not stay": (
        case(DELETED, {"deletionPolicy": "Disable"}, gate=NO_ORPHANS), Do.DISABLE, None,
    ),
    # limits of callers
    "limits are enforced by a gateway": (case(LIMITED, gate=BEHIND_GATEWAY), Do.ENFORCE, None),
    "without one they are refused": (case(LIMITED, gate=REALM_ALONE), Do.HOLD, Reason.LIMITS_NOT_SUPPORTED),
    "observed ones too": (case(LIMITED, OBSERVED, gate=REALM_ALONE), Do.HOLD, Reason.LIMITS_NOT_SUPPORTED),
    "no limits need no gateway": (case(gate=REALM_ALONE), Do.ENFORCE, None),
    "deleted, rights with limits end": (case(DELETED, LIMITED, gate=REALM_ALONE), Do.REMOVE, None),
    "observed, then deleted: nobody would limit what stays": (case(DELETED, OBSERVED, LIMITED), Do.REMOVE, None),
    "nothing with limits may stay": (case(ORPHAN, LIMITED), Do.HOLD, Reason.INVALID_SPEC),
    # the end
    "Delete removes": (case(DELETED), Do.REMOVE, None),
    "Orphan releases": (case(DELETED, {"deletionPolicy": "Orphan"}), Do.RELEASE, None),
    "Disable disables": (case(DELETED, {"deletionPolicy": "Disable"}), Do.DISABLE, None),
    "observed, then deleted: nothing changes": (case(DELETED, OBSERVED), Do.RELEASE, None),
    "a key is always removed": (case(DELETED, WITH_KEY, {"deletionPolicy": "Orphan"}), Do.REMOVE, None),
    "an observed key too": (case(DELETED, WITH_KEY, OBSERVED), Do.REMOVE, None),
    "an unreadable spec still says that it is observed": (case(DELETED, OBSERVED, UNREADABLE), Do.RELEASE, None),
    "an unreadable spec still says its deletion policy": (
        case(DELETED, UNREADABLE, {"deletionPolicy": "Disable"}), Do.DISABLE, None,
    ),
}  # fmt: skip


@pytest.mark.parametrize(("given", "do", "reason"), DECISIONS.values(), ids=DECISIONS)
def test_decision(given: Case, do: Do, reason: Reason | None) -> None:
    inputs = given.inputs
    decision = decide(inputs.access, inputs.gate, inputs.rejection)
    assert (decision.do, decision.reason) == (do, reason)


ORDER: dict[str, tuple[Check, Check, Case]] = {
    "a refused namespace takes the rights away whatever the deletionPolicy": (
        policy.namespace_refused, policy.deletion, case(DELETED, {"deletionPolicy": "Orphan"}, **REFUSED),
    ),
    "a refused namespace takes the rights away whatever the spec": (
        policy.namespace_refused, policy.invalid_spec, case(INVALID, **REFUSED),
    ),
    "suspending keeps nothing in a refused namespace": (
        policy.namespace_refused, policy.suspension, case(SUSPENDED, **REFUSED),
    ),
    "a closed cluster revokes what is not allowed": (
        policy.namespace_refused, policy.cluster_closed, case(gate=CLOSED, **REFUSED),
    ),
    "the time does not stop deletion": (policy.deletion, policy.outside_its_time, case(DELETED, **OVER)),
    "a missing approval does not stop deletion": (policy.deletion, policy.not_approved, case(DELETED, **UNAPPROVED)),
    "what is over is not waiting for an approval": (
        policy.outside_its_time, policy.not_approved, case(**OVER, **UNAPPROVED),
    ),
    "it is not approved although the labels are unknown": (
        policy.not_approved, policy.namespace_unknown, case(**UNAPPROVED, **UNKNOWN),
    ),
    "what no policy decided yet is not asked for an approval": (
        policy.policy_unknown, policy.approval_unknown, case(**UNDECIDED, **NOT_APPROVED_YET),
    ),
    "an approval must be known before the license matters": (
        policy.approval_unknown, policy.license_held, case(RESTRICTED, gate=NO_FIELD_SECURITY, **NOT_APPROVED_YET),
    ),
    "its time is over although the labels are unknown": (
        policy.outside_its_time, policy.namespace_unknown, case(**OVER, **UNKNOWN),
    ),
    "its time is over although it could not be read": (
        policy.outside_its_time, policy.unread, case(fault="KeyError", **OVER),
    ),
    "an invalid spec has an end": (policy.outside_its_time, policy.invalid_spec, case(INVALID, **OVER)),
    "suspending keeps nothing past its time": (
        policy.outside_its_time, policy.suspension, case(SUSPENDED, **OVER),
    ),
    "unknown labels do not stop deletion": (policy.deletion, policy.namespace_unknown, case(DELETED, **UNKNOWN)),
    "an invalid spec does not stop deletion": (policy.deletion, policy.invalid_spec, case(DELETED, INVALID)),
    "suspension does not stop deletion": (policy.deletion, policy.suspension, case(DELETED, SUSPENDED)),
    "an unknown subject does not stop deletion": (
        policy.deletion, policy.subject_unknown, case(DELETED, **nobody(State.MISSING)),
    ),
    "grants that would widen each other do not stop deletion": (
        policy.deletion, policy.own_restrictions, case(DELETED, WIDENING),
    ),
    "a license does not stop deletion": (
        policy.deletion, policy.license_held, case(DELETED, RESTRICTED, gate=NO_FIELD_SECURITY),
    ),
    "a closed gate does not stop deletion": (policy.deletion, policy.cluster_closed, case(DELETED, gate=CLOSED)),
    "a refusal does not stop deletion": (policy.deletion, policy.rejected, case(DELETED, rejection="refused")),
    "what is not known to be allowed is not judged": (
        policy.namespace_unknown, policy.invalid_spec, case(INVALID, **UNKNOWN),
    ),
    "unknown labels come before what could not be read": (
        policy.namespace_unknown, policy.unread, case(fault="KeyError", **UNKNOWN),
    ),
    "of what could not be read the spec is not judged": (
        policy.unread, policy.invalid_spec, case(INVALID, fault="KeyError"),
    ),
    "a fault does not stop deletion": (policy.deletion, policy.unread, case(DELETED, fault="KeyError")),
    "an invalid spec is said although it is suspended": (
        policy.invalid_spec, policy.suspension, case(INVALID, SUSPENDED),
    ),
    "of an invalid spec policies judge nothing": (
        policy.invalid_spec, policy.policy_violation, case(INVALID, **VIOLATES),
    ),
    "what a policy refuses goes, whatever its grants would show together": (
        policy.policy_violation, policy.own_restrictions, case(WIDENING, **VIOLATES),
    ),
    "suspending keeps nothing that a policy refuses": (
        policy.policy_violation, policy.suspension, case(SUSPENDED, **VIOLATES),
    ),
    "what a policy refuses goes, although nobody is known to have it": (
        policy.policy_violation, policy.subject_unknown, case(**VIOLATES, **nobody(State.MISSING)),
    ),
    "a policy does not stop deletion": (policy.deletion, policy.policy_violation, case(DELETED, **VIOLATES)),
    "whom it is for is asked before policies that may depend on it": (
        policy.subject_unknown, policy.policy_unknown, case(**UNDECIDED, **nobody(State.MISSING)),
    ),
    "policies are asked before the license": (
        policy.policy_unknown, policy.license_held, case(RESTRICTED, gate=NO_FIELD_SECURITY, **UNDECIDED),
    ),
    "of an invalid spec the grants are not judged": (
        policy.invalid_spec, policy.own_restrictions, case(INVALID, widens="widens"),
    ),
    "that grants would widen each other is said although it is suspended": (
        policy.own_restrictions, policy.suspension, case(WIDENING, SUSPENDED),
    ),
    "what may stay does not stop deletion": (
        policy.deletion, policy.orphan_not_allowed, case(DELETED, ORPHAN, gate=NO_ORPHANS),
    ),
    "suspension is said before what may stay": (
        policy.suspension, policy.orphan_not_allowed, case(SUSPENDED, ORPHAN, gate=NO_ORPHANS),
    ),
    "what may stay is said before limits": (
        policy.orphan_not_allowed, policy.limits_not_supported,
        case(ORPHAN, gate=replace(NO_ORPHANS, gateway=False), limits=DeclaredLimits(max_body=1)),
    ),
    "limits are said before whom they are for": (
        policy.limits_not_supported, policy.subject_unknown,
        case(LIMITED, gate=REALM_ALONE, **nobody(State.MISSING)),
    ),
    "of what is suspended nobody is looked for": (
        policy.suspension, policy.subject_unknown, case(SUSPENDED, **nobody(State.MISSING)),
    ),
    "suspension is said although the gate is closed": (
        policy.suspension, policy.cluster_closed, case(SUSPENDED, gate=CLOSED),
    ),
    "who is to have the rights is asked before what they need": (
        policy.subject_unknown, policy.license_held, case(RESTRICTED, gate=NO_FIELD_SECURITY, **nobody(State.MISSING)),
    ),
    "a license is said before the release": (
        policy.license_held, policy.privileges_unknown,
        case(RESTRICTED, FROM_9_1, gate=replace(OLD, field_security=False)),
    ),
    "a privilege that the release lacks is said before the gate": (
        policy.privileges_unknown, policy.cluster_closed, case(FROM_9_1, gate=replace(CLOSED, version=(8, 18))),
    ),
    "it does not stop deletion": (policy.deletion, policy.privileges_unknown, case(DELETED, FROM_9_1, gate=OLD)),
    "a license is said before the gate": (policy.license_held, policy.cluster_closed, case(RESTRICTED, gate=BASIC)),
    "a closed gate is said before who is shut out": (
        policy.cluster_closed, policy.caller_shut_out,
        case(gate=replace(ONLY_OTHERS, grants=False, reason=Reason.LICENSE_INSUFFICIENT)),
    ),
    "who is shut out is said before what the login may not": (
        policy.caller_shut_out, policy.beyond_login, case(gate=replace(ONLY_OTHERS, login=LoginRights())),
    ),
    "what the login may not is said before an old refusal": (
        policy.beyond_login, policy.rejected, case(gate=ONLY_READS, rejection="refused"),
    ),
    "what the login may not does not stop deletion": (
        policy.deletion, policy.beyond_login, case(DELETED, gate=ONLY_READS),
    ),
    "a closed gate is said of an observed one": (
        policy.cluster_closed, policy.observation, case(OBSERVED, gate=CLOSED),
    ),
    "a refusal is said of an observed one": (policy.rejected, policy.observation, case(OBSERVED, rejection="refused")),
}  # fmt: skip


@pytest.mark.parametrize(("first", "second", "both"), ORDER.values(), ids=ORDER)
def test_where_two_checks_apply_the_first_decides(first: Check, second: Check, both: Case) -> None:
    inputs = both.inputs
    assert first(inputs) != second(inputs), "the order would not matter"
    assert second(inputs) is not None
    assert decide(inputs.access, inputs.gate, inputs.rejection) == first(inputs)


def test_the_order_is_held_by_the_cases_above() -> None:
    """A case distinguishes any two neighbors, so that none can be moved unnoticed."""
    told_apart = {(first, second) for first, second, _ in ORDER.values()}
    assert set(pairwise(CHECKS)) <= told_apart


def test_no_check_is_without_effect(monkeypatch: pytest.MonkeyPatch) -> None:
    for check in CHECKS:
        monkeypatch.setattr(policy, "CHECKS", tuple(other for other in CHECKS if other is not check))
        changed = [name for name, row in DECISIONS.items() if _outcome(row[0].inputs) != row[1:]]
        assert changed, check.__name__


def test_a_privilege_that_the_release_lacks_is_named() -> None:
    decision = decide(an_access(**FROM_8_19), OLD)
    assert decision.message == (
        "Elasticsearch 8.18 has no index privilege read_failure_store, which came with 8.19 and 9.1: remove it, or "
        "upgrade Elasticsearch"
    )


@pytest.mark.parametrize(
    ("given", "returns"),
    [
        (case(**SOON), True),
        (case(**OUTSIDE), True),
        (case(OBSERVED, **OUTSIDE), False),
        (case(SUSPENDED, **OUTSIDE), False),
        (case(**OUTSIDE, **VIOLATES), False),
        (case(gate=CLOSED, **OUTSIDE), False),
        (case(**LAST_WINDOW), False),
        (case(**OUTSIDE, **APPROVED), False),
        (case(**OUTSIDE, consent=Consent(ConsentState.UNKNOWN)), True),
        (case(**OUTSIDE, **UNDECIDED), True),
        (case(**OUTSIDE, **UNKNOWN), True),
        (case(**OUTSIDE, **UNAPPROVED), False),
        (case(DELETED, ORPHAN, **OUTSIDE, **UNDECIDED), False),
        (case(**OVER), False),
        (case(**NO_TIME), False),
        (case(DELETED, **OUTSIDE), False),
        (case(), False),
    ],
)
def test_what_only_waits_for_its_time_returns_by_itself(given: Case, *, returns: bool) -> None:
    inputs = given.inputs
    assert decide(inputs.access, inputs.gate, inputs.rejection).returns is returns


def _outcome(inputs: Inputs) -> tuple[Do, Reason | None]:
    decision = decide(inputs.access, inputs.gate, inputs.rejection)
    return decision.do, decision.reason


accesses = st.builds(
    lambda specs, more: replace(an_access(**{name: value for spec in specs for name, value in spec.items()}), **more),
    st.lists(st.sampled_from([DELETED, OBSERVED, SUSPENDED, INVALID, UNREADABLE, RESTRICTED, WIDENING, WITH_KEY])),
    st.sampled_from(
        [
            {},
            REFUSED,
            UNKNOWN,
            VIOLATES,
            UNDECIDED,
            nobody(State.MISSING),
            nobody(State.RECALLED),
            SOON,
            CURRENT,
            OVER,
            NOT_CHECKED,
        ]
    ),
)


@given(
    accesses, st.sampled_from([OPEN, CLOSED, BASIC, NO_FIELD_SECURITY, ONLY_OTHERS]), st.sampled_from(["", "refused"])
)
def test_nothing_is_enforced_to_which_a_check_objects(access: Access, gate: Gate, rejection: str) -> None:
    objections = [found for check in CHECKS if (found := check(Inputs(access, gate, rejection)))]
    decision = decide(access, gate, rejection)
    assert (decision == AccessDecision(Do.ENFORCE)) is (not objections)
    assert decision.do is not Do.HOLD or not access.deleted_at, "deletion never waits"
