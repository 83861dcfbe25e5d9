"""Random histories of workloads and namespaces: rights end up with whom Google names, and never with anybody else."""

from typing import Any

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import invariant, rule

from searchaccess.ports.errors import PermissionDenied, Throttled, Unreachable
from tests.component.identities.common import GRACE, REFRESH, have_roles, subject
from tests.support.failures.faults import Fault
from tests.support.loop.stage import Stage, access_key, search_cluster
from tests.support.loop.stagemachine import StageMachine
from tests.support.memory import elasticsearch as memory_elasticsearch
from tests.support.memory import google as memory_google
from tests.support.memory import kubernetes as memory_kubernetes
from tests.support.memory.elasticsearch import owner_uids
from tests.support.runs.effort import examples
from tests.support.servers.googlestate import a_workload
from tests.support.worlds.world import access, account, grant

NAMES = ("a", "b", "c")
WORKLOADS = (a_workload("one"), a_workload("two"))
ACCOUNTS = (account("red"), account("green"), account("blue"))
SELECTOR = {"selector": {"matchLabels": {"search": "yes"}}}

names = st.sampled_from(NAMES)
workloads = st.sampled_from(WORKLOADS)
accounts = st.sampled_from(ACCOUNTS)
pauses = st.sampled_from([0.0, 0.5, 20.0, REFRESH * 1.2])


