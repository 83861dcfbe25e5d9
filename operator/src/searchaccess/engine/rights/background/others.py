"""Reads what others have in Elasticsearch that may give our callers rights, or give others our roles.

It is only for reports: rights do not depend on it.
"""

import asyncio
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, Final

import structlog

from searchaccess.api.searchcluster import PrincipalClaim
from searchaccess.core.clusters.realm import WantedRealm
from searchaccess.core.model.intake.reading import UNREADABLE, text, texts
from searchaccess.core.rights.foreign.callers import anybody_of, named_by
from searchaccess.core.rights.foreign.exclusive import Others
from searchaccess.core.rights.foreign.keys import OwnedKey, owned_key
from searchaccess.core.rights.foreign.mappings import (
    MOST,
    ForeignMapping,
    foreign_mapping,
    mapping_to_others,
    unevaluated,
)
from searchaccess.core.rights.foreign.rules import User
from searchaccess.core.rights.mapping import RoleMapping
from searchaccess.engine.barrier import caught
from searchaccess.engine.concurrency.chunks import in_chunks
from searchaccess.engine.concurrency.tasks import both
from searchaccess.engine.rights.observe import Observed
from searchaccess.engine.state import Context, Session
from searchaccess.ports.errors import ExternalError

EVERY: Final = 60.0
"""Seconds between two reads of API keys and users."""
TIMEOUT: Final = 5.0
"""Seconds after which that read is left for the next sweep."""
TRIES: Final = 3
"""Failed reads of API keys and users after which they are reported as unseen, if none ever succeeded."""
MOST_ROLES: Final = 5000
"""Roles of others that are kept: those that role mappings give, the first by name."""

log = structlog.get_logger(__name__)


class OthersReader:
    """Evaluates what a full read found, and reads API keys and users, with one request for each kind.

    Args:
        context: what all reconcilers share.
    """

    def __init__(self, context: Context) -> None:
        self._context = context
        self.found: Others | None = None
        """What others have, as last read; None: not all of it was read yet, or no realm is declared."""
        self._read_at = float("-inf")
        self._tries_left = TRIES
        """Until API keys and users were read for the first time; then it does not matter."""
        self._own: tuple[Session, str] | None = None
        self._keys: Sequence[OwnedKey] | None = None
        """None: they cannot be read."""
        self._holders: Sequence[tuple[str, str]] | None = None

    def expire(self) -> None:
        """Have the next sweep read API keys and users, however soon it is."""
        self._read_at = float("-inf")

    async def changed(
        self, session: Session, observed: Observed, holders: Sequence[tuple[str, str]] = ()
    ) -> frozenset[str] | None:
        """Evaluate what others have, and return the principals for whom that may have changed; None: for any.

        API keys and users are not read shortly after the last read: others' writes to security objects may cause many
        sweeps. After an error the last result stays.

        Args:
            session: the connected cluster.
            observed: a full read.
            holders: users of others under our names that have roles of ours: name and role.
        """
        before = self.found
        try:
            self.found = await self._read(session, observed, holders)
        except Exception as error:  # noqa: BLE001 - the barrier: rights do not depend on this
            caught(self._context.meter, session.cluster.name, "read others", error)
        if self.found is None or before is None:
            return None if self.found != before else frozenset()
        concerned, realm = self.found.concerned_since(before), session.cluster.wanted_realm
        # By subject, the owner of a key may be named by its address.
        by_address = realm is None or realm.principal is PrincipalClaim.EMAIL
        return concerned if by_address or not concerned else None

    async def _read(self, session: Session, observed: Observed, holders: Sequence[tuple[str, str]]) -> Others | None:
        realm, facts = session.cluster.wanted_realm, session.state.facts
        anybody = anybody_of(realm.name, realm.issuer, facts.claimed if facts else None) if realm else User({})
        await self._read_more(session, realm)
        if self._tries_left:
            # Otherwise an error at a start would be written into each status, and findings would be lost until later.
            return None
        named, ours = named_by(realm.principal) if realm else None, self._context.operator.role_name("")
        mappings = [
            one
            async for found in in_chunks(observed.foreign_mappings[:MOST])
            if (one := self._evaluated(session, found, anybody, named)) is not None
        ]
        return Others(
            tuple(mappings),
            _given(mappings, observed.roles),
            tuple(self._keys or ()),
            tuple(sorted({*(self._holders or ()), *holders})),
            tuple(_unseen(observed.foreign_mappings, self._keys, self._holders)),
            ours,
            anybody,
        )

    def _evaluated(
        self, session: Session, found: RoleMapping, anybody: User, named: Sequence[str] | None
    ) -> ForeignMapping | None:
        try:
            if named is None:
                return mapping_to_others(found, self._context.operator.role_name(""))
            return foreign_mapping(found, anybody, named, self._context.operator.role_name(""))
        except Exception as error:  # noqa: BLE001 - the barrier: an unreadable mapping affects no other
            caught(self._context.meter, session.cluster.name, "read mapping", error)
            return unevaluated(found)

    async def _read_more(self, session: Session, realm: WantedRealm | None) -> None:
        now = self._context.clock.monotonic()
        if now - self._read_at < EVERY:
            return
        self._read_at = now
        prefix = self._context.operator.role_name("")
        try:
            async with asyncio.timeout(TIMEOUT):
                own = await self._own_name(session)
                reading = session.port.owned_keys(realm.name, own) if realm else session.port.keys_of_users(prefix)
                keys, holders = await both(reading, session.port.holders(prefix))
            self._keys = None if keys is None else await _sorted_keys(keys)
            self._holders = None if holders is None else tuple(sorted(_holders(holders, prefix)))
            self._tries_left = 0
        except (ExternalError, TimeoutError) as error:
            log.info("cannot read keys and users of others", error=str(error))
            self._fail()
        except Exception as error:  # noqa: BLE001 - the barrier: rights do not depend on this
            caught(self._context.meter, session.cluster.name, "read others", error)
            self._fail()

    async def _own_name(self, session: Session) -> str:
        """Return who owns the operator's keys if it logs in through the realm of callers: there may be thousands."""
        if not session.connection.google_audience:
            return ""
        if self._own is None or self._own[0] is not session:
            self._own = session, (await session.port.login()).username
        return self._own[1]

    def _fail(self) -> None:
        if self._tries_left:
            self._tries_left -= 1
            self.expire()


