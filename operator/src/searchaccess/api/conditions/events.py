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
STALLED_EVENT = EventDoc(warning=True, when="The object became `Stalled`: a person must act.")
"""Of the event with a terminal reason."""
