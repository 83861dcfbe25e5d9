"""What is needed to run gateways."""

from searchaccess.adapters.gatewaycalls import HttpGatewayCalls
from searchaccess.adapters.kubernetes.client import KubernetesClient
from searchaccess.adapters.kubernetes.gateways import KubernetesGateways
from searchaccess.decorators.measuredgateways import MeasuredGateways
from searchaccess.decorators.measuring import Guard
from searchaccess.operator.connections.connecting import OwnTokens
from searchaccess.operator.telemetry.metrics import Metrics
from searchaccess.ports.gateway import Gateways


def gateways_by(client: KubernetesClient, metrics: Metrics, guard: Guard | None) -> Gateways:
    """Return what is needed to run gateways.

    Args:
        client: the API server.
        metrics: counts requests.
        guard: called before each write to Kubernetes; an error that it raises prevents the write.
    """
    objects = MeasuredGateways(KubernetesGateways(client), metrics.counting("kubernetes"), guard)
    return Gateways(objects, HttpGatewayCalls(OwnTokens().get))
