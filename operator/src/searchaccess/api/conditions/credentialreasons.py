"""What the reasons about API keys, users and secret stores mean, what to do next, and who acts."""

from typing import Final

from searchaccess.api.conditions.meaning import NOTHING, ReasonDoc, Who
from searchaccess.api.conditions.reasons import Reason

CREDENTIAL_REASONS: Final = {
    Reason.CREDENTIAL_ACTIVE: ReasonDoc("One API key (or user) is valid: the one in the secret.", NOTHING, Who.NOBODY),
    Reason.CREDENTIAL_OVERLAP: ReasonDoc(
        "The API key (or user) was replaced. The previous one is valid until the overlap ends.",
        "Make every consumer read the secret again within `credential.overlap`.",
        Who.TEAM,
    ),
    Reason.REVOKE_DEFERRED: ReasonDoc(
        "The old API key or user is not revoked yet: Cloud Run still uses its version of the secret, or the operator "
        "cannot find out whether it does.",
        "Deploy the workload with the newest version of the secret, or with `latest`. See docs/credentials.md.",
        Who.TEAM,
    ),
    Reason.ROLLOUT_FAILED: ReasonDoc(
        "The workload needs a new revision with the newest version of the secret, but no such revision serves.",
        "Read the message and check the revision in Cloud Run. Nothing is rolled back. The old key stays while it is "
        "in use.",
        Who.TEAM,
    ),
    Reason.STORE_NOT_FOUND: ReasonDoc(
        "The SearchCluster has no secret store of this name. Existing credentials stay valid until they expire or are "
        "revoked. They are not rotated, and their secret stays where it is.",
        "Correct `credential.store`, or add the store to `spec.secretStores` of the SearchCluster.",
        Who.TEAM,
        terminal=True,
    ),
    Reason.STORE_UNAVAILABLE: ReasonDoc(
        "The secret store does not answer, or denies the operator access. Valid keys stay valid. The rotation resumes "
        "where it stopped.",
        "Read the message, which quotes the store. docs/credentials.md lists the rights that the operator needs.",
        Who.PLATFORM,
    ),
    Reason.LOGIN_CANNOT_ISSUE: ReasonDoc(
        "The operator logs in with an API key. In Elasticsearch, an API key cannot create API keys that have rights.",
        "Configure another login for this SearchCluster: a user, a token or `googleIdentity`.",
        Who.PLATFORM,
    ),
}
