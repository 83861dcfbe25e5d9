"""Reads service accounts: their unique ids, and which is a project's default."""

import asyncio
import heapq
from collections import defaultdict
from collections.abc import Collection, Iterable
from typing import Final

from searchaccess.core.model.identities.workload import Account
from searchaccess.engine.identities.calls import Calls, Lane
from searchaccess.ports.clock import Clock
from searchaccess.ports.errors import ExternalError, NotFound, PermissionDenied
from searchaccess.ports.google import GooglePort

IDS_AT_ONCE: Final = 10
"""Known ids that are read again in one round: a service account is rarely recreated."""
WITHOUT_DEFAULT: Final = 10.0
"""Seconds for which a project that has no default account is not listed again."""


def project_of(email: str) -> str:
    """Return the project of an account from its address; empty: the address does not contain it."""
    _, _, domain = email.partition("@")
    project, _, rest = domain.partition(".")
    return project if rest == "iam.gserviceaccount.com" else ""


class Accounts:
    """Service accounts, as last read.

    Args:
        google: Google Cloud.
        clock: the time.
        calls: paces requests.
    """

    def __init__(self, google: GooglePort, clock: Clock, calls: Calls) -> None:
        self._google = google
        self._clock = clock
        self._calls = calls
        self._defaults: dict[str, str] = {}
        self._default_of: dict[str, set[str]] = defaultdict(set)
        self._without_default: dict[str, float] = {}
        """By project, when it was found to have none."""
        self._read: dict[str, tuple[Account, float]] = {}
        """By e-mail address, with the time at which it was read."""

    def with_id(self, account: Account) -> Account:
        """Return an account with its unique id, if that is known."""
        found = self._read.get(account.email)
        return found[0] if found else account

    def default_of(self, email: str) -> Collection[str]:
        """Return the known projects whose default compute service account it is."""
        return self._default_of.get(email, ())

    async def default(self, project: str, lane: Lane) -> str:
        """Return the address of a project's default compute service account.

        Raises:
            NotFound: it has none.
            ExternalError: it could not be read.
        """
        if project not in self._defaults:
            now = self._clock.monotonic()
            if now - self._without_default.get(project, float("-inf")) >= WITHOUT_DEFAULT:
                await self._list(project, lane)
        if project not in self._defaults:
            self._without_default[project] = self._clock.monotonic()
            raise NotFound(f"project {project} has no default compute service account")
        return self._defaults[project]

    async def _list(self, project: str, lane: Lane) -> None:
        following = ""
        while True:
            at = following
            page = await self._calls.call(lane, lambda at=at: self._google.list_accounts(project, at))  # type: ignore[misc]
            for account in page.items:
                self._read[account.email] = account, self._clock.monotonic()
                if account.is_default_compute:
                    self._defaults[project] = account.email
                    self._default_of[account.email].add(project)
            following = page.following
            if not following:
                return

    def oldest(self, emails: Iterable[str], before: float) -> frozenset[str]:
        """Return the few accounts whose ids are oldest, if they were read before a time (monotonic seconds)."""
        known = {(self._read[email][1], email) for email in emails if email in self._read}
        old = heapq.nsmallest(IDS_AT_ONCE, known)
        return frozenset(email for read_at, email in old if read_at < before)

    async def read_ids(self, emails: Collection[str], again: Collection[str], lane: Lane) -> dict[str, ExternalError]:
        """Read unique ids: unknown ones, and some known ones.

        Args:
            emails: of the accounts.
            again: those to read even if their ids are known.
            lane: namespace that pays for the requests.

        Returns:
            The errors by e-mail address.
        """
        by_project: dict[str, list[str]] = defaultdict(list)
        for email in sorted({email for email in emails if email in again or email not in self._read}):
            by_project[project_of(email)].append(email)
        failed: dict[str, ExternalError] = {}
        async with asyncio.TaskGroup() as group:
            for project, some in by_project.items():
                group.create_task(self._read_some(project, some, failed, lane))
        return failed

    async def _read_some(self, project: str, emails: list[str], failed: dict[str, ExternalError], lane: Lane) -> None:
        if project and len(emails) > 1:
            started = self._clock.monotonic()
            trouble = await self._calls.attempt(self._list(project, lane))
            if trouble is None:
                gone = [email for email in emails if self._read.get(email, (None, -1.0))[1] < started]
                failed |= {email: NotFound(f"there is no service account {email}") for email in gone}
                return
            if not isinstance(trouble, PermissionDenied):
                failed |= dict.fromkeys(emails, trouble)
                return
            # Reading each by its address may still be allowed.
        async with asyncio.TaskGroup() as group:
            for email in emails:
                group.create_task(self._read_one(email, failed, lane))

    async def _read_one(self, email: str, failed: dict[str, ExternalError], lane: Lane) -> None:
        answer = await self._calls.attempt(self._calls.call(lane, lambda: self._google.get_account(email)))
        if isinstance(answer, Account):
            self._read[email] = answer, self._clock.monotonic()
        else:
            failed[email] = answer
