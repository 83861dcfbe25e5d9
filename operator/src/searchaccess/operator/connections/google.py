"""Google Cloud, loaded only if it is needed."""

import asyncio
from collections.abc import Collection
from typing import TYPE_CHECKING

from searchaccess.core.model.identities.workload import Account, Found, Place, Template, Workload
from searchaccess.ports.google import Accounts, Executions, Workloads

if TYPE_CHECKING:
    from searchaccess.adapters.googlecloud.client import GoogleClient


def _load_client() -> type["GoogleClient"]:
    from searchaccess.adapters.googlecloud.client import GoogleClient  # noqa: PLC0415 - see GoogleWhenNeeded

    return GoogleClient


class GoogleWhenNeeded:
    """Imports Google's libraries at the first request: they take a second and tens of MiB, and many do not need them.

    Args:
        run_endpoint: as ``GoogleClient`` takes it.
        iam_endpoint: as ``GoogleClient`` takes it.
    """

    def __init__(self, run_endpoint: str = "", iam_endpoint: str = "") -> None:
        self._endpoints = run_endpoint, iam_endpoint
        self._client: GoogleClient | None = None
        self._loading = asyncio.Lock()

    async def _google(self) -> "GoogleClient":
        async with self._loading:
            if self._client is None:
                self._client = (await asyncio.to_thread(_load_client))(*self._endpoints)
            return self._client

    async def close(self) -> None:
        """Close connections."""
        if self._client is not None:
            await self._client.close()

    async def list_workloads(self, place: Place, following: str = "") -> Workloads:
        """Return some workloads of a kind in a location."""
        return await (await self._google()).list_workloads(place, following)

    async def get_workload(self, workload: Workload) -> Found:
        """Return one workload."""
        return await (await self._google()).get_workload(workload)

    async def revision_template(self, workload: Workload, revision: str) -> Template:
        """Return what a revision was made from."""
        return await (await self._google()).revision_template(workload, revision)

    async def roll(self, workload: Workload, names: Collection[str], number: int) -> None:
        """Write the number of a secret's version into a workload's template."""
        await (await self._google()).roll(workload, names, number)

    async def running_executions(self, job: Workload, following: str = "") -> Executions:
        """Return some executions of a job that are not completed."""
        return await (await self._google()).running_executions(job, following)

    async def list_accounts(self, project: str, following: str = "") -> Accounts:
        """Return some service accounts of a project."""
        return await (await self._google()).list_accounts(project, following)

    async def get_account(self, email: str) -> Account:
        """Return one service account."""
        return await (await self._google()).get_account(email)
