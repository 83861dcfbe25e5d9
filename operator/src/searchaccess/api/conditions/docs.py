"""What each reason of a condition means, what to do next, and who does it.

The reference page ``docs/reasons.md`` is generated from this module.
"""

from dataclasses import dataclass
from enum import StrEnum

from searchaccess.api.conditions.reasons import Reason


class Who(StrEnum):
    """Who has to act on a reason."""

    NOBODY = "nobody"
    TEAM = "the team that owns the SearchAccess"
    PLATFORM = "the platform team"
    SECURITY = "the security team"


@dataclass(frozen=True, slots=True)
class ReasonDoc:
    """What a reason means, what to do next and who does it."""

    meaning: str
    next_step: str
    who: Who
    terminal: bool = False
    """True: retrying does not help, a person must act (shown as ``Stalled``)."""


_NOTHING = "Nothing to do."

REASON_DOCS: dict[Reason, ReasonDoc] = {
    Reason.IN_SYNC: ReasonDoc("Elasticsearch has exactly what is declared.", _NOTHING, Who.NOBODY),
    Reason.PENDING: ReasonDoc(
        "The declaration was seen and is not applied yet.",
        "Wait some seconds. If it stays, read the SearchCluster's conditions.",
        Who.NOBODY,
    ),
    Reason.CHANGES_PENDING: ReasonDoc(
        "`mode: Observe`: Elasticsearch differs from the declaration, and nothing is changed.",
        "Read `status.drift.items`; set `mode: Enforce` to apply.",
        Who.TEAM,
    ),
    Reason.DRIFT_DETECTED: ReasonDoc(
        "Somebody changed in Elasticsearch what this object declares.",
        "Read `status.drift.items`. In `mode: Enforce` it is corrected in the same reconcile; "
        "find out who did it in Elasticsearch's audit log.",
        Who.SECURITY,
    ),
    Reason.DRIFT_CORRECTED: ReasonDoc(
        "Somebody changed in Elasticsearch what this object declares; it was corrected.",
        "Read `status.drift.items`; find out who did it in Elasticsearch's audit log.",
        Who.SECURITY,
    ),
    Reason.NO_DRIFT: ReasonDoc("Nobody changed what this object declares.", _NOTHING, Who.NOBODY),
    Reason.SUSPENDED: ReasonDoc(
        "`suspend: true`: this object's rights stay in Elasticsearch as they are, changed or not.",
        "Set `suspend: false` to resume.",
        Who.TEAM,
    ),
    Reason.REVOKING: ReasonDoc(
        "The object is being deleted; its rights are not confirmed gone yet.",
        "Wait. The condition's message says what delays it.",
        Who.NOBODY,
    ),
    Reason.DELETED: ReasonDoc(
        "The object is being deleted, and the operator has done its part. Finalizers of others keep it.",
        "See the finalizers that the message names, and what sets them.",
        Who.TEAM,
    ),
    Reason.INVALID_SPEC: ReasonDoc(
        "The spec says something that Elasticsearch would accept and then not do, or do wrongly.",
        "Correct the spec as the message says.",
        Who.TEAM,
        terminal=True,
    ),
    Reason.REJECTED: ReasonDoc(
        "Elasticsearch refused the rights of this object. What it had before stays in force.",
        "Correct the spec as the message says.",
        Who.TEAM,
        terminal=True,
    ),
    Reason.RESTRICTIONS_WOULD_WIDEN: ReasonDoc(
        "Two grants that can read the same indices, both of this object or one of an older object of the same "
        "principal, would together show documents with fields that neither allows: Elasticsearch joins `where` and "
        "`fields` separately. The older object stays in force. What this one had stays in force if it shows no more "
        "than was granted; otherwise it is revoked.",
        "Write one of the changes that the message names, in either of the two.",
        Who.TEAM,
        terminal=True,
    ),
    Reason.TOO_COMPLICATED: ReasonDoc(
        "With the index patterns of this object the role that its service account has from all SearchAccesses would be "
        "too complicated for Elasticsearch, which would then answer requests of the account with an error. What it had "
        "before stays in force.",
        "Write fewer patterns with a `*` before or between other characters, here or in the account's other "
        "SearchAccesses: names, beginnings such as `orders-*`, or one pattern that matches several of them.",
        Who.TEAM,
        terminal=True,
    ),
    Reason.OWNERSHIP_CONFLICT: ReasonDoc(
        "An object under our name exists in Elasticsearch and does not belong to this operator. It is not touched.",
        "Find out who made it. Delete it, or write its name and hash, which the message has, into "
        "`spec.adoption.objects` of the SearchCluster, to take it over once. What another Kubernetes cluster left "
        "behind is taken over as a whole: `spec.takeOver`.",
        Who.PLATFORM,
        terminal=True,
    ),
    Reason.CONTROLLERS_FIGHT: ReasonDoc(
        "A role or role mapping was adopted, and somebody has written it again since, as his own. It is not adopted "
        "once more, and not touched: two controllers that write the same object would go on forever.",
        "Find out what writes it (a script, Terraform, another operator) and stop that. Then delete the object: the "
        "operator writes it anew.",
        Who.PLATFORM,
        terminal=True,
    ),
    Reason.OTHER_CONTROLLERS: ReasonDoc(
        "Objects in this Elasticsearch belong to another Kubernetes cluster, or to another instance of the operator. "
        "They stay in force and are not touched.",
        "If that one is gone for good, write the line of the message into `spec.takeOver`. If it is alive and uses the "
        "same Elasticsearch on purpose, under an instance name of its own, nothing is to be done.",
        Who.PLATFORM,
    ),
    Reason.LICENSE_INSUFFICIENT: ReasonDoc(
        "The Elasticsearch license lacks a feature that is needed (JWT realm; `where`, `fields`; `remoteClusters`). "
        "Nothing was written.",
        "Use a Platinum, Enterprise or trial license, for `remoteClusters` Enterprise or trial, or remove `where`, "
        "`fields` and `remoteClusters`.",
        Who.PLATFORM,
        terminal=True,
    ),
    Reason.LICENSED: ReasonDoc("The license has all that is needed.", _NOTHING, Who.NOBODY),
    Reason.CLUSTER_NOT_FOUND: ReasonDoc(
        "There is no SearchCluster of the name in `spec.cluster`. What was granted elsewhere stays: see `Held`.",
        "Correct the name, or create the SearchCluster.",
        Who.TEAM,
    ),
    Reason.CLUSTER_UNREACHABLE: ReasonDoc(
        "Elasticsearch does not answer. What was granted is unchanged; whether it is still true is not known.",
        "Check the address, the network and the cluster. The operator retries by itself every few seconds.",
        Who.PLATFORM,
    ),
    Reason.CLUSTER_REPLACED: ReasonDoc(
        "Another Elasticsearch cluster answers at this address. Nothing is written.",
        "If this is intended, annotate the SearchCluster with `searchaccess.dev/accept-uuid: <the new uuid>`.",
        Who.PLATFORM,
        terminal=True,
    ),
    Reason.DUPLICATE_CLUSTER: ReasonDoc(
        "An older SearchCluster already manages this same Elasticsearch cluster.",
        "Delete one of the two. When the older one goes, this one takes everything over as it is.",
        Who.PLATFORM,
        terminal=True,
    ),
    Reason.VERSION_UNSUPPORTED: ReasonDoc(
        "The Elasticsearch version lacks the bulk role API (before 8.15). Of a SearchAccess: it lacks a privilege that "
        "is declared; nothing was written.",
        "Upgrade Elasticsearch, or leave out the privilege that the message names.",
        Who.PLATFORM,
        terminal=True,
    ),
    Reason.NAMESPACE_NOT_ALLOWED: ReasonDoc(
        "`allowedNamespaces` of the SearchCluster does not have this namespace. The rights are revoked, whatever "
        "the object says (`suspend`, `Observe` and `deletionPolicy` too), and come back when it is allowed.",
        "Ask whoever owns the SearchCluster, or use another one.",
        Who.PLATFORM,
        terminal=True,
    ),
    Reason.ORPHAN_NOT_ALLOWED: ReasonDoc(
        "`deletionPolicy: Orphan` would leave rights in force without an owner, and the SearchCluster does not allow "
        "that. Nothing new is granted; what it has stays as it is, and is revoked when it is deleted.",
        "Remove `deletionPolicy`, or have the platform team set `spec.orphans.allowed: true` in the SearchCluster.",
        Who.TEAM,
        terminal=True,
    ),
    Reason.POLICY_VIOLATION: ReasonDoc(
        "A SearchAccessPolicy refuses it: the message names the policy and each violation. It gets no rights. What it "
        "had is revoked, whatever the object says (`suspend` and `Observe` too), unless the policy has "
        "`onViolation: Keep`.",
        "Narrow the SearchAccess as the message says; or have the platform team change the policy or add an exception.",
        Who.TEAM,
        terminal=True,
    ),
    Reason.POLICIES_ACCEPT: ReasonDoc("Every policy that applies accepts it.", _NOTHING, Who.NOBODY),
    Reason.POLICY_WOULD_DENY: ReasonDoc(
        "A policy with `mode: Audit` would refuse it; the message says why. It has its rights.",
        "Change the SearchAccess before the policy is enforced.",
        Who.TEAM,
    ),
    Reason.RELEASED_LIST_FULL: ReasonDoc(
        "It is deleted with `deletionPolicy: Orphan`, and its rights cannot be released: `status.released` of the "
        "SearchCluster has no room for them. They stay as they are meanwhile.",
        "Have the platform team revoke some with `spec.orphans.revoke` of the SearchCluster; or change the "
        "`deletionPolicy` to `Delete`.",
        Who.PLATFORM,
        terminal=True,
    ),
    Reason.PRIVATE: ReasonDoc("Nobody outside can reach it or listen.", _NOTHING, Who.NOBODY),
    Reason.EXPOSURE_ALLOWED: ReasonDoc(
        "The connection is not private, and `allowExposure` (or `cloudId`) of the SearchCluster allows that.",
        "Nothing to do if that is intended.",
        Who.SECURITY,
    ),
    Reason.NOT_PRIVATE: ReasonDoc(
        "An address is public, is plain http, or is not verified, and the SearchCluster does not allow that. The login "
        "was not sent; what was granted stays.",
        "Use a private address with https, or allow the exposure in `spec.allowExposure`.",
        Who.PLATFORM,
        terminal=True,
    ),
    Reason.TLS_NOT_VERIFIED: ReasonDoc(
        "The server's certificate could not be verified.",
        "Put the certificate authority into the SearchCluster's `ca`, or correct the certificate.",
        Who.PLATFORM,
    ),
    Reason.LOGIN_MISSING: ReasonDoc(
        "The Secret with the operator's login is missing or incomplete.",
        "Create the Secret with the keys `username` and `password`.",
        Who.PLATFORM,
    ),
    Reason.LOGIN_REFUSED: ReasonDoc(
        "Elasticsearch refused the operator's login (401).",
        "Correct the Secret with the operator's login.",
        Who.PLATFORM,
    ),
    Reason.PERMISSION_DENIED: ReasonDoc(
        "The operator's login may not do what is needed (403).",
        "Give it the role that docs/clusters.md has: the message names what is missing.",
        Who.PLATFORM,
    ),
    Reason.REALM_MISMATCH: ReasonDoc(
        "The JWT realm is not configured on every node as the SearchCluster says. "
        "New rights are not granted; deletions still take effect.",
        "Put the lines that the message gives into elasticsearch.yml on the nodes that it names.",
        Who.PLATFORM,
        terminal=True,
    ),
    Reason.REALM_VERIFIED: ReasonDoc("Every node's JWT realm is as the SearchCluster says.", _NOTHING, Who.NOBODY),
    Reason.REALM_UNKNOWN: ReasonDoc(
        "The operator's login may not read the nodes' settings, so the realm was not checked.",
        "Give it the cluster privilege `monitor`.",
        Who.PLATFORM,
    ),
    Reason.REALM_UNDECIDED: ReasonDoc(
        "The JWT realm has settings that may keep callers out, or let others in. That depends on callers' tokens, or "
        "on what the operator cannot see, so it is not decided. Rights are granted all the same.",
        "Make sure that callers get in, or change the settings that the message names so that there is no doubt.",
        Who.PLATFORM,
    ),
    Reason.REALM_PROVEN: ReasonDoc(
        "The realm accepts a token of the operator's own for the declared audience, and refuses one for another.",
        _NOTHING,
        Who.NOBODY,
    ),
    Reason.REALM_NOT_PROVEN: ReasonDoc(
        "The operator has no Google identity, or got no token, so the realm was compared but not tried.",
        "Let the operator log in with `spec.login.googleIdentity` to have it proven, or try it as a caller.",
        Who.NOBODY,
    ),
    Reason.REALM_REFUSES: ReasonDoc(
        "A token of the operator's own for the declared audience is refused, or is accepted by another realm. Callers "
        "may fare the same, unless the realm lets in some accounts alone.",
        "Compare the realm's settings with `RealmVerified`; Elasticsearch's log says why it refused: keys that "
        "cannot be fetched, another client secret, clocks that differ.",
        Who.PLATFORM,
    ),
    Reason.REALM_ACCEPTS_OTHERS: ReasonDoc(
        "A token for an audience that nobody declares is accepted, so tokens made for other systems may be used here.",
        "Find the realm that the message names, and restrict its `allowed_audiences`.",
        Who.PLATFORM,
    ),
    Reason.REACHABLE: ReasonDoc("Elasticsearch answers.", _NOTHING, Who.NOBODY),
    Reason.IN_USE: ReasonDoc(
        "The SearchCluster is being deleted, but SearchAccesses still use it, or moved away and are not in place yet.",
        "Delete them first, or move them to another SearchCluster; of those that moved, read `Held`.",
        Who.PLATFORM,
    ),
    Reason.IDENTITY_RESOLVED: ReasonDoc("The service account behind the subject is known.", _NOTHING, Who.NOBODY),
    Reason.IDENTITY_UNKNOWN: ReasonDoc(
        "Google does not say which service account is behind the subject: its API does not answer, or refuses the "
        "operator. The last known account keeps its rights; without one, nothing is granted.",
        "Read the message. Give the operator's own account `roles/run.viewer` and, where the message says so, "
        "`roles/iam.serviceAccountViewer` on the project.",
        Who.PLATFORM,
    ),
    Reason.SERVICE_NOT_FOUND: ReasonDoc(
        "Cloud Run has no workload of this name in this project and region. Its rights go when "
        "`identity.cloudRun.gracePeriod` of the SearchCluster is over, and come back with it. Those of another subject "
        "that was declared before stay: see `Held`.",
        "Correct the subject, deploy the workload, or delete the SearchAccess.",
        Who.TEAM,
    ),
    Reason.SERVICE_ACCOUNT_CHANGED: ReasonDoc(
        "The workload runs as another service account. That one has the rights; the previous one keeps them only as "
        "long as revisions that serve, or executions that run, still use it.",
        "Nothing to do if the change was intended.",
        Who.SECURITY,
    ),
    Reason.SERVICE_ACCOUNT_RECREATED: ReasonDoc(
        "The service account was deleted and recreated under the same name. With `principal: sub` the new one has the "
        "rights and the old one has lost them; with `principal: email` Elasticsearch cannot distinguish them.",
        "Find out who recreated it, and whether that was intended.",
        Who.SECURITY,
    ),
    Reason.DEFAULT_SERVICE_ACCOUNT: ReasonDoc(
        "The workload runs as its project's default compute service account. So may every other workload there, and "
        "all of them have this access.",
        "Give the workload a service account of its own: `gcloud run services update NAME --service-account=…`.",
        Who.TEAM,
    ),
    Reason.SHARED_IDENTITY: ReasonDoc(
        "Other workloads run as the same service account, so they have this access too: `status.identity.sharedWith`.",
        "Give the workload a service account of its own, or accept it.",
        Who.TEAM,
    ),
    Reason.GRANTED_ELSEWHERE: ReasonDoc(
        "SearchAccesses of other namespaces name the same principal on this cluster, or a role mapping of somebody "
        "else applies to it. A caller has the union of all of them; the message has the others, in short.",
        "Make sure that the others are meant. `allowedNamespaces` of the SearchCluster says who may grant; role "
        "mappings are changed in Elasticsearch by whoever made them.",
        Who.SECURITY,
    ),
    Reason.CREDENTIAL_ACTIVE: ReasonDoc(
        "One API key (or user) works: the one that the secret holds.", _NOTHING, Who.NOBODY
    ),
    Reason.CREDENTIAL_OVERLAP: ReasonDoc(
        "The API key (or user) was replaced; the previous one works until the overlap is over.",
        "Let every consumer read the secret again within `credential.overlap`.",
        Who.TEAM,
    ),
    Reason.REVOKE_DEFERRED: ReasonDoc(
        "The old API key or user is not revoked yet: Cloud Run still hands it out, or it is not known whether it does.",
        "Deploy the workload with the newest version of the secret (or `latest`); see docs/credentials.md.",
        Who.TEAM,
    ),
    Reason.ROLLOUT_FAILED: ReasonDoc(
        "The workload needs a new revision with the newest version of the secret, and has none that serves.",
        "See the message, and the revision in Cloud Run. Nothing is rolled back; the old key stays while it is in use.",
        Who.TEAM,
    ),
    Reason.STORE_NOT_FOUND: ReasonDoc(
        "The SearchCluster has no secret store of this name. What was issued before works until it expires or is "
        "revoked; it is not rotated, and its secret stays where it is.",
        "Correct `credential.store`, or put the store into `spec.secretStores` of the SearchCluster.",
        Who.TEAM,
        terminal=True,
    ),
    Reason.STORE_UNAVAILABLE: ReasonDoc(
        "The secret store does not answer or refuses the operator. Keys that work keep working; the rotation resumes "
        "where it was.",
        "Read the message: it quotes the store. docs/credentials.md has the rights that the operator needs.",
        Who.PLATFORM,
    ),
    Reason.LOGIN_CANNOT_ISSUE: ReasonDoc(
        "The operator logs in with an API key, and Elasticsearch lets no API key make others that have rights.",
        "Configure another login for this SearchCluster: a user, a token or `googleIdentity`.",
        Who.PLATFORM,
    ),
    Reason.BEYOND_LOGIN: ReasonDoc(
        "The operator's login may not grant what is declared: it may write some roles only. What was accepted last "
        "stays in force.",
        "Declare less, or let the platform team delegate the indices and privileges that the message names (of an "
        "action: docs/actions.md), or give the operator another login. See docs/clusters.md.",
        Who.PLATFORM,
        terminal=True,
    ),
    Reason.ROLE_MAPPING_NOT_WRITTEN: ReasonDoc(
        "The operator's login may write no role mappings, and the one that gives callers their roles is missing or "
        "differs. New rights are not granted; deletions still take effect.",
        "Write the role mapping that the message has, once, as somebody who may; `searchaccess mapping` prints it too.",
        Who.PLATFORM,
    ),
    Reason.RESTRICTED_INDICES_DELEGATED: ReasonDoc(
        "A pattern that is delegated to the operator's login has room for indices of Elasticsearch itself. Roles with "
        "`allow_restricted_indices` can then be written on these.",
        "Delegate a narrower pattern, such as `/[^.].*/` in place of `*`. See docs/clusters.md.",
        Who.SECURITY,
    ),
    Reason.RESTRICTED_INDICES: ReasonDoc(
        "A pattern names indices of Elasticsearch itself, such as `.security`. Elasticsearch keeps them from every "
        "SearchAccess, whatever is declared.",
        "Leave the pattern out, or write the name of the index that is meant.",
        Who.TEAM,
    ),
    Reason.QUERIES_PROVEN: ReasonDoc(
        "Elasticsearch can run each `where` on the indices that exist now.", _NOTHING, Who.NOBODY
    ),
    Reason.QUERY_FAILS: ReasonDoc(
        "Elasticsearch cannot run a `where` on an index, as with text where the mapping has a number: every search of "
        "the caller fails there.",
        "Correct the `where` or the mapping; the message has the index and the cause. It is tried again by itself.",
        Who.TEAM,
        terminal=True,
    ),
    Reason.CANNOT_BE_TRIED: ReasonDoc(
        "A `where` with `template` is filled in for each caller, and one with `remoteClusters` is run elsewhere: it "
        "cannot be tried beforehand.",
        "Search once as the caller. Nothing else depends on it.",
        Who.TEAM,
    ),
    Reason.LOGIN_CANNOT_PROVE: ReasonDoc(
        "The operator's login may not try a `where` on these indices. Whether searches work is not known.",
        "Give the login `view_index_metadata` on them (docs/clusters.md), or search once as the caller.",
        Who.PLATFORM,
    ),
    Reason.NO_INDEX_YET: ReasonDoc(
        "No index, alias or data stream matches a pattern now. A hint, not an error.",
        "Check the spelling, or wait for the first write.",
        Who.TEAM,
    ),
    Reason.DOCUMENTS_REACHABLE: ReasonDoc(
        "The rights let the caller read documents that no grant shows: it may update what it may not read, name other "
        "indices, or have documents moved. See docs/actions.md.",
        "Take what the message names away from whoever reads, or put `write` into the SearchAccess that has `where` or "
        "`fields`, or accept it.",
        Who.SECURITY,
    ),
    Reason.FIELDS_REACHABLE: ReasonDoc(
        "A mapping copies a field that the caller may not read to one that it may read (`copy_to`).",
        "Exclude the field that the message names as the target too, or change the mapping.",
        Who.TEAM,
    ),
    Reason.MAPPING_CHANGEABLE: ReasonDoc(
        "The rights let the caller change the mapping of indices that it may read only in part, and so have hidden "
        "fields copied to fields that it may read, or documents match a `where`. See docs/actions.md.",
        "Let another service account write, or put `write` into the SearchAccess that has `where` or `fields`, or "
        "accept it.",
        Who.SECURITY,
    ),
    Reason.THROTTLED: ReasonDoc(
        "The server limits the rate of requests (429).",
        "Wait. The operator retries by itself.",
        Who.NOBODY,
    ),
    Reason.INTERNAL_ERROR: ReasonDoc(
        "The operator met an unexpected error of its own. It retries with back-off.",
        "Read the operator's log and report the error.",
        Who.PLATFORM,
    ),
}


def doc_of(reason: Reason) -> ReasonDoc:
    """Return what a reason means and what to do next."""
    return REASON_DOCS[reason]
