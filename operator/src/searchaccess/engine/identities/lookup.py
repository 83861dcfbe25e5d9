"""Reads from Google what is behind subjects, in few requests: lists where they are cheaper, what never changes once.

https://cloud.google.com/run/quotas (3,000 reads a minute and region), https://cloud.google.com/iam/quotas
"""

import asyncio
from collections import defaultdict
from collections.abc import Awaitable, Callable, Iterable, Mapping
from typing import Final, TypeVar

from searchaccess.core.model.identity import is_settled
from searchaccess.core.model.workload import Account, Found, Place, Workload, WorkloadKind
from searchaccess.decorators.paced import TokenBucket
from searchaccess.ports.clock import Clock
from searchaccess.ports.errors import ExternalError, NotFound, PermissionDenied
from searchaccess.ports.google import GooglePort

RATE: Final = 10.0
"""Requests a second: a fifth of the smallest quota."""
BURST: Final = 100
CONCURRENT: Final = 8
IDS_AT_ONCE: Final = 10
"""Requests for ids that are known already, in one refresh: a service account is rarely made anew."""

T = TypeVar("T")
Read = dict[Workload, Found | ExternalError]


def project_of(email: str) -> str:
    """Give the project of an account from its address; empty: the address does not say it."""
    _, _, domain = email.partition("@")
    project, _, rest = domain.partition(".")
    return project if rest == "iam.gserviceaccount.com" else ""


