"""The steps of a credential, from its first key to the removal of its secret."""

from dataclasses import dataclass
from typing import TypeAlias

from searchaccess.core.credentials.credential import Key, Slot


@dataclass(frozen=True, slots=True)
class Issue:
    """Create a key, and store it as the newest version."""

    sequence: int
    lifetime: float
    why: str
    replaces: str = ""
    """Id of the other valid key; empty: there is none."""
    lost: bool = False
    """Nobody can read the previous key, because somebody or something removed it."""


@dataclass(frozen=True, slots=True)
class Read:
    """Find out which key a version holds."""

    number: int


@dataclass(frozen=True, slots=True)
class Rewrite:
    """Write the value that a secret holds in the declared form."""

    number: int


@dataclass(frozen=True, slots=True)
class AskUsers:
    """Find out which versions Cloud Run still uses."""


@dataclass(frozen=True, slots=True)
class Roll:
    """Write a version into the workload's template, by its number."""

    number: int


@dataclass(frozen=True, slots=True)
class Note:
    """Write into a key's metadata where its value is stored."""

    key: Key
    slot: Slot


@dataclass(frozen=True, slots=True)
class Revoke:
    """Invalidate keys."""

    keys: tuple[Key, ...]
    why: str
    may_fail: bool = False
    """Everything else continues if it fails."""


@dataclass(frozen=True, slots=True)
class Update:
    """Replace the rights of keys by the declared ones, in place."""

    keys: tuple[Key, ...]


@dataclass(frozen=True, slots=True)
class Prolong:
    """Let keys be valid for another time than before, mostly longer."""

    keys: tuple[Key, ...]
    lifetime: float
    """Seconds from now."""


@dataclass(frozen=True, slots=True)
class Disable:
    """Disable versions."""

    numbers: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Destroy:
    """Destroy the content of versions."""

    numbers: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class RemoveSecret:
    """Delete the secret."""


Step: TypeAlias = (
    Issue | Read | Rewrite | AskUsers | Roll | Note | Revoke | Update | Prolong | Disable | Destroy | RemoveSecret
)