async def _sorted_keys(raws: Iterable[Mapping[str, Any]]) -> tuple[OwnedKey, ...]:
    """Return the API keys that work, in an order of their own: Elasticsearch gives them in any."""
    found = [one async for raw in in_chunks(raws) if (one := owned_key(raw))]
    return tuple(sorted(found, key=lambda key: key.id))


def _holders(users: Iterable[Mapping[str, Any]], prefix: str) -> Iterator[tuple[str, str]]:
    for raw in users:
        name = text(raw.get("username"))
        if name is not None and raw.get("enabled") is not False:
            yield from ((name, role) for role in texts(raw.get("roles")) if role.startswith(prefix))


def _given(mappings: Iterable[ForeignMapping], roles: Mapping[str, Mapping[str, Any]]) -> dict[str, Mapping[str, Any]]:
    """Return the roles that some role mappings give or may give, as far as the role API has them."""
    wanted, prefixes = set[str](), set[str]()
    for one in mappings:
        if not one.elsewhere:
            wanted.update(one.roles)
            prefixes.update(one.prefixes)
    begin = tuple(prefixes)
    names = sorted(name for name in roles if name in wanted or name.startswith(begin))[:MOST_ROLES]
    return {name: roles[name] for name in names if roles[name] != UNREADABLE}


def _unseen(
    mappings: Sequence[RoleMapping], keys: Sequence[object] | None, holders: Sequence[object] | None
) -> Iterator[str]:
    """Yield what could not be read, for messages."""
    why = "cannot be seen: the login may not read them, there are more than 1,000, or each read fails"
    if len(mappings) > MOST:
        yield f"{len(mappings) - MOST} role mappings are not evaluated: there are more than {MOST}"
    for one in mappings:
        if one.metadata.get("unreadable") is True:
            yield f"role mapping {one.name} cannot be read"
    if keys is None:
        yield f"API keys of the realm {why}"
    if holders is None:
        yield f"users with roles of the operator {why}"
