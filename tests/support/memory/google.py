"""The Google port in memory."""

from collections.abc import Callable, Collection
from typing import Final, TypeVar

from searchaccess.core.model.identities.workload import Account, Found, Place, Template, Workload
from searchaccess.ports.errors import NotFound
from searchaccess.ports.google import Accounts, Executions, Workloads
from tests.support.failures.faults import Call, Faults
from tests.support.servers.googlestate import GoogleState

SIDE: Final = "google"
PAGE: Final = 100

T = TypeVar("T")


class MemoryGoogle:
    """Google Cloud, with the state that tests change."""

    def __init__(self, faults: Faults, page: int = PAGE) -> None:
        self.state = GoogleState()
        self._faults = faults
        self._page = page

    async def _perform(self, method: str, name: str, action: Callable[[], T]) -> T:
        return await self._faults.perform(Call(SIDE, method, (name,)), action)

    def _cut(self, items: list[T], following: str) -> tuple[tuple[T, ...], str]:
        start = int(following or 0)
        end = start + self._page
        return tuple(items[start:end]), str(end) if end < len(items) else ""

    async def list_workloads(self, place: Place, following: str = "") -> Workloads:
        def action() -> Workloads:
            items = [found for workload, found in sorted(self.state.workloads.items()) if workload.place == place]
            return Workloads(*self._cut(items, following))

        return await self._perform("list_workloads", f"{place.parent}/{place.kind}", action)

    async def get_workload(self, workload: Workload) -> Found:
        return await self._perform("get_workload", workload.path, lambda: _found(self.state.workloads, workload))

    async def revision_template(self, workload: Workload, revision: str) -> Template:
        name = f"{workload.path}/revisions/{revision}"

        def action() -> Template:
            _found(self.state.revisions, (workload, revision))
            return self.state.template(workload, revision)

        return await self._perform("revision_template", name, action)

    async def roll(self, workload: Workload, names: Collection[str], number: int) -> None:
        def action() -> None:
            _found(self.state.workloads, workload)
            self.state.roll(workload, names, number)

        await self._faults.perform(Call(SIDE, "roll", (workload.path, str(number)), write=True), action)

    async def running_executions(self, job: Workload, following: str = "") -> Executions:
        def action() -> Executions:
            items, rest = self._cut(sorted(self.state.executions.get(job, {}).items()), following)
            return Executions({name: self.state.template(job, name) for name, (_, runs) in items if runs}, rest)

        return await self._perform("running_executions", job.path, action)

    async def list_accounts(self, project: str, following: str = "") -> Accounts:
        def action() -> Accounts:
            mine = [Account(*item) for item in sorted(self.state.accounts.items()) if _is_of(item[0], project)]
            return Accounts(*self._cut(mine, following))

        return await self._perform("list_accounts", project, action)

    async def get_account(self, email: str) -> Account:
        return await self._perform("get_account", email, lambda: Account(email, _found(self.state.accounts, email)))


def _is_of(email: str, project: str) -> bool:
    return email.endswith((f"@{project}.iam.gserviceaccount.com", "@developer.gserviceaccount.com"))


K = TypeVar("K")


def _found(items: dict[K, T], key: K) -> T:
    if key not in items:
        raise NotFound("there is no such thing")
    return items[key]
