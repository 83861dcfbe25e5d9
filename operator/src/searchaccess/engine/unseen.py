"""Who has rights in one cluster although it cannot be seen: counted, and logged when it changes."""

from collections.abc import Iterable
from typing import Final

import structlog

from searchaccess.core.messages import some_of
from searchaccess.core.rights.ownership import Record

NAMED: Final = 3

log = structlog.get_logger(__name__)


class Unseen:
    """SearchAccesses of namespaces that are not watched, as the roles, keys and users of one cluster name them."""

    def __init__(self) -> None:
        self._roles: frozenset[str] = frozenset()
        self._issued: frozenset[str] = frozenset()

    @property
    def names(self) -> list[str]:
        """Their namespaces and names; a key or user is named by itself."""
        return sorted(self._roles | self._issued)

    def see_roles(self, owners: Iterable[Record]) -> None:
        """Take in which of them roles name, once all roles were read."""
        before, self._roles = self.names, frozenset(f"{owner.namespace}/{owner.name}" for owner in owners)
        self._tell(before)

    def see_issued(self, shown: Iterable[str]) -> None:
        """Take in which keys and users are theirs, once all of them were read."""
        before, self._issued = self.names, frozenset(shown)
        self._tell(before)

    def _tell(self, before: list[str]) -> None:
        names = self.names
        if not names and before:
            log.info("no rights of namespaces that are not watched are left")
        elif names != before:
            text = "rights of namespaces that are not watched stay as they are"
            log.warning(text, count=len(names), held=some_of(names, NAMED))
