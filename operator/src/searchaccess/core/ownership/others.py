"""Objects of other controllers and other instances of this operator in the same Elasticsearch."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final, Literal, TypeAlias

from searchaccess.api.clusters.status import OTHERS_LIMIT, OtherStatus
from searchaccess.api.stores.credentials import Auth
from searchaccess.core.ownership.installations import Installation, installation_of

Summary: TypeAlias = tuple[OtherStatus, ...]
"""The others in a status, in a fixed order."""

NAMED: Final = 3
"""Others that a message names."""


@dataclass(slots=True)
class Belongings:
    """The objects of one of them."""

    roles: set[str] = field(default_factory=set)
    mappings: set[str] = field(default_factory=set)
    unseen: set[str] = field(default_factory=set)
    """Of the roles, those with an owner that cannot be seen: these stay."""

    def without(self, roles: Iterable[str], mappings: Iterable[str]) -> None:
        """Remove what was rewritten or deleted since it was read."""
        self.roles.difference_update(roles)
        self.mappings.difference_update(mappings)


def note_belonging(
    found: dict[Installation, Belongings],
    own: Installation,
    kind: Literal["roles", "mappings"],
    name: str,
    raw: Mapping[str, Any],
) -> None:
    """Record a role or role mapping of others, by its metadata.

    Args:
        found: the objects of others so far.
        own: this operator.
        kind: what it is.
        name: its name.
        raw: as the API gives it.
    """
    installation = installation_of(raw.get("metadata"))
    # Users are counted separately, so their roles are not counted.
    of_user = kind == "roles" and installation is not None and installation.names(name) and "/" in name
    if installation is not None and installation != own and not of_user:
        getattr(found.setdefault(installation, Belongings()), kind).add(name)


def summarized(found: Mapping[Installation, Belongings], declared: Iterable[str]) -> Summary:
    """Return the others for a status.

    Args:
        found: their objects.
        declared: principals to which SearchAccesses here grant rights.
    """
    principals = set(declared)
    return tuple(
        OtherStatus(
            instance=installation.instance,
            controller=installation.controller,
            roles=len(some.roles),
            undeclared=sum(_principal(installation, name) not in principals for name in some.roles),
            mappings=len(some.mappings),
        )
        for installation, some in sorted(found.items(), key=lambda item: item[0])
        if some.roles or some.mappings
    )


def with_issued(others: Summary, issued: Mapping[tuple[Installation, Auth], int]) -> Summary:
    """Add keys and users to the others for a status.

    Args:
        others: see ``summarized``.
        issued: how many keys and users each has.
    """
    known = {Installation(other.instance, other.controller): other for other in others}
    for installation in {installation for installation, _ in issued}:
        other = known.get(installation) or OtherStatus(
            instance=installation.instance, controller=installation.controller, roles=0, undeclared=0, mappings=0
        )
        counts = {
            "keys": issued.get((installation, Auth.API_KEY), 0),
            "users": issued.get((installation, Auth.PASSWORD), 0),
        }
        known[installation] = other.model_copy(update=counts)
    return tuple(known[installation] for installation in sorted(known))


def _principal(installation: Installation, role: str) -> str:
    return role.removeprefix(f"{installation.prefix}.")


def described(others: Iterable[OtherStatus], own: Installation, taken: Iterable[Installation]) -> str:
    """Return the message of the condition about others; empty: there are none.

    Args:
        others: see ``summarized``.
        own: this operator.
        taken: former installations that a person decided to take over.
    """
    taken = set(taken)
    parts: list[str] = []
    rest = 0
    for other in others:
        if len(parts) >= NAMED:
            rest += 1
            continue
        installation = Installation(other.instance, other.controller)
        parts.append(_described(other, installation, own, is_taken=installation in taken))
    more = f"; and {rest} more" if rest else ""
    return "; ".join(parts) + more


def _described(other: OtherStatus, installation: Installation, own: Installation, *, is_taken: bool) -> str:
    counts = [
        f"{number} {word}{'' if number == 1 else 's'}"
        for number, word in (
            (other.roles, "role"),
            (other.mappings, "role mapping"),
            (other.keys, "API key"),
            (other.users, "user"),
        )
        if number
    ]
    whose = f"instance {installation.instance} of controller {installation.controller}"
    text = f"{whose} has {', '.join(counts)} here, which stay in force"
    if other.undeclared:
        text += f" ({other.undeclared} of the roles for principals that no SearchAccess here names)"
    if is_taken:
        return text + (
            "; spec.takeOver lists it: they stay until SearchAccesses here are enforced in their place, or it still "
            "runs and has written them again"
        )
    line = f"{{controller: {installation.controller}}}"
    if installation.instance != own.instance:
        line = f"{{controller: {installation.controller}, instance: {installation.instance}}}"
    return text + (
        f". If it is gone for good, set spec.takeOver: [{line}] after all SearchAccesses are applied here; objects "
        "that no SearchAccess names are removed then. Do not do this if it still runs and shares this Elasticsearch "
        "on purpose"
    )


def counted(others: Iterable[OtherStatus]) -> int:
    """Return the total number of objects of others."""
    return sum(other.roles + other.mappings + other.keys + other.users for other in others)


def shown(others: Summary) -> list[OtherStatus] | None:
    """Return as many others as fit into a status; None: there are none."""
    return list(others[:OTHERS_LIMIT]) or None
