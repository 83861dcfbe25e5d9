"""Stores of secrets in memory: one that counts versions as Google's does, one that has the newest alone."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from itertools import count

from searchaccess.api.stores.credentials import SecretForm, SecretStoreSpec
from searchaccess.core.credentials.credential import Secret, Slot, State, Version
from searchaccess.core.credentials.payload import held_key, parts_of
from searchaccess.core.credentials.sealed import Sealed
from searchaccess.ports.errors import Conflict
from searchaccess.ports.stores import Found, Owner, Place
from tests.support.failures.faults import Call, Faults
from tests.support.servers.googlestate import PROJECT

SIDE = "store"


@dataclass(slots=True)
class _Kept:
    secret: Secret
    values: dict[int, str] = field(default_factory=dict)
    form: SecretForm = SecretForm.JSON


class MemoryStore:
    """A store.

    Args:
        faults: what goes wrong.
        versions: whether older versions stay.
    """

    def __init__(self, faults: Faults, *, versions: bool = True) -> None:
        self._faults = faults
        self._versions = versions
        self._identities = count(1)
        self.kept: dict[Place, _Kept] = {}
        self.form = SecretForm.JSON
        """In which form secrets are written."""

    def _new(self, place: Place, owner: str) -> Secret:
        names = (f"projects/{PROJECT}/secrets/{place.name}",) if self._versions else ()
        return Secret(f"secret-{next(self._identities)}", owner, names=names)

    # Everybody else

    def put(self, place: Place, value: str, owner: str = "") -> None:
        """Add a version by hand; of a secret that is not there, make it."""
        kept = self.kept.get(place) or _Kept(self._new(place, owner))
        newest = kept.secret.newest
        self._add(place, kept, (newest.number if newest else 0) + 1, value)

    def newest(self, place: Place) -> str | None:
        """Return what a consumer reads; None: it cannot."""
        kept = self.kept.get(place)
        version = kept.secret.newest if kept else None
        return kept.values[version.number] if kept and version and version.state is State.ENABLED else None

    def set_state(self, place: Place, numbers: Sequence[int], state: State) -> None:
        """Disable or destroy versions; what is destroyed stays so."""
        kept = self.kept[place]
        changed = tuple(
            replace(version, state=state if version.number in numbers else version.state)
            if version.state is not State.DESTROYED
            else version
            for version in kept.secret.versions
        )
        self.kept[place] = replace(kept, secret=replace(kept.secret, versions=changed))

    # The port

    async def find(self, place: Place) -> Found | None:
        def action() -> Found | None:
            kept = self.kept.get(place)
            if kept is None:
                return None
            newest = kept.secret.newest
            seen = {} if self._versions or newest is None else {newest.number: held_key(kept.values[newest.number])}
            return Found(self._seen(kept), seen)

        return await self._faults.perform(Call(SIDE, "find", (place.name,)), action)

    async def read(self, place: Place, number: int) -> str:
        return await self._faults.perform(
            Call(SIDE, "read", (place.name, str(number))), lambda: held_key(self.kept[place].values[number])
        )

    async def add(self, place: Place, owner: Owner, known: Secret | None, number: int, value: Sealed) -> Slot:
        def action() -> Slot:
            kept = self.kept.get(place)
            if (self._seen(kept) if kept else None) != known:
                raise Conflict("it changed meanwhile")
            kept = kept or _Kept(self._new(place, owner.uid))
            kept = replace(kept, secret=replace(kept.secret, owner=owner.uid))
            newest = kept.secret.newest
            following = ((newest.number if newest else 0) + 1) if self._versions else number
            self._add(place, kept, following, value.reveal())
            return kept.secret.slot(following)

        return await self._faults.perform(Call(SIDE, "add", (place.name,), write=True), action)

    def _add(self, place: Place, kept: _Kept, number: int, value: str) -> None:
        older = kept.secret.versions if self._versions else ()
        values = kept.values if self._versions else {}
        secret = replace(kept.secret, versions=(*older, Version(number)))
        self.kept[place] = _Kept(secret, {**values, number: value}, self.form)

    def _seen(self, kept: _Kept) -> Secret:
        return replace(kept.secret, form_differs=kept.form is not self.form)

    def parts(self, place: Place) -> dict[str, str]:
        """Return the parts that a consumer finds beside the newest value, by their names."""
        kept, value = self.kept.get(place), self.newest(place)
        if kept is None or value is None or kept.form is SecretForm.JSON:
            return {}
        return {name: part.reveal() for name, part in parts_of(value).items()}

    async def rewrite(self, place: Place, owner: Owner, known: Secret, number: int) -> None:  # noqa: ARG002 - of the port
        def action() -> None:
            kept = self.kept.get(place)
            if kept is None or self._seen(kept) != known:
                raise Conflict("it changed meanwhile")
            self.kept[place] = replace(kept, form=self.form)

        await self._faults.perform(Call(SIDE, "rewrite", (place.name,), write=True), action)

    async def disable(self, place: Place, known: Secret, numbers: Sequence[int]) -> None:  # noqa: ARG002 - of the port
        call = Call(SIDE, "disable", (place.name, *map(str, numbers)), write=True)
        await self._faults.perform(call, lambda: self.set_state(place, numbers, State.DISABLED))

    async def destroy(self, place: Place, known: Secret, numbers: Sequence[int]) -> None:  # noqa: ARG002 - of the port
        call = Call(SIDE, "destroy", (place.name, *map(str, numbers)), write=True)
        await self._faults.perform(call, lambda: self.set_state(place, numbers, State.DESTROYED))

    async def remove(self, place: Place, known: Secret) -> None:
        def action() -> None:
            kept = self.kept.get(place)
            if kept and kept.secret.identity != known.identity:
                raise Conflict("it is another one")
            self.kept.pop(place, None)

        await self._faults.perform(Call(SIDE, "remove", (place.name,), write=True), action)


class MemoryStores:
    """Stores by name; each has the newest value alone, unless a test says otherwise.

    Args:
        faults: what goes wrong.
    """

    def __init__(self, faults: Faults) -> None:
        self._faults = faults
        self.by_name: dict[str, MemoryStore] = {}

    async def open(self, spec: SecretStoreSpec) -> MemoryStore:
        """Return the store of a name."""
        if spec.name not in self.by_name:
            self.by_name[spec.name] = MemoryStore(self._faults, versions=False)
        store = self.by_name[spec.name]
        store.form = (spec.kubernetes and spec.kubernetes.format) or SecretForm.JSON
        return store
