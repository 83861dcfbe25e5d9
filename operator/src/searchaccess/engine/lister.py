"""Keeps the inventory complete by full lists: a deletion while the watch was down leaves no event."""

import asyncio
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import Any, Final

import structlog

from searchaccess.core.answers.missing_right import grant_commands
from searchaccess.core.model.intake.metadata import part, text_in
from searchaccess.core.model.intake.reading import objects
from searchaccess.engine.barrier import caught
from searchaccess.engine.concurrency.chunks import Pace
from searchaccess.engine.inventory.consent.vouching import VouchingReader
from searchaccess.engine.pacing.backoff import SPREADING_CAP, Backoff, Spreading
from searchaccess.engine.pacing.periods import RESYNC
from searchaccess.engine.state import Context
from searchaccess.ports.errors import ExternalError, NotFound, PermissionDenied
from searchaccess.ports.kubernetes import Plural

RESYNC_PERIOD: Final = RESYNC
"""Seconds between full lists."""
RELIST_AFTER: Final = 10.0
"""Seconds after the event source started to watch until we list too: by then it has processed its own list."""
MAX_MISSED_LISTS: Final = 3
"""Full lists that may fail in a row before the process reports that it no longer knows what is declared."""
_PATTERNS: Final = 4
"""Index patterns that may take as long to read as a usual SearchAccess."""
_SCHEDULE: Final = 20
"""Usual SearchAccesses that are read while one schedule is, at most."""

log = structlog.get_logger(__name__)


