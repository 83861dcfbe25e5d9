"""HashiCorp Vault's KV engine, version 2, as a store.

Vault calls a disabled version deleted: it can be undeleted until it is destroyed.
https://developer.hashicorp.com/vault/api-docs/secret/kv/kv-v2
"""

import json
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, Final

from searchaccess.adapters.vault.session import VaultSession
from searchaccess.api.constants import MANAGED_BY
from searchaccess.api.stores.vault import VaultStore
from searchaccess.core.credentials.credential import Secret, Slot, State, Version
from searchaccess.core.credentials.payload import held_key
from searchaccess.core.credentials.sealed import Sealed
from searchaccess.core.model.intake.reading import (
    digits,
    is_label,
    is_name,
    is_uid,
    mapping,
    text,
    whole_number,
    within,
)
from searchaccess.core.rights.ownership import Operator
from searchaccess.ports.errors import Conflict, NotFound, Rejected, Unexpected
from searchaccess.ports.stores import Found, Owner, Place

_MOMENT: Final = 64
"""Characters of a moment."""
KEY: Final = "credential"
"""Key under which consumers find a value that is not an object."""

_MANAGED_BY: Final = "managed-by"
_INSTANCE: Final = "searchaccess-instance"
_OWNER: Final = "searchaccess-owner-uid"


class VaultSecrets:
    """Secrets of one KV engine.

    Args:
        store: what the SearchCluster says.
        operator: this operator; what another one made is foreign.
        session: Vault.
    """

    def __init__(self, store: VaultStore, operator: Operator, session: VaultSession) -> None:
        self._store = store
        self._operator = operator
        self._session = session
        self._not_ours: set[Place] = set()
        """Secrets that somebody made while we marked them: our mark is still to go."""

    async def close(self) -> None:
        """Close connections."""
        await self._session.close()

    def _path(self, place: Place) -> str:
        if not is_label(place.namespace) or not is_name(place.name):
            raise Rejected(f"not the name of a secret in a namespace: {place.namespace[:63]!r}, {place.name[:253]!r}")
        return f"{self._store.path}/{place.namespace}/{place.name}"

    async def _ask(
        self,
        method: str,
        what: str,
        place: Place,
        body: Mapping[str, Any] | None = None,
        query: Mapping[str, str] | None = None,
    ) -> Mapping[str, Any]:
        """Make a request about a secret's ``metadata`` or ``data``, or to ``delete`` or ``destroy`` versions of it."""
        mount, path = self._store.mount, self._path(place)
        return await self._session.ask(f"{mount}/{path}", method, f"{mount}/{what}/{path}", body, query)

    async def find(self, place: Place) -> Found | None:
        """Return a secret and its versions; None: there is none."""
        try:
            answer = await self._ask("GET", "metadata", place)
        except NotFound:
            self._not_ours.discard(place)
            return None
        if place in self._not_ours:
            await self._unmark(place)
            answer = await self._ask("GET", "metadata", place)
        return Found(secret_of(answer, f"{self._store.mount}/{self._path(place)}", self._operator, datetime.now(UTC)))

    async def read(self, place: Place, number: int) -> str:
        """Return the id of the key that a version holds."""
        try:
            answer = await self._ask("GET", "data", place, query={"version": str(number)})
        except NotFound:  # Vault also answers so for a deleted version, and adds its metadata.
            return ""
        return held_in(answer)

    async def add(self, place: Place, owner: Owner, known: Secret | None, number: int, value: Sealed) -> Slot:  # noqa: ARG002 - it counts itself
        """Store a value as the newest version, if all others were seen; mark the secret first, if it is new."""
        if known is None:
            # Mark it first: a value without marks would count as foreign.
            await self._ask("POST", "metadata", place, {"custom_metadata": self._marks(owner)})
        elif known.owner not in {"", owner.uid}:
            await self._mark(place, owner, known)
        written = {"options": {"cas": int(known.stamp) if known else 0}, "data": _body(value.reveal())}
        try:
            answer = await self._ask("POST", "data", place, written)
        except Conflict:
            if known is None:
                # Somebody else created one meanwhile: it belongs to them. Nothing else is done before our mark is gone.
                self._not_ours.add(place)
                await self._unmark(place)
            raise
        added = whole_number(mapping(answer.get("data")).get("version"))
        if added is None:
            raise Unexpected(f"Vault, {self._store.mount}/{self._path(place)}: its response lacks the stored version")
        found = await self.find(place) if known is None else None
        known = found.secret if found else known
        if known is None:
            raise Conflict(f"Vault, {self._store.mount}/{self._path(place)}: it was deleted right after it was written")
        return known.slot(added)

    async def _unmark(self, place: Place) -> None:
        await self._ask("POST", "metadata", place, {"custom_metadata": {}})
        self._not_ours.discard(place)

    async def _mark(self, place: Place, owner: Owner, known: Secret) -> None:
        """Mark a secret of a former installation as ours, if it is still the same one; other metadata stays."""
        answer = await self._ask("GET", "metadata", place)
        path = f"{self._store.mount}/{self._path(place)}"
        found = secret_of(answer, path, self._operator, datetime.now(UTC))
        if (found.identity, found.owner) != (known.identity, known.owner):
            raise Conflict(f"Vault, {path}: another secret has this name now")
        notes = mapping(mapping(mapping(answer).get("data")).get("custom_metadata"))
        await self._ask("POST", "metadata", place, {"custom_metadata": {**notes, **self._marks(owner)}})

    def _marks(self, owner: Owner) -> dict[str, str]:
        return {
            _MANAGED_BY: MANAGED_BY,
            _INSTANCE: self._operator.instance,
            _OWNER: owner.uid,
            "searchaccess-namespace": owner.namespace,
            "searchaccess-name": owner.name,
        }

    async def rewrite(self, place: Place, owner: Owner, known: Secret, number: int) -> None:
        """Do nothing: there is one form."""

    async def disable(self, place: Place, known: Secret, numbers: Sequence[int]) -> None:  # noqa: ARG002 - of the port
        """Delete versions; they can be undeleted."""
        await self._ask("POST", "delete", place, {"versions": list(numbers)})

    async def destroy(self, place: Place, known: Secret, numbers: Sequence[int]) -> None:  # noqa: ARG002 - of the port
        """Destroy what versions hold."""
        await self._ask("POST", "destroy", place, {"versions": list(numbers)})

    async def remove(self, place: Place, known: Secret) -> None:
        """Delete a secret with all versions, if it is still the same one."""
        found = await self.find(place)
        if found is None:
            return
        if found.secret.identity != known.identity:
            raise Conflict(f"Vault, {self._store.mount}/{self._path(place)}: another secret has this name now")
        await self._ask("DELETE", "metadata", place)


