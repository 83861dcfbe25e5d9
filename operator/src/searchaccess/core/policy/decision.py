"""Restricts the plan: what the operator may do about each SearchAccess right now.

The decision is a chain of small checks. Each is a pure function of `Inputs` that answers one question: it gives the
decision when its case applies, and None when the next one decides. `CHECKS` has them in their order, and the first
decision wins; when there is none, the rights are enforced.

To add a check: write a function here (or in its own module in this package) with a docstring that says what it decides.
Add what it needs to know to `Inputs`, with a default. Add it to `CHECKS` where it belongs, and note there what it must
not precede. Add its rows to the table in ``tests/unit/policy/test_decision.py``.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from enum import Enum, auto
from typing import Final, TypeAlias

from searchaccess.api.conditions.reasons import Reason
from searchaccess.api.searchaccess import DeletionPolicy, Mode
from searchaccess.core.model.access import Access
from searchaccess.core.model.admission import Admission
from searchaccess.core.model.consent import ConsentState
from searchaccess.core.model.grants.actions import missing_in
from searchaccess.core.model.identities.identity import State, missing_message, unknown_message
from searchaccess.core.model.timeboxes.timebox import ALWAYS, Term
from searchaccess.core.policy.callers import Limit, shut_out
from searchaccess.core.policy.guardrails.messages import refusal_message
from searchaccess.core.policy.limits import without_gateway
from searchaccess.core.policy.login import LoginRights, beyond
from searchaccess.core.policy.timebox import not_in_force


class Do(Enum):
    """What is done about one SearchAccess in a reconcile."""

    ENFORCE = auto()
    """Apply its rights as declared."""
    HOLD = auto()
    """Leave its rights in Elasticsearch as they are."""
    REMOVE = auto()
    """Revoke its rights."""
    RELEASE = auto()
    """Leave its rights in force and give up their ownership."""
    DISABLE = auto()
    """Revoke its rights, and keep the role with a note if it is then empty."""


_SAYS_NOTHING_OF_RIGHTS: Final = frozenset(
    {Reason.SUSPENDED, Reason.INVALID_SPEC, Reason.INTERNAL_ERROR, Reason.RESTRICTIONS_WOULD_WIDEN}
)


@dataclass(frozen=True, slots=True)
class AccessDecision:
    """What is done about one SearchAccess, and why not more."""

    do: Do
    reason: Reason | None = None
    """Why it is held; None when nothing is wrong (enforced, observed, being deleted)."""
    message: str = ""
    of_cluster: bool = False
    """The state of the SearchCluster is the cause, not this SearchAccess."""
    unseen: bool = False
    """The SearchAccess cannot be seen: what it declares is not known, only what it has."""

    returns: bool = False
    """Only the time does not allow the declared rights: they come, or come back, by themselves."""

    @property
    def reports(self) -> bool:
        """Whether differences are reported: not if suspended, or if the declaration cannot be applied or read."""
        return not self.unseen and self.reason not in _SAYS_NOTHING_OF_RIGHTS


@dataclass(frozen=True, slots=True)
class Gate:
    """What the state of a cluster allows."""

    grants: bool = True
    """False: no new rights; deletions still take effect."""
    reason: Reason | None = None
    message: str = ""
    field_security: bool = True
    """Whether the license has document- and field-level security."""
    remote_clusters: bool = True
    """Whether the license has rights on remote clusters."""
    license: str = ""
    version: tuple[int, int] | None = None
    """Major and minor version of Elasticsearch; None: not known."""
    limits: tuple[Limit, ...] = ()
    """Settings that accept some callers and reject all others."""
    place: str = ""
    """Where these settings are."""
    login: LoginRights | None = None
    """What the operator's login may do; None: not known."""
    per_principal: bool = False
    """Whether each principal has a role mapping of its own."""
    orphans: bool = True
    """Whether rights may stay when their SearchAccess is deleted."""
    gateway: bool = False
    """Whether a gateway verifies callers' tokens: it can limit what they send, and each principal has a native user."""


OPEN = Gate()

_AT_DELETION = {
    DeletionPolicy.DELETE: Do.REMOVE,
    DeletionPolicy.ORPHAN: Do.RELEASE,
    DeletionPolicy.DISABLE: Do.DISABLE,
}


