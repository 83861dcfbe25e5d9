"""API keys of an Elasticsearch in memory."""

from collections.abc import Callable, Mapping, Sequence
from fnmatch import fnmatchcase
from typing import Any, Final

from searchaccess.core.credentials.credential import DESCRIPTOR
from searchaccess.core.credentials.keys import Login
from searchaccess.core.credentials.sealed import Sealed
from searchaccess.core.model.canonical import RoleBody
from searchaccess.core.model.intake.reading import readable_list
from searchaccess.core.policy.login import LoginRights
from searchaccess.ports.elasticsearch import MadeKey, Written
from searchaccess.ports.errors import NotFound, PermissionDenied, Rejected
from tests.support.copies import copied
from tests.support.failures.faults import Call, Faults

ELASTICSEARCH: Final = "elasticsearch"


class MemoryKeys:
    """The part of the cluster that has API keys.

    Args:
        faults: what goes wrong.
        served: gives a role as Elasticsearch shows it.
    """

    def __init__(self, faults: Faults, served: Callable[[Mapping[str, Any]], dict[str, Any]]) -> None:
        self._faults = faults
        self._served = served
        self.sequence = 0
        self.keys_now: dict[str, dict[str, Any]] = {}
        self.me = Login("searchaccess-operator", "native", by_api_key=False)
        """The operator's login."""
        self.rights_now: LoginRights | None = LoginRights(self.me.username, manages=True, keys=True)
        """What it may do; None: Elasticsearch does not say."""
        self.out_of_reach: set[str] = set()
        """Index patterns that the operator's login may not read itself."""
        self.reads_others = True
        """The operator's login may read keys and users of others."""
        self.now: Callable[[], float] = lambda: 0.0
        """Returns seconds since the epoch."""
        self.tells_time = True
        """The operator's login may read the cluster's time."""
        self.on_key: Callable[[str], object] = lambda _id: None
        """Called with the id of every key that the operator makes."""

    async def time(self) -> float | None:
        def read() -> float | None:
            return float(int(self.now())) if self.tells_time else None

        return await self._faults.perform(Call(ELASTICSEARCH, "time"), read)

    async def login(self) -> Login:
        return await self._faults.perform(Call(ELASTICSEARCH, "login"), lambda: self.me)

    async def login_rights(self) -> LoginRights | None:
        return await self._faults.perform(Call(ELASTICSEARCH, "login_rights"), lambda: self.rights_now)

    def expect_manages(self) -> None:
        """Refuse what needs ``manage_security``, if the login does not have it."""
        if self.rights_now is not None and not self.rights_now.manages:
            raise PermissionDenied("Elasticsearch answered 403: this action is granted by manage_security")

    async def lacks(self, rights: RoleBody) -> Sequence[str]:
        def read() -> list[str]:
            remote = {
                f"{cluster}:{name}" for entry in rights.entries for cluster in entry.clusters for name in entry.indices
            }
            names = {name for entry in rights.entries if not entry.clusters for name in entry.indices} | remote
            return [f"read on {name}" for name in sorted(names) if name in self.out_of_reach]

        return await self._faults.perform(Call(ELASTICSEARCH, "lacks"), read)

    async def keys(self, pattern: str) -> Sequence[dict[str, Any]]:
        def read() -> list[dict[str, Any]]:
            matching = [raw for raw in self.live_keys() if fnmatchcase(raw["name"], pattern)]
            return copied(readable_list(matching))

        return await self._faults.perform(Call(ELASTICSEARCH, "keys", (pattern,)), read)

    async def owned_keys(self, realm: str, besides: str = "") -> Sequence[dict[str, Any]] | None:
        def read() -> list[dict[str, Any]] | None:
            matching = [raw for raw in self.live_keys() if raw["realm"] == realm and raw["username"] != besides]
            return copied(readable_list(matching)) if self.reads_others else None

        return await self._faults.perform(Call(ELASTICSEARCH, "owned_keys", (realm,)), read)

    async def keys_of_users(self, prefix: str) -> Sequence[dict[str, Any]] | None:
        def read() -> list[dict[str, Any]] | None:
            matching = [raw for raw in self.live_keys() if raw["username"].startswith(prefix)]
            return copied(readable_list(matching)) if self.reads_others else None

        return await self._faults.perform(Call(ELASTICSEARCH, "keys_of_users", (prefix,)), read)

    async def changed_keys(self, since: float) -> Sequence[dict[str, Any]] | None:
        def read() -> list[dict[str, Any]] | None:
            times = {key: (raw["creation"], raw.get("invalidation", 0)) for key, raw in self.keys_now.items()}
            matching = [self.keys_now[key] for key, found in times.items() if max(found) >= since * 1000]
            return copied(readable_list(matching)) if self.reads_others else None

        return await self._faults.perform(Call(ELASTICSEARCH, "changed_keys"), read)

    async def every_key(self) -> Sequence[dict[str, Any]] | None:
        def read() -> list[dict[str, Any]] | None:
            return copied(readable_list(list(self.keys_now.values()))) if self.reads_others else None

        return await self._faults.perform(Call(ELASTICSEARCH, "every_key"), read)

    def update_key(self, key_id: str, **rights: Any) -> None:
        """Have somebody else change the rights of an API key."""
        self.keys_now[key_id] = self.keys_now[key_id] | {"role_descriptors": rights}
        self.sequence += 1

    def forget_key(self, key_id: str) -> None:
        """Have Elasticsearch remove an API key that ended long ago."""
        del self.keys_now[key_id]
        self.sequence += 1

    def write_key(self, name: str, owner: str, realm: str, had: Mapping[str, Any], **rights: Any) -> str:
        """Have somebody else's user make an API key with what it has; with no rights, all of that."""
        key_id = f"key-{len(self.keys_now) + 1}"
        self.keys_now[key_id] = {
            "id": key_id,
            "name": name,
            "creation": int(self.now() * 1000),
            "expiration": int(self.now() * 1000) + 10**12,
            "invalidated": False,
            "username": owner,
            "realm": realm,
            "metadata": {},
            "role_descriptors": {role: self._served(raw) for role, raw in rights.items()},
            "limited_by": [{role: self._served(raw) for role, raw in had.items()}],
        }
        self.sequence += 1
        return key_id

    def live_keys(self) -> list[dict[str, Any]]:
        """Return the API keys that work."""
        now = self.now()
        return [raw for raw in self.keys_now.values() if not raw["invalidated"] and now < raw["expiration"] / 1000]

    async def create_key(self, name: str, lifetime: float, rights: RoleBody, metadata: Mapping[str, Any]) -> MadeKey:
        call = Call(ELASTICSEARCH, "create_key", (name,), write=True)
        return await self._faults.perform(call, lambda: self._create_key(name, lifetime, rights, metadata))

    def _create_key(self, name: str, lifetime: float, rights: RoleBody, metadata: Mapping[str, Any]) -> MadeKey:
        if self.me.by_api_key:
            text = "creating derived api keys requires an explicit role descriptor that is empty (has no privileges)"
            raise Rejected(f"Elasticsearch answered 400: {text}")
        key_id, created = f"key-{len(self.keys_now) + 1}", int(self.now() * 1000)
        self.keys_now[key_id] = {
            "id": key_id,
            "name": name,
            "creation": created,
            "expiration": created + int(lifetime * 1000),
            "invalidated": False,
            "username": self.me.username,
            "realm": self.me.realm,
            "metadata": copied(dict(metadata)),
            "role_descriptors": {DESCRIPTOR: self._served(rights.to_json())},
        }
        self.sequence += 1
        self.on_key(key_id)
        return MadeKey(key_id, Sealed(f"secret-of-{key_id}"), created / 1000)

    async def update_keys(self, ids: Sequence[str], rights: RoleBody) -> Written:
        call = Call(ELASTICSEARCH, "update_keys", tuple(ids), write=True)
        return await self._faults.perform(call, lambda: self._update_keys(ids, rights))

    def _update_keys(self, ids: Sequence[str], rights: RoleBody) -> Written:
        return self._change(ids, lambda: {"role_descriptors": {DESCRIPTOR: self._served(rights.to_json())}})

    def _change(self, ids: Sequence[str], changes: Callable[[], Mapping[str, Any]]) -> Written:
        written = Written()
        for key_id in ids:
            if problem := self._problem(key_id):
                written.refused[key_id] = problem
            else:
                self.keys_now[key_id].update(changes())
                self.sequence += 1
                written.changed.add(key_id)
        return written

    async def refresh_keys(self, ids: Sequence[str]) -> Written:
        # As long as the login may what it could, nothing is written.
        return await self._faults.perform(Call(ELASTICSEARCH, "refresh_keys", tuple(ids)), Written)

    async def prolong_keys(self, ids: Sequence[str], lifetime: float) -> Written:
        call = Call(ELASTICSEARCH, "prolong_keys", tuple(ids), write=True)
        return await self._faults.perform(call, lambda: self._prolong_keys(ids, lifetime))

    def _prolong_keys(self, ids: Sequence[str], lifetime: float) -> Written:
        return self._change(ids, lambda: {"expiration": int((self.now() + lifetime) * 1000)})

    def _problem(self, key_id: str) -> NotFound | Rejected | None:
        raw = self.keys_now.get(key_id)
        if raw is None or (raw["username"], raw["realm"]) != (self.me.username, self.me.realm):
            return NotFound("no API key owned by requesting user found")
        return None if raw in self.live_keys() else Rejected("cannot update invalidated API key")

    async def note_key(self, key_id: str, metadata: Mapping[str, Any]) -> None:
        call = Call(ELASTICSEARCH, "note_key", (key_id,), write=True)
        await self._faults.perform(call, lambda: self._note_key(key_id, metadata))

    def _note_key(self, key_id: str, metadata: Mapping[str, Any]) -> None:
        if problem := self._problem(key_id):
            raise problem
        self.keys_now[key_id]["metadata"] = copied(dict(metadata))
        self.sequence += 1

    async def revoke_keys(self, ids: Sequence[str]) -> None:
        call = Call(ELASTICSEARCH, "revoke_keys", tuple(ids), write=True)
        await self._faults.perform(call, lambda: self.invalidate_keys(ids))

    def invalidate_keys(self, ids: Sequence[str]) -> None:
        """Invalidate API keys."""
        for key_id in ids:
            if key_id in self.keys_now and not self.keys_now[key_id]["invalidated"]:
                self.keys_now[key_id] |= {"invalidated": True, "invalidation": int(self.now() * 1000)}
                self.sequence += 1
