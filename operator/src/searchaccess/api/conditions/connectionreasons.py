"""What the reasons about the connection to Elasticsearch and its JWT realm mean, what to do next, and who acts."""

from typing import Final

from searchaccess.api.conditions.meaning import NOTHING, ReasonDoc, Who
from searchaccess.api.conditions.reasons import Reason

CONNECTION_REASONS: Final = {
    Reason.PRIVATE: ReasonDoc(
        "The connection uses verified TLS, and the internet cannot reach the address.", NOTHING, Who.NOBODY
    ),
    Reason.EXPOSURE_ALLOWED: ReasonDoc(
        "The connection is not private, and `allowExposure` (or `cloudId`) of the SearchCluster allows that.",
        "Nothing to do if this is intended.",
        Who.SECURITY,
    ),
    Reason.NOT_PRIVATE: ReasonDoc(
        "An address is public, uses plain http, or is not verified, and the SearchCluster does not allow that. The "
        "operator did not send its login. Granted rights stay.",
        "Use a private address with https, or allow the exposure in `spec.allowExposure`.",
        Who.PLATFORM,
        terminal=True,
    ),
    Reason.TLS_NOT_VERIFIED: ReasonDoc(
        "The operator could not verify the server's certificate.",
        "Add the certificate authority to `spec.ca` of the SearchCluster, or correct the certificate.",
        Who.PLATFORM,
    ),
    Reason.LOGIN_MISSING: ReasonDoc(
        "The Secret with the operator's login is missing or incomplete.",
        "Create the Secret with the keys `username` and `password`, or `apiKey`, or `token`.",
        Who.PLATFORM,
    ),
    Reason.LOGIN_REFUSED: ReasonDoc(
        "Elasticsearch refused the operator's login (401).",
        "Correct the Secret with the operator's login.",
        Who.PLATFORM,
    ),
    Reason.PERMISSION_DENIED: ReasonDoc(
        "The operator's login lacks a required right (403).",
        "Grant the missing right, which the message names. See the roles in docs/clusters.md.",
        Who.PLATFORM,
    ),
    Reason.REALM_MISMATCH: ReasonDoc(
        "The JWT realm is not configured on every node as the SearchCluster declares it. No new rights are granted; "
        "deletions still take effect.",
        "Add the lines from the message to elasticsearch.yml on the nodes that it names.",
        Who.PLATFORM,
        terminal=True,
    ),
    Reason.REALM_VERIFIED: ReasonDoc(
        "The JWT realm is configured on every node as the SearchCluster declares it.", NOTHING, Who.NOBODY
    ),
    Reason.REALM_UNKNOWN: ReasonDoc(
        "The operator's login may not read the settings of the nodes, so the realm was not checked.",
        "Grant the login the cluster privilege `monitor`.",
        Who.PLATFORM,
    ),
    Reason.REALM_UNDECIDED: ReasonDoc(
        "The JWT realm has settings that may reject declared callers or accept others. The effect depends on callers' "
        "tokens, or on something that the operator cannot see. Rights are granted regardless.",
        "Verify that callers can log in, or change the settings that the message names.",
        Who.PLATFORM,
    ),
    Reason.REALM_PROVEN: ReasonDoc(
        "The realm accepts the operator's own token for the declared audience and rejects one for another audience.",
        NOTHING,
        Who.NOBODY,
    ),
    Reason.REALM_NOT_PROVEN: ReasonDoc(
        "The operator has no Google identity, or got no token. It compared the settings of the realm but could not "
        "test it with a token.",
        "Let the operator log in with `spec.login.googleIdentity` to have the realm tested, or test it as a caller.",
        Who.NOBODY,
    ),
    Reason.REALM_REFUSES: ReasonDoc(
        "The operator's own token for the declared audience is rejected, or another realm accepts it. Callers may be "
        "affected too, unless the realm accepts only some accounts.",
        "Check `RealmVerified`. Elasticsearch's log says why the token was rejected: keys that cannot be fetched, a "
        "different client secret, or clock skew.",
        Who.PLATFORM,
    ),
    Reason.REALM_ACCEPTS_OTHERS: ReasonDoc(
        "A token for an undeclared audience is accepted, so tokens that were issued for other systems may work here.",
        "Restrict `allowed_audiences` of the realm that the message names.",
        Who.PLATFORM,
    ),
    Reason.REACHABLE: ReasonDoc("Elasticsearch answers.", NOTHING, Who.NOBODY),
    Reason.AUDIT_NOT_READABLE: ReasonDoc(
        "The audit events that `spec.audit` names cannot be read, or the newest is more than a day old. Rights do not "
        "depend on them.",
        "Do what the message says: let the login read the index, correct its name, or check what ships the events. See "
        "docs/audit.md.",
        Who.PLATFORM,
    ),
}
