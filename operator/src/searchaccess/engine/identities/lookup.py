"""Resolves subjects at Google with few requests: lists where they are cheaper, and what never changes only once."""

import asyncio
from collections.abc import Collection, Iterable
from dataclasses import dataclass, field
from typing import Final

from searchaccess.core.model.identities.identity import is_settled
from searchaccess.core.model.identities.workload import Account, Found, Place, Workload, WorkloadKind
from searchaccess.engine.identities.accounts import Accounts
from searchaccess.engine.identities.calls import Calls, Lane
from searchaccess.engine.identities.usage import AccountUsage
from searchaccess.engine.pacing.backoff import Backoff
from searchaccess.ports.clock import Clock
from searchaccess.ports.errors import ExternalError, NotFound, PermissionDenied
from searchaccess.ports.google import GooglePort
from searchaccess.ports.meter import Meter

FIRST_LIST_AGAIN: Final = 600.0
LAST_LIST_AGAIN: Final = 3600.0
"""Seconds until a list that was refused is retried: at first, and at most."""
BELIEVED_FOR: Final = 2.0
"""Intervals for which a read of a workload counts; after that it was deleted, or nobody reads it."""
REVISIONS: Final = 50_000
"""Accounts of revisions to remember at most."""

Read = dict[Workload, Found | ExternalError]


def _again() -> Backoff:
    return Backoff(FIRST_LIST_AGAIN, LAST_LIST_AGAIN)


@dataclass(slots=True)
class _Listing:
    """What is known about listing a place."""

    pages: int = 1
    """Pages of the last list."""
    refusals: Backoff = field(default_factory=_again)
    refused_until: float = float("-inf")
    """When it may be retried: the monotonic clock's seconds."""


class Lookup:
    """Reads from Google, and caches what makes the next read cheaper.

    Args:
        google: Google Cloud.
        clock: the time.
        meter: counts internal errors.
    """

    def __init__(self, google: GooglePort, clock: Clock, meter: Meter) -> None:
        self._google = google
        self._clock = clock
        self.calls = Calls(clock, meter)
        self.accounts = Accounts(google, clock, self.calls)
        self._usage = AccountUsage()
        self._listings: dict[Place, _Listing] = {}
        self._revisions: dict[tuple[str, str], str] = {}
        """Accounts of revisions, which never change."""

    # Workloads

    def keep(self, places: Collection[Place]) -> None:
        """Forget places without subjects, and workloads that were read too long ago."""
        for place in self._listings.keys() - places:
            del self._listings[place]
        self._usage.keep(places, self._clock.monotonic())

    async def list_place(self, place: Place, wanted: Collection[Workload], every: float, lane: Lane) -> Read:
        """Read workloads by listing their place, if that takes no more requests than reading each.

        Args:
            place: the place.
            wanted: workloads in it.
            every: seconds until they are read again.
            lane: namespace that pays for the requests.

        Returns:
            All wanted workloads; empty: read them one by one.
        """
        listing = self._listings.setdefault(place, _Listing())
        if listing.pages > len(wanted) or self._clock.monotonic() < listing.refused_until:
            return {}
        found = await self.calls.attempt(self._list(place, listing, lane))
        if isinstance(found, PermissionDenied):
            # Reading each by its name may still be allowed.
            listing.refused_until = self._clock.monotonic() + listing.refusals.next()
            return {}
        if isinstance(found, ExternalError):
            return dict.fromkeys(wanted, found)
        listing.refusals.reset()
        await self._usage.record_all(place, found, self._until(every))
        return {workload: found.get(workload, NotFound("not listed")) for workload in wanted}

    async def _list(self, place: Place, listing: _Listing, lane: Lane) -> dict[Workload, Found]:
        found: dict[Workload, Found] = {}
        following, pages = "", 0
        while True:
            at = following
            page = await self.calls.call(lane, lambda at=at: self._google.list_workloads(place, at))  # type: ignore[misc]
            found |= {item.workload: item for item in page.items}
            following, pages = page.following, pages + 1
            if not following:
                listing.pages = pages
                return found

    async def get_each(self, wanted: Iterable[Workload], every: float, lane: Lane) -> Read:
        """Read workloads one by one.

        Args:
            wanted: the workloads.
            every: seconds until they are read again.
            lane: namespace that pays for the requests.
        """
        read: Read = {}
        async with asyncio.TaskGroup() as group:
            for workload in wanted:
                group.create_task(self._get(workload, every, read, lane))
        return read

    async def _get(self, workload: Workload, every: float, read: Read, lane: Lane) -> None:
        request = self.calls.call(lane, lambda: self._google.get_workload(workload))
        answer = read[workload] = await self.calls.attempt(request)
        if isinstance(answer, Found):
            self._usage.record(answer, self._until(every))
        elif isinstance(answer, NotFound):
            self._usage.remove(workload)

    def _until(self, every: float) -> float:
        return self._clock.monotonic() + BELIEVED_FOR * every

    def users_of(self, email: str) -> tuple[str, ...]:
        """Return the resource names of the workloads known to run as an account."""
        return self._usage.of(email, self.accounts.default_of(email), self._clock.monotonic())

    # Their accounts

    async def emails(self, found: Found, known: Iterable[Account], lane: Lane) -> list[str]:
        """Return the accounts of a workload: of its template, then of what still serves or runs.

        Args:
            found: the workload.
            known: the accounts that have its rights.
            lane: namespace that pays for the requests.

        Raises:
            ExternalError: they could not be read.
        """
        project = found.workload.place.project
        first = found.service_account or await self.accounts.default(project, lane)
        used: list[str] = []
        if found.workload.place.kind is WorkloadKind.JOB:
            if any(account.email != first for account in known):
                used = await self._running(found.workload, lane)
        elif not is_settled(found):
            used = [await self._of_revision(found, serving.revision, lane) for serving in found.serving]
        return list(dict.fromkeys([first, *[email or await self.accounts.default(project, lane) for email in used]]))

    async def _of_revision(self, found: Found, revision: str, lane: Lane) -> str:
        key = (found.uid, revision)
        if key not in self._revisions:
            made = await self.calls.call(lane, lambda: self._google.revision_template(found.workload, revision))
            if len(self._revisions) >= REVISIONS:
                self._revisions.clear()
            self._revisions[key] = made.service_account
        return self._revisions[key]

    async def _running(self, job: Workload, lane: Lane) -> list[str]:
        emails: list[str] = []
        following = ""
        while True:
            at = following
            page = await self.calls.call(lane, lambda at=at: self._google.running_executions(job, at))  # type: ignore[misc]
            emails += [made.service_account for made in page.running.values()]
            following = page.following
            if not following:
                return emails
