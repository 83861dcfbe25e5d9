"""Cloud Run workloads and service accounts, as two doubles of Google's APIs serve them: one in memory, one by gRPC."""

from collections.abc import Collection
from dataclasses import dataclass, field, replace
from itertools import count
from typing import Any, Final

from searchaccess.core.credentials.pins import full_name
from searchaccess.core.model.identities.workload import (
    Found,
    Place,
    SecretUse,
    Serving,
    Template,
    Workload,
    WorkloadKind,
)
from tests.stack.trust.tokens import subject_of

PROJECT: Final = "acme-shop"
LOCATION: Final = "europe-west1"
DEFAULT_ACCOUNT: Final = "123456789012-compute@developer.gserviceaccount.com"


def a_workload(
    name: str = "orders",
    kind: WorkloadKind = WorkloadKind.SERVICE,
    *,
    project: str = PROJECT,
    location: str = LOCATION,
) -> Workload:
    return Workload(Place(project, location, kind), name)


@dataclass(slots=True)
class GoogleState:
    """What there is. Tests change it as people would."""

    workloads: dict[Workload, Found] = field(default_factory=dict)
    revisions: dict[tuple[Workload, str], str] = field(default_factory=dict)
    executions: dict[Workload, dict[str, tuple[str, bool]]] = field(default_factory=dict)
    """By job and name: account, and whether it runs."""
    uses: dict[tuple[Workload, str], tuple[SecretUse, ...]] = field(default_factory=dict)
    """Secrets in what revisions and executions were made from."""
    broken: str = ""
    """Why new revisions cannot serve; empty: they can."""
    held: set[Workload] = field(default_factory=set)
    """Workloads whose traffic stays where it is."""
    accounts: dict[str, str] = field(default_factory=dict)
    """Unique ids by e-mail address."""
    clusters: dict[str, Any] = field(default_factory=dict)
    """Clusters of Kubernetes Engine, as its API gives them, by full name."""
    _numbers: "count[int]" = field(default_factory=lambda: count(1))

    def add_account(self, email: str) -> str:
        """Create an account, or recreate it; return its unique id."""
        number = next(self._numbers) if email in self.accounts else 0
        self.accounts[email] = subject_of(f"{email}#{number}" if number else email)
        return self.accounts[email]

    def template(self, workload: Workload, name: str) -> Template:
        """Return what a revision or an execution was made from."""
        account = (
            self.executions[workload][name][0]
            if workload.place.kind is WorkloadKind.JOB
            else self.revisions[workload, name]
        )
        return Template(account, self.uses.get((workload, name), ()))

    def deploy(
        self,
        workload: Workload,
        account: str = "",
        *,
        ready: bool = True,
        traffic: bool = True,
        uses: tuple[SecretUse, ...] = (),
    ) -> str:
        """Deploy a template; return the name of the revision that it makes (of a job: nothing)."""
        if account and account not in self.accounts:
            self.add_account(account)
        found = self.workloads.get(workload) or Found(workload, f"uid-{next(self._numbers)}", "")
        if workload.place.kind is WorkloadKind.JOB:
            self.workloads[workload] = replace(found, service_account=account, uses=uses)
            return ""
        revision = f"{workload.name}-{next(self._numbers):05}"
        self.revisions[workload, revision] = account
        self.uses[workload, revision] = uses
        found = replace(found, service_account=account, latest_created=revision, uses=uses)
        ready, traffic = ready and not self.broken, traffic and workload not in self.held
        found = replace(found, failed=self.broken)
        if ready:
            found = replace(found, latest_ready=revision)
        if ready and traffic:
            found = replace(found, serving=(Serving(revision, 100),))
        self.workloads[workload] = found
        return revision

    def roll(self, workload: Workload, names: Collection[str], number: int) -> None:
        """Deploy the same with a version of a secret by its number."""
        found = self.workloads[workload]
        project = workload.place.project
        uses = tuple(
            SecretUse(use.secret, str(number)) if full_name(use.secret, project) in names else use for use in found.uses
        )
        if uses != found.uses:
            self.deploy(workload, found.service_account, uses=uses)

    def serve(self, workload: Workload, **percents: int) -> None:
        """Share out the traffic; names of revisions have underscores in place of dashes."""
        serving = tuple(Serving(name.replace("_", "-"), percent) for name, percent in percents.items())
        self.workloads[workload] = replace(self.workloads[workload], serving=serving)

    def delete(self, workload: Workload) -> None:
        """Delete a workload."""
        del self.workloads[workload]

    def execute(self, job: Workload) -> str:
        """Start an execution of a job; return its name."""
        name = f"{job.name}-{next(self._numbers):05}"
        self.executions.setdefault(job, {})[name] = self.workloads[job].service_account, True
        self.uses[job, name] = self.workloads[job].uses
        return name

    def complete(self, job: Workload, name: str) -> None:
        """End an execution."""
        account, _ = self.executions[job][name]
        self.executions[job][name] = account, False
