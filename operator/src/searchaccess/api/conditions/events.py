"""The closed set of reasons of events, each with when it is emitted."""

from dataclasses import dataclass
from enum import StrEnum

from searchaccess.api.conditions.reasons import Reason


class EventReason(StrEnum):
    """Why an event is emitted: one of a closed, documented set. Each terminal reason of a condition is one, too."""

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
    CREDENTIAL_ISSUED = "CredentialIssued"
    LEFT_BEHIND = "SecretLeftBehind"
    RELEASED = "RightsReleased"
    RELEASED_ENDED = "ReleasedRightsEnded"
    ADOPTED = "Adopted"


@dataclass(frozen=True, slots=True)
class EventDoc:
    """What an event says."""

    warning: bool
    """True: its type is ``Warning``; else ``Normal``."""
    when: str


EVENT_DOCS: dict[EventReason, EventDoc] = {
    EventReason.DRIFT_DETECTED: EventDoc(
        warning=True,
        when="Somebody changed a role, role mapping, API key, user or secret: what is declared, and what was found.",
    ),
    EventReason.DRIFT_CORRECTED: EventDoc(warning=False, when="It was corrected."),
    EventReason.SERVICE_ACCOUNT_CHANGED: EventDoc(
        warning=False, when="A workload runs as another service account: before and after."
    ),
    EventReason.SERVICE_ACCOUNT_RECREATED: EventDoc(
        warning=True, when="A service account was recreated under the same name."
    ),
    EventReason.SERVICE_NOT_FOUND: EventDoc(
        warning=True, when="Cloud Run has no such workload, or there is no such service account: since when."
    ),
    EventReason.CLUSTER_NOT_FOUND: EventDoc(
        warning=True, when="There is no SearchCluster of the name in `spec.cluster`: which there are."
    ),
    EventReason.CLUSTER_UNREACHABLE: EventDoc(
        warning=True, when="Elasticsearch stopped answering: the cause. On the SearchCluster."
    ),
    EventReason.TLS_NOT_VERIFIED: EventDoc(
        warning=True, when="The server's certificate cannot be verified any more: the cause. On the SearchCluster."
    ),
    EventReason.LOGIN_MISSING: EventDoc(
        warning=True, when="The operator's login is missing or incomplete: which Secret. On the SearchCluster."
    ),
    EventReason.LOGIN_REFUSED: EventDoc(
        warning=True, when="Elasticsearch refuses the operator's login. On the SearchCluster."
    ),
    EventReason.PERMISSION_DENIED: EventDoc(
        warning=True, when="The operator's login lacks a right: which. On the SearchCluster."
    ),
    EventReason.ROLE_MAPPING_NOT_WRITTEN: EventDoc(
        warning=True,
        when="The login may not write the role mapping: which a person has to write. On the SearchCluster.",
    ),
    EventReason.CREDENTIAL_ISSUED: EventDoc(
        warning=False, when="An API key or a user was made and stored: its id, and the version of the secret."
    ),
    EventReason.LEFT_BEHIND: EventDoc(
        warning=True,
        when="Keys or users were revoked, and their secret stays: its store is not in `spec.secretStores` any more. "
        "On the SearchCluster too.",
    ),
    EventReason.RELEASED: EventDoc(
        warning=True,
        when="Rights stay in Elasticsearch although their SearchAccess is deleted: whose, which, and in which role. On "
        "the SearchCluster.",
    ),
    EventReason.RELEASED_ENDED: EventDoc(
        warning=False,
        when="Released rights were revoked, or somebody removed them from Elasticsearch. On the SearchCluster.",
    ),
    EventReason.ADOPTED: EventDoc(
        warning=False,
        when="A foreign role or role mapping was adopted, once, as the platform agreed: what it was before.",
    ),
}
STALLED_EVENT = EventDoc(
    warning=True,
    when="The object became `Stalled`: a person must act. What is wrong with a SearchCluster is on the SearchCluster "
    "alone, not on each of its SearchAccesses.",
)
"""Of the event with a terminal reason."""
