"""Cloud Run's Admin API v2, IAM and Kubernetes Engine, by gRPC over TLS on Google's own messages.

It is next to the tests, as there is no other.

It knows what the operator asks: get and list of services, jobs, worker pools, revisions, executions and accounts, with
paging and errors on demand.
"""

import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from types import TracebackType
from typing import Any, Final, Self

import grpc
from google.cloud import container_v1, iam_admin_v1, run_v2
from google.cloud.run_v2 import types
from google.longrunning import operations_pb2

from searchaccess.core.model.identities.workload import Found, Place, SecretUse, Template, Workload, WorkloadKind
from tests.stack.trust.certificates import ServerCertificate
from tests.support.servers.googlestate import GoogleState

PROJECT_NUMBER: Final = "123456789012"
_RUN: Final = "google.cloud.run.v2"
_GKE: Final = "google.container.v1.ClusterManager"
_IAM: Final = "google.iam.admin.v1.IAM"


class _Operation:
    """Serializes what is no message of Google's newer library."""

    serialize = staticmethod(operations_pb2.Operation.SerializeToString)


class GoogleServer:
    """The APIs, on a free loopback port.

    Args:
        state: what there is.
        certificate: what it shows.
        page: how many items a page has at most.
    """

    def __init__(self, state: GoogleState, certificate: ServerCertificate, page: int = 1000) -> None:
        self.state = state
        self.calls: list[tuple[str, str]] = []
        """Method and name of what was asked for."""
        self.tokens: set[str] = set()
        self.failing: dict[str, grpc.StatusCode] = {}
        """By method, or ``*``: with what it is answered."""
        self.before: dict[str, Callable[[], object]] = {}
        """By method, what happens just before it is answered."""
        self.delay = 0.0
        """Seconds until it answers."""
        self._page = page
        self._here = threading.local()
        self.ca_file = certificate.ca_file
        self._server = grpc.server(ThreadPoolExecutor(4))
        self._server.add_generic_rpc_handlers(
            [self._service(name, methods) for name, methods in self._methods().items()]
        )
        credentials = grpc.ssl_server_credentials(
            [(certificate.key_file.read_bytes(), certificate.certificate_file.read_bytes())]
        )
        self.address = f"127.0.0.1:{self._server.add_secure_port('127.0.0.1:0', credentials)}"

    @property
    def environment(self) -> dict[str, str]:
        """What the operator's process needs to find it and to trust it."""
        return {
            "SEARCHACCESS_RUN_ENDPOINT": self.address,
            "SEARCHACCESS_IAM_ENDPOINT": self.address,
            "SEARCHACCESS_CONTAINER_ENDPOINT": self.address,
            "GRPC_DEFAULT_SSL_ROOTS_FILE_PATH": str(self.ca_file),
        }

    def __enter__(self) -> Self:
        self._server.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.stop(grace=0).wait()

    # The services

    def _methods(self) -> dict[str, dict[str, tuple[Any, Any, Callable[[Any], Any]]]]:
        kinds = WorkloadKind
        return {
            f"{_RUN}.Services": {
                "GetService": (types.GetServiceRequest, types.Service, self._get),
                "UpdateService": (types.UpdateServiceRequest, _Operation, self._update("service")),
                "ListServices": (types.ListServicesRequest, types.ListServicesResponse, self._list(kinds.SERVICE)),
            },
            f"{_RUN}.Jobs": {
                "GetJob": (types.GetJobRequest, types.Job, self._get),
                "UpdateJob": (types.UpdateJobRequest, _Operation, self._update("job")),
                "ListJobs": (types.ListJobsRequest, types.ListJobsResponse, self._list(kinds.JOB)),
            },
            f"{_RUN}.WorkerPools": {
                "GetWorkerPool": (types.GetWorkerPoolRequest, types.WorkerPool, self._get),
                "UpdateWorkerPool": (types.UpdateWorkerPoolRequest, _Operation, self._update("worker_pool")),
                "ListWorkerPools": (
                    types.ListWorkerPoolsRequest,
                    types.ListWorkerPoolsResponse,
                    self._list(kinds.WORKER_POOL),
                ),
            },
            f"{_RUN}.Revisions": {"GetRevision": (types.GetRevisionRequest, types.Revision, self._revision)},
            f"{_RUN}.Executions": {
                "ListExecutions": (types.ListExecutionsRequest, types.ListExecutionsResponse, self._executions)
            },
            _GKE: {
                "GetCluster": (
                    container_v1.GetClusterRequest,
                    container_v1.Cluster,
                    lambda request: self.state.clusters[request.name],
                )
            },
            _IAM: {
                "GetServiceAccount": (
                    iam_admin_v1.GetServiceAccountRequest,
                    iam_admin_v1.ServiceAccount,
                    lambda request: self._account(request.name.rpartition("/")[2]),
                ),
                "ListServiceAccounts": (
                    iam_admin_v1.ListServiceAccountsRequest,
                    iam_admin_v1.ListServiceAccountsResponse,
                    self._accounts,
                ),
            },
        }

    def _service(self, name: str, methods: dict[str, tuple[Any, Any, Callable[[Any], Any]]]) -> grpc.GenericRpcHandler:
        handlers = {
            method: grpc.unary_unary_rpc_method_handler(
                self._answer(method, action),
                request_deserializer=request.deserialize,
                response_serializer=response.serialize,
            )
            for method, (request, response, action) in methods.items()
        }
        return grpc.method_handlers_generic_handler(name, handlers)

    def _answer(self, method: str, action: Callable[[Any], Any]) -> Callable[[Any, grpc.ServicerContext], Any]:
        def answer(request: Any, context: grpc.ServicerContext) -> Any:
            self.calls.append((method, _name_in(request)))
            token = dict(context.invocation_metadata()).get("authorization", "")
            self.tokens.add(str(token))
            time.sleep(self.delay)
            if not str(token).startswith("Bearer "):
                context.abort(grpc.StatusCode.UNAUTHENTICATED, "no token")
            status = self.failing.get(method) or self.failing.get("*")
            if status:
                context.abort(status, "as configured: secret-in-a-message")
            self._here.context = context
            self.before.get(method, lambda: None)()
            try:
                return action(request)
            except KeyError:
                return context.abort(grpc.StatusCode.NOT_FOUND, "Resource not found.")

        return answer

    def refuse(self, status: grpc.StatusCode, text: str) -> None:
        """Answer the request of this thread with another status than success."""
        self._here.context.abort(status, text)

    def _cut(self, items: list[Any], request: Any) -> tuple[list[Any], str]:
        start, size = int(request.page_token or 0), min(self._page, request.page_size or self._page)
        rest = str(start + size) if start + size < len(items) else ""
        return items[start : start + size], rest

    # Cloud Run

    def _get(self, request: Any) -> Any:
        _, project, _, location, kind, name = request.name.split("/")
        return as_message(self.state.workloads[Workload(Place(project, location, WorkloadKind(kind)), name)])

    def _update(self, singular: str) -> Callable[[Any], Any]:
        def action(request: Any) -> Any:
            given = getattr(request, singular)
            _, project, _, location, kind, name = given.name.split("/")
            workload = Workload(Place(project, location, WorkloadKind(kind)), name)
            found = self.state.workloads[workload]
            if given.etag != as_message(found).etag:
                self.refuse(grpc.StatusCode.ABORTED, "the etag is not the current one")
            template = given.template.template if singular == "job" else given.template
            uses = {
                SecretUse(variable.value_source.secret_key_ref.secret, variable.value_source.secret_key_ref.version)
                for container in template.containers
                for variable in container.env
            }
            files = {
                SecretUse(volume.secret.secret, item.version)
                for volume in template.volumes
                for item in volume.secret.items
            }
            if uses != files:
                self.refuse(grpc.StatusCode.INVALID_ARGUMENT, "this double has each secret in both ways")
            self.state.deploy(workload, template.service_account, uses=tuple(sorted(uses)))
            return operations_pb2.Operation(name=f"{given.name}/operations/1")

        return action

    def _list(self, kind: WorkloadKind) -> Callable[[Any], Any]:
        response, plural = {
            WorkloadKind.SERVICE: (types.ListServicesResponse, "services"),
            WorkloadKind.JOB: (types.ListJobsResponse, "jobs"),
            WorkloadKind.WORKER_POOL: (types.ListWorkerPoolsResponse, "worker_pools"),
        }[kind]

        def action(request: Any) -> Any:
            _, project, _, location = request.parent.split("/")
            place = Place(project, location, kind)
            mine = [
                as_message(found) for workload, found in sorted(self.state.workloads.items()) if workload.place == place
            ]
            items, rest = self._cut(mine, request)
            return response(**{plural: items, "next_page_token": rest})

        return action

    def _revision(self, request: Any) -> Any:
        path, _, revision = request.name.rpartition("/revisions/")
        for workload, name in self.state.revisions:
            if (workload.path, name) == (path, revision):
                return run_v2.Revision(name=request.name, **as_template(self.state.template(workload, name)))
        raise KeyError(request.name)

    def _executions(self, request: Any) -> Any:
        mine = [job for job in self.state.executions if job.path == request.parent]
        items, rest = self._cut([(job, name) for job in mine for name in sorted(self.state.executions[job])], request)
        executions = []
        for job, name in items:
            template = as_template(self.state.template(job, name))
            execution = run_v2.Execution(name=f"{request.parent}/executions/{name}", template=template)
            if not self.state.executions[job][name][1]:
                execution.completion_time = {"seconds": 1}
            executions.append(execution)
        return types.ListExecutionsResponse(executions=executions, next_page_token=rest)

    # IAM

    def _account(self, email: str) -> Any:
        return iam_admin_v1.ServiceAccount(email=email, unique_id=self.state.accounts[email])

    def _accounts(self, request: Any) -> Any:
        ends = (f"@{request.name.rpartition('/')[2]}.iam.gserviceaccount.com", "@developer.gserviceaccount.com")
        items, rest = self._cut([email for email in sorted(self.state.accounts) if email.endswith(ends)], request)
        accounts = [self._account(email) for email in items]
        return iam_admin_v1.ListServiceAccountsResponse(accounts=accounts, next_page_token=rest)


