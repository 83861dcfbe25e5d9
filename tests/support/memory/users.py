"""Users of the native realm of an Elasticsearch in memory."""

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any, Final

from searchaccess.core.credentials.sealed import Sealed
from searchaccess.core.gateway.proof import Answer
from searchaccess.core.gateway.users import NativeUser
from searchaccess.core.model.intake.reading import readable_list
from searchaccess.ports.elasticsearch import MadeKey, Written
from searchaccess.ports.errors import ExternalError, LoginRefused, PermissionDenied, Rejected, TransientError
from tests.support.copies import copied
from tests.support.failures.faults import Call, Faults

ELASTICSEARCH: Final = "elasticsearch"


def _effective(entry: Mapping[str, Any]) -> dict[str, Any]:
    """Return an entry of a role as Elasticsearch gives it among the privileges of a user."""
    found = copied(dict(entry)) | {"privileges": sorted(name.lower() for name in entry["privileges"])}
    return found | {key: [found[key]] for key in ("query", "field_security") if found.get(key)}


class MemoryUsers:
    """The part of the cluster that has users."""

    _faults: Faults
    sequence: int
    roles_now: dict[str, dict[str, Any]]
    reads_others: bool

    def __init__(self) -> None:
        self.users_now: dict[str, dict[str, Any]] = {}
        self.made_users = 0
        self.passwords: dict[str, str] = {}
        """By user, a password that somebody set, or by which a gateway logs in."""
        self.on_user: Callable[[str], object] = lambda _name: None
        """Called with the name of every user that the operator makes."""
        self.run_as_works = True
        self.runs_as_others = False
        """Whether a gateway's login may run as anybody."""
        self.file_roles: dict[str, dict[str, Any]] = {}
        """Roles in `roles.yml`, which no API shows."""
        self.anonymous_roles: list[str] = []
        """Roles that everybody has."""
        self.looks = 0
        """How often somebody asked what a user has."""
        self.node_has_file: Callable[[int], bool] = lambda _look: True
        """Whether the node has the file that answers that look."""

    async def users(self, prefix: str) -> Sequence[dict[str, Any]]:
        def read() -> list[dict[str, Any]]:
            matching = [raw for name, raw in sorted(self.users_now.items()) if name.startswith(prefix)]
            return copied(readable_list(matching))

        return await self._faults.perform(Call(ELASTICSEARCH, "users", (prefix,)), read)

    async def holders(self, prefix: str) -> Sequence[dict[str, Any]] | None:
        def read() -> list[dict[str, Any]] | None:
            matching = [
                raw
                for name, raw in sorted(self.users_now.items())
                if not name.startswith(prefix) and any(role.startswith(prefix) for role in raw["roles"])
            ]
            return copied(readable_list(matching)) if self.reads_others else None

        return await self._faults.perform(Call(ELASTICSEARCH, "holders", (prefix,)), read)

    def write_user(
        self, name: str, *roles: str, metadata: Mapping[str, Any] | None = None, enabled: bool = True
    ) -> None:
        """Have somebody else make or change a user."""
        known = copied(dict(metadata or {}))
        self.users_now[name] = {"username": name, "roles": list(roles), "metadata": known, "enabled": enabled}
        self.sequence += 1

    async def create_user(self, name: str, metadata: Mapping[str, Any]) -> MadeKey:
        call = Call(ELASTICSEARCH, "create_user", (name,), write=True)
        return await self._faults.perform(call, lambda: self._create_user(name, metadata))

    def _create_user(self, name: str, metadata: Mapping[str, Any]) -> MadeKey:
        self.made_users += 1
        whole = f"{name}.{self.made_users:08x}"
        self._put_user(whole, metadata)
        self.on_user(whole)
        return MadeKey(whole, Sealed(f"password-of-{whole}"))

    def _put_user(self, name: str, metadata: Mapping[str, Any]) -> None:
        known = copied(dict(metadata))
        self.users_now[name] = {"username": name, "roles": [name], "metadata": known, "enabled": True}
        self.sequence += 1

    async def note_user(self, name: str, metadata: Mapping[str, Any]) -> None:
        call = Call(ELASTICSEARCH, "note_user", (name,), write=True)
        await self._faults.perform(call, lambda: self._note_user(name, metadata))

    def _note_user(self, name: str, metadata: Mapping[str, Any]) -> None:
        if name not in self.users_now:
            raise Rejected("password must be specified unless you are updating an existing user")
        self._put_user(name, metadata)

    async def users_named(self, names: Sequence[str]) -> Mapping[str, dict[str, Any]]:
        def read() -> dict[str, dict[str, Any]]:
            return {name: copied(self.users_now[name]) for name in names if name in self.users_now}

        return await self._faults.perform(Call(ELASTICSEARCH, "users_named", tuple(names)), read)

    async def put_gateway_user(
        self, name: str, role: str, metadata: Mapping[str, Any], password: Sealed | None
    ) -> None:
        def put() -> None:
            if password is None and name not in self.users_now:
                raise Rejected("password must be specified unless you are updating an existing user")
            self._put_user(name, metadata)
            self.users_now[name]["roles"] = [role]
            if password is not None:
                self.passwords[name] = password.reveal()
                self.on_user(name)

        await self._faults.perform(Call(ELASTICSEARCH, "put_gateway_user", (name,), write=True), put)

    async def nodes_without_run_as(self) -> Sequence[str] | None:
        return await self._faults.perform(
            Call(ELASTICSEARCH, "nodes_without_run_as"), lambda: [] if self.run_as_works else ["node-0"]
        )

    async def authenticate_as(self, user: str) -> Answer:
        return await self._faults.perform(
            Call(ELASTICSEARCH, "authenticate_as", (user,)), lambda: self.answer_to("", "", user)
        )

    def answer_to(self, username: str, password: str, user: str) -> Answer:
        """Answer who a login is that runs as a user."""
        known = self.users_now.get(username)
        if known is None or not known["enabled"] or self.passwords.get(username) != password:
            return Answer(401)
        if not self.run_as_works:
            return Answer(200, username)
        if self.runs_as_others or (user.endswith("gserviceaccount.com") and user in self.users_now):
            return Answer(200, user)
        return Answer(403)

    async def privileges_as(self, user: str) -> Mapping[str, Any]:
        return await self._faults.perform(
            Call(ELASTICSEARCH, "privileges_as", (user,)), lambda: self.privileges_of("", "", user)
        )

    def privileges_of(self, username: str, password: str, user: str) -> dict[str, Any]:
        """Answer what a login really has that runs as a user; without one, what it has itself."""
        answer = self.answer_to(username, password, user) if user else Answer(200, username)
        if answer.status == 401:
            raise LoginRefused("Elasticsearch answered 401")
        if answer.status == 403:
            raise PermissionDenied("Elasticsearch answered 403")
        self.looks += 1
        roles = list(self.users_now[answer.username]["roles"]) if answer.username in self.users_now else []
        if roles and not self.users_now[answer.username]["enabled"]:
            raise LoginRefused("Elasticsearch answered 401")
        merged: dict[str, Any] = {"cluster": [], "global": [], "indices": [], "applications": [], "run_as": []}
        for name in [*roles, *self.anonymous_roles]:
            in_file = self.file_roles.get(name) if self.node_has_file(self.looks) else None
            raw = in_file if in_file is not None else self.roles_now.get(name, {})
            for kind in ("cluster", "applications", "run_as"):
                merged[kind] += copied(raw.get(kind, []))
            merged["indices"] += [_effective(entry) for entry in raw.get("indices", [])]
        return merged

    async def user(self, name: str) -> dict[str, Any] | None:
        def read() -> dict[str, Any] | None:
            raw = self.users_now.get(name)
            return copied(readable_list([raw]))[0] if raw is not None else None

        return await self._faults.perform(Call(ELASTICSEARCH, "user", (name,)), read)

    async def put_users(self, users: Sequence[NativeUser]) -> Written:
        written = Written()
        for user in users:
            call = Call(ELASTICSEARCH, "put_user", (user.name,), write=True)
            try:
                await self._faults.perform(call, partial(self._put_native_user, user))
            except TransientError:
                raise
            except ExternalError as error:
                written.refused[user.name] = error
            else:
                written.changed.add(user.name)
        return written

    def _put_native_user(self, user: NativeUser) -> None:
        self.users_now[user.name] = {"username": user.name} | copied(user.to_json())
        self.passwords.pop(user.name, None)
        self.sequence += 1
        self.on_user(user.name)

    async def remove_users(self, names: Sequence[str]) -> Written:
        written = Written()
        for name in names:
            call = Call(ELASTICSEARCH, "remove_user", (name,), write=True)
            was_there = name in self.users_now
            try:
                await self._faults.perform(call, partial(self.remove_user, name))
            except TransientError:
                raise
            except ExternalError as error:
                written.refused[name] = error
            else:
                (written.changed if was_there else written.unchanged).add(name)
                self.sequence += not was_there
        return written

    def set_password(self, name: str) -> None:
        """Have somebody set a user's password, which nobody sees."""
        self.passwords[name] = "known to somebody"
        self.sequence += 1

    async def delete_users(self, names: Sequence[str]) -> None:
        for name in names:
            call = Call(ELASTICSEARCH, "delete_user", (name,), write=True)
            await self._faults.perform(call, partial(self.remove_user, name))

    def remove_user(self, name: str) -> None:
        """Delete a user."""
        if self.users_now.pop(name, None):
            self.passwords.pop(name, None)
            self.sequence += 1
