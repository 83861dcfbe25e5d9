"""Reads our API keys and users in one cluster."""

from collections import Counter, defaultdict
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Any, TypeAlias

import structlog

from searchaccess.api.stores.credentials import Auth
from searchaccess.core.credentials.credential import Key
from searchaccess.core.credentials.keys import Login, key_from_json, names_of_keys
from searchaccess.core.credentials.users import is_user_name, names_of_users, user_from_json
from searchaccess.core.ownership.installations import Installation, installation_of
from searchaccess.core.rights.ownership import Operator
from searchaccess.core.status.access import Failure
from searchaccess.engine.barrier import caught
from searchaccess.engine.concurrency.chunks import in_chunks
from searchaccess.engine.state import CHUNK, NAMES_LIMIT, Session
from searchaccess.ports.elasticsearch import ElasticsearchPort
from searchaccess.ports.errors import ExternalError, WaitingError
from searchaccess.ports.meter import Meter

UserReader: TypeAlias = Callable[[Mapping[str, Any], Mapping[str, Any] | None, Operator], Key | None]

log = structlog.get_logger(__name__)


@dataclass(slots=True)
class Observed:
    """What was read of one cluster."""

    keys: dict[str, tuple[Key, ...]] = field(default_factory=dict)
    """Keys and users by uid of the SearchAccess."""
    unreadable: dict[str, Failure] = field(default_factory=dict)
    """By uid of the SearchAccess: why one of its keys or users could not be read."""
    operations: int = 0
    """Writes to the security index."""
    former: tuple[Key, ...] = ()
    """Keys and users of predecessors that were taken over, issued by our login."""
    others: Counter[tuple[Installation, Auth]] = field(default_factory=Counter)
    """How many keys and users other controllers have under our names."""

    def count(self, own: Installation, raw: Mapping[str, Any], auth: Auth) -> None:
        """Count a working key or user if it belongs to another controller."""
        installation = installation_of(raw.get("metadata"))
        if installation is not None and installation != own:
            self.others[installation, auth] += 1


