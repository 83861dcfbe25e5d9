"""The closed set of condition types, each with what it says.

The reference page ``docs/reasons.md`` is generated from this module too.
"""

from dataclasses import dataclass
from enum import StrEnum


class ConditionType(StrEnum):
    """Types of conditions. Ready, Reconciling and Stalled have the meaning that kstatus gives them."""

    READY = "Ready"
    RECONCILING = "Reconciling"
    STALLED = "Stalled"
    IDENTITY_RESOLVED = "IdentityResolved"
    POLICY_ACCEPTED = "PolicyAccepted"
    CREDENTIAL_READY = "CredentialReady"
    HELD = "Held"
    SYNCED = "Synced"
    QUERIES_PROVEN = "QueriesProven"
    DRIFTED = "Drifted"
    INEFFECTIVE = "Ineffective"
    BYPASSABLE = "Bypassable"
    GRANTED_ELSEWHERE = "GrantedElsewhere"
    PRIVATE = "Private"
    REACHABLE = "Reachable"
    LICENSED = "Licensed"
    REALM_VERIFIED = "RealmVerified"
    REALM_PROVEN = "RealmProven"
    STORE_MISSING = "StoreMissing"
    DELEGATION_OPEN = "DelegationOpen"
    OTHERS_PRESENT = "OthersPresent"


WHILE_TRUE = (
    ConditionType.RECONCILING,
    ConditionType.STALLED,
    ConditionType.HELD,
    ConditionType.INEFFECTIVE,
    ConditionType.BYPASSABLE,
    ConditionType.GRANTED_ELSEWHERE,
    ConditionType.STORE_MISSING,
    ConditionType.DELEGATION_OPEN,
    ConditionType.OTHERS_PRESENT,
)
"""Present only while true."""

_BOTH = "SearchAccess, SearchCluster"
_ACCESS = "SearchAccess"
_CLUSTER = "SearchCluster"


@dataclass(frozen=True, slots=True)
class ConditionDoc:
    """What a condition says, by its status."""

    kinds: str
    true: str
    false: str = "Never: the condition is absent then."
    unknown: str = "Never."


