"""What the reasons about a gateway mean, what to do next, and who acts."""

from typing import Final

from searchaccess.api.conditions.meaning import NOTHING, ReasonDoc, Who
from searchaccess.api.conditions.reasons import Reason

_STOP: Final = (
    "Stop the gateway's pods (`kubectl scale`), then find out what answers at `spec.identity.gateway.url`. "
    "docs/gateway-operations.md has the steps."
)

GATEWAY_REASONS: Final = {
    Reason.GATEWAY_IN_SYNC: ReasonDoc(
        "All pods of the gateway have loaded the configuration that the operator wrote.", NOTHING, Who.NOBODY
    ),
    Reason.GATEWAY_UPDATING: ReasonDoc(
        "A new configuration was written, and some pods have not loaded it yet. Kubernetes brings it to them within "
        "two minutes; until then they serve with the former one. Or a pod does not run yet.",
        "Wait.",
        Who.NOBODY,
    ),
    Reason.GATEWAY_OUT_OF_DATE: ReasonDoc(
        "Some pods still serve with a former configuration. The message names them. Envoy rejected the new one, or the "
        "pod does not mount the ConfigMap.",
        "Read the log of such a pod, and its statistics `lds.update_rejected` and `cds.update_rejected`.",
        Who.PLATFORM,
    ),
    Reason.GATEWAY_MISSING: ReasonDoc(
        "No pod of the gateway runs, so callers are not served.",
        "Install the gateway's chart with the name and in the namespace of `spec.identity.gateway`, or see why its "
        "pods do not run.",
        Who.PLATFORM,
    ),
    Reason.GATEWAY_INCOMPLETE: ReasonDoc(
        "Fewer pods of the gateway run than `spec.identity.gateway.replicas` says. Those that run have loaded the "
        "configuration. Callers may send less than their limits, which are divided by the replicas.",
        "See why the pods do not run: the message has Kubernetes' reasons. If there are to be so few, set `replicas`.",
        Who.PLATFORM,
    ),
    Reason.GATEWAY_NOT_ASKED: ReasonDoc(
        "The operator may not list the pods of the gateway, or they do not answer it on port 9902.",
        "Allow it to list pods in the namespace of the gateway, and allow the connection in NetworkPolicies.",
        Who.PLATFORM,
    ),
    Reason.GATEWAY_VERIFIED: ReasonDoc(
        "The gateway refuses bad tokens, and lets the operator's own account act as nobody else.", NOTHING, Who.NOBODY
    ),
    Reason.GATEWAY_PARTLY_VERIFIED: ReasonDoc(
        "The gateway refuses bad tokens. A good one could not be tried, because the operator has no Google identity.",
        "Nothing to do. To try a good one as well, run the operator with Workload Identity.",
        Who.NOBODY,
    ),
    Reason.GATEWAY_NOT_VERIFIED: ReasonDoc(
        "The gateway could not be tested: it does not answer at its address, or something else answers there.",
        "See that the operator reaches `spec.identity.gateway.url`, and that `spec.identity.gateway.ca` is right.",
        Who.PLATFORM,
    ),
    Reason.GATEWAY_ACCEPTS_OTHERS: ReasonDoc(
        "The gateway accepts a token that it must refuse, or lets a caller act as somebody else.", _STOP, Who.SECURITY
    ),
    Reason.GATEWAY_REFUSES: ReasonDoc(
        "The gateway refuses a good token of the operator's own account.",
        "Compare `audience`, `issuer` and `jwks` of `spec.identity.gateway` with the gateway's log.",
        Who.PLATFORM,
    ),
    Reason.RUN_AS_ENABLED: ReasonDoc(
        "The gateway's login may run as callers at every address of Elasticsearch, and not as others.",
        NOTHING,
        Who.NOBODY,
    ),
    Reason.RUN_AS_DISABLED: ReasonDoc(
        "A node of Elasticsearch ignores the user that a request names (`run_as`): callers have no rights there.",
        "Set `xpack.security.authc.run_as.enabled: true` in elasticsearch.yml of the nodes that the message names, and "
        "restart them.",
        Who.PLATFORM,
    ),
    Reason.RUN_AS_TOO_WIDE: ReasonDoc(
        "The gateway's login may run as users that are not callers, although its role does not say so.",
        "Find the role mapping or role that gives it more, and remove that.",
        Who.SECURITY,
    ),
    Reason.RUN_AS_UNKNOWN: ReasonDoc(
        "The operator could not test which users the gateway's login may run as.",
        "The message has the cause. Wait if Elasticsearch restarts.",
        Who.NOBODY,
    ),
    Reason.GATEWAY_LOGIN_REFUSED: ReasonDoc(
        "Elasticsearch refuses the login that the gateway's pods have: somebody changed its password.",
        "Wait: if that stays, the operator replaces the login within a minute. Find out who changed it, in "
        "Elasticsearch's audit log if its license has one.",
        Who.SECURITY,
    ),
}