class Issued:
    """The credentials issued in one cluster.

    Args:
        operator: this operator.
        meter: counts internal errors.
    """

    def __init__(self, operator: Operator, meter: Meter | None = None) -> None:
        self._operator = operator
        self._meter = meter or Meter()
        self._login: tuple[Session, Login] | None = None
        self._present: set[Auth] = set()
        """Kinds of credentials that may exist since the last read."""
        self.swept = False
        """Whether a full read has completed."""

    async def read(self, session: Session, declared: Collection[Auth], *, full: bool, successor: Operator) -> Observed:
        """Read keys and users. A kind that is neither declared nor was seen is not read.

        Args:
            session: the connected cluster.
            declared: the kinds that SearchAccesses declare now.
            full: also delete roles whose user is gone.
            successor: this operator with its predecessors.

        Raises:
            ExternalError: the cluster could not be read.
        """
        observed = Observed()
        roles = session.state.user_roles if full else set()
        kinds = self._present | set(declared) if self.swept else {Auth.API_KEY, Auth.PASSWORD}
        found: list[Key] = []
        if Auth.API_KEY in kinds:
            login = await self.who(session)
            async for raw in in_chunks(await session.port.keys(names_of_keys(self._operator))):
                is_ours = (raw.get("username"), raw.get("realm")) == (login.username, login.realm)
                whose = _owner_of(raw) if is_ours else ""
                found += self._guarded(session, observed, whose, partial(self._key, raw, successor, login, observed))
        if Auth.PASSWORD in kinds or roles:
            counted: set[str] = set()

            def read_user(raw: Mapping[str, Any], role: Mapping[str, Any] | None, operator: Operator) -> Key | None:
                def read() -> Key | None:
                    # Ours are read twice.
                    name = str(raw.get("username"))
                    if raw.get("enabled") and is_user_name(operator, name) and name not in counted:
                        counted.add(name)
                        observed.count(operator.installation, raw, Auth.PASSWORD)
                    return user_from_json(raw, role, operator)

                return next(iter(self._guarded(session, observed, _owner_of(raw), read)), None)

            users, names = await read_users(session.port, successor, read_user)
            found += users
            observed.operations += await self._sweep(session, roles - names)
        # Declared kinds may be issued before the next read.
        others = {auth for _, auth in observed.others}
        self._present = {key.auth for key in found} | set(declared) | others
        self.swept = self.swept or full
        observed.keys = _by_owner(key for key in found if not key.former)
        # A key of another login may be anybody's: metadata proves nothing.
        observed.former = tuple(key for key in found if key.former and key.ours)
        return observed

    def _key(self, raw: Mapping[str, Any], successor: Operator, login: Login, observed: Observed) -> Key | None:
        if not raw.get("invalidated"):
            observed.count(self._operator.installation, raw, Auth.API_KEY)
        return key_from_json(raw, successor, login)

    def _guarded(self, session: Session, observed: Observed, whose: str, read: Callable[[], Key | None]) -> list[Key]:
        """Read one key; one that cannot be read affects only its own SearchAccess."""
        try:
            key = read()
        except Exception as error:  # noqa: BLE001 - the barrier for one key or user
            failure = caught(self._meter, session.cluster.name, "key", error)
            if whose:
                observed.unreadable[whose] = failure
            return []
        return [key] if key else []

    async def who(self, session: Session) -> Login:
        """Return who the operator is in the cluster."""
        if self._login is None or self._login[0] is not session:
            self._login = session, await session.port.login()
        return self._login[1]

    async def refresh(self, session: Session, keys: Iterable[Key]) -> int:
        """Limit keys to the rights that the operator's login has now.

        Elasticsearch stores with each key what its creator could do when it was created or changed.

        Returns:
            How many were changed.
        """
        ids = sorted(key.id for key in keys if key.ours and key.auth is Auth.API_KEY)
        if not ids or (await self.who(session)).by_api_key:
            return 0
        changed = 0
        for start in range(0, len(ids), CHUNK):
            try:
                # One that was revoked meanwhile is refused, which is fine.
                changed += len((await session.port.refresh_keys(ids[start : start + CHUNK])).changed)
            except ExternalError as error:
                # Keys are unchanged, the next sweep retries, and a credential that needs a change reports it itself.
                log.warning("cannot limit keys by the login's rights", error=error.message)
                break
        return changed

    async def _sweep(self, session: Session, orphans: Collection[str]) -> int:
        """Delete roles whose user is gone, as after a late request. Return how many were deleted."""
        if not orphans:
            return 0
        try:
            return len((await session.port.delete_roles(sorted(orphans))).changed)
        except WaitingError as error:
            # They are harmless: nobody has them.
            log.warning("cannot delete roles whose user is gone", roles=sorted(orphans), error=error.message)
            return 0


def _owner_of(raw: Mapping[str, Any]) -> str:
    """Return the uid of the SearchAccess in the metadata of something that may not be readable otherwise."""
    metadata = raw.get("metadata")
    owner = metadata.get("owner") if isinstance(metadata, Mapping) else None
    uid = owner.get("uid") if isinstance(owner, Mapping) else None
    return uid if isinstance(uid, str) else ""


def _by_owner(keys: Iterable[Key]) -> dict[str, tuple[Key, ...]]:
    by_owner: dict[str, list[Key]] = defaultdict(list)
    for key in keys:
        by_owner[key.owner].append(key)
    return {uid: tuple(some) for uid, some in by_owner.items()}


async def read_users(
    port: ElasticsearchPort, operator: Operator, read: UserReader = user_from_json
) -> tuple[list[Key], set[str]]:
    """Read users with their roles.

    Args:
        port: the cluster.
        operator: this operator.
        read: reads one user; None: it is not ours.

    Returns:
        Those that are ours, and the names of all.
    """
    raw: list[Mapping[str, object]] = [*await port.users(names_of_users(operator))]
    ours = [item async for item in in_chunks(raw) if read(item, None, operator)]
    names = sorted(str(item.get("username")) for item in ours)
    listed = names if sum(len(name) + 3 for name in names) <= NAMES_LIMIT else None
    roles = await port.roles(listed) if names else {}
    found = [read(item, roles.get(str(item.get("username"))), operator) async for item in in_chunks(ours)]
    return [user for user in found if user], {str(item.get("username")) for item in raw}
