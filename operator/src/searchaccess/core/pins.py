"""Which versions of a secret Cloud Run still hands out by their number.

A version under the name ``latest`` is no pin: a file is read anew at each access, a variable has what was newest when
its instance started, which nobody tells. For those there is the overlap.
https://cloud.google.com/run/docs/configuring/services/secrets
"""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass

from searchaccess.core.workload import SecretUse


@dataclass(frozen=True, slots=True)
class User:
    """What was made from a template: a revision, an execution, or the template itself."""

    name: str
    """As people are told, such as ``revision orders-00007``."""
    project: str
    uses: tuple[SecretUse, ...]


@dataclass(frozen=True, slots=True)
class Pins:
    """What is known of the versions in use."""

    by_number: Mapping[int, str]
    """By version: who has it."""
    unknown: str = ""
    """Why it is not known; empty: it is."""

    def holder(self, number: int) -> str:
        """Say who still has a version, or may; empty: nobody."""
        return self.by_number.get(number, self.unknown and f"not known who uses it ({self.unknown})")


def pins_of(users: Iterable[User], names: Collection[str], aliases: Mapping[str, int]) -> Pins:
    """Find the versions of one secret that are in use.

    Args:
        users: who may use it.
        names: resource names of the secret (with the project's id, and with its number).
        aliases: of the secret's versions.
    """
    found: dict[int, str] = {}
    for user in users:
        for use in user.uses:
            name = use.secret if "/" in use.secret else f"projects/{user.project}/secrets/{use.secret}"
            number = int(use.version) if use.version.isdecimal() else aliases.get(use.version, 0)
            if name in names and number:
                found.setdefault(number, user.name)
    return Pins(found)