def _body(text: str) -> dict[str, Any]:
    """Return what is stored: an object as it is, anything else under one key."""
    try:
        body = json.loads(text)
    except ValueError:
        body = None
    return body if isinstance(body, dict) else {KEY: text}


def secret_of(answer: Any, path: str, operator: Operator, now: datetime) -> Secret:
    """Read a secret's metadata.

    Args:
        answer: what Vault says.
        path: where the secret is, with its mount.
        operator: this operator; what another one made is foreign.
        now: the time, because a version may have a deletion time in the future.

    Raises:
        Unexpected: it is not the metadata of a secret.
    """
    data = mapping(mapping(answer).get("data"))
    versions, created, current = data.get("versions"), text(data.get("created_time")), data.get("current_version")
    stamp = whole_number(current)
    if not isinstance(versions, Mapping) or not created or stamp is None:
        raise Unexpected(f"Vault, {path}: its response is not understood")
    notes = mapping(data.get("custom_metadata"))
    ours, owner = notes.get(_MANAGED_BY) == MANAGED_BY and notes.get(_INSTANCE) == operator.instance, notes.get(_OWNER)
    # Versions of a recreated secret start at 1 again, so its name is not enough.
    return Secret(
        f"{path}@{created}",
        str(owner) if ours and is_uid(owner) else "",
        tuple(_version_of(path, number, raw, now) for number, raw in versions.items()),
        str(stamp),
    )


def held_in(answer: Any) -> str:
    """Return the id of the key in a version; empty: it is something else."""
    data = mapping(mapping(answer).get("data")).get("data")
    if not isinstance(data, dict) or not within(data):
        return ""
    alone = data.get(KEY)
    return held_key(alone if isinstance(alone, str) else json.dumps(data))


def _version_of(path: str, number: Any, raw: Any, now: datetime) -> Version:
    known, version = mapping(raw), digits(number)
    ends = _moment(known.get("deletion_time"))
    if version is None or not isinstance(known.get("destroyed"), bool) or ends is None:
        raise Unexpected(f"Vault, {path}: its response has a version that is not understood")
    if known["destroyed"]:
        return Version(version, State.DESTROYED)
    # With delete_version_after, the deletion time is in the future.
    return Version(version, State.DISABLED if ends <= now else State.ENABLED)


def _moment(value: Any) -> datetime | None:
    """Read a time; none: the end of time."""
    if value == "":
        return datetime.max.replace(tzinfo=UTC)
    try:
        found = datetime.fromisoformat(text(value, _MOMENT) or "")
    except ValueError:
        return None
    return found if found.tzinfo else None