class Histories(StageMachine):
    """Workloads are deployed, deleted and redeployed, namespaces allowed and not, and everything fails at times."""

    def __init__(self) -> None:
        super().__init__()
        self.ever: dict[str, set[str]] = {}
        """By uid, all accounts that its workload ever ran as while a SearchAccess named it."""
        self.kept: set[tuple[str, str]] = set()
        """Principals and uids that have rights while Google says nothing."""

    async def _begin(self) -> Stage:
        stage = Stage()
        stage.kubernetes.namespaces["shop"] = {"search": "yes"}
        stage.start()
        stage.apply(search_cluster(allowedNamespaces=SELECTOR))
        for workload, email in zip(WORKLOADS, ACCOUNTS, strict=False):
            stage.google.state.deploy(workload, email)
        return stage

    def _do(self, action: Any, *arguments: Any, **more: Any) -> None:
        """Do something inside of the event loop."""

        async def play() -> None:
            action(*arguments, **more)

        self.runner.run(play())

    def _uid(self, name: str) -> str:
        return str(self.stage.get(name)["metadata"]["uid"])

    def _workload_of(self, name: str) -> Any:
        wanted = self.stage.get(name)["spec"]["subject"].get("cloudRunService", {}).get("name")
        return next((workload for workload in WORKLOADS if workload.name == wanted), None)

    def _note(self) -> None:
        """Note who may have rights from now on, because the workload runs as it now."""
        for name in NAMES:
            workload = self._workload_of(name) if self.stage.get(name) else None
            if workload:
                self.ever.setdefault(self._uid(name), set()).update(self._accounts(workload))

    def _accounts(self, workload: Any) -> set[str]:
        state = self.stage.google.state
        found = state.workloads.get(workload)
        if found is None:
            return set()
        serving = {state.revisions[workload, one.revision] for one in found.serving}
        return {found.service_account} | serving

    def _forget(self, name: str) -> None:
        """Take no interest in what this one has: somebody wants something else."""
        if self.stage.get(name):
            self.kept = {(principal, uid) for principal, uid in self.kept if uid != self._uid(name)}

    @rule(name=names, workload=workloads, pause=pauses)
    def declare(self, name: str, workload: Any, pause: float) -> None:
        if self.stage.get(name) and not self._alive(name):
            return
        self._forget(name)
        self._do(self.stage.apply, access(name, grant(f"{name}-*"), subject=subject(workload)))
        self._note()
        self._rest(pause)

    @rule(name=names, pause=pauses)
    def delete(self, name: str, pause: float) -> None:
        if self._alive(name):
            self._forget(name)
            self._do(self.stage.delete, name)
            self._rest(pause)

    @rule(workload=workloads, email=accounts, ready=st.booleans(), traffic=st.booleans(), pause=pauses)
    def deploy(self, workload: Any, email: str, pause: float, *, ready: bool, traffic: bool) -> None:
        self._do(self.stage.google.state.deploy, workload, email, ready=ready, traffic=traffic)
        self._note()
        self._rest(pause)

    @rule(workload=workloads, pause=pauses)
    def undeploy(self, workload: Any, pause: float) -> None:
        if workload in self.stage.google.state.workloads:
            self._do(self.stage.google.state.delete, workload)
            self._rest(pause)

    @rule(allowed=st.booleans(), pause=pauses)
    def label(self, pause: float, *, allowed: bool) -> None:
        if not allowed:
            self.kept = set()
        self._do(self.stage.kubernetes.namespaces.update, shop={"search": "yes" if allowed else "no"})
        self._rest(pause)

    @rule(error=st.sampled_from([Unreachable("x"), PermissionDenied("403"), Throttled("429")]), pause=pauses)
    def google_fails(self, error: Unreachable, pause: float) -> None:
        if not self.kept:
            self.all_is_well()
            self.kept = self._rights()
        self._do(self.stage.faults.fail, memory_google.SIDE, error)
        self._rest(pause)

    @rule(pause=pauses)
    def google_answers(self, pause: float) -> None:
        self.kept = set()
        self._do(self.stage.faults.heal, memory_google.SIDE)
        self._rest(pause)

    @rule(side=st.sampled_from([memory_elasticsearch.SIDE, memory_kubernetes.SIDE]), pause=pauses)
    def something_else_fails(self, side: str, pause: float) -> None:
        self._do(self.stage.faults.fail, side, Unreachable("x"))
        self._rest(pause)
        self._do(self.stage.faults.heal, side)

    @rule(number=st.integers(0, 4), fault=st.sampled_from(Fault))
    def something_goes_wrong_soon(self, number: int, fault: Fault) -> None:
        self.stage.faults.at_write(number, fault)

    @rule(name=names, away=st.booleans(), pause=pauses)
    def restart_with_a_forged_status(self, name: str, pause: float, *, away: bool) -> None:
        """Let it say that a stranger is behind the workload, to an operator that remembers nothing."""
        if not self._alive(name):
            return
        self.runner.run(self.stage.stop())
        if away:
            self._do(self.stage.faults.fail, memory_google.SIDE, Unreachable("x"))
        status = self.stage.get(name).get("status", {})
        stranger = {"serviceAccount": account("stranger"), "principal": account("stranger")}
        identity = {"workload": self._workload_of(name).path, **status.get("identity", {}), **stranger}
        status = {**status, "identity": identity}
        self._do(self.stage.kubernetes.change, access_key(name), lambda raw: raw.update(status=status))
        self.runner.run(self.stage.restart())
        self._rest(pause)

    @rule(pause=pauses)
    def restart(self, pause: float) -> None:
        self.runner.run(self.stage.restart())
        self._rest(pause)

    @rule()
    def all_is_well(self) -> None:
        for side in (memory_google.SIDE, memory_elasticsearch.SIDE, memory_kubernetes.SIDE):
            self._do(self.stage.faults.heal, side)
        self.kept = set()
        self._rest(GRACE + 2 * REFRESH)
        self._rest(0)
        self.runner.run(self.stage.quiet())
        assert self._rights() == self._wanted()
        wrong = {name: self.stage.ready(name) for name in NAMES if self.stage.get(name) and not self._is_reported(name)}
        assert not wrong
        written = self.runner.run(self.stage.reconcile_all())
        assert written == [], written

    def _is_reported(self, name: str) -> bool:
        if self.stage.kubernetes.namespaces["shop"]["search"] != "yes":
            return self.stage.ready(name) == ("False", "NamespaceNotAllowed")
        if self._workload_of(name) in self.stage.google.state.workloads:
            return self.stage.ready(name) == ("True", "InSync")
        return self.stage.ready(name)[1] == "ServiceNotFound"

    def _rights(self) -> set[tuple[str, str]]:
        return {(email, uid) for email in have_roles(self.stage) for uid in owner_uids(self.stage.role(email))}

    def _wanted(self) -> set[tuple[str, str]]:
        if self.stage.kubernetes.namespaces["shop"]["search"] != "yes":
            return set()
        return {
            (email, self._uid(name))
            for name in NAMES
            if self._alive(name)
            for email in self._accounts(self._workload_of(name))
        }

    @invariant()
    def nobody_else_ever_has_rights(self) -> None:
        self.stage.check_rules()
        for email, uid in self._rights():
            assert email in self.ever[uid], f"{email} never ran the workload of {uid}"

    @invariant()
    def nothing_is_revoked_while_google_says_nothing(self) -> None:
        assert self.kept <= self._rights()

    def teardown(self) -> None:
        try:
            self.all_is_well()
        finally:
            super().teardown()


TestRandomIdentities = Histories.TestCase
TestRandomIdentities.settings = settings(
    max_examples=examples(30), stateful_step_count=25, deadline=None, suppress_health_check=list(HealthCheck)
)
