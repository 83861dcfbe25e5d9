"""A store of secrets in Vault as the contract tests open it."""

import secrets
from collections.abc import Awaitable, Callable
from typing import Any

from searchaccess.adapters.vault.secrets import VaultSecrets
from searchaccess.adapters.vault.session import VaultSession
from searchaccess.api.stores.vault import VaultStore
from searchaccess.core.clusters.vault import VaultAccess
from searchaccess.core.rights.ownership import Operator
from searchaccess.ports.stores import Owner, Place
from tests.support.loop.clocks import SettableClock
from tests.support.worlds.world import SYSTEM

OPERATOR = Operator("default", "kube-system")
OWNER = Owner("7b0e5d7a-0000-4000-8000-000000000001", "shop", "orders")


def a_place() -> Place:
    return Place("shop", f"orders-{secrets.token_hex(4)}")


def declared(address: str, **spec: Any) -> VaultStore:
    auth = {"tokenSecretRef": {"namespace": SYSTEM, "name": "vault"}}
    return VaultStore.model_validate({"address": address, "auth": auth} | spec)


class Tokens:
    """What is kept in Secrets, and how often it was read."""

    def __init__(self, ca: str, token: str = "") -> None:
        self.access = VaultAccess(ca, token)
        self.reads = 0

    async def read(self) -> VaultAccess:
        self.reads += 1
        return self.access


def opened(
    store: VaultStore,
    tokens: Tokens,
    jwt: Callable[[], Awaitable[str]] | None = None,
    clock: SettableClock | None = None,
) -> VaultSecrets:
    async def none() -> str:
        raise AssertionError("it needs no such token")

    session = VaultSession(store, tokens.read, jwt or none, clock or SettableClock())
    return VaultSecrets(store, OPERATOR, session)
