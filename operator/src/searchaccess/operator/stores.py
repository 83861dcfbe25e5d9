"""Opens stores of secrets."""

from searchaccess.adapters.kubernetes.client import KubernetesClient
from searchaccess.adapters.kubernetes.secrets import KubernetesSecrets
from searchaccess.api.credentials import SecretStoreSpec
from searchaccess.core.ownership import Operator
from searchaccess.ports.stores import SecretStore


class OpenStores:
    """Stores, opened once each.

    Args:
        kubernetes: the API server.
        operator: this operator.
    """

    def __init__(self, kubernetes: KubernetesClient, operator: Operator) -> None:
        self._kubernetes = KubernetesSecrets(kubernetes, operator)

    def open(self, spec: SecretStoreSpec) -> SecretStore:  # noqa: ARG002 - there is one kind
        """Give the store that a SearchCluster declares."""
        return self._kubernetes
