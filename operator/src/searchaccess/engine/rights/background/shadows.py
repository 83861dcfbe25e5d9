"""Asks Elasticsearch what callers behind a gateway really have: a role in a file of a node may be in force instead.

It is only for reports: rights do not depend on it, and nothing of others is changed. With a JWT realm only a caller's
token could ask, and with ``auth: Password`` or ``ApiKey`` only the credential, so nobody is asked about there.

Requests while all is well: one for each principal each ten minutes, at most 20 each ten seconds, and one for their
roles with each 20. Where an answer differs, at most seven more, after which one is enough as long as it stays.
"""

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from typing import Any, Final
from urllib.parse import quote

import structlog

from searchaccess.core.credentials.sealed import Sealed
from searchaccess.core.gateway.login import connection_as, parts_of
from searchaccess.core.model.canonical import RoleBody, role_from_json
from searchaccess.core.model.intake.reading import UNREADABLE, mapping, texts
from searchaccess.core.rights.foreign.shadows import (
    NO_RIGHTS,
    Seen,
    Shadow,
    effective_role,
    ignores_run_as,
    of_everybody,
    seen_after,
    shadow_of,
    shadows_in,
)
from searchaccess.core.status.aspects.exclusive import recalled_shadows
from searchaccess.engine.barrier import caught
from searchaccess.engine.beside import Beside
from searchaccess.engine.pacing.agenda import NEVER
from searchaccess.engine.pacing.wakeup import Wakeup
from searchaccess.engine.state import NAMES_LIMIT, Session
from searchaccess.ports.elasticsearch import ElasticsearchPort
from searchaccess.ports.errors import ExternalError, PermissionDenied

EVERY: Final = 600.0
"""Seconds between two checks of a principal: Elasticsearch may log each of them."""
AGAIN: Final = 60.0
"""The same for one whose role is shadowed, may be, or was just written."""
TICK: Final = 10.0
"""Seconds between two batches."""
BATCH: Final = 20
"""Principals in one batch: 120 a minute, so 10,000 take 84 minutes."""
SETTLE: Final = 2.0
"""Seconds after which a difference is checked again: a node may not have taken over a role that was just written."""
TRIES: Final = 4
"""Checks then, at most: each may reach another node, and only one may have the file."""
WITHIN: Final = 300.0
"""Seconds after which a batch is abandoned."""

log = structlog.get_logger(__name__)


class _Undecided(Exception):
    """The responses do not show whether a role is shadowed."""


