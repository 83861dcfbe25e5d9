"""API keys that principals of the realm own: a key keeps what its owner had when it was made."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from searchaccess.core.model.canonical import RoleBody, role_from_json
from searchaccess.core.model.intake.reading import mapping, objects, text
from searchaccess.core.rights.foreign.additions import Budget, Declared, added_by


@dataclass(frozen=True, slots=True)
class OwnedKey:
    """An API key of a user of the realm."""

    id: str
    name: str
    owner: str
    """Its user's name."""
    rights: tuple[RoleBody, ...]
    """Which its roles descriptors allow; none: all that its owner had."""
    owners: tuple[RoleBody, ...] | None
    """The roles of its owner when it was made or updated; None: that cannot be seen."""

    def adds(self, declared: Declared, budget: Budget) -> str | None:
        """Return what the key allows beyond what is declared; empty: nothing; None: that cannot be seen.

        It allows what its own rights and its owner's roles both allow, so it adds nothing if either of them does not.

        Args:
            declared: what its owner has now.
            budget: of the comparisons for its owner.
        """
        own = _added(self.rights, declared, budget) if self.rights else None
        if own == "":
            return ""
        had = None if self.owners is None else _added(self.owners, declared, budget)
        return "" if had == "" else own or had


def _added(roles: tuple[RoleBody, ...], declared: Declared, budget: Budget) -> str:
    return "; ".join(dict.fromkeys(filter(None, (added_by(role, declared, budget) for role in roles))))


def owned_key(raw: Mapping[str, Any]) -> OwnedKey | None:
    """Read an API key as the query API gives it; None: it cannot be read, or no longer works."""
    key_id, owner = text(raw.get("id")), text(raw.get("username"))
    if not key_id or owner is None or raw.get("invalidated") is not False:
        return None
    limits = objects(raw.get("limited_by"))
    owners = None if len(limits) != 1 else tuple(_roles(limits[0]))
    return OwnedKey(key_id, text(raw.get("name")) or "", owner, tuple(_roles(raw.get("role_descriptors"))), owners)


def _roles(given: Any) -> list[RoleBody]:
    return [role_from_json(mapping(raw)) for _, raw in sorted(mapping(given).items())]