@dataclass(frozen=True, slots=True)
class Inputs:
    """Everything that a decision depends on.

    Args:
        access: the SearchAccess.
        gate: what the state of its cluster allows.
        rejection: why Elasticsearch refused this very generation; empty: it did not.
    """

    access: Access
    gate: Gate = OPEN
    rejection: str = ""


Check: TypeAlias = Callable[[Inputs], AccessDecision | None]


def namespace_refused(inputs: Inputs) -> AccessDecision | None:
    """Remove the rights if the SearchCluster does not admit the namespace, whatever the SearchAccess declares."""
    access = inputs.access
    if access.admission is not Admission.REFUSED:
        return None
    if access.deleted_at:
        return AccessDecision(Do.REMOVE)
    message = f"SearchCluster {access.cluster} does not allow the namespace {access.namespace}"
    return AccessDecision(Do.REMOVE, Reason.NAMESPACE_NOT_ALLOWED, message)


def deletion(inputs: Inputs) -> AccessDecision | None:
    """End the rights of a SearchAccess that is being deleted, as its deletionPolicy says."""
    access = inputs.access
    if not access.deleted_at:
        return None
    if access.has_credential:
        # A key that nobody rotates or revokes must not stay, whatever is declared.
        return AccessDecision(Do.REMOVE)
    # Observe changes nothing, not even at deletion: the rights stay, as with Orphan (docs/adr/0005).
    do = Do.RELEASE if access.mode is Mode.OBSERVE else _AT_DELETION[access.deletion_policy]
    approves, limited = access.consent.state is not ConsentState.NOT_NEEDED, access.limits.are_declared
    if do is Do.RELEASE and (access.bounded_box.has_end or access.is_over or approves or limited):
        # Nobody would end or limit them. It need not be known yet whether there is an approval, and until when.
        return AccessDecision(Do.REMOVE)
    if do is Do.RELEASE and access.verdict.unknown and not access.verdict.ends and not access.is_unreadable:
        # Rights that stay are never judged again. Of a workload that is gone they need not stay.
        if not access.has_nobody:
            return AccessDecision(Do.HOLD, Reason.PENDING, access.verdict.unknown)
        return AccessDecision(Do.REMOVE)
    # Removing rights that were never written has no effect (docs/adr/0034). Nor may rights stay that no policy accepts:
    # otherwise an invalid spec would keep them for ever.
    may_stay = inputs.gate.orphans and not access.verdict.ends and not (access.is_unreadable and access.verdict.unknown)
    return AccessDecision(Do.REMOVE if do is Do.RELEASE and not may_stay else do)


def outside_its_time(inputs: Inputs) -> AccessDecision | None:
    """Revoke the rights outside of the time in which they are valid, whatever else the SearchAccess says.

    They are held until the time is known to allow them. What waits for its time is not approved by that: whoever may
    approve it sees so before.
    """
    access = inputs.access
    if access.validity.term in {Term.NOT_YET, Term.OUTSIDE} and access.consent.state is ConsentState.MISSING:
        return None
    if found := not_in_force(access):
        return AccessDecision(Do.REMOVE, *found, returns=_returns(inputs))
    if access.validity.term is Term.UNKNOWN and not access.fault:
        return AccessDecision(Do.HOLD, Reason.PENDING, "its times were not compared with the clock yet")
    return None


def not_approved(inputs: Inputs) -> AccessDecision | None:
    """Revoke the rights of what lacks an approval that a policy requires, whatever else the SearchAccess says."""
    consent = inputs.access.consent
    if consent.state is not ConsentState.MISSING:
        return None
    return AccessDecision(Do.REMOVE, Reason.PENDING_APPROVAL, consent.message)


def approval_unknown(inputs: Inputs) -> AccessDecision | None:
    """Hold the rights until it is known whether the required approvals are there."""
    consent = inputs.access.consent
    return AccessDecision(Do.HOLD, Reason.PENDING, consent.message) if consent.state is ConsentState.UNKNOWN else None


def _returns(inputs: Inputs) -> bool:
    """Return whether the rights would be enforced if their time had come, or only something is not known yet."""
    access = inputs.access
    ends = access.bounded_box.ends
    if (
        access.deleted_at
        or access.validity.term not in {Term.NOT_YET, Term.OUTSIDE}
        or access.validity.changes_at == ends
    ):
        return False
    in_time = replace(inputs, access=replace(access, validity=ALWAYS))
    answer = next((answer for check in CHECKS if (answer := check(in_time))), None)
    return answer is None or answer.reason is Reason.PENDING


