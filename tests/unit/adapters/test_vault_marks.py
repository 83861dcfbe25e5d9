"""A secret that somebody makes in Vault at the moment at which we mark it as ours stays theirs."""

import asyncio
from collections.abc import Mapping
from typing import Any

import pytest

from searchaccess.adapters.vault.secrets import VaultSecrets
from searchaccess.api.stores.vault import VaultStore
from searchaccess.core.credentials.sealed import Sealed
from searchaccess.core.rights.ownership import Operator
from searchaccess.ports.errors import Conflict, ExternalError, NotFound, Unreachable
from searchaccess.ports.stores import Owner, Place

PLACE = Place("shop", "orders")
OWNER = Owner("b1a1c1d1-0000-4000-8000-000000000001", "shop", "orders")


class Session:
    """A Vault in which somebody else was faster, and that is away when our mark is to go."""

    def __init__(self) -> None:
        self.notes: Mapping[str, Any] | None = None
        self.away = True

    async def ask(
        self, _whose: str, method: str, path: str, body: Any = None, _query: Mapping[str, str] | None = None
    ) -> Mapping[str, Any]:
        if "/metadata/" not in path:
            raise Conflict("check-and-set parameter did not match")
        if method == "POST":
            if not body["custom_metadata"] and self.away:
                raise Unreachable("away")
            self.notes = body["custom_metadata"]
            return {}
        if self.notes is None:
            raise NotFound("no such secret")
        version = {"1": {"created_time": "2026-01-01T10:00:00Z", "deletion_time": "", "destroyed": False}}
        times = {"created_time": "2026-01-01T10:00:00Z", "current_version": 1, "versions": version}
        return {"data": times | {"custom_metadata": self.notes}}


def test_our_mark_goes_before_anything_is_said_of_it() -> None:
    async def play() -> None:
        session = Session()
        spec = VaultStore.model_validate(
            {"address": "https://vault:8200", "mount": "kv", "auth": {"kubernetes": {"role": "x"}}}
        )
        store = VaultSecrets(spec, Operator("default", "me"), session)  # type: ignore[arg-type]
        assert await store.find(PLACE) is None
        with pytest.raises(ExternalError):
            await store.add(PLACE, OWNER, None, 1, Sealed("value"))
        with pytest.raises(Unreachable):
            await store.find(PLACE)
        session.away = False
        found = await store.find(PLACE)
        assert found is not None
        assert not found.secret.owner, "it is theirs"

    asyncio.run(play())