def _name_in(request: Any) -> str:
    """Return what a request is about."""
    for name in ("parent", "name"):
        if hasattr(request, name):
            return str(getattr(request, name))
    kinds = ("service", "job", "worker_pool", "secret")
    return next(str(getattr(request, kind).name) for kind in kinds if hasattr(request, kind))


def as_template(template: Template) -> dict[str, Any]:
    """Return a template as the API gives it; each secret once as a variable and once as a file."""
    reference = [{"secret": use.secret, "version": use.version} for use in template.uses]
    env = [{"name": f"S{number}", "value_source": {"secret_key_ref": use}} for number, use in enumerate(reference)]
    volumes = [
        {"name": f"s{number}", "secret": {"secret": use["secret"], "items": [{"path": "x", "version": use["version"]}]}}
        for number, use in enumerate(reference)
    ]
    return {"service_account": template.service_account, "containers": [{"env": env}], "volumes": volumes}


def as_message(found: Found) -> Any:
    """Return a workload as the API gives it: with project numbers in names of revisions, as there."""
    workload = found.workload
    about: dict[str, Any] = {
        "name": workload.path,
        "uid": found.uid,
        "etag": f"etag-{found.latest_created}-{hash(found.uses)}",
    }
    if workload.place.kind is WorkloadKind.JOB:
        return run_v2.Job(**about, template={"template": as_template(Template(found.service_account, found.uses))})
    base = workload.path.replace(workload.place.project, PROJECT_NUMBER, 1)
    about |= {
        "template": as_template(Template(found.service_account, found.uses)),
        "generation": 2,
        "observed_generation": 1 if found.reconciling else 2,
        "reconciling": found.reconciling,
        "terminal_condition": {"state": 3 if found.failed else 4, "message": found.failed},
        "latest_created_revision": f"{base}/revisions/{found.latest_created}",
        "latest_ready_revision": f"{base}/revisions/{found.latest_ready}" if found.latest_ready else "",
    }
    shares = [(item.revision, item.percent, item.tag) for item in found.serving]
    if workload.place.kind is WorkloadKind.WORKER_POOL:
        splits = [{"type_": 2, "revision": revision, "percent": percent} for revision, percent, _ in shares]
        return run_v2.WorkerPool(**about, instance_split_statuses=splits)
    # What goes to the latest revision has no name there.
    targets = [
        {"type_": 1, "percent": percent, "tag": tag}
        if revision == found.latest_ready
        else {"type_": 2, "revision": revision, "percent": percent, "tag": tag}
        for revision, percent, tag in shares
    ]
    return run_v2.Service(**about, traffic_statuses=targets)