class ShadowReader:
    """Finds shadowed roles in one cluster, principal by principal.

    Args:
        beside: the SearchCluster.
        login: returns the gateway's login as its Secret has it; None: it is not known.
    """

    def __init__(self, beside: Beside, login: Callable[[], Sealed | None]) -> None:
        self._context = beside.context
        self._name = beside.name
        self._state = beside.state
        self._login = login
        self._connector = beside.connector
        self._session = beside.settled_session
        self._wakeup = Wakeup()
        self._uuid = ""
        """Of the Elasticsearch that was asked."""
        self._asked: dict[str, float] = {}
        """By principal, when it was last checked, by the monotonic clock."""
        self._seen: dict[str, Seen] = {}
        """By principal that was checked, the shadows of its role."""
        self._doubtful: set[str] = set()
        """Principals whose last check was inconclusive."""

    def wake(self) -> None:
        """Check what is due after a reconcile. Without a gateway there is no timer."""
        if self._is_declared() or self._state.shadows:
            self._wakeup.set()

    def _is_declared(self) -> bool:
        record = self._context.inventory.clusters.get(self._name)
        return record is not None and record.cluster.gateway is not None

    async def run(self) -> None:
        """Check principals until cancelled. An internal error delays that, and affects nothing else."""
        if self._context.dry_run is not None:
            return
        while True:
            await self._wakeup.wait()
            while (delay := await self._try()) != NEVER:
                # A wakeup does not hurry it: that is the limit of its requests.
                await asyncio.sleep(TICK)
                await self._wakeup.wait(delay - TICK)

    async def _try(self) -> float:
        """Check who is due; return the seconds until somebody is due again; infinity: not before a reconcile."""
        if not self._is_declared():
            self._forget()
            return NEVER
        session, parts = self._session(), parts_of(self._login())
        run_as = self._state.gateway.run_as if self._state.gateway else None
        # As long as it may not run as callers, RunAsEnabled reports that, and known shadows stay.
        if session is None or parts is None or run_as is None or run_as[0] is not True:
            return TICK
        try:
            async with asyncio.timeout(WITHIN):
                return await self._check(session, *parts)
        except (ExternalError, TimeoutError) as error:
            log.info("cannot ask what callers have", error=str(error) or "it took too long")
        except Exception as error:  # noqa: BLE001 - the barrier: rights do not depend on this
            caught(self._context.meter, self._name, "shadowed roles", error)
        return AGAIN

    def _forget(self) -> None:
        self._asked.clear()
        self._seen.clear()
        self._doubtful.clear()
        self._state.shadows.clear()
        self._state.rewritten.clear()

    async def _check(self, session: Session, user: str, password: Sealed) -> float:
        if self._uuid != self._state.uuid:
            self._uuid = self._state.uuid
            self._forget()
        due, delay = await self._due()
        batch = self._batch(due)
        if not batch:
            return delay
        port = await self._connector.open(connection_as(session.connection, user, password), self._name)
        try:
            await self._ask(session, port, batch)
        finally:
            await port.close()
        return TICK if len(batch) < len(due) else delay

    # Who is due

    async def _due(self) -> tuple[list[str], float]:
        """Return the principals that are due, most urgent first, and the seconds until another one is."""
        now, times = self._context.clock.monotonic(), dict[str, float]()
        async for principal in self._principals():
            times[principal] = self._due_at(principal)
        for gone in self._asked.keys() - times.keys():
            del self._asked[gone]
            self._seen.pop(gone, None)
            self._doubtful.discard(gone)
            self._state.shadows.pop(gone, None)
        self._state.rewritten.intersection_update(times)
        later = min((at for at in times.values() if at > now), default=now + EVERY)
        due = [principal for principal, at in times.items() if at <= now]
        due.sort(key=lambda principal: (principal not in self._state.rewritten, times[principal], principal))
        return due, min(AGAIN, max(TICK, later - now))

    async def _principals(self) -> AsyncIterator[str]:
        async for record in self._context.inventory.one_by_one(self._name):
            access = record.declared
            if not (access.has_credential or access.deleted_at):
                for principal in access.principals:
                    yield principal

    def _due_at(self, principal: str) -> float:
        asked = self._asked.get(principal)
        if asked is None:
            return float("-inf")
        soon = self._seen.get(principal) or principal in self._doubtful or principal in self._state.rewritten
        return asked + (AGAIN if soon else EVERY)

    def _batch(self, due: Sequence[str]) -> list[str]:
        """Return the first ones, whose roles fit into one request."""
        found, left = list[str](), NAMES_LIMIT
        for principal in due[:BATCH]:
            left -= len(quote(self._role(principal), safe="")) + 3
            if found and left < 0:
                break
            found.append(principal)
        return found

    def _role(self, principal: str) -> str:
        return self._context.operator.role_name(principal)

    # One check

    async def _ask(self, session: Session, port: ElasticsearchPort, principals: Sequence[str]) -> None:
        """Check some principals.

        Raises:
            ExternalError: Elasticsearch cannot be asked. Who was not checked stays due.
        """
        roles = await session.port.roles(sorted(map(self._role, principals)))
        comparison = _Comparison(session, port, self._session)
        for principal in principals:
            name = self._role(principal)
            self._asked[principal] = self._context.clock.monotonic()
            # What is written from now on is checked again.
            rewritten = principal in self._state.rewritten
            self._state.rewritten.discard(principal)
            # Whatever goes wrong, it is checked again soon.
            self._doubtful.add(principal)
            known = self._seen[principal] if principal in self._seen else self._recalled(principal)
            try:
                found = await comparison.shadow(name, roles.get(name), known)
            except _Undecided:
                continue
            except PermissionDenied:
                # It has no user yet, so nobody has its role.
                self._doubtful.discard(principal)
                continue
            self._doubtful.discard(principal)
            # What an earlier shadow added to another role is not known any more.
            self._note(principal, known, seen_after({} if found and rewritten else known, found))

    def _recalled(self, principal: str) -> Seen:
        """Return the shadows that statuses name, of an earlier run."""
        role, records = self._role(principal), self._context.inventory.of_principal(self._name, principal)
        shadows = (shadow for record in records for shadow in recalled_shadows(record.status))
        return {shadow: 0 for shadow in shadows if shadow.role == role}

    def _note(self, principal: str, known: Seen, seen: Seen) -> None:
        found = shadows_in(seen)
        self._seen[principal] = seen
        self._state.shadows[principal] = found
        if found != shadows_in(known):
            texts = [each.text for each in found] or ["none any more"]
            log.warning("roles in files are in force", principal=principal, shadows=texts)
            self._context.inventory.marks.mark(self._name, principal)


