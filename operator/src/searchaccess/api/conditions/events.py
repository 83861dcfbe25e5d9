"""The closed set of reasons of events, each with when it is emitted."""

from dataclasses import dataclass
from enum import StrEnum

from searchaccess.api.conditions.reasons import Reason


class EventReason(StrEnum):
    """Why an event is emitted: one of a closed, documented set. Each terminal reason of a condition is one too."""

    DRIFT_DETECTED = Reason.DRIFT_DETECTED.value
    DRIFT_CORRECTED = Reason.DRIFT_CORRECTED.value
    SERVICE_ACCOUNT_CHANGED = Reason.SERVICE_ACCOUNT_CHANGED.value
    SERVICE_ACCOUNT_RECREATED = Reason.SERVICE_ACCOUNT_RECREATED.value
    SERVICE_NOT_FOUND = Reason.SERVICE_NOT_FOUND.value
    CLUSTER_NOT_FOUND = Reason.CLUSTER_NOT_FOUND.value
    CLUSTER_UNREACHABLE = Reason.CLUSTER_UNREACHABLE.value
    TLS_NOT_VERIFIED = Reason.TLS_NOT_VERIFIED.value
    LOGIN_MISSING = Reason.LOGIN_MISSING.value
    LOGIN_REFUSED = Reason.LOGIN_REFUSED.value
    PERMISSION_DENIED = Reason.PERMISSION_DENIED.value
    ROLE_MAPPING_NOT_WRITTEN = Reason.ROLE_MAPPING_NOT_WRITTEN.value
    EXPIRED = Reason.EXPIRED.value
    EXPIRED_DELETED = "ExpiredDeleted"
    SHADOWED = Reason.SHADOWED.value
    BROADER_THAN_DECLARED = Reason.BROADER_THAN_DECLARED.value
    ROLE_GIVEN_TO_OTHERS = Reason.ROLE_GIVEN_TO_OTHERS.value
    PENDING_APPROVAL = Reason.PENDING_APPROVAL.value
    BREAK_GLASS = Reason.BREAK_GLASS.value
    GATEWAY_OUT_OF_DATE = Reason.GATEWAY_OUT_OF_DATE.value
    GATEWAY_MISSING = Reason.GATEWAY_MISSING.value
    GATEWAY_INCOMPLETE = Reason.GATEWAY_INCOMPLETE.value
    GATEWAY_ACCEPTS_OTHERS = Reason.GATEWAY_ACCEPTS_OTHERS.value
    GATEWAY_REFUSES = Reason.GATEWAY_REFUSES.value
    GATEWAY_LOGIN_REFUSED = Reason.GATEWAY_LOGIN_REFUSED.value
    RUN_AS_DISABLED = Reason.RUN_AS_DISABLED.value
    RUN_AS_TOO_WIDE = Reason.RUN_AS_TOO_WIDE.value
    CREDENTIAL_ISSUED = "CredentialIssued"
    LEFT_BEHIND = "SecretLeftBehind"
    RELEASED = "RightsReleased"
    RELEASED_ENDED = "ReleasedRightsEnded"
    ADOPTED = "Adopted"
    GATEWAY_LOGIN_ROTATED = "GatewayLoginRotated"
    PASSWORDS_RESET = "PasswordsReset"


@dataclass(frozen=True, slots=True)
class EventDoc:
    """When an event is emitted, and what its message says."""

    warning: bool
    """True: its type is ``Warning``; else ``Normal``."""
    when: str


