"""Reads which API keys and users of ours there are in one cluster."""

from collections import defaultdict
from collections.abc import Collection, Mapping

import structlog

from searchaccess.api.credentials import Auth
from searchaccess.core.credentials.credential import Key
from searchaccess.core.credentials.keys import Login, key_from_json, names_of_keys
from searchaccess.core.credentials.users import names_of_users, user_from_json
from searchaccess.core.rights.ownership import Operator
from searchaccess.engine.state import CHUNK, NAMES_LIMIT, Session
from searchaccess.ports.elasticsearch import ElasticsearchPort
from searchaccess.ports.errors import WaitingError

log = structlog.get_logger(__name__)


class Issued:
    """What was issued in one cluster.

    Args:
        operator: this operator.
    """

    def __init__(self, operator: Operator) -> None:
        self._operator = operator
        self._login: tuple[Session, Login] | None = None
        self._present: set[Auth] = set()
        """What there may be since the last look."""
        self.swept = False
        """Whether all was read once."""

    async def read(self, session: Session, declared: Collection[Auth], *, everything: bool) -> dict[str, list[Key]]:
        """Give keys and users by uid of the SearchAccess. What is neither declared nor was seen is not asked for.

        Args:
            session: the connected cluster.
            declared: what SearchAccesses declare now.
            everything: this look is at all of them, not only at some.
        """
        roles = session.state.user_roles if everything else set()
        kinds = self._present | set(declared) if self.swept else {Auth.API_KEY, Auth.PASSWORD}
        found: list[Key] = []
        if Auth.API_KEY in kinds:
            login = await self.who(session)
            raw = await session.port.keys(names_of_keys(self._operator))
            found += [key for item in raw if (key := key_from_json(item, self._operator, login))]
        if Auth.PASSWORD in kinds or roles:
            users, names = await read_users(session.port, self._operator)
            found += users
            await self._sweep(session, roles - names)
        # What is declared may be made before the next look.
        self._present = {key.auth for key in found} | set(declared)
        self.swept = self.swept or everything
        by_owner: dict[str, list[Key]] = defaultdict(list)
        for key in found:
            by_owner[key.owner].append(key)
        return by_owner

    async def who(self, session: Session) -> Login:
        """Say who the operator is in the cluster."""
        if self._login is None or self._login[0] is not session:
            self._login = session, await session.port.login()
        return self._login[1]

    async def refresh(self, session: Session, keys: Collection[Key]) -> None:
        """Let keys have no more rights, and no fewer, than the operator's login has now.

        Elasticsearch remembers with each key what its maker could do when it was made or changed.
        """
        ids = sorted(key.id for key in keys if key.ours and key.auth is Auth.API_KEY)
        if not ids or (await self.who(session)).by_api_key:
            return
        for start in range(0, len(ids), CHUNK):
            try:
                # One that was revoked meanwhile is refused, which is fine.
                written = await session.port.refresh_keys(ids[start : start + CHUNK])
            except WaitingError as error:
                # Keys are as they were, and whoever needs one changed is told so himself.
                log.warning("cannot limit keys by the login's rights", error=error.message)
                return
            session.state.operations += len(written.changed)

    async def _sweep(self, session: Session, orphans: Collection[str]) -> None:
        """Delete roles whose user is gone: a request for one came late."""
        if orphans:
            try:
                deleted = await session.port.delete_roles(sorted(orphans))
            except WaitingError as error:
                # They are of no use to anybody.
                log.warning("cannot delete roles whose user is gone", roles=sorted(orphans), error=error.message)
                return
            session.state.operations += len(deleted.changed)
            session.state.user_roles -= set(orphans)


async def read_users(port: ElasticsearchPort, operator: Operator) -> tuple[list[Key], set[str]]:
    """Read users with their roles.

    Returns:
        Those that are ours, and the names of all.
    """
    raw: list[Mapping[str, object]] = [*await port.users(names_of_users(operator))]
    ours = {user.id for item in raw if (user := user_from_json(item, None, operator))}
    names = sorted(ours)
    listed = names if sum(len(name) + 3 for name in names) <= NAMES_LIMIT else None
    roles = await port.roles(listed) if names else {}
    users = (user_from_json(item, roles.get(str(item.get("username"))), operator) for item in raw)
    return [user for user in users if user], {str(item.get("username")) for item in raw}