class _Comparison:
    """Compares what callers have with their roles, in one batch."""

    def __init__(self, session: Session, port: ElasticsearchPort, usable: Callable[[], Session | None]) -> None:
        self._session = session
        self._port = port
        self._usable = usable
        self._login: RoleBody | None = None
        """What the gateway's login has, once that matters."""

    async def shadow(self, name: str, raw: Mapping[str, Any] | None, known: Seen) -> Shadow | None:
        """Check one role; return what is in force instead of it; None: nothing.

        Args:
            name: of the role, and of the user who has it.
            raw: the role, as the role API returned it just now; None: there is none.
            known: shadows that were seen before.

        Raises:
            _Undecided: the responses do not show it.
            PermissionDenied: there is no such user.
            ExternalError: Elasticsearch cannot be asked.
        """
        stored = _stored(raw)
        found = await self._compare(name, stored)
        if found is None or found in known:
            return found
        return await self._confirm(name, stored)

    async def _compare(self, name: str, stored: RoleBody) -> Shadow | None:
        effective = effective_role(await self._port.privileges_as(name))
        if shadow_of(name, stored, effective) is None:
            return None
        if self._login is None:
            self._login = effective_role(await self._port.privileges_as(""))
        if ignores_run_as(effective, self._login):
            raise _Undecided
        return shadow_of(name, stored, effective, of_everybody(self._login))

    async def _confirm(self, name: str, stored: RoleBody) -> Shadow:
        """Check again: neither a role that is just being written nor another role of the user is a shadow."""
        user = (await self._session.port.users_named([name])).get(name, {})
        if texts(user.get("roles")) != (name,):
            raise _Undecided
        await asyncio.sleep(SETTLE)
        if self._usable() is not self._session:
            raise _Undecided
        if not _stored((await self._session.port.roles([name])).get(name)).same_as(stored):
            raise _Undecided
        for _ in range(TRIES):
            if found := await self._compare(name, stored):
                return found
        raise _Undecided


def _stored(raw: Mapping[str, Any] | None) -> RoleBody:
    """Return what a role gives by the role API.

    Args:
        raw: as it returned it; None: there is none.

    Raises:
        _Undecided: it cannot be read, or the license does not include a part of it, so that Elasticsearch refuses all
            requests with it.
    """
    if raw is None:
        return NO_RIGHTS
    if raw == UNREADABLE or mapping(raw.get("transient_metadata")).get("enabled") is False:
        raise _Undecided
    return role_from_json(raw)
