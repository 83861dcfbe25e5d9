"""Which versions of a secret Cloud Run still uses by their number.

A version under the name ``latest`` is not pinned. A file is read again at each access. A variable has the version that
was newest when its instance started, and nothing reports which one that is. The overlap covers both.
https://cloud.google.com/run/docs/configuring/services/secrets
"""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass

from searchaccess.core.model.identities.workload import SecretUse
from searchaccess.core.model.intake.reading import digits


@dataclass(frozen=True, slots=True)
class User:
    """A user of a secret: a revision, an execution, or the template itself."""

    name: str
    """Name for people, such as ``revision orders-00007``."""
    project: str
    uses: tuple[SecretUse, ...]
    is_template: bool = False
    """It is the template of the next revision or execution."""


@dataclass(frozen=True, slots=True)
class Pins:
    """What is known about the versions in use."""

    by_number: Mapping[int, str]
    """By version, who uses it."""
    unknown: str = ""
    """Why it is not known; empty: it is known."""
    template: frozenset[int] = frozenset()
    """Versions in the template; 0: the newest one."""
    floating: str = ""
    """Who uses the version that was newest when it started; empty: nobody."""
    failed: str = ""
    """Why the newest revision of the template cannot serve."""
    rolled: bool = False
    """The template was written just now: the result is not known yet."""

    def holder(self, number: int) -> str:
        """Return who still uses a version, or may use it; empty: nobody."""
        return self.by_number.get(number, self.unknown and f"it is not known who uses it ({self.unknown})")


def pins_of(users: Iterable[User], names: Collection[str], aliases: Mapping[str, int], failed: str = "") -> Pins:
    """Find the versions of one secret that are in use.

    Args:
        users: who may use it.
        names: resource names of the secret (with the project's id, and with its number).
        aliases: of the secret's versions.
        failed: why the newest revision cannot serve.
    """
    found: dict[int, str] = {}
    template: set[int] = set()
    floating = ""
    for user in users:
        for use in user.uses:
            if full_name(use.secret, user.project) not in names:
                continue
            known = digits(use.version)
            number = aliases.get(use.version, 0) if known is None else known
            if number:
                found.setdefault(number, user.name)
            if user.is_template:
                template.add(number)
            elif not number:
                floating = floating or user.name
    return Pins(found, template=frozenset(template), floating=floating, failed=failed)


def full_name(secret: str, project: str) -> str:
    """Return the resource name of a secret in a template: a plain name is in the workload's own project."""
    return secret if "/" in secret else f"projects/{project}/secrets/{secret}"
