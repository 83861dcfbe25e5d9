"""What each reason of a condition means, what to do next, and who acts.

Those of the connection, identities and credentials are in modules beside this one. The reference page
``docs/reasons.md`` is generated from all of them.
"""

from searchaccess.api.conditions.connectionreasons import CONNECTION_REASONS
from searchaccess.api.conditions.credentialreasons import CREDENTIAL_REASONS
from searchaccess.api.conditions.exclusivereasons import EXCLUSIVE_REASONS
from searchaccess.api.conditions.gatewayreasons import GATEWAY_REASONS
from searchaccess.api.conditions.identityreasons import IDENTITY_REASONS
from searchaccess.api.conditions.meaning import NOTHING, ReasonDoc, Who
from searchaccess.api.conditions.reasons import Reason

REASON_DOCS: dict[Reason, ReasonDoc] = {
    Reason.IN_SYNC: ReasonDoc("Elasticsearch has exactly the declared rights.", NOTHING, Who.NOBODY),
    Reason.PENDING: ReasonDoc(
        "The operator has seen the declaration and has not applied it yet.",
        "Wait a few seconds. If it persists, check the conditions of the SearchCluster.",
        Who.NOBODY,
    ),
    Reason.CHANGES_PENDING: ReasonDoc(
        "`mode: Observe`: Elasticsearch differs from the declaration. The operator changes nothing.",
        "Review `status.drift.items`. Set `mode: Enforce` to apply the declaration.",
        Who.TEAM,
    ),
    Reason.DRIFT_DETECTED: ReasonDoc(
        "Somebody changed the rights of this object in Elasticsearch.",
        "Review `status.drift.items`. With `mode: Enforce`, the operator corrects the drift in the same reconcile. "
        "Elasticsearch's audit log shows who made the change.",
        Who.SECURITY,
    ),
    Reason.DRIFT_CORRECTED: ReasonDoc(
        "Somebody changed the rights of this object in Elasticsearch. The operator corrected them.",
        "Review `status.drift.items`. Elasticsearch's audit log shows who made the change.",
        Who.SECURITY,
    ),
    Reason.NO_DRIFT: ReasonDoc("Nobody changed the rights of this object.", NOTHING, Who.NOBODY),
    Reason.SUSPENDED: ReasonDoc(
        "`suspend: true`: the rights of this object stay in Elasticsearch as they are. The operator neither observes "
        "nor corrects them.",
        "Set `suspend: false` to resume.",
        Who.TEAM,
    ),
    Reason.REVOKING: ReasonDoc(
        "The object is being deleted. The revocation of its rights is not confirmed yet.",
        "Wait. The message of the condition names the cause of a delay.",
        Who.NOBODY,
    ),
    Reason.DELETED: ReasonDoc(
        "The object is being deleted, and the operator has finished its part. Other finalizers block the deletion.",
        "Check the finalizers that the message names, and the controllers that set them.",
        Who.TEAM,
    ),
    Reason.INVALID_SPEC: ReasonDoc(
        "The spec contains something that Elasticsearch would accept but not apply, or apply incorrectly.",
        "Correct the spec as the message says.",
        Who.TEAM,
        terminal=True,
    ),
    Reason.REJECTED: ReasonDoc(
        "Elasticsearch rejected the rights of this object. Its previous rights stay in force.",
        "Correct the spec as the message says.",
        Who.TEAM,
        terminal=True,
    ),
    Reason.RESTRICTIONS_WOULD_WIDEN: ReasonDoc(
        "Two grants can read the same indices: both of this object, or one of an older object of the same principal. "
        "Together they would show documents with fields that neither grant allows, because Elasticsearch combines "
        "`where` and `fields` separately. The older object stays in force. The previous rights of this object stay in "
        "force if they show no more than was granted; otherwise they are revoked.",
        "Make one of the changes that the message names, in either of the two grants.",
        Who.TEAM,
        terminal=True,
    ),
    Reason.TOO_COMPLICATED: ReasonDoc(
        "The role of the service account combines the index patterns of all of its SearchAccesses. With the patterns "
        "of this object, the role would be too complex for Elasticsearch: every request of the account would fail. The "
        "previous rights of this object stay in force.",
        "Reduce the patterns with a `*` before or between other characters, here or in the account's other "
        "SearchAccesses. Use names, prefixes such as `orders-*`, or one pattern in place of several.",
        Who.TEAM,
        terminal=True,
    ),
    Reason.OWNERSHIP_CONFLICT: ReasonDoc(
        "A role, role mapping or secret with a name that the operator uses exists and does not belong to this "
        "operator. The operator does not change it.",
        "Find out who created it. Then delete it, or adopt it once: add its name and its hash from the message to "
        "`spec.adoption.objects` of the SearchCluster. Use `spec.takeOver` for everything that another Kubernetes "
        "cluster left behind.",
        Who.PLATFORM,
        terminal=True,
    ),
    Reason.CONTROLLERS_FIGHT: ReasonDoc(
        "The operator adopted a role or role mapping, and something else has overwritten it since. The operator "
        "neither adopts it again nor changes it: two controllers would overwrite each other forever.",
        "Find out what writes it (a script, Terraform, another operator) and stop that. Then delete the object: the "
        "operator recreates it.",
        Who.PLATFORM,
        terminal=True,
    ),
    Reason.OTHER_CONTROLLERS: ReasonDoc(
        "Objects in this Elasticsearch belong to another Kubernetes cluster, or to another instance of the operator. "
        "They stay in force, and this operator does not change them.",
        "If the other one is gone for good, add the line from the message to `spec.takeOver`. If it still runs and "
        "shares this Elasticsearch on purpose, under its own instance name, there is nothing to do.",
        Who.PLATFORM,
    ),
    Reason.LICENSE_INSUFFICIENT: ReasonDoc(
        "The Elasticsearch license lacks a required feature (JWT realm; `where`, `fields`; `remoteClusters`). Nothing "
        "was written.",
        "Use a Platinum, Enterprise or trial license; `remoteClusters` needs Enterprise or trial. Or remove `where`, "
        "`fields` and `remoteClusters`. With `identity.gateway` instead of `identity.jwtRealm`, all else works on any "
        "active license.",
        Who.PLATFORM,
        terminal=True,
    ),
    Reason.LICENSED: ReasonDoc("The license has all required features.", NOTHING, Who.NOBODY),
    Reason.CLUSTER_NOT_FOUND: ReasonDoc(
        "No SearchCluster has the name in `spec.cluster`. Rights that were granted on another cluster stay: see "
        "`Held`.",
        "Correct the name, or create the SearchCluster.",
        Who.TEAM,
    ),
    Reason.CLUSTER_UNREACHABLE: ReasonDoc(
        "Elasticsearch does not answer. The operator has changed no rights and cannot verify them.",
        "Check the address, the network and the cluster. The operator retries every few seconds.",
        Who.PLATFORM,
    ),
    Reason.CLUSTER_REPLACED: ReasonDoc(
        "Another Elasticsearch cluster answers at this address. Nothing is written.",
        "If this is intended, annotate the SearchCluster with `searchaccess.dev/accept-uuid: <the new UUID>`.",
        Who.PLATFORM,
        terminal=True,
    ),
    Reason.DUPLICATE_CLUSTER: ReasonDoc(
        "An older SearchCluster already manages this Elasticsearch cluster.",
        "Delete one of the two. If you delete the older one, this one takes over all of its objects unchanged.",
        Who.PLATFORM,
        terminal=True,
    ),
    Reason.VERSION_UNSUPPORTED: ReasonDoc(
        "On a SearchCluster: Elasticsearch is older than 8.15 and lacks the bulk role API. On a SearchAccess: this "
        "Elasticsearch version lacks a declared privilege, and nothing was written.",
        "Upgrade Elasticsearch, or remove the privilege that the message names.",
        Who.PLATFORM,
        terminal=True,
    ),
    Reason.NAMESPACE_NOT_ALLOWED: ReasonDoc(
        "`allowedNamespaces` of the SearchCluster does not include this namespace. The rights are revoked regardless "
        "of `suspend`, `mode: Observe` and `deletionPolicy`. They are granted again when the namespace is allowed.",
        "Ask the owner of the SearchCluster to allow the namespace, or use another SearchCluster.",
        Who.PLATFORM,
        terminal=True,
    ),
    Reason.ORPHAN_NOT_ALLOWED: ReasonDoc(
        "`deletionPolicy: Orphan` would leave rights in force without an owner, and the SearchCluster does not allow "
        "that. Nothing new is granted. Existing rights stay as they are until the object is deleted; then they are "
        "revoked.",
        "Remove `deletionPolicy`, or have the platform team set `spec.orphans.allowed: true` in the SearchCluster.",
        Who.TEAM,
        terminal=True,
    ),
    Reason.LIMITS_NOT_SUPPORTED: ReasonDoc(
        "`limits` are declared, but the SearchCluster has no gateway that could enforce them. Nothing new is granted. "
        "Existing rights stay as they are.",
        "Remove `limits`, or name a SearchCluster with `identity.gateway` ([limits](limits.md)).",
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
    Reason.POLICIES_ACCEPT: ReasonDoc("Every policy that applies accepts it.", NOTHING, Who.NOBODY),
    Reason.POLICY_WOULD_DENY: ReasonDoc(
        "A policy with `mode: Audit` would refuse it; the message says why. It has its rights.",
        "Change the SearchAccess before the policy is enforced.",
        Who.TEAM,
    ),
    Reason.POLICY_READ: ReasonDoc("The operator has read the policy and judges by it.", NOTHING, Who.NOBODY),
    Reason.POLICY_INVALID: ReasonDoc(
        "The policy cannot be read: it is invalid, or newer than the operator. It refuses every SearchAccess, and "
        "revokes nothing.",
        "Correct the field that the message names, or upgrade the operator.",
        Who.PLATFORM,
        terminal=True,
    ),
    Reason.PENDING_APPROVAL: ReasonDoc(
        "A policy requires an approval by another person, and there is none that counts. The rights are revoked, "
        "whatever the object says (`suspend` and `Observe` too).",
        "Have one of those whom the message names create the SearchAccessApproval in the message "
        "([approvals](approvals.md)).",
        Who.TEAM,
        intended=True,
    ),
    Reason.BREAK_GLASS: ReasonDoc(
        "The annotation `searchaccess.dev/break-glass` bypasses an approval, as a policy allows.",
        "Find out whether it was an emergency. Delete the SearchAccess to end its rights at once.",
        Who.SECURITY,
    ),
    Reason.NOT_YET_VALID: ReasonDoc(
        "`validFrom` is in the future. The object has no rights before it.",
        "Wait until the time in the message, or set an earlier `validFrom`.",
        Who.NOBODY,
        intended=True,
    ),
    Reason.EXPIRED: ReasonDoc(
        "`validUntil` has passed. The rights are revoked, whatever the object says (`suspend` and `Observe` too).",
        "Delete the SearchAccess, or set a later `validUntil`: then its rights are granted again.",
        Who.TEAM,
        intended=True,
    ),
    Reason.OUTSIDE_SCHEDULE: ReasonDoc(
        "No window of `schedule` is open. The rights are revoked, whatever the object says (`suspend` and `Observe` "
        "too), and granted again when the next one begins.",
        "Wait until the time in the message, or change `schedule`.",
        Who.NOBODY,
        intended=True,
    ),
    Reason.RELEASED_LIST_FULL: ReasonDoc(
        "The object is being deleted with `deletionPolicy: Orphan`, but its rights cannot be released: "
        "`status.released` of the SearchCluster is full. The rights stay as they are meanwhile.",
        "Have the platform team revoke some released rights with `spec.orphans.revoke` of the SearchCluster, or change "
        "`deletionPolicy` to `Delete`.",
        Who.PLATFORM,
        terminal=True,
    ),
    **CONNECTION_REASONS,
    Reason.IN_USE: ReasonDoc(
        "The SearchCluster is being deleted, but SearchAccesses still use it, or have moved to another SearchCluster "
        "and are not in force there yet.",
        "Delete them first, or move them to another SearchCluster. For those that moved, check `Held`.",
        Who.PLATFORM,
    ),
    **GATEWAY_REASONS,
    **IDENTITY_REASONS,
    **CREDENTIAL_REASONS,
    Reason.BEYOND_LOGIN: ReasonDoc(
        "The operator's login may not grant the declared rights: it may write only some roles. The last accepted "
        "rights stay in force.",
        "Declare less, ask the platform team to delegate the indices and privileges that the message names "
        "(docs/actions.md lists the privileges of each action), or give the operator another login. See "
        "docs/clusters.md.",
        Who.PLATFORM,
        terminal=True,
    ),
    Reason.ROLE_MAPPING_NOT_WRITTEN: ReasonDoc(
        "The operator's login may not write role mappings, and the role mapping that gives callers their roles is "
        "missing or differs. No new rights are granted; deletions still take effect.",
        "Write the role mapping from the message once, with a login that may. `searchaccess mapping` prints it too.",
        Who.PLATFORM,
    ),
    Reason.RESTRICTED_INDICES_DELEGATED: ReasonDoc(
        "A pattern that is delegated to the operator's login also matches Elasticsearch's own indices. The login can "
        "then write roles with `allow_restricted_indices` on these.",
        "Delegate a narrower pattern, such as `/[^.].*/` instead of `*`. See docs/clusters.md.",
        Who.SECURITY,
    ),
    Reason.RESTRICTED_INDICES: ReasonDoc(
        "A pattern matches Elasticsearch's own indices, such as `.security`. Elasticsearch denies every SearchAccess "
        "access to these, whatever is declared.",
        "Remove the pattern, or write the name of the intended index.",
        Who.TEAM,
    ),
    Reason.QUERIES_PROVEN: ReasonDoc(
        "Elasticsearch can run each `where` on the indices that exist now.", NOTHING, Who.NOBODY
    ),
    Reason.QUERY_FAILS: ReasonDoc(
        "Elasticsearch cannot run a `where` on an index, for example because it compares a number field with text. "
        "Every search of the caller on that index fails.",
        "Correct the `where` or the mapping. The message names the index and the cause. The operator tries again "
        "automatically.",
        Who.TEAM,
        terminal=True,
    ),
    Reason.CANNOT_BE_TRIED: ReasonDoc(
        "A `where` with `template` is filled in for each caller, and one with `remoteClusters` runs on another "
        "cluster. The operator cannot test it in advance.",
        "Search once as the caller. Nothing else depends on it.",
        Who.TEAM,
    ),
    Reason.LOGIN_CANNOT_PROVE: ReasonDoc(
        "The operator's login may not test a `where` on these indices, so the operator cannot tell whether searches "
        "work.",
        "Grant the login `view_index_metadata` on them (docs/clusters.md), or search once as the caller.",
        Who.PLATFORM,
    ),
    Reason.NO_INDEX_YET: ReasonDoc(
        "No index, alias or data stream matches a pattern yet. This is a hint, not an error.",
        "Check the spelling, or wait for the first write.",
        Who.TEAM,
    ),
    Reason.DOCUMENTS_REACHABLE: ReasonDoc(
        "The rights let the caller read documents that no grant shows: it may update documents that it may not read, "
        "give names to other indices, or have documents moved. See docs/actions.md.",
        "Remove the rights that the message names from the account that reads, move `write` into the SearchAccess that "
        "has `where` or `fields`, or accept the risk.",
        Who.SECURITY,
    ),
    Reason.FIELDS_REACHABLE: ReasonDoc(
        "A mapping copies a field that the caller may not read to one that it may read (`copy_to`).",
        "Exclude the target field that the message names too, or change the mapping.",
        Who.TEAM,
    ),
    Reason.MAPPING_CHANGEABLE: ReasonDoc(
        "The rights let the caller change the mapping of indices that it may read only in part. It could have hidden "
        "fields copied to fields that it may read, or make documents match a `where`. See docs/actions.md.",
        "Let another service account write, move `write` into the SearchAccess that has `where` or `fields`, or accept "
        "the risk.",
        Who.SECURITY,
    ),
    **EXCLUSIVE_REASONS,
    Reason.THROTTLED: ReasonDoc(
        "The server limits the rate of requests (429).",
        "Wait. The operator retries automatically.",
        Who.NOBODY,
    ),
    Reason.INTERNAL_ERROR: ReasonDoc(
        "The operator had an unexpected internal error. It retries with backoff.",
        "Read the operator's log and report the error.",
        Who.PLATFORM,
    ),
}


def doc_of(reason: Reason) -> ReasonDoc:
    """Return what a reason means and what to do next."""
    return REASON_DOCS[reason]


NEXT_STEPS: dict[str, str] = {
    str(reason): doc.next_step for reason, doc in REASON_DOCS.items() if doc.who is not Who.NOBODY
}
"""What a person does next, by the name of a reason, where one has to act."""