class Lister:
    """Lists all SearchClusters and SearchAccesses.

    Args:
        context: has the API server and the inventory.
        period: seconds between full lists.
    """

    def __init__(self, context: Context, period: float = RESYNC_PERIOD) -> None:
        self._context = context
        self._listed_at = 0.0
        self._went_back = False
        """Whether the list that is being read shows that the API server's history went back."""
        self._listing = asyncio.Lock()
        self.vouching = VouchingReader(context.inventory, context.kubernetes, context.meter)
        """Reads whether approvals count."""
        self.period = period

    def age(self) -> float:
        """Return the seconds since the last complete list."""
        return self._context.clock.monotonic() - self._listed_at

    async def complete(self, final: type[ExternalError] | tuple[()] = ()) -> None:
        """List all objects, with retries until that succeeds.

        Args:
            final: errors that are raised, not retried; a refusal only once a new right would have spread.
        """
        backoff, spreading, cap = Backoff(), Spreading(self._context.clock.monotonic), None
        while True:
            try:
                if await self._try(final):
                    return
            except final as error:
                if not spreading.may_pass(error):
                    raise
                cap = SPREADING_CAP
            await asyncio.sleep(backoff.next(cap))

    async def run(self) -> None:
        """List periodically, and soon after a request (``Inventory.relist``), until cancelled."""
        while True:
            with suppress(TimeoutError):
                async with asyncio.timeout(self.period):
                    await self._context.inventory.relist.wait()
                    await asyncio.sleep(RELIST_AFTER)
            self._context.inventory.relist.clear()
            await self._try()

    async def _try(self, final: type[ExternalError] | tuple[()] = ()) -> bool:
        """List all objects; return whether that succeeded.

        Args:
            final: errors that are raised, not logged.
        """
        try:
            async with self._listing:
                await self._list()
        except final:
            raise
        except ExternalError as error:
            granting = {"granting": commands} if (commands := grant_commands(error.message)) else {}
            log.warning("cannot list", error=error.message, **granting)
        except Exception as error:  # noqa: BLE001 - an internal error: what is known stays known
            caught(self._context.meter, "", "list", error)
            self._context.inventory.relist.set()
        else:
            return True
        return False

    async def _list(self) -> None:
        self._went_back = False
        # Policies first: nothing that they refuse is granted.
        served = await self._list_policies()
        inventory = self._context.inventory
        await self._list_approvals()
        clusters = {name: record.cluster.uid for name, record in inventory.clusters.items()}
        inventory.keep_clusters(await self._read_list(Plural.CLUSTERS, inventory.see_cluster, {}), clusters)
        suspects = dict(inventory.approvals.suspects)
        accesses, unlisted = frozenset(inventory.accesses), dict[str, str]()
        present = await self._read_list(Plural.ACCESSES, inventory.see_access, unlisted)
        self._see_unlisted(unlisted)
        await inventory.keep_accesses(present, accesses)
        inventory.approvals.settle(suspects, inventory.generation_of)
        if not served:
            await self._list_late_policies()
        self._listed_at = self._context.clock.monotonic()

    async def _list_policies(self) -> bool:
        """List policies; return whether there is such a kind.

        Raises:
            NotFound: there is none, but policies are known: this response is not trusted.
        """
        policies = self._context.inventory.policies
        known = policies.uids()
        try:
            present = await self._read_list(Plural.POLICIES, policies.see, {})
        except NotFound:
            if known:
                raise
            return False
        policies.keep(present, known)
        return True

    async def _list_approvals(self) -> None:
        """List approvals, and read whether they count. Where they may not be listed, what is known of them stays."""
        approvals = self._context.inventory.approvals
        known, unlisted = approvals.uids(), dict[str, str]()
        try:
            present = await self._read_list(Plural.APPROVALS, approvals.see, unlisted)
        except (NotFound, PermissionDenied) as error:
            if self._context.inventory.policies.needs_approvals:
                log.warning("cannot list approvals", error=error.message)
        else:
            if approvals.keep(present, known, unlisted):
                self._context.inventory.policies.changed.set()
        await self.vouching.read()

    async def _list_late_policies(self) -> None:
        """List policies again: an API server that has just started serves one kind after the other."""
        inventory = self._context.inventory
        if await self._list_policies():
            await inventory.judge_all()
        else:
            inventory.policies.keep(set(), frozenset())

    def _see_unlisted(self, unlisted: dict[str, str]) -> None:
        """Record which namespaces may not be listed.

        Raises:
            PermissionDenied: none may.
        """
        watched = self._context.inventory.watched
        if unlisted and unlisted.keys() == watched.namespaces:
            raise PermissionDenied(next(iter(unlisted.values())))
        for namespace in sorted(unlisted.keys() - watched.unreadable):
            granting = grant_commands(unlisted[namespace])
            log.warning(
                "cannot list a namespace: what is known of it stays",
                namespace=namespace,
                error=unlisted[namespace],
                **({"granting": granting} if granting else {}),
            )
        self._context.inventory.see_unlisted(unlisted)

    async def _read_list(
        self, plural: Plural, see: Callable[[dict[str, Any]], None], unlisted: dict[str, str]
    ) -> set[str]:
        """Read a list page by page, so that it is never in memory as a whole; return its uids.

        Args:
            plural: the kind.
            see: records an object.
            unlisted: gets the namespaces that may not be listed, with the reason.
        """
        present: set[str] = set()
        latest = self._context.inventory.latest(plural)

        def see_listed(raw: dict[str, Any]) -> None:
            if not self._went_back and latest.contradicts(raw):
                self._begin_anew()
            see(raw)

        following = await self._read_page(plural, "", see_listed, present, unlisted)
        while following:
            following = await self._read_page(plural, following, see_listed, present, unlisted)
        return present

    def _begin_anew(self) -> None:
        self._went_back = True
        log.warning("the API server is at an earlier state, as after a restored backup: all objects are read again")
        self._context.inventory.begin_anew()

    async def _read_page(
        self,
        plural: Plural,
        following: str,
        see: Callable[[dict[str, Any]], None],
        present: set[str],
        unlisted: dict[str, str],
    ) -> str:
        """Read a page, which is dropped before the next one; return where the list continues."""
        page = await self._context.kubernetes.list_page(plural, following)
        unlisted |= page.unlisted
        pace, policies = Pace(), self._context.inventory.policies
        for raw in page.items:
            present.add(text_in(part(raw, "metadata"), "uid"))
            before = policies.effort
            see(raw)
            if plural is Plural.ACCESSES:
                # Each is compared with all policies. Other kinds are few.
                await pace.spent(_effort(raw) + policies.effort - before)
        return page.following


def _effort(raw: Mapping[str, Any]) -> int:
    """Return what it takes to read a SearchAccess, as compared to a usual one."""
    spec = part(raw, "spec")
    grants = objects(spec.get("grants"))
    patterns = sum(len(indices) for grant in grants if isinstance(indices := grant.get("indices"), list))
    queries = sum("where" in grant for grant in grants)
    return 1 + patterns // _PATTERNS + queries + (_SCHEDULE if "schedule" in spec else 0)