EVENT_DOCS: dict[EventReason, EventDoc] = {
    EventReason.DRIFT_DETECTED: EventDoc(
        warning=True,
        when="Somebody changed a role, role mapping, API key, user or secret. The message says what is declared and "
        "what was found.",
    ),
    EventReason.DRIFT_CORRECTED: EventDoc(warning=False, when="The operator corrected drift."),
    EventReason.SERVICE_ACCOUNT_CHANGED: EventDoc(
        warning=False, when="A workload runs as another service account. The message names the old and the new one."
    ),
    EventReason.SERVICE_ACCOUNT_RECREATED: EventDoc(
        warning=True, when="A service account was recreated under the same name."
    ),
    EventReason.SERVICE_NOT_FOUND: EventDoc(
        warning=True,
        when="Cloud Run has no such workload, or there is no such service account. The message says since when.",
    ),
    EventReason.CLUSTER_NOT_FOUND: EventDoc(
        warning=True,
        when="No SearchCluster has the name in `spec.cluster`. The message names the existing ones that may be meant.",
    ),
    EventReason.CLUSTER_UNREACHABLE: EventDoc(
        warning=True, when="Elasticsearch stopped answering. The message names the cause. On the SearchCluster."
    ),
    EventReason.TLS_NOT_VERIFIED: EventDoc(
        warning=True,
        when="The server's certificate can no longer be verified. The message names the cause. On the SearchCluster.",
    ),
    EventReason.LOGIN_MISSING: EventDoc(
        warning=True,
        when="The operator's login is missing or incomplete. The message names the Secret. On the SearchCluster.",
    ),
    EventReason.LOGIN_REFUSED: EventDoc(
        warning=True, when="Elasticsearch refuses the operator's login. On the SearchCluster."
    ),
    EventReason.PERMISSION_DENIED: EventDoc(
        warning=True, when="The operator's login lacks a right, which the message names. On the SearchCluster."
    ),
    EventReason.ROLE_MAPPING_NOT_WRITTEN: EventDoc(
        warning=True,
        when="The login may not write the role mapping. The message contains the mapping that a person must write. On "
        "the SearchCluster.",
    ),
    EventReason.EXPIRED: EventDoc(
        warning=False, when="`validUntil` of a SearchAccess has passed, and its rights are revoked."
    ),
    EventReason.EXPIRED_DELETED: EventDoc(
        warning=False,
        when="The operator deletes a SearchAccess because its `ttlAfterExpired` is over. The message says when its "
        "rights ended.",
    ),
    EventReason.SHADOWED: EventDoc(
        warning=True,
        when="A role in a file of a node is in force instead of the principal's role. The message says what it adds "
        "and lacks.",
    ),
    EventReason.BROADER_THAN_DECLARED: EventDoc(
        warning=True,
        when="A role mapping or an API key of others gives the principal more than is declared. The message names it "
        "and what it adds.",
    ),
    EventReason.ROLE_GIVEN_TO_OTHERS: EventDoc(
        warning=True,
        when="A role mapping or a user of others gives the role of the principal to others. The message names it.",
    ),
    EventReason.PENDING_APPROVAL: EventDoc(
        warning=False,
        when="A SearchAccess has no rights because an approval is missing, or has ended. The message says who may "
        "approve it, and how.",
    ),
    EventReason.BREAK_GLASS: EventDoc(
        warning=True,
        when="A SearchAccess gets its rights without an approval that a policy requires. The message says until when, "
        "who wrote it, and why.",
    ),
    EventReason.GATEWAY_OUT_OF_DATE: EventDoc(
        warning=True,
        when="Pods of the gateway still serve with a former configuration. The message names them. On the "
        "SearchCluster.",
    ),
    EventReason.GATEWAY_MISSING: EventDoc(
        warning=True, when="No pod of the gateway runs, so callers are not served. On the SearchCluster."
    ),
    EventReason.GATEWAY_INCOMPLETE: EventDoc(
        warning=True, when="Fewer pods of the gateway run than it has replicas. On the SearchCluster."
    ),
    EventReason.GATEWAY_ACCEPTS_OTHERS: EventDoc(
        warning=True,
        when="The gateway accepts a token that it must refuse, or lets a caller act as somebody else. On the "
        "SearchCluster.",
    ),
    EventReason.GATEWAY_REFUSES: EventDoc(
        warning=True, when="The gateway refuses a good token of the operator's own account. On the SearchCluster."
    ),
    EventReason.GATEWAY_LOGIN_REFUSED: EventDoc(
        warning=True, when="Elasticsearch refuses the login that the gateway's pods have. On the SearchCluster."
    ),
    EventReason.RUN_AS_DISABLED: EventDoc(
        warning=True,
        when="A node of Elasticsearch ignores the user that a request names (`run_as`). The message names the node. On "
        "the SearchCluster.",
    ),
    EventReason.RUN_AS_TOO_WIDE: EventDoc(
        warning=True, when="The gateway's login may run as users that are not callers. On the SearchCluster."
    ),
    EventReason.GATEWAY_LOGIN_ROTATED: EventDoc(
        warning=False,
        when="The gateway got another login to Elasticsearch. The message says why, and names both users. On the "
        "SearchCluster.",
    ),
    EventReason.CREDENTIAL_ISSUED: EventDoc(
        warning=False,
        when="An API key or a user was created and stored. The message has its id and the version of the secret.",
    ),
    EventReason.LEFT_BEHIND: EventDoc(
        warning=True,
        when="Keys or users were revoked, but their secret stays, because its store is no longer in "
        "`spec.secretStores`. Also on the SearchCluster.",
    ),
    EventReason.RELEASED: EventDoc(
        warning=True,
        when="Rights stay in Elasticsearch although their SearchAccess is deleted. The message names the SearchAccess, "
        "the rights and the role. On the SearchCluster.",
    ),
    EventReason.RELEASED_ENDED: EventDoc(
        warning=False,
        when="Released rights were revoked, or somebody removed them from Elasticsearch. On the SearchCluster.",
    ),
    EventReason.ADOPTED: EventDoc(
        warning=False,
        when="The operator adopted a foreign role or role mapping, as the SearchCluster allows. The message has its "
        "previous content.",
    ),
    EventReason.PASSWORDS_RESET: EventDoc(
        warning=True,
        when="Somebody else wrote security objects in Elasticsearch, and no change of a role, role mapping or user "
        "explains it. It may have been the password of a user that callers behind the gateway run as, so the operator "
        "gave all of them new random password hashes. At most every ten minutes. If writes of the operator "
        "that were not answered may explain it, passwords are reset without this event.",
    ),
}
STALLED_EVENT = EventDoc(
    warning=True,
    when="The object became `Stalled`: a person must act. A problem of a SearchCluster is reported only on the "
    "SearchCluster, not on each of its SearchAccesses.",
)
"""Of the event with a terminal reason."""
