"""Reads what is: roles and role mappings, a request for each kind."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from searchaccess.api.searchcluster import MappingKind
from searchaccess.core.credentials.users import user_roles
from searchaccess.core.model.canonical import MappingBody
from searchaccess.core.ownership.lives import Life
from searchaccess.core.ownership.others import Belongings, note_belonging
from searchaccess.core.rights.foreign import MOST, ForeignMapping, foreign_mapping
from searchaccess.core.rights.mapping import RoleMapping, mapping_of
from searchaccess.core.rights.ownership import Operator
from searchaccess.engine.barrier import caught
from searchaccess.engine.chunks import in_chunks
from searchaccess.engine.state import NAMES_LIMIT, Context, Session
from searchaccess.engine.tasks import both


@dataclass(frozen=True, slots=True)
class Observed:
    """What is in Elasticsearch."""

    everything: bool
    """All roles were read, not only some."""
    roles: dict[str, Mapping[str, Any]]
    """By name, as the role API gives them. Planning takes them out one by one: all of them are a lot of memory."""
    mappings: Mapping[str, RoleMapping]
    """By name, those under our names."""
    all_mappings: bool
    """All mappings were read, not only some."""
    others: tuple[ForeignMapping, ...] = ()
    """Mappings of others that may give our callers rights; none where not all mappings were read."""
    strangers: Mapping[Life, Belongings] = field(default_factory=dict)
    """What other controllers and instances have; nothing where not everything was read."""
    listed: frozenset[str] = frozenset()
    """Names of the roles that were asked for, where not everything was."""
    listed_mappings: frozenset[str] = frozenset()
    """Names of the role mappings that were read, where not all were."""

    def has_role(self, name: str) -> bool:
        """Return whether it is known if there is a role of this name."""
        return self.everything or name in self.listed

    def has_mapping(self, name: str) -> bool:
        """Return whether it is known if there is a role mapping of this name."""
        return self.all_mappings or name in self.listed_mappings


@dataclass(frozen=True, slots=True)
class Inhabitants:
    """Whose the roles under our names are."""

    principals: frozenset[str]
    """Those who have a role of ours."""
    users: frozenset[str]
    """Names of users' roles of ours."""
    foreign: int
    """How many are not ours."""


def is_per_principal(session: Session) -> bool:
    """Return whether each principal has a role mapping of its own."""
    spec = session.cluster.spec
    return spec is not None and spec.mapping is MappingKind.PER_PRINCIPAL


async def observe(
    context: Context, session: Session, names: list[str], *, everything: bool, mapping_settled: bool
) -> Observed:
    """Read roles and role mappings.

    Args:
        context: what all reconcilers share.
        session: the connected cluster.
        names: of the roles that matter, unless everything does.
        everything: read all that there is.
        mapping_settled: whether the one mapping of all principals is known to be right; if not, it is read too.

    Raises:
        ExternalError: the cluster could not be read.
    """
    listed = None if everything or sum(len(name) + 3 for name in names) > NAMES_LIMIT else names
    per_principal = is_per_principal(session)
    all_mappings = everything or (listed is None if per_principal else not mapping_settled)
    wanted: list[str] | None = None
    if not all_mappings:
        wanted = listed if per_principal else []
    roles, raw = await both(_roles(session, listed), _mappings(session, wanted))
    mappings = {
        name: _mapping(context, session, name, item)
        async for name, item in in_chunks(raw.items())
        if context.operator.owns_name(name)
    }
    others = await _others(context, session, raw) if wanted is None else ()
    strangers = await _strangers(context, session, roles, raw) if everything else {}
    return Observed(
        everything,
        dict(roles),
        mappings,
        all_mappings,
        others,
        strangers,
        listed=frozenset(names),
        listed_mappings=frozenset(wanted or ()),
    )


async def _strangers(
    context: Context, session: Session, roles: Mapping[str, Mapping[str, Any]], mappings: Mapping[str, dict[str, Any]]
) -> dict[Life, Belongings]:
    found: dict[Life, Belongings] = {}
    own, cluster = context.operator.life, session.cluster.name
    async for name, role in in_chunks(roles.items()):
        try:
            note_belonging(found, own, "roles", name, role)
        except Exception as error:  # noqa: BLE001 - the barrier: an odd role costs itself alone
            caught(context.meter, cluster, "read role", error)
    async for name, mapping in in_chunks(mappings.items()):
        try:
            note_belonging(found, own, "mappings", name, mapping)
        except Exception as error:  # noqa: BLE001 - the barrier: an odd mapping costs itself alone
            caught(context.meter, cluster, "read mapping", error)
    return found


async def _others(context: Context, session: Session, raw: Mapping[str, dict[str, Any]]) -> tuple[ForeignMapping, ...]:
    realm = session.cluster.wanted_realm
    if realm is None:
        return ()
    names = sorted(name for name, item in raw.items() if not _is_owned(context.operator, item))
    read = [_mapping(context, session, name, raw[name]) async for name in in_chunks(names[:MOST])]
    found = (foreign_mapping(one, realm.name) for one in read)
    return tuple(one for one in found if one is not None)


async def _roles(session: Session, names: list[str] | None) -> Mapping[str, Mapping[str, Any]]:
    return await session.port.roles(names) if names is None or names else {}


async def _mappings(session: Session, names: list[str] | None) -> Mapping[str, dict[str, Any]]:
    return await session.port.mappings(names) if names is None or names else {}


def _mapping(context: Context, session: Session, name: str, raw: Mapping[str, Any]) -> RoleMapping:
    """Read a role mapping; one that cannot be read counts as somebody else's, so it is not touched."""
    try:
        return mapping_of(name, raw)
    except Exception as error:  # noqa: BLE001 - the barrier: an odd mapping costs itself alone
        caught(context.meter, session.cluster.name, "read mapping", error)
        return RoleMapping(name, MappingBody(enabled=False, rules="{}"), {})


def inhabitants(operator: Operator, roles: Mapping[str, Mapping[str, Any]]) -> Inhabitants:
    """Say whose the roles under our names are. Users' roles are reconciled with their users."""
    prefix = operator.role_name("")
    ours = {name: raw for name, raw in roles.items() if name.startswith(prefix)}
    mine = {name: raw for name, raw in ours.items() if _is_owned(operator, raw)}
    users = user_roles(operator, mine)
    principals = frozenset(name.removeprefix(prefix) for name in mine.keys() - users)
    return Inhabitants(principals, frozenset(users), len(ours) - len(mine))


def _is_owned(operator: Operator, raw: Mapping[str, Any]) -> bool:
    metadata = raw.get("metadata")
    return isinstance(metadata, Mapping) and operator.owns(metadata)
