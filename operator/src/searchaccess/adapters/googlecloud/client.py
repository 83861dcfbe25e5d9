"""The Google port, by the official asynchronous clients."""

import asyncio
from collections.abc import Awaitable, Callable, Collection
from dataclasses import dataclass
from typing import Any, Final

from google.api_core.client_options import ClientOptions
from google.cloud.iam_admin_v1 import IAMAsyncClient
from google.cloud.run_v2 import (
    ExecutionsAsyncClient,
    JobsAsyncClient,
    RevisionsAsyncClient,
    ServicesAsyncClient,
    WorkerPoolsAsyncClient,
)

from searchaccess.adapters.googlecloud.account import OperatorAccount
from searchaccess.adapters.googlecloud.convert import (
    job_found,
    name_version,
    service_found,
    template_of,
    worker_pool_found,
)
from searchaccess.adapters.googlecloud.errors import mapped, mapped_writing
from searchaccess.core.model.identities.workload import Account, Found, Place, Template, Workload, WorkloadKind
from searchaccess.ports.google import Accounts, Executions, Workloads

PAGE: Final = 100
TIMEOUT: Final = 10.0
"""Seconds."""


@dataclass(frozen=True, slots=True)
class _Api:
    client: Callable[..., Any]
    singular: str
    plural: str
    read: Callable[[Place, Any], Found]


_APIS: Final = {
    WorkloadKind.SERVICE: _Api(ServicesAsyncClient, "service", "services", service_found),
    WorkloadKind.JOB: _Api(JobsAsyncClient, "job", "jobs", job_found),
    WorkloadKind.WORKER_POOL: _Api(WorkerPoolsAsyncClient, "worker_pool", "worker_pools", worker_pool_found),
}
# The caller paces, counts and retries.
_ONCE: Final[dict[str, Any]] = {"retry": None, "timeout": TIMEOUT}


class GoogleClient:
    """Cloud Run's Admin API v2 and IAM, as the account that the operator runs as.

    Args:
        run_endpoint: in place of ``run.googleapis.com``, such as one of Private Service Connect.
        iam_endpoint: in place of ``iam.googleapis.com``.
        account: account of the requests.
    """

    def __init__(self, run_endpoint: str = "", iam_endpoint: str = "", account: OperatorAccount | None = None) -> None:
        self._run_endpoint = run_endpoint
        self._iam_endpoint = iam_endpoint
        self._account = account or OperatorAccount()
        self._clients: dict[Callable[..., Any], Any] = {}
        self._opening = asyncio.Lock()

    async def _client(self, kind: Callable[..., Any]) -> Any:
        async with self._opening:
            credentials = await self._account.credentials()
            if kind not in self._clients:
                endpoint = self._iam_endpoint if kind is IAMAsyncClient else self._run_endpoint
                options = ClientOptions(api_endpoint=endpoint or None)
                self._clients[kind] = kind(credentials=credentials, client_options=options)
            return self._clients[kind]

    async def close(self) -> None:
        """Close connections."""
        clients, self._clients = self._clients, {}
        for client in clients.values():
            await client.transport.close()

    async def list_workloads(self, place: Place, following: str = "") -> Workloads:
        """Return some workloads of a kind in a location."""
        api = _APIS[place.kind]
        with mapped(f"Cloud Run, {place.parent}"):
            request = {"parent": place.parent, "page_size": PAGE, "page_token": following}
            client = await self._client(api.client)
            page = await _first_page(getattr(client, f"list_{api.plural}"), request)
        items = tuple(api.read(place, item) for item in getattr(page, api.plural))
        return Workloads(items, page.next_page_token)

    async def get_workload(self, workload: Workload) -> Found:
        """Return one workload."""
        api = _APIS[workload.place.kind]
        with mapped(f"Cloud Run, {workload.path}"):
            client = await self._client(api.client)
            raw = await getattr(client, f"get_{api.singular}")(name=workload.path, **_ONCE)
        return api.read(workload.place, raw)

    async def revision_template(self, workload: Workload, revision: str) -> Template:
        """Return what a revision was made from."""
        name = f"{workload.path}/revisions/{revision}"
        with mapped(f"Cloud Run, {name}"):
            client = await self._client(RevisionsAsyncClient)
            return template_of(await client.get_revision(name=name, **_ONCE))

    async def roll(self, workload: Workload, names: Collection[str], number: int) -> None:
        """Write the number of a secret's version into a workload's template."""
        api = _APIS[workload.place.kind]
        with mapped_writing(f"Cloud Run, {workload.path}"):
            client = await self._client(api.client)
            raw = await getattr(client, f"get_{api.singular}")(name=workload.path, **_ONCE)
            # Its etag goes with it: whoever wrote meanwhile wins.
            if not name_version(workload, raw, names, number):
                return
            request: dict[str, Any] = {api.singular: raw}
            if workload.place.kind is not WorkloadKind.JOB:
                request["update_mask"] = {"paths": ["template"]}
            await getattr(client, f"update_{api.singular}")(request=request, **_ONCE)

    async def running_executions(self, job: Workload, following: str = "") -> Executions:
        """Return some executions of a job that are not completed."""
        with mapped(f"Cloud Run, {job.path}/executions"):
            client = await self._client(ExecutionsAsyncClient)
            request = {"parent": job.path, "page_size": PAGE, "page_token": following}
            page = await _first_page(client.list_executions, request)
        running = {
            item.name.rpartition("/")[2]: template_of(item.template)
            for item in page.executions
            if not item.completion_time
        }
        return Executions(running, page.next_page_token)

    async def list_accounts(self, project: str, following: str = "") -> Accounts:
        """Return some service accounts of a project, with their unique ids."""
        with mapped(f"IAM, projects/{project}/serviceAccounts"):
            client = await self._client(IAMAsyncClient)
            request = {"name": f"projects/{project}", "page_size": PAGE, "page_token": following}
            page = await _first_page(client.list_service_accounts, request)
        return Accounts(tuple(Account(item.email, item.unique_id) for item in page.accounts), page.next_page_token)

    async def get_account(self, email: str) -> Account:
        """Return one service account of any project, with its unique id."""
        _, _, domain = email.partition("@")
        project = (
            domain.removesuffix(".iam.gserviceaccount.com") if domain.endswith(".iam.gserviceaccount.com") else "-"
        )
        with mapped(f"IAM, serviceAccounts/{email}"):
            client = await self._client(IAMAsyncClient)
            found = await client.get_service_account(name=f"projects/{project}/serviceAccounts/{email}", **_ONCE)
        return Account(found.email, found.unique_id)


async def _first_page(method: Callable[..., Awaitable[Any]], request: dict[str, Any]) -> Any:
    """Make one request of a list: the library's pager would continue by itself."""
    pager = await method(request=request, **_ONCE)
    return await anext(aiter(pager.pages))
