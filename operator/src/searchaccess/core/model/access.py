"""A SearchAccess in the core: small, immutable, already validated."""

from dataclasses import dataclass, field, replace
from typing import Final, TypeAlias

from searchaccess.api.constants import FINALIZER
from searchaccess.api.searchaccess import DeletionPolicy, Mode
from searchaccess.api.searchcluster import PrincipalClaim
from searchaccess.api.stores.credentials import Auth, CredentialSpec
from searchaccess.core.model.admission import Admission
from searchaccess.core.model.canonical import Entry, RoleBody, digest, plain_json
from searchaccess.core.model.claims import Claim
from searchaccess.core.model.consent import NOT_NEEDED, Consent, ConsentState
from searchaccess.core.model.identities.identity import Identity, State
from searchaccess.core.model.identities.workload import Workload
from searchaccess.core.model.limits import NO_LIMITS, DeclaredLimits
from searchaccess.core.model.restrictions.union import restricts
from searchaccess.core.model.timeboxes.timebox import ALWAYS, UNLIMITED, Term, TimeBox, Validity
from searchaccess.core.model.verdict import ACCEPTED, PolicyVerdict

LAYOUT: Final = 1
"""Version of the form in which rights are recorded. A change makes every role pending, not drifted."""


@dataclass(frozen=True, slots=True)
class Share:
    """The part of a role that belongs to one SearchAccess."""

    entries: tuple[Entry, ...] = ()
    cluster: tuple[str, ...] = ()
    _hash: str = field(default="", init=False, repr=False, compare=False)
    """Once it was asked for: planning a role and each status ask for it again."""

    @property
    def local(self) -> tuple[Entry, ...]:
        """The entries for the cluster's own indices."""
        return tuple([entry for entry in self.entries if not (entry.application or entry.clusters)])

    @property
    def local_indices(self) -> list[str]:
        """The names and patterns of the cluster's own indices, without marks."""
        return [name for entry in self.local for name in entry.indices]

    @property
    def on_indices(self) -> tuple[Entry, ...]:
        """The entries for indices, here and on remote clusters."""
        return tuple(entry for entry in self.entries if not entry.application)

    @property
    def body(self) -> RoleBody:
        """The body of a role, or of a key, with exactly these rights."""
        return RoleBody(cluster=self.cluster, entries=self.entries)

    def same_as(self, another: "Share") -> bool:
        """Return whether both grant the same."""
        return self.cluster == another.cluster and sorted(self.entries) == sorted(another.entries)

    @property
    def hash(self) -> str:
        """Identify the rights."""
        if not self._hash:
            entries = sorted(entry.as_recorded for entry in self.entries)
            found = digest(plain_json([LAYOUT, [entry.to_json() for entry in entries], list(self.cluster)]))
            object.__setattr__(self, "_hash", found)
        return self._hash


Subject: TypeAlias = Workload | str
"""A workload, or the e-mail address of a service account."""


