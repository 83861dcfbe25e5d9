"""Accounts for writes of security objects, and decides when passwords of users have to be reset."""

from collections.abc import Iterable, Mapping
from typing import Final

import structlog

from searchaccess.core.gateway.login import LoginNames
from searchaccess.core.gateway.suspicion import KeyState, Suspicion, key_events, key_states
from searchaccess.core.gateway.users import NativeUser
from searchaccess.core.model.canonical import stable_json
from searchaccess.core.status.aspects.gateway import passwords_reset
from searchaccess.core.status.credential import epoch
from searchaccess.engine.concurrency.chunks import in_chunks
from searchaccess.engine.rights.observe import Observed
from searchaccess.engine.state import Context, Session
from searchaccess.ports.elasticsearch import Written

OTHER_CLOCK: Final = 600.0
"""Seconds by which Elasticsearch's clock may be behind this machine's, for its API keys to explain writes."""
AGAIN: Final = 60.0
"""Seconds between tries of a reset of passwords that had to wait."""

log = structlog.get_logger(__name__)


class Accounting:
    """Who wrote the security objects of one cluster, and so whether somebody may have set a password.

    Args:
        context: what all reconcilers share.
    """

    def __init__(self, context: Context) -> None:
        self._context = context
        self._keys_read_at: float | None = None
        """When API keys were last read, in seconds since the epoch; None: never."""
        self._own: set[str] = set()
        """Objects that were certainly changed since the last full read."""
        self._as_they_were = set[str]()
        """Objects that were written since then, and were so already, such as a user that was deleted before."""
        self._suspicion = Suspicion()
        self.is_first = True
        """Whether passwords were never reset yet: nobody watched before."""

    @property
    def is_due(self) -> bool:
        """Whether passwords are to be reset now, which needs a full reconcile."""
        return not self.is_first and self._suspicion.is_due(self._context.clock.monotonic())

    @property
    def postponed(self) -> float | None:
        """Seconds after which a reset that had to wait is tried again; None: none waits."""
        return AGAIN if self._suspicion.pending and not self.is_first else None

    def wrote(self, roles: Iterable[str], mappings: Iterable[str], unchanged: Iterable[str] = ()) -> None:
        """Record names of roles and role mappings that were certainly changed, and of roles that were so already."""
        self._own |= {f"role/{name}" for name in roles} | {f"role_mapping/{name}" for name in mappings}
        self._as_they_were |= {f"role/{name}" for name in unchanged}

    def wrote_users(self, written: Written) -> None:
        """Record which users were written or deleted."""
        self._own |= {f"user/{name}" for name in written.changed}
        self._as_they_were |= {f"user/{name}" for name in written.unchanged}

    async def read(self, session: Session, observed: Observed, users: Mapping[str, NativeUser]) -> None:
        """Account for what others wrote since the last full read.

        Args:
            session: the connected cluster.
            observed: roles and role mappings, by a full read.
            users: those of principals by name, by a full read.

        Raises:
            ExternalError: API keys could not be read.
        """
        seen: dict[str, int] = {}
        logins = LoginNames(self._context.operator.instance, "").role
        async for name, raw in in_chunks(observed.roles.items()):
            # Users with passwords, and logins of gateways, are reconciled elsewhere: our own writes explain nothing.
            if "/" not in name and not name.startswith(logins):
                seen[f"role/{name}"] = hash(stable_json(raw))
        async for mapping in in_chunks((*observed.mappings.values(), *observed.foreign_mappings)):
            seen[f"role_mapping/{mapping.name}"] = hash(stable_json(mapping.to_json()))
        async for name, user in in_chunks(list(users.items())):
            seen[f"user/{name}"] = hash(stable_json(user.to_json()))
        state, monotonic = session.state, self._context.clock.monotonic()
        writes, state.foreign_writes = state.foreign_writes, 0
        self._suspicion.doubt(state.in_doubt, monotonic)
        state.in_doubt = set()
        self._suspicion.account(writes, seen, self._own, self._as_they_were)
        self._own, self._as_they_were = set(), set()
        if not state.reads_are_settled:
            return
        if self._suspicion.needs_keys:
            now = epoch(self._context.clock.now())
            since = self._keys_read_at if self._keys_read_at is not None else now
            keys = await session.port.changed_keys(since - OTHER_CLOCK)
            self._suspicion.explain(None if keys is None else key_events(keys, since - OTHER_CLOCK))
            self._suspicion.see_keys(key_states(keys or ()))
            self._keys_read_at = now
            if self._suspicion.needs_all_keys:
                everything = await session.port.every_key()
                states = dict[str, KeyState]()
                async for raw in in_chunks(everything or ()):
                    states |= key_states([raw])
                self._suspicion.see_all_keys(None if everything is None else states, now)
        self._suspicion.conclude(monotonic)

    def begin_reset(self) -> bool:
        """Record that passwords are being reset; return whether this is a new reset, not the rest of one."""
        return self._suspicion.begin()

    def was_reset(self, session: Session, count: int) -> None:
        """Record, and report if it was suspected, that the passwords of so many users are reset."""
        suspected, self.is_first = not self.is_first, False
        is_loud = self._suspicion.is_loud
        self._suspicion.was_reset(self._context.clock.monotonic() if suspected else float("-inf"))
        if suspected and not self._context.dry_run:
            if is_loud:
                session.state.notes.append(passwords_reset(count))
                log.warning("passwords reset", users=count)
            else:
                log.info("passwords reset, because writes of the operator were not answered", users=count)
