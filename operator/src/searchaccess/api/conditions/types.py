"""The closed set of condition types, each with its meaning.

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
    BREAK_GLASS = "BreakGlass"
    CREDENTIAL_READY = "CredentialReady"
    HELD = "Held"
    SYNCED = "Synced"
    QUERIES_PROVEN = "QueriesProven"
    DRIFTED = "Drifted"
    INEFFECTIVE = "Ineffective"
    BYPASSABLE = "Bypassable"
    GRANTED_ELSEWHERE = "GrantedElsewhere"
    LIMITED_ELSEWHERE = "LimitedElsewhere"
    EXCLUSIVE = "Exclusive"
    PRIVATE = "Private"
    REACHABLE = "Reachable"
    LICENSED = "Licensed"
    REALM_VERIFIED = "RealmVerified"
    REALM_PROVEN = "RealmProven"
    GATEWAY_IN_SYNC = "GatewayInSync"
    GATEWAY_VERIFIED = "GatewayVerified"
    RUN_AS_ENABLED = "RunAsEnabled"
    STORE_MISSING = "StoreMissing"
    DELEGATION_OPEN = "DelegationOpen"
    OTHERS_PRESENT = "OthersPresent"
    OTHERS_UNSEEN = "OthersUnseen"
    USAGE_UNKNOWN = "UsageUnknown"


WHILE_TRUE = (
    ConditionType.RECONCILING,
    ConditionType.STALLED,
    ConditionType.BREAK_GLASS,
    ConditionType.HELD,
    ConditionType.INEFFECTIVE,
    ConditionType.BYPASSABLE,
    ConditionType.GRANTED_ELSEWHERE,
    ConditionType.LIMITED_ELSEWHERE,
    ConditionType.STORE_MISSING,
    ConditionType.DELEGATION_OPEN,
    ConditionType.OTHERS_PRESENT,
    ConditionType.OTHERS_UNSEEN,
    ConditionType.USAGE_UNKNOWN,
)
"""Present only while true."""

_BOTH = "SearchAccess, SearchCluster"
_ALL = f"{_BOTH}, SearchAccessPolicy"
_ACCESS = "SearchAccess"
_CLUSTER = "SearchCluster"


@dataclass(frozen=True, slots=True)
class ConditionDoc:
    """What a condition means, by its status."""

    kinds: str
    true: str
    false: str = "Never: the condition is absent instead."
    unknown: str = "Never."


CONDITION_DOCS: dict[ConditionType, ConditionDoc] = {
    ConditionType.READY: ConditionDoc(
        _ALL,
        "SearchAccess: Elasticsearch has exactly the declared rights. SearchCluster: the cluster is reachable and "
        "licensed, and no difference of its realm is known. SearchAccessPolicy: the operator has read it.",
        "Something is missing. The reason says what, and the table below says who acts.",
        "The state is not known, because Elasticsearch does not answer, or because the object was suspended before its "
        "first reconcile.",
    ),
    ConditionType.RECONCILING: ConditionDoc(_BOTH, "Not Ready, and the operator retries automatically."),
    ConditionType.STALLED: ConditionDoc(_ALL, "Not Ready, and retrying does not help: a person must act."),
    ConditionType.IDENTITY_RESOLVED: ConditionDoc(
        _ACCESS,
        "The service account behind the subject is known. The reason gives details. The condition is absent if the "
        "subject is a service account and Elasticsearch identifies it by its e-mail address.",
        "Cloud Run has no such workload.",
        "Google does not answer, or denies the operator access. The rights of the last known account stay in force.",
    ),
    ConditionType.POLICY_ACCEPTED: ConditionDoc(
        _ACCESS,
        "Every SearchAccessPolicy that applies accepts it, excepts it, or only reports: `status.effectivePolicy` has "
        "what each says. Absent where none applies and none is wanted.",
        "One refuses it or waits for an approval, or none applies and the SearchCluster wants one. It gets no rights.",
        "It cannot be decided yet. What it has stays.",
    ),
    ConditionType.BREAK_GLASS: ConditionDoc(
        _ACCESS,
        "A warning: the SearchAccess has its rights without an approval that a policy requires. The message says until "
        "when, who wrote it, and why. `Ready` does not depend on this condition.",
    ),
    ConditionType.CREDENTIAL_READY: ConditionDoc(
        _ACCESS,
        "The secret contains a valid API key or password. Absent with `auth: IdentityToken`.",
        "The secret contains no valid key, or the key cannot be rotated. The reason says why.",
        "The operator could not observe the credential. Valid keys stay valid.",
    ),
    ConditionType.HELD: ConditionDoc(
        _ACCESS,
        "`cluster`, `subject` or `auth` was changed, and the new rights are not in force yet. The previous rights "
        "stay: the message says for whom and where, the reason says why, and `lastTransitionTime` says since when.",
    ),
    ConditionType.SYNCED: ConditionDoc(
        _ACCESS,
        "Elasticsearch has exactly the declared rights.",
        "It does not, or not yet.",
        "The SearchAccess is suspended, or Elasticsearch does not answer.",
    ),
    ConditionType.QUERIES_PROVEN: ConditionDoc(
        _ACCESS,
        "Elasticsearch can run each `where` on the indices that exist now. Absent without `where`.",
        "It cannot, so the caller's searches fail. The message names an index and the cause. The role is written "
        "regardless, because such a role shows nothing.",
        "The result is not known; the reason says why. `Ready` depends on it only while a new `where` is being tested.",
    ),
    ConditionType.DRIFTED: ConditionDoc(
        _BOTH,
        "Somebody changed the rights of this object in Elasticsearch, and the drift is still open: see "
        "`status.drift.items`.",
        "There was no drift, or it was corrected.",
    ),
    ConditionType.INEFFECTIVE: ConditionDoc(
        _ACCESS,
        "A hint: a part of the declaration has no effect in Elasticsearch. The message says which. The rest is in "
        "force; `Ready` does not depend on this condition.",
    ),
    ConditionType.BYPASSABLE: ConditionDoc(
        _ACCESS,
        "A warning: the caller can read more than is declared, in a way that Elasticsearch does not prevent. The "
        "reason and the message say how. `Ready` does not depend on this condition.",
    ),
    ConditionType.GRANTED_ELSEWHERE: ConditionDoc(
        _ACCESS,
        "A warning: SearchAccesses in other namespaces grant rights to the same principal on this cluster. The caller "
        "may do more than this object declares. Nothing else depends on this condition. `Exclusive` is about what "
        "others give it in Elasticsearch.",
    ),
    ConditionType.LIMITED_ELSEWHERE: ConditionDoc(
        _ACCESS,
        "Other SearchAccesses of the same principal limit its requests more than this object does. The message names "
        "them, and the limits in force. `Ready` does not depend on this condition.",
    ),
    ConditionType.EXCLUSIVE: ConditionDoc(
        _ACCESS,
        "Others give the same principal rights, for example by a role mapping, and these add nothing to what is "
        "declared. The condition is absent if the operator found nobody else who gives it rights.",
        "A warning: the caller may do more than is declared, or something else (`Shadowed`). The message names who "
        "gives it more, and what. `Ready` does not depend on this condition.",
        "Others may give the principal more, and the operator cannot see it. The message says what it cannot see.",
    ),
    ConditionType.PRIVATE: ConditionDoc(
        _CLUSTER,
        "Every address uses https, is verified, and cannot be reached from the internet.",
        "It is not. Either `spec.allowExposure` allows that, or the operator refuses to connect. The reason says "
        "which.",
    ),
    ConditionType.REACHABLE: ConditionDoc(
        _CLUSTER,
        "Elasticsearch answers and accepts the operator's login.",
        "It does not. The reason says why.",
    ),
    ConditionType.LICENSED: ConditionDoc(
        _CLUSTER,
        "The license includes the JWT realm, `where` and `fields`.",
        "It does not include them. No rights are granted; deletions still take effect.",
    ),
    ConditionType.REALM_VERIFIED: ConditionDoc(
        _CLUSTER,
        "The JWT realm is configured on every node as the SearchCluster declares it.",
        "It is not. The message contains the lines for elasticsearch.yml. No new rights are granted; deletions still "
        "take effect.",
        "The login may not read the settings of the nodes, or the settings alone do not determine who can log in. The "
        "reason says which.",
    ),
    ConditionType.REALM_PROVEN: ConditionDoc(
        _CLUSTER,
        "The realm accepts the operator's own token for the declared audience and rejects one for another audience.",
        "It does not. The reason says what happened instead. Rights are granted regardless.",
        "The operator has no Google identity (`spec.login.googleIdentity`), or got no token.",
    ),
    ConditionType.GATEWAY_IN_SYNC: ConditionDoc(
        _CLUSTER,
        "All pods of the gateway have loaded the configuration that the operator wrote. Absent without "
        "`identity.gateway`.",
        "There is no pod, or one serves with a former configuration. The message names it.",
        "A new configuration is on its way to the pods, or the operator cannot ask them. The reason says which.",
    ),
    ConditionType.GATEWAY_VERIFIED: ConditionDoc(
        _CLUSTER,
        "The gateway refuses bad tokens, and lets the operator's own account act as nobody else. Absent without "
        "`identity.gateway`.",
        "It accepts what it must refuse, or refuses a good token. The reason says which.",
        "It could not be tested, or only with bad tokens. The reason says which.",
    ),
    ConditionType.RUN_AS_ENABLED: ConditionDoc(
        _CLUSTER,
        "The gateway's login may run as callers at every address of Elasticsearch, and not as others. Absent without "
        "`identity.gateway`.",
        "It may not, or it may run as others. The reason says which.",
        "That could not be tested.",
    ),
    ConditionType.STORE_MISSING: ConditionDoc(
        _CLUSTER,
        "SearchAccesses use stores that are not, or no longer, in `spec.secretStores`. The message names both. The "
        "secrets in these stores stay behind when the SearchAccesses are deleted.",
    ),
    ConditionType.DELEGATION_OPEN: ConditionDoc(
        _CLUSTER,
        "The rights that are delegated to the operator's login include Elasticsearch's own indices, such as "
        "`.security`. The message names the patterns. The operator does not use these rights, but anybody else with "
        "the login could.",
    ),
    ConditionType.OTHERS_PRESENT: ConditionDoc(
        _CLUSTER,
        "Another Kubernetes cluster, or another installation of the operator, has roles, role mappings, keys or users "
        "in this Elasticsearch: see `status.others`. They stay in force. `Ready` does not depend on this condition.",
    ),
    ConditionType.OTHERS_UNSEEN: ConditionDoc(
        _CLUSTER,
        "A warning: the operator cannot see all that others have in this Elasticsearch, so `Exclusive` of its "
        "SearchAccesses is `Unknown` where nothing worse is known. The message says what, and what to grant. `Ready` "
        "does not depend on this condition.",
    ),
    ConditionType.USAGE_UNKNOWN: ConditionDoc(
        _CLUSTER,
        "A hint: the audit events that `spec.audit` names cannot be read, or are old, so `status.usage` of its "
        "SearchAccesses keeps earlier values. The message says why, and what to do. Nothing else depends on this "
        "condition.",
    ),
}


def types_of(kind: str) -> tuple[ConditionType, ...]:
    """Return the types of conditions that a kind has."""
    return tuple(name for name in ConditionType if kind in CONDITION_DOCS[name].kinds.split(", "))


def described(kind: str) -> str:
    """Return the description of a kind's conditions."""
    always = ", ".join(f"`{name}`" for name in types_of(kind) if name not in WHILE_TRUE)
    while_true = ", ".join(f"`{name}`" for name in types_of(kind) if name in WHILE_TRUE)
    return f"Conditions: {always}. Present only while true: {while_true}."
