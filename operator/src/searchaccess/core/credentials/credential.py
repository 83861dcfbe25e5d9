"""API keys, users with passwords, and the secrets that hold them: observed, and as a SearchAccess declares them."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final

from searchaccess.api.stores.credentials import Auth, PayloadFormat
from searchaccess.core.credentials.pins import Pins
from searchaccess.core.model.canonical import RoleBody

DESCRIPTOR: Final = "searchaccess"
"""Name of the one role descriptor of a key. A key without any would have all rights of its creator."""


class State(StrEnum):
    """What may be done with a version of a secret.

    https://cloud.google.com/secret-manager/docs/reference/rest/v1/projects.secrets.versions#state
    """

    ENABLED = "Enabled"
    DISABLED = "Disabled"
    DESTROYED = "Destroyed"


@dataclass(frozen=True, slots=True, order=True)
class Slot:
    """One version of one secret."""

    secret: str
    """Identity of the secret: it changes when the secret is recreated under the same name. Empty: not stored."""
    number: int


NOWHERE: Final = Slot("", 0)


@dataclass(frozen=True, slots=True)
class Key:
    """An API key of ours, or a user with a password. Its secret value exists in its slot alone."""

    id: str
    """Id of the key, or name of the user."""
    owner: str
    """Uid of the SearchAccess."""
    sequence: int
    """Grows with each key of a SearchAccess."""
    created: float
    """Seconds since the epoch, as all times here."""
    expires: float | None
    rights: RoleBody
    """What it may do, as Elasticsearch has it."""
    slot: Slot = NOWHERE
    """Where its secret value is known to be stored."""
    requested: str = ""
    """The request for a rotation that it answers."""
    namespace: str = ""
    """Of the SearchAccess."""
    name: str = ""
    """Name of the SearchAccess, in keys of a former installation."""
    place: tuple[str, str] = ("", "")
    """Store and name of the secret in which its value is, or was to be."""
    ours: bool = True
    """Whether the operator's present login may change it: an API key of another one can only be invalidated."""
    auth: Auth = Auth.API_KEY
    """What it is."""
    disabled: bool = False
    """Somebody disabled the user."""
    replaces: str = ""
    """Id of the key that worked when this one was issued, as its metadata says; empty: there was none."""
    form: PayloadFormat | None = None
    """The format of its secret's content, as its metadata says; None: that does not."""
    former: str = ""
    """Controller of the former installation that issued it and was taken over; empty: we issued it."""

    @property
    def shown(self) -> str:
        """What it is, in words."""
        return f"{'user' if self.auth is Auth.PASSWORD else 'key'} {self.id}"


@dataclass(frozen=True, slots=True)
class Version:
    """A version of a secret."""

    number: int
    state: State = State.ENABLED
    stamp: str = field(default="", compare=False)
    """Which state of it this is, as the store says (etag)."""


@dataclass(frozen=True, slots=True)
class Secret:
    """A secret in a store, without its values."""

    identity: str
    owner: str
    """Uid of the SearchAccess that it is for, as its labels say; empty: it is not ours."""
    versions: tuple[Version, ...] = ()
    stamp: str = ""
    """Which state of it this is, as the store says (etag, resource version)."""
    names: tuple[str, ...] = ()
    """Resource names under which Cloud Run refers to it; none: Cloud Run cannot."""
    aliases: tuple[tuple[str, int], ...] = ()
    """Names of versions, such as ``live``."""
    form_differs: bool = False
    """Whether it holds the value in another form than the store is to have it in."""

    @property
    def newest(self) -> Version | None:
        """The version that consumers get without naming one."""
        return max(self.versions, key=lambda version: version.number, default=None)

    def slot(self, number: int) -> Slot:
        """Return the slot of a version."""
        return Slot(self.identity, number)


@dataclass(frozen=True, slots=True)
class Wish:
    """What a SearchAccess declares about its credential. Durations are seconds."""

    owner: str
    rights: RoleBody
    rotate_every: float
    overlap: float
    grace: float
    """How long a disabled version is kept before it is destroyed."""
    requested: str = ""
    """The newest request for a rotation; any new value requests one."""
    waits_for_users: bool = False
    """Whether an old key stays for as long as Cloud Run still hands it out."""
    auth: Auth = Auth.API_KEY
    """Whether it is an API key or a user."""
    rolls: bool = False
    """Whether the workload's template is given the newest version."""
    predecessors: frozenset[str] = frozenset()
    """Uids of the SearchAccess in former installations, from our keys in this secret."""
    form: PayloadFormat = PayloadFormat.JSON
    """The format of its secret's content."""
    ends: float | None = None
    """When its rights end, in seconds since the epoch; None: they do not."""


@dataclass(frozen=True, slots=True)
class Seen:
    """The observed state of a SearchAccess's credential."""

    keys: tuple[Key, ...] = ()
    secret: Secret | None = None
    holds: Mapping[int, str] = field(default_factory=dict)
    """Of versions that were read: id of the key in them; empty: something else."""
    pins: Pins | None = None
    """Versions that Cloud Run hands out by number; None: not read."""
    ages: Mapping[str, float] = field(default_factory=dict)
    """By key, how many seconds ago it was made, by a clock that does not jump; for others, ``now`` counts."""

    def age(self, key: Key, now: float) -> float:
        """Return how many seconds ago a key was made."""
        return self.ages.get(key.id, now - key.created)

    def disabled(self) -> tuple[Key, ...]:
        """Return the users that somebody disabled: they are never to be enabled again."""
        return tuple(key for key in self.keys if key.disabled)

    def genuine(self) -> tuple[Key, ...]:
        """Return the keys that count.

        Whoever may create API keys may write our metadata into them. Elasticsearch confirms only which login created a
        key. So a key of another login needs proof that an earlier login of the operator created it: a version of our
        secret contains it, or a key that counts names it as its predecessor.
        """
        held = {*self.holds.values()} - {""}
        genuine = {key.id: key for key in self.keys if key.ours or key.id in held}
        while more := {key.id: key for key in self.keys if key.id in _replaced(genuine) and key.id not in genuine}:
            genuine |= more
        return tuple(key for key in self.keys if key.id in genuine)

    def strangers(self) -> tuple[Key, ...]:
        """Return the keys that carry our metadata and do not count."""
        genuine = {key.id for key in self.genuine()}
        return tuple(key for key in self.keys if key.id not in genuine)

    def live(self) -> list[Key]:
        """Return the keys that count and work, oldest first; those of other logins come before all of ours.

        Elasticsearch does not list expired keys, so our own clock does not matter.
        """
        live = (key for key in self.genuine() if not key.disabled)
        return sorted(live, key=lambda key: (key.ours, key.sequence, key.created))


def _replaced(keys: Mapping[str, Key]) -> set[str]:
    return {key.replaces for key in keys.values()}
