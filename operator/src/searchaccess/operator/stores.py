"""Opens stores of secrets."""

import asyncio
from typing import TYPE_CHECKING, Final

from searchaccess.adapters.kubernetes.client import KubernetesClient
from searchaccess.adapters.kubernetes.secrets import KubernetesSecrets
from searchaccess.api.credentials import GoogleSecretManagerStore, SecretStoreSpec
from searchaccess.core.ownership import Operator
from searchaccess.engine.pace import PacedStore, TokenBucket
from searchaccess.ports.clock import Clock
from searchaccess.ports.stores import SecretStore

if TYPE_CHECKING:
    from searchaccess.adapters.googlecloud.secrets import GoogleSecrets

RATE: Final = 4.0
"""Requests a second to Secret Manager, each of up to three calls: its quota is 600 reads and 600 writes a minute."""
BURST: Final = 60


class OpenStores:
    """Stores, opened once each.

    Args:
        kubernetes: the API server.
        operator: this operator.
        clock: paces requests.
        endpoint: in place of ``secretmanager.googleapis.com``.
    """

    def __init__(self, kubernetes: KubernetesClient, operator: Operator, clock: Clock, endpoint: str = "") -> None:
        self._kubernetes = KubernetesSecrets(kubernetes, operator)
        self._operator = operator
        self._clock = clock
        self._endpoint = endpoint
        self._google: dict[str, tuple[GoogleSecrets, SecretStore]] = {}
        self._buckets: dict[str, TokenBucket] = {}

    async def open(self, spec: SecretStoreSpec) -> SecretStore:
        """Give the store that a SearchCluster declares."""
        google = spec.google_secret_manager
        if google is None:
            return self._kubernetes
        key = google.model_dump_json()
        if key not in self._google:
            secrets = await asyncio.to_thread(self._load, google)
            bucket = self._buckets.setdefault(google.project, TokenBucket(self._clock, RATE, BURST))
            self._google.setdefault(key, (secrets, PacedStore(secrets, bucket)))
        return self._google[key][1]

    def _load(self, spec: GoogleSecretManagerStore) -> "GoogleSecrets":
        """Import Google's libraries only now: they take a second, and many do without them."""
        from searchaccess.adapters.googlecloud.account import OperatorAccount  # noqa: PLC0415
        from searchaccess.adapters.googlecloud.secrets import GoogleSecrets  # noqa: PLC0415

        return GoogleSecrets(spec, self._operator, OperatorAccount(), self._endpoint)

    async def close(self) -> None:
        """Close connections."""
        for secrets, _ in self._google.values():
            await secrets.close()