def namespace_unknown(inputs: Inputs) -> AccessDecision | None:
    """Hold the rights until it is known whether the SearchCluster admits the namespace."""
    access = inputs.access
    if access.admission is not Admission.UNKNOWN:
        return None
    return AccessDecision(Do.HOLD, Reason.PENDING, f"the labels of the namespace {access.namespace} are not known")


def unread(inputs: Inputs) -> AccessDecision | None:
    """Hold the rights of a SearchAccess that the operator could not read because of an internal error.

    What policies refused before is revoked all the same.
    """
    access = inputs.access
    if not access.fault:
        return None
    return AccessDecision(Do.REMOVE if access.verdict.revokes else Do.HOLD, Reason.INTERNAL_ERROR, access.fault)


def invalid_spec(inputs: Inputs) -> AccessDecision | None:
    """Hold the rights while the spec cannot be applied."""
    invalid = inputs.access.invalid
    return AccessDecision(Do.HOLD, Reason.INVALID_SPEC, invalid) if invalid else None


def policy_violation(inputs: Inputs) -> AccessDecision | None:
    """Revoke the rights of what a SearchAccessPolicy refuses, whatever the SearchAccess says itself; or hold them.

    They are held where each policy that refuses it lets them stay. What was refused, and is not known to be accepted
    since, has none either.
    """
    access = inputs.access
    if access.verdict.revoked:
        return AccessDecision(Do.REMOVE, Reason.PENDING, access.verdict.unknown)
    if not access.verdict.refused:
        return None
    do = Do.REMOVE if access.verdict.revokes else Do.HOLD
    return AccessDecision(do, Reason.POLICY_VIOLATION, refusal_message(access))


def policy_unknown(inputs: Inputs) -> AccessDecision | None:
    """Hold the rights until it is known what the SearchAccessPolicies say."""
    unknown = inputs.access.verdict.unknown
    return AccessDecision(Do.HOLD, Reason.PENDING, unknown) if unknown else None


def own_restrictions(inputs: Inputs) -> AccessDecision | None:
    """Hold the rights while two grants of the SearchAccess would together show what neither of them allows.

    Grants of several SearchAccesses are compared where their rights are composed:
    `searchaccess.core.rights.refused.widening`.
    """
    widens = inputs.access.widens
    return AccessDecision(Do.HOLD, Reason.RESTRICTIONS_WOULD_WIDEN, widens) if widens else None


def suspension(inputs: Inputs) -> AccessDecision | None:
    """Hold the rights of what is suspended."""
    message = "spec.suspend is true: rights in Elasticsearch stay as they are"
    return AccessDecision(Do.HOLD, Reason.SUSPENDED, message) if inputs.access.suspend else None


def orphan_not_allowed(inputs: Inputs) -> AccessDecision | None:
    """Hold the rights of a SearchAccess that would leave them behind where that is not allowed; existing ones stay."""
    access = inputs.access
    if inputs.gate.orphans or access.has_credential or access.deletion_policy is not DeletionPolicy.ORPHAN:
        return None
    message = (
        f"SearchCluster {access.cluster} does not allow deletionPolicy: Orphan: remove deletionPolicy, or set "
        "spec.orphans.allowed: true in the SearchCluster. Nothing new is granted; existing rights are revoked at "
        "deletion"
    )
    return AccessDecision(Do.HOLD, Reason.ORPHAN_NOT_ALLOWED, message)


def limits_not_supported(inputs: Inputs) -> AccessDecision | None:
    """Hold the rights of what declares limits where nothing can enforce them; existing rights stay."""
    message = "" if inputs.gate.gateway else without_gateway(inputs.access)
    return AccessDecision(Do.HOLD, Reason.LIMITS_NOT_SUPPORTED, message) if message else None


def subject_unknown(inputs: Inputs) -> AccessDecision | None:
    """Hold the rights while it is not known which account gets them."""
    access = inputs.access
    if access.principals or access.has_credential:
        return None
    state = access.identity.state if access.identity else State.RESOLVED
    if access.subject and access.identity and state is State.MISSING:
        return AccessDecision(Do.HOLD, Reason.SERVICE_NOT_FOUND, missing_message(access.subject, access.identity))
    if state is State.RECALLED:
        message = "the service account behind the subject has not been read from Google yet"
        return AccessDecision(Do.HOLD, Reason.PENDING, message)
    message = unknown_message(access.subject, access.identity) if access.subject and access.identity else ""
    return AccessDecision(Do.HOLD, Reason.IDENTITY_UNKNOWN, message)