CONDITION_DOCS: dict[ConditionType, ConditionDoc] = {
    ConditionType.READY: ConditionDoc(
        _BOTH,
        "All is as declared. For a SearchAccess: Elasticsearch has exactly these rights. For a SearchCluster: it is "
        "reachable, licensed, and its realm is not known to differ.",
        "Something is missing; the reason says what, and the table below who acts.",
        "Elasticsearch does not answer, so it is not known. Also if it was suspended before its first reconcile.",
    ),
    ConditionType.RECONCILING: ConditionDoc(_BOTH, "Not Ready, and the operator retries by itself."),
    ConditionType.STALLED: ConditionDoc(_BOTH, "Not Ready, and retrying does not help: a person must act."),
    ConditionType.IDENTITY_RESOLVED: ConditionDoc(
        _ACCESS,
        "The service account behind the subject is known; the reason says what is noteworthy about it. Absent where "
        "the subject is a service account and Elasticsearch knows it by its e-mail address.",
        "Cloud Run has no such workload.",
        "Google does not answer, or does not let the operator read it. What was last known stays in force.",
    ),
    ConditionType.POLICY_ACCEPTED: ConditionDoc(
        _ACCESS,
        "Every SearchAccessPolicy that applies accepts it, excepts it, or only reports: `status.effectivePolicy` has "
        "what each says. Absent where none applies and none is wanted.",
        "One refuses it, or none applies and the SearchCluster wants one. It gets no rights.",
        "It cannot be decided yet. What it has stays.",
    ),
    ConditionType.CREDENTIAL_READY: ConditionDoc(
        _ACCESS,
        "Who reads the secret gets an API key or a password that works. Absent with `auth: IdentityToken`.",
        "Nobody can read a key that works, or it cannot be rotated; the reason says why.",
        "It could not be observed. Keys that work keep working.",
    ),
    ConditionType.HELD: ConditionDoc(
        _ACCESS,
        "The cluster, subject or kind of login was changed, and what is declared now is not in place. What was granted "
        "before stays: the message says to whom and where, the reason why, and `lastTransitionTime` since when.",
    ),
    ConditionType.SYNCED: ConditionDoc(
        _ACCESS,
        "Elasticsearch has exactly what is declared.",
        "It does not, or not yet.",
        "The access is suspended, or Elasticsearch does not answer.",
    ),
    ConditionType.QUERIES_PROVEN: ConditionDoc(
        _ACCESS,
        "Elasticsearch can run each `where` on the indices that exist now. Absent without `where`.",
        "It cannot, so that the caller's searches fail; the message names an index and the cause. The role is written "
        "all the same, as it shows nothing then.",
        "It is not known; the reason says why. `Ready` depends on it only while Elasticsearch is being asked about a "
        "new `where`.",
    ),
    ConditionType.DRIFTED: ConditionDoc(
        _BOTH,
        "Somebody changed in Elasticsearch what this object declares, and the drift is still open: see "
        "`status.drift.items`.",
        "Nobody did, or it was corrected.",
    ),
    ConditionType.INEFFECTIVE: ConditionDoc(
        _ACCESS,
        "A hint: some of what is declared gives nothing in Elasticsearch, and the message says what. The rest holds; "
        "`Ready` does not depend on it.",
    ),
    ConditionType.BYPASSABLE: ConditionDoc(
        _ACCESS,
        "A warning: the caller can read more than is declared, in a way that Elasticsearch leaves open. The reason and "
        "the message say how; Ready does not depend on it.",
    ),
    ConditionType.GRANTED_ELSEWHERE: ConditionDoc(
        _ACCESS,
        "SearchAccesses of other namespaces, or role mappings of others, give the same principal rights on this "
        "cluster, so its caller may do more than this object says. A warning: nothing else depends on it.",
        "Never: the condition is absent then. That does not mean that nobody else gives the caller rights: file roles, "
        "mappings in files, and rules about groups or other claims cannot be seen or decided.",
    ),
    ConditionType.PRIVATE: ConditionDoc(
        _CLUSTER,
        "Every address is https, is verified, and is one that the internet cannot reach.",
        "It is not. Either `spec.allowExposure` allows it, or the operator refuses to connect; the reason says which.",
    ),
    ConditionType.REACHABLE: ConditionDoc(
        _CLUSTER,
        "Elasticsearch answers and accepts the operator's login.",
        "It does not; the reason says why.",
    ),
    ConditionType.LICENSED: ConditionDoc(
        _CLUSTER,
        "The license has the JWT realm, `where` and `fields`.",
        "It lacks them. No rights are granted; deletions still take effect.",
    ),
    ConditionType.REALM_VERIFIED: ConditionDoc(
        _CLUSTER,
        "The JWT realm is configured on every node as the SearchCluster says.",
        "It is not; the message has the lines for elasticsearch.yml. No new rights are granted; deletions still take "
        "effect.",
        "The login may not read the nodes' settings, or these do not decide who gets in; the reason says which.",
    ),
    ConditionType.REALM_PROVEN: ConditionDoc(
        _CLUSTER,
        "The realm accepts a token of the operator's own for the declared audience, and refuses one for another.",
        "It does not; the reason says what happened instead. Rights are granted all the same.",
        "The operator has no Google identity (`spec.login.googleIdentity`), or got no token.",
    ),
    ConditionType.STORE_MISSING: ConditionDoc(
        _CLUSTER,
        "SearchAccesses use stores that `spec.secretStores` does not have, or not any more: the message names both. "
        "What they keep there stays behind when they are deleted.",
    ),
    ConditionType.DELEGATION_OPEN: ConditionDoc(
        _CLUSTER,
        "What Elasticsearch delegates to the operator's login includes its own indices, such as `.security`: the "
        "message names the patterns. The operator does not use that; whoever else has the login could.",
    ),
    ConditionType.OTHERS_PRESENT: ConditionDoc(
        _CLUSTER,
        "Another Kubernetes cluster, or another installation of the operator, has roles, role mappings, keys or users "
        "in this Elasticsearch: see `status.others`. They stay in force. Ready does not depend on it.",
    ),
}


def types_of(kind: str) -> tuple[ConditionType, ...]:
    """Return the types of conditions that a kind has."""
    return tuple(name for name in ConditionType if kind in CONDITION_DOCS[name].kinds.split(", "))


def described(kind: str) -> str:
    """Return the description of a kind's conditions."""
    lasting = [f"`{name}`" for name in types_of(kind) if name not in WHILE_TRUE]
    passing = " or ".join(f"`{name}`" for name in types_of(kind) if name in WHILE_TRUE)
    return f"What holds and what does not: {', '.join(lasting)}, and {passing} while true."