@dataclass(frozen=True, slots=True)
class Access:
    """What one SearchAccess declares, and what the loop needs to know about it."""

    uid: str
    namespace: str
    name: str
    generation: int
    resource_version: str
    cluster: str
    subject: Subject | None
    """Who gets the rights; None: the spec has no readable subject."""
    principals: tuple[str, ...]
    """The names of the subject in Elasticsearch, the current one first; empty: not known."""
    share: Share
    summary: str
    mode: Mode
    suspend: bool
    deletion_policy: DeletionPolicy
    deleted_at: str
    """When deletion was requested (RFC 3339); empty: it is not being deleted."""
    finalizers: tuple[str, ...]
    adopt: str
    reconcile_requested: str
    invalid: str
    """Why the spec cannot be applied; empty: it can."""
    identity: Identity | None = None
    """What is known about the subject; None: nothing has to be known."""
    auth: Auth = Auth.IDENTITY_TOKEN
    credential: CredentialSpec | None = None
    """Where its API key or password is; None: it has none."""
    rotate_requested: str = ""
    admission: Admission = Admission.ALLOWED
    """Whether its SearchCluster admits SearchAccesses of its namespace."""
    fault: str = ""
    """The unexpected internal error when this version was read: its rights stay as they are; empty: none."""
    fault_in_judgment: bool = False
    """Whether it occurred when it was judged, not when it was read: it is over as soon as it is judged."""
    widens: str = ""
    """Which two of its own grants would together show what neither of them allows; empty: no two."""
    created_at: str = ""
    """When it was created (RFC 3339); empty: it is not known."""
    claims: tuple[Claim, ...] = ()
    """What each of its grants asks for."""
    labels: tuple[tuple[str, str], ...] = ()
    annotated: tuple[str, ...] = ()
    """Names of its annotations that have a value."""
    verdict: PolicyVerdict = ACCEPTED
    """What SearchAccessPolicies say of it."""
    time_box: TimeBox = UNLIMITED
    """When its rights are in force."""
    validity: Validity = ALWAYS
    """What that, and the end of approvals, say now."""
    requested_by: str = ""
    """The user who wrote the spec, as its annotation says; empty: it does not."""
    break_glass: str = ""
    """Why it needs its rights before anybody can approve them; empty: it does not."""
    consent: Consent = NOT_NEEDED
    """Whether it has the approvals that policies require."""
    limits: DeclaredLimits = NO_LIMITS
    """What its caller may send through a gateway."""
    holds_rights: bool = False
    """Whether it may still have rights although it gets none: Elasticsearch did not confirm that they are gone."""

    @property
    def is_unreadable(self) -> bool:
        """Whether it is not known what it asks for: its spec is invalid, or no version of it could be read."""
        return bool(self.invalid) or (bool(self.fault) and not self.summary)

    @property
    def is_over(self) -> bool:
        """Whether it is certain that the time, or a missing approval, does not allow its rights."""
        return self.validity.term not in {Term.IN_FORCE, Term.UNKNOWN} or self.consent.state is ConsentState.MISSING

    @property
    def bounded_box(self) -> TimeBox:
        """When its rights are in force, as declared and as approved."""
        box, ends = self.time_box, self.consent.ends
        return box if ends is None else replace(box, ends=ends if box.ends is None else min(ends, box.ends))

    @property
    def seniority(self) -> tuple[str, str, str, str]:
        """Sort key by age, the oldest first. A SearchAccess of unknown age counts as new."""
        return self.created_at or "~", self.namespace, self.name, self.uid

    @property
    def principal(self) -> str:
        """The first of its principals; empty: none is known."""
        return self.principals[0] if self.principals else ""

    @property
    def has_credential(self) -> bool:
        """Whether its rights belong to its own API key or user, not to a principal's role."""
        return self.auth is not Auth.IDENTITY_TOKEN

    @property
    def confirmed(self) -> bool:
        """Whether it is certain who the principals are: declared, or read from Google in this run of the operator."""
        return self.identity is None or self.identity.confirmed

    @property
    def has_nobody(self) -> bool:
        """Whether it is certain that nobody gets the rights: the workload is missing, and the grace period is over."""
        return self.identity is not None and self.identity.state is State.MISSING and not self.principals

    @property
    def ref(self) -> str:
        """``namespace/name``."""
        return f"{self.namespace}/{self.name}"

    @property
    def has_finalizer(self) -> bool:
        """Whether our finalizer is in place."""
        return FINALIZER in self.finalizers

    @property
    def restricts_documents(self) -> bool:
        """Whether it needs document- or field-level security."""
        return any(restricts(entry) for entry in self.share.entries)

    @property
    def reads_remotely(self) -> bool:
        """Whether it reads indices of remote clusters."""
        return any(entry.clusters for entry in self.share.entries)


def subject_to_resolve(access: Access, claim: PrincipalClaim) -> Subject | None:
    """Return the subject that must be resolved at Google; None: the declaration is enough.

    Args:
        access: the SearchAccess.
        claim: the token claim by which its cluster identifies callers.
    """
    if access.has_credential:
        return None
    return access.subject if isinstance(access.subject, Workload) or claim is PrincipalClaim.SUB else None


def identified(access: Access, identity: Identity | None, claim: PrincipalClaim) -> Access:
    """Return a SearchAccess with the principals that follow from what is known about its subject."""
    principals: tuple[str, ...] = ()
    if access.has_credential:
        identity = None
    elif identity is not None:
        principals = identity.principals(claim)
    elif isinstance(access.subject, str):
        principals = (access.subject,)
    if access.identity is identity and access.principals == principals:
        return access
    return replace(access, identity=identity, principals=principals)
