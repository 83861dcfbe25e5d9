"""Observes roles and role mappings, with one request for each kind."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from searchaccess.api.searchcluster import MappingKind
from searchaccess.core.credentials.users import is_user_name
from searchaccess.core.model.canonical import MappingBody
from searchaccess.core.model.intake.reading import mapping
from searchaccess.core.model.watched import EVERYWHERE
from searchaccess.core.ownership.installations import Installation, installation_of
from searchaccess.core.ownership.others import Belongings, note_belonging
from searchaccess.core.rights.mapping import RoleMapping, mapping_of
from searchaccess.core.rights.ownership import Operator, Record
from searchaccess.core.rights.unseen import unseen_records
from searchaccess.engine.barrier import caught
from searchaccess.engine.concurrency.chunks import in_chunks
from searchaccess.engine.concurrency.tasks import both
from searchaccess.engine.state import NAMES_LIMIT, Context, Session


@dataclass(frozen=True, slots=True)
class Observed:
    """What was read from Elasticsearch."""

    full: bool
    """All roles were read, not only some."""
    roles: dict[str, Mapping[str, Any]]
    """By name, as the role API returns them. Planning removes them one by one, as together they take much memory."""
    mappings: Mapping[str, RoleMapping]
    """By name, those with our names."""
    all_mappings: bool
    """All mappings were read, not only some."""
    foreign_mappings: tuple[RoleMapping, ...] = ()
    """Role mappings of others, sorted by name; empty unless this is a full read."""
    other_controllers: Mapping[Installation, Belongings] = field(default_factory=dict)
    """What other controllers and instances have; empty unless this is a full read."""
    unseen: Mapping[str, tuple[Record, ...]] = field(default_factory=dict)
    """By name of a role of ours, its owners that cannot be seen; empty unless this is a full read."""
    requested: frozenset[str] = frozenset()
    """Names of the roles that were requested, unless this is a full read."""
    requested_mappings: frozenset[str] = frozenset()
    """Names of the role mappings that were requested, unless all were read."""

    def covers_role(self, name: str) -> bool:
        """Return whether it is known if a role of this name exists."""
        return self.full or name in self.requested

    def covers_mapping(self, name: str) -> bool:
        """Return whether it is known if a role mapping of this name exists."""
        return self.all_mappings or name in self.requested_mappings


@dataclass(frozen=True, slots=True)
class RolesByOwner:
    """Who owns the roles with our names."""

    principals: frozenset[str]
    """Principals with a role of ours."""
    users: frozenset[str]
    """Names of our users' roles."""
    foreign: int
    """How many roles are not ours."""


def is_per_principal(session: Session) -> bool:
    """Return whether each principal has a role mapping of its own."""
    spec = session.cluster.spec
    return spec is not None and spec.mapping is MappingKind.PER_PRINCIPAL


async def observe(
    context: Context, session: Session, names: list[str], *, full: bool, mapping_settled: bool
) -> Observed:
    """Read roles and role mappings.

    Args:
        context: what all reconcilers share.
        session: the connected cluster.
        names: of the roles to read, unless it is a full read.
        full: read all roles and mappings.
        mapping_settled: whether the shared mapping is known to be right; if not, it is read too.

    Raises:
        ExternalError: the cluster could not be read.
    """
    listed = None if full or sum(len(name) + 3 for name in names) > NAMES_LIMIT else names
    per_principal = is_per_principal(session)
    all_mappings = full or (listed is None if per_principal else not mapping_settled)
    wanted: list[str] | None = None
    if not all_mappings:
        wanted = listed if per_principal else []
    roles, raw = await both(_roles(session, listed), _mappings(session, wanted))
    mappings = {
        name: _mapping(context, session, name, item)
        async for name, item in in_chunks(raw.items())
        if context.operator.owns_name(name)
    }
    foreign_mappings = await _foreign_mappings(context, session, raw) if full else ()
    other_controllers = await _other_controllers(context, session, roles, raw) if full else {}
    unseen = await _unseen(context, session, roles) if full else {}
    return Observed(
        full,
        dict(roles),
        mappings,
        all_mappings,
        foreign_mappings,
        other_controllers,
        unseen,
        requested=frozenset(names),
        requested_mappings=frozenset(wanted or ()),
    )