class Lookup:
    """Reads from Google, and remembers what makes the next read cheaper.

    Args:
        google: Google Cloud.
        clock: the time.
    """

    def __init__(self, google: GooglePort, clock: Clock) -> None:
        self._google = google
        self._clock = clock
        self._bucket = TokenBucket(clock, RATE, BURST)
        self._gate = asyncio.Semaphore(CONCURRENT)
        self._pages: dict[Place, int] = {}
        """Of the last list of a place; a large number: it may not be listed."""
        self._revisions: dict[tuple[str, str], str] = {}
        """Accounts of revisions, which never change."""
        self._defaults: dict[str, str] = {}
        self.accounts: dict[str, tuple[Account, float]] = {}
        """By e-mail address, with the time at which it was read."""
        self.listed: dict[Place, dict[Workload, Found]] = {}
        """All workloads that were seen by the last read of a place."""

    async def _call(self, request: Callable[[], Awaitable[T]]) -> T:
        async with self._gate:
            await self._bucket.take()
            return await request()

    # Workloads

    async def workloads(self, wanted: Iterable[Workload]) -> Read:
        """Read workloads: by a list of their place where that takes no more requests."""
        by_place: dict[Place, list[Workload]] = defaultdict(list)
        for workload in wanted:
            by_place[workload.place].append(workload)
        read: Read = {}
        for part in await asyncio.gather(*(self._place(place, some) for place, some in by_place.items())):
            read |= part
        return read

    async def _place(self, place: Place, wanted: list[Workload]) -> Read:
        if self._pages.get(place, 1) <= len(wanted):
            try:
                found = await self._list(place)
            except PermissionDenied:
                # Each by its name may still be allowed.
                self._pages[place] = 1 << 30
            except ExternalError as error:
                return dict.fromkeys(wanted, error)
            else:
                return {workload: found.get(workload, NotFound("not listed")) for workload in wanted}
        answers = await asyncio.gather(*(self._get(workload) for workload in wanted))
        seen = {found.workload: found for found in answers if isinstance(found, Found)}
        self.listed[place] = {**self.listed.get(place, {}), **seen}
        return dict(zip(wanted, answers, strict=True))

    async def _list(self, place: Place) -> Mapping[Workload, Found]:
        found: dict[Workload, Found] = {}
        following, pages = "", 0
        while True:
            at = following
            page = await self._call(lambda at=at: self._google.list_workloads(place, at))  # type: ignore[misc]
            found |= {item.workload: item for item in page.items}
            following, pages = page.following, pages + 1
            if not following:
                self._pages[place], self.listed[place] = pages, found
                return found

    async def _get(self, workload: Workload) -> Found | ExternalError:
        try:
            return await self._call(lambda: self._google.get_workload(workload))
        except ExternalError as error:
            return error

    async def emails(self, found: Found, known: Iterable[Account]) -> list[str]:
        """Give the accounts of a workload: that of its template, then those of what still serves or runs.

        Args:
            found: the workload.
            known: the accounts that have its rights.

        Raises:
            ExternalError: they could not be read.
        """
        project = found.workload.place.project
        first = found.service_account or await self.default_account(project)
        used: list[str] = []
        if found.workload.place.kind is WorkloadKind.JOB:
            if any(account.email != first for account in known):
                used = await self._running(found.workload)
        elif not is_settled(found):
            used = [await self._of_revision(found, serving.revision) for serving in found.serving]
        return list(dict.fromkeys([first, *[email or await self.default_account(project) for email in used]]))

    async def _of_revision(self, found: Found, revision: str) -> str:
        key = (found.uid, revision)
        if key not in self._revisions:
            made = await self._call(lambda: self._google.revision_template(found.workload, revision))
            self._revisions[key] = made.service_account
        return self._revisions[key]

    async def _running(self, job: Workload) -> list[str]:
        emails: list[str] = []
        following = ""
        while True:
            at = following
            page = await self._call(lambda at=at: self._google.running_executions(job, at))  # type: ignore[misc]
            emails += [made.service_account for made in page.running.values()]
            following = page.following
            if not following:
                return emails

    # Accounts

    async def default_account(self, project: str) -> str:
        """Give the address of a project's default compute service account.

        Raises:
            NotFound: it has none.
        """
        if project not in self._defaults:
            await self._list_accounts(project)
        if project not in self._defaults:
            raise NotFound(f"project {project} has no default compute service account")
        return self._defaults[project]

    def known_default(self, project: str) -> str:
        """Give the same, if it was read already; else an empty text."""
        return self._defaults.get(project, "")

    async def _list_accounts(self, project: str) -> None:
        following = ""
        while True:
            at = following
            page = await self._call(lambda at=at: self._google.list_accounts(project, at))  # type: ignore[misc]
            for account in page.items:
                self.accounts[account.email] = account, self._clock.monotonic()
                if account.is_default_compute:
                    self._defaults[project] = account.email
            following = page.following
            if not following:
                return

    async def ids(self, emails: Iterable[str], older_than: float, asked: Iterable[str]) -> dict[str, ExternalError]:
        """Read unique ids: those that are not known, those that are asked for, and some that are known for long.

        Args:
            emails: whose.
            older_than: the clock's seconds; those that were read before are read again in turn.
            asked: whose, in any case.

        Returns:
            What could not be read, and why.
        """
        wanted = set(emails)
        new = (wanted - self.accounts.keys()) | wanted.intersection(asked)
        known = sorted((self.accounts[email][1], email) for email in wanted - new)
        old = [email for read_at, email in known if read_at < older_than]
        failed: dict[str, ExternalError] = {}
        by_project: dict[str, list[str]] = defaultdict(list)
        for email in [*sorted(new), *old[:IDS_AT_ONCE]]:
            by_project[project_of(email)].append(email)
        await asyncio.gather(*(self._some_ids(project, some, failed) for project, some in by_project.items()))
        return failed

    async def _some_ids(self, project: str, emails: list[str], failed: dict[str, ExternalError]) -> None:
        if project and len(emails) > 1:
            started = self._clock.monotonic()
            try:
                await self._list_accounts(project)
            except PermissionDenied:
                pass
            except ExternalError as error:
                failed |= dict.fromkeys(emails, error)
                return
            else:
                gone = [email for email in emails if self.accounts.get(email, (None, -1.0))[1] < started]
                failed |= {email: NotFound(f"there is no service account {email}") for email in gone}
                return
        await asyncio.gather(*(self._one_id(email, failed) for email in emails))

    async def _one_id(self, email: str, failed: dict[str, ExternalError]) -> None:
        try:
            account = await self._call(lambda: self._google.get_account(email))
        except ExternalError as error:
            failed[email] = error
        else:
            self.accounts[email] = account, self._clock.monotonic()