def license_held(inputs: Inputs) -> AccessDecision | None:
    """Hold rights that are restricted to documents or fields, or on remote clusters, if the license lacks these."""
    access, gate = inputs.access, inputs.gate
    if access.restricts_documents and not gate.field_security:
        needs = "where and fields need a Platinum, Enterprise or trial license"
    elif access.reads_remotely and not gate.remote_clusters:
        needs = "remoteClusters needs an Enterprise or trial license"
    else:
        return None
    return AccessDecision(Do.HOLD, Reason.LICENSE_INSUFFICIENT, f"{needs}; this cluster has {gate.license}")


def privileges_unknown(inputs: Inputs) -> AccessDecision | None:
    """Hold rights with a privilege that this Elasticsearch release lacks: it would refuse the whole role."""
    share, version = inputs.access.share, inputs.gate.version
    if version is None:
        return None
    on_indices = {name for entry in share.on_indices for name in entry.privileges}
    message = missing_in(version, on_indices, share.cluster)
    return AccessDecision(Do.HOLD, Reason.VERSION_UNSUPPORTED, message) if message else None


def cluster_closed(inputs: Inputs) -> AccessDecision | None:
    """Hold the rights while the state of the cluster allows no new ones; API keys and users need no realm."""
    gate = inputs.gate
    if gate.grants or inputs.access.has_credential:
        return None
    return AccessDecision(Do.HOLD, gate.reason, gate.message, of_cluster=True)


def caller_shut_out(inputs: Inputs) -> AccessDecision | None:
    """Hold the rights of a caller that the realm rejects; an unknown caller is not checked."""
    if inputs.access.has_credential or not (missing := shut_out(inputs.access, inputs.gate.limits)):
        return None
    return AccessDecision(Do.HOLD, Reason.REALM_MISMATCH, f"{inputs.gate.place} {missing}")


def beyond_login(inputs: Inputs) -> AccessDecision | None:
    """Hold the rights that the operator's login may not grant; with Observe, nothing is to be granted."""
    login = inputs.gate.login
    if login is None or inputs.access.mode is Mode.OBSERVE:
        return None
    found = beyond(inputs.access, login, per_principal=inputs.gate.per_principal, gateway=inputs.gate.gateway)
    return AccessDecision(Do.HOLD, *found) if found else None


def rejected(inputs: Inputs) -> AccessDecision | None:
    """Hold the rights that Elasticsearch refused, until the spec changes."""
    return AccessDecision(Do.HOLD, Reason.REJECTED, inputs.rejection) if inputs.rejection else None


def observation(inputs: Inputs) -> AccessDecision | None:
    """Hold the rights under Observe; this is not a problem."""
    return AccessDecision(Do.HOLD) if inputs.access.mode is Mode.OBSERVE else None


CHECKS: Final[tuple[Check, ...]] = (
    # These end rights. Nothing in the SearchAccess itself keeps them.
    namespace_refused,
    deletion,
    outside_its_time,
    not_approved,
    # Nothing in the SearchAccess can be relied on before these.
    namespace_unknown,
    unread,
    invalid_spec,
    # What the platform refuses ends, also if it is suspended or observed.
    policy_violation,
    own_restrictions,
    suspension,
    # These are not allowed by the platform.
    orphan_not_allowed,
    limits_not_supported,
    # These keep declared rights from being granted. They come before checks that depend on the cluster.
    subject_unknown,
    policy_unknown,
    approval_unknown,
    license_held,
    privileges_unknown,
    cluster_closed,
    caller_shut_out,
    beyond_login,
    rejected,
    # Everything below would be granted with Enforce.
    observation,
)
"""In the order in which they apply."""


def decide(access: Access, gate: Gate, rejection: str = "") -> AccessDecision:
    """Decide what may be done about a SearchAccess, from what `Inputs` describes."""
    inputs = Inputs(access, gate, rejection)
    answers = (check(inputs) for check in CHECKS)
    return next((answer for answer in answers if answer), AccessDecision(Do.ENFORCE))