async def _unseen(
    context: Context, session: Session, roles: Mapping[str, Mapping[str, Any]]
) -> dict[str, tuple[Record, ...]]:
    """Return the owners that cannot be seen, by name of a role of ours."""
    found: dict[str, tuple[Record, ...]] = {}
    if context.inventory.watched == EVERYWHERE:
        return found
    async for name, role in in_chunks(roles.items()):
        try:
            ours = context.operator.owns_name(name) and _is_owned(context.operator, role)
            if ours and (owners := tuple(unseen_records(role["metadata"], context.inventory.is_unseen))):
                found[name] = owners
        except Exception as error:  # noqa: BLE001 - the barrier: an unreadable role affects no other
            caught(context.meter, session.cluster.name, "read role", error)
    return found


async def _other_controllers(
    context: Context, session: Session, roles: Mapping[str, Mapping[str, Any]], mappings: Mapping[str, dict[str, Any]]
) -> dict[Installation, Belongings]:
    found: dict[Installation, Belongings] = {}
    own, cluster = context.operator.installation, session.cluster.name
    async for name, role in in_chunks(roles.items()):
        try:
            note_belonging(found, own, "roles", name, role)
            installation = installation_of(role.get("metadata"))
            if installation in found and any(
                unseen_records(mapping(role.get("metadata")), context.inventory.is_unseen)
            ):
                found[installation].unseen.add(name)
        except Exception as error:  # noqa: BLE001 - the barrier: an unreadable role affects no other
            caught(context.meter, cluster, "read role", error)
    async for name, item in in_chunks(mappings.items()):
        try:
            note_belonging(found, own, "mappings", name, item)
        except Exception as error:  # noqa: BLE001 - the barrier: an unreadable mapping affects no other
            caught(context.meter, cluster, "read mapping", error)
    return found


async def _foreign_mappings(
    context: Context, session: Session, raw: Mapping[str, dict[str, Any]]
) -> tuple[RoleMapping, ...]:
    # Marks that somebody copied to a role mapping of another name do not make it ours: nothing would correct it.
    own = context.operator
    names = sorted(name for name, item in raw.items() if not (own.owns_name(name) and _is_owned(own, item)))
    return tuple([_mapping(context, session, name, raw[name]) async for name in in_chunks(names)])


async def _roles(session: Session, names: list[str] | None) -> Mapping[str, Mapping[str, Any]]:
    return await session.port.roles(names) if names is None or names else {}


async def _mappings(session: Session, names: list[str] | None) -> Mapping[str, dict[str, Any]]:
    return await session.port.mappings(names) if names is None or names else {}


def _mapping(context: Context, session: Session, name: str, raw: Mapping[str, Any]) -> RoleMapping:
    """Read a role mapping; an unreadable one counts as foreign, so it is not touched."""
    try:
        return mapping_of(name, raw)
    except Exception as error:  # noqa: BLE001 - the barrier: an unreadable mapping affects no other
        caught(context.meter, session.cluster.name, "read mapping", error)
        return RoleMapping(name, MappingBody(enabled=False, rules="{}"), {"unreadable": True})


def roles_by_owner(
    operator: Operator, roles: Mapping[str, Mapping[str, Any]], failed: Callable[[Exception], object]
) -> RolesByOwner:
    """Return the owners of the roles with our names. Users' roles are reconciled with their users.

    Args:
        operator: whose roles are read.
        roles: by name, as the role API returns them.
        failed: called with the error where a role cannot be read; it affects no other, and is left out.
    """
    prefix = operator.role_name("")
    principals, users, foreign = set[str](), set[str](), 0
    for name, raw in roles.items():
        if not name.startswith(prefix):
            continue
        try:
            if not _is_owned(operator, raw):
                foreign += 1
            elif is_user_name(operator, name):
                users.add(name)
            else:
                principals.add(name.removeprefix(prefix))
        except Exception as error:  # noqa: BLE001 - the barrier: an unreadable role affects no other
            failed(error)
    return RolesByOwner(frozenset(principals), frozenset(users), foreign)


def _is_owned(operator: Operator, raw: Mapping[str, Any]) -> bool:
    metadata = raw.get("metadata")
    return isinstance(metadata, Mapping) and operator.owns(metadata)
