"""What the reasons about the service account of a subject mean, what to do next, and who acts."""

from typing import Final

from searchaccess.api.conditions.meaning import NOTHING, ReasonDoc, Who
from searchaccess.api.conditions.reasons import Reason

IDENTITY_REASONS: Final = {
    Reason.IDENTITY_RESOLVED: ReasonDoc("The service account behind the subject is known.", NOTHING, Who.NOBODY),
    Reason.IDENTITY_UNKNOWN: ReasonDoc(
        "The operator cannot find out which service account is behind the subject: Google's API does not answer, or "
        "denies access. The last known account keeps its rights. Without one, nothing is granted.",
        "Read the message. Grant the operator's own account `roles/run.viewer` on the project and, if the message says "
        "so, `roles/iam.serviceAccountViewer`.",
        Who.PLATFORM,
    ),
    Reason.SERVICE_NOT_FOUND: ReasonDoc(
        "Cloud Run has no workload of this name in this project and region. Its rights are revoked after "
        "`identity.cloudRun.gracePeriod` of the SearchCluster and granted again when the workload exists. Rights of a "
        "previously declared subject stay: see `Held`.",
        "Correct the subject, deploy the workload, or delete the SearchAccess.",
        Who.TEAM,
    ),
    Reason.SERVICE_ACCOUNT_CHANGED: ReasonDoc(
        "The workload runs as another service account, which now has the rights. The previous account keeps them only "
        "while serving revisions or running executions still use it.",
        "Nothing to do if the change was intended.",
        Who.SECURITY,
    ),
    Reason.SERVICE_ACCOUNT_RECREATED: ReasonDoc(
        "The service account was deleted and recreated under the same name. With `principal: sub`, the new account has "
        "the rights and the old one has lost them. With `principal: email`, Elasticsearch cannot distinguish them.",
        "Find out who recreated it, and whether that was intended.",
        Who.SECURITY,
    ),
    Reason.DEFAULT_SERVICE_ACCOUNT: ReasonDoc(
        "The workload runs as the default compute service account of its project. Every other workload in the project "
        "that runs as it has this access too.",
        "Give the workload its own service account: `gcloud run services update NAME --service-account=…`.",
        Who.TEAM,
    ),
    Reason.SHARED_IDENTITY: ReasonDoc(
        "Other workloads run as the same service account and have this access too: `status.identity.sharedWith`.",
        "Give the workload its own service account, or accept the shared access.",
        Who.TEAM,
    ),
    Reason.GRANTED_ELSEWHERE: ReasonDoc(
        "SearchAccesses in other namespaces name the same principal on this cluster. The caller has the union of all "
        "of these rights. The message lists the others.",
        "Verify that the other grants are intended. `allowedNamespaces` of the SearchCluster limits which namespaces "
        "may grant access.",
        Who.SECURITY,
    ),
    Reason.LIMITED_ELSEWHERE: ReasonDoc(
        "Other SearchAccesses name the same principal on this cluster, and limit its requests more than this object "
        "does. The strictest limits apply to all requests of the principal ([limits](limits.md)).",
        "Agree on limits with the owners of those that the message names, or use a service account of its own.",
        Who.TEAM,
    ),
}
