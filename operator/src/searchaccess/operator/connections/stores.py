"""Opens secret stores."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final, assert_never

from searchaccess.adapters.kubernetes.client import KubernetesClient
from searchaccess.adapters.kubernetes.secrets import KubernetesSecrets
from searchaccess.adapters.vault.secrets import VaultSecrets
from searchaccess.adapters.vault.session import VaultSession
from searchaccess.api.stores.credentials import GoogleSecretManagerStore, KubernetesStore, SecretForm, SecretStoreSpec
from searchaccess.api.stores.vault import VaultStore
from searchaccess.core.clusters.sources import Incomplete
from searchaccess.core.clusters.vault import VaultAccess, build_access, sources_of
from searchaccess.core.rights.ownership import Operator
from searchaccess.decorators.measured import MeasuredStore
from searchaccess.decorators.paced import PacedStore, TokenBucket
from searchaccess.operator.connections.connecting import google_tokens, read_sources
from searchaccess.operator.connections.defaults import SERVICE_ACCOUNT_TOKEN
from searchaccess.operator.telemetry.metrics import Metrics
from searchaccess.ports.clock import Clock
from searchaccess.ports.errors import LoginMissing
from searchaccess.ports.stores import SecretStore

if TYPE_CHECKING:
    from searchaccess.adapters.googlecloud.secrets import GoogleSecrets

GOOGLE_RATE: Final = 4.0
"""Requests a second to Secret Manager, each of up to three calls: the quota is 600 reads and 600 writes a minute."""
GOOGLE_BURST: Final = 60
VAULT_RATE: Final = 50.0
"""The same for Vault, which others use too."""
VAULT_BURST: Final = 100


@dataclass(frozen=True, slots=True)
class StoreOptions:
    """How to reach stores.

    Args:
        google: address of the Secret Manager API; Google's when empty.
        service_account_token: file with the token of the operator's ServiceAccount, for Vault.
    """

    google: str = ""
    service_account_token: Path = SERVICE_ACCOUNT_TOKEN


class OpenStores:
    """Secret stores, each opened once.

    Args:
        kubernetes: the API server.
        operator: this operator.
        clock: paces requests.
        options: how to reach stores.
        metrics: counts requests.
        guard: called before each write; an error that it raises prevents the write.
    """

    def __init__(
        self,
        kubernetes: KubernetesClient,
        operator: Operator,
        clock: Clock,
        options: StoreOptions | None = None,
        metrics: Metrics | None = None,
        guard: Callable[[], None] | None = None,
    ) -> None:
        self._guard = guard
        self._metrics = metrics
        self._client = kubernetes
        self._kubernetes = {form: self._counted(KubernetesSecrets(kubernetes, operator, form)) for form in SecretForm}
        self._operator = operator
        self._clock = clock
        self._options = options or StoreOptions()
        self._known: dict[str, tuple[GoogleSecrets | VaultSecrets, SecretStore]] = {}
        self._buckets: dict[str, TokenBucket] = {}

    async def open(self, spec: SecretStoreSpec) -> SecretStore:
        """Return the store that a SearchCluster declares."""
        declared = spec.declared
        if isinstance(declared, KubernetesStore):
            return self._kubernetes[declared.format or SecretForm.JSON]
        key = declared.model_dump_json()
        if key not in self._known:
            secrets: GoogleSecrets | VaultSecrets
            match declared:
                case VaultStore():
                    secrets = self._open_vault(declared)
                    bucket = self._bucket(declared.address, VAULT_RATE, VAULT_BURST)
                case GoogleSecretManagerStore():
                    secrets = await asyncio.to_thread(self._load_google, declared)
                    bucket = self._bucket(declared.project, GOOGLE_RATE, GOOGLE_BURST)
                case _:
                    assert_never(declared)
            self._known.setdefault(key, (secrets, PacedStore(self._counted(secrets), bucket)))
        return self._known[key][1]

    def _counted(self, store: SecretStore) -> SecretStore:
        if self._metrics is None:
            return store
        return MeasuredStore(store, self._metrics.counting("store"), self._guard)

    def _bucket(self, name: str, rate: float, burst: int) -> TokenBucket:
        return self._buckets.setdefault(name, TokenBucket(self._clock, rate, burst))

    def _load_google(self, spec: GoogleSecretManagerStore) -> "GoogleSecrets":
        # Imported only now: Google's library takes a second, and many do not need it.
        from searchaccess.adapters.googlecloud.account import OperatorAccount  # noqa: PLC0415
        from searchaccess.adapters.googlecloud.secrets import GoogleSecrets  # noqa: PLC0415

        return GoogleSecrets(spec, self._operator, OperatorAccount(), self._options.google)

    def _open_vault(self, spec: VaultStore) -> VaultSecrets:
        async def access() -> VaultAccess:
            try:
                return build_access(spec, await read_sources(self._client, sources_of(spec)))
            except Incomplete as error:
                raise LoginMissing(f"Vault: {error}") from None

        jwt = google_tokens(spec.auth.jwt.audience) if spec.auth.jwt else self._own_token
        return VaultSecrets(spec, self._operator, VaultSession(spec, access, jwt, self._clock))

    async def _own_token(self) -> str:
        """Read the token of the operator's ServiceAccount, which Kubernetes replaces periodically."""
        try:
            return (await asyncio.to_thread(self._options.service_account_token.read_text)).strip()
        except (OSError, UnicodeDecodeError):
            raise LoginMissing(
                f"there is no token of the operator's ServiceAccount in {self._options.service_account_token}"
            ) from None

    async def close(self) -> None:
        """Close connections."""
        for secrets, _ in self._known.values():
            await secrets.close()
