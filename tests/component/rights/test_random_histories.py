"""Random histories: declarations, tampering, outages, lost replies, crashes, restarts. Then all must be as declared."""

from typing import Any

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import initialize, invariant, precondition, rule

from searchaccess.core.model.access import Share
from searchaccess.core.model.canonical import role_from_json
from searchaccess.core.model.parsing import access_from_object
from searchaccess.core.rights.attribution import split
from searchaccess.core.rights.ownership import metadata_from_json
from searchaccess.ports.errors import LoginRefused, PermissionDenied, Unreachable
from searchaccess.ports.kubernetes import Plural
from tests.support.failures.faults import Fault
from tests.support.loop.stage import OPERATOR, Stage, access_key, search_cluster
from tests.support.loop.stagemachine import StageMachine
from tests.support.memory import elasticsearch as memory_elasticsearch
from tests.support.memory import kubernetes as memory_kubernetes
from tests.support.runs.effort import examples
from tests.support.worlds.world import access, account, grant

NAMES = ("a", "b", "c", "d")
PRINCIPALS = (account("one"), account("two"))
FOREIGN = {"indices": [{"names": ["*"], "privileges": ["all"]}], "metadata": {"made_by": "hand"}}

names = st.sampled_from(NAMES)
principals = st.sampled_from(PRINCIPALS)
grants = st.builds(
    lambda index, can: grant(index, can=can),
    st.sampled_from(["x-*", "y", "z-*"]),
    st.lists(st.sampled_from(["read", "write", "append"]), min_size=1, max_size=2, unique=True),
)
cluster_actions = st.lists(st.sampled_from(["monitor", "read_ilm"]), max_size=1)
pauses = st.sampled_from([0.0, 0.05, 0.5, 3.0])
damages: st.SearchStrategy[dict[str, Any] | None] = st.sampled_from(
    [
        None,
        {"indices": []},
        {"cluster": ["all"]},
        {"run_as": ["elastic"]},
        {"description": "mine"},
        {"indices": [{"names": ["x-*"], "privileges": ["all"]}, {"names": ["evil"], "privileges": ["all"]}]},
        {"metadata": OPERATOR.stamp()},
        {"metadata": OPERATOR.stamp() | {"owners": "none", "extra": {"a": 1}}},
    ]
)


class Histories(StageMachine):
    """Anything may happen, in any order; the operator has less than a second or more between any two."""

    def __init__(self) -> None:
        super().__init__()
        self.held: dict[str, Share] = {}

    async def _begin(self) -> Stage:
        stage = Stage()
        stage.start()
        stage.apply(search_cluster())
        stage.elasticsearch.write_role("somebody-elses", FOREIGN)
        stage.elasticsearch.write_role(OPERATOR.role_name(account("hand-made")), FOREIGN)
        return stage

    def _is_held(self, name: str) -> bool:
        return bool(self.stage.get(name)) and self.stage.get(name)["metadata"]["uid"] in self.held

    def _principals_of_held(self) -> set[str]:
        return {self.stage.get(name)["spec"]["subject"]["serviceAccount"] for name in NAMES if self._is_held(name)}

    @initialize()
    def start(self) -> None:
        self._rest(1)

    @rule(name=names, principal=principals, granted=grants, cluster=cluster_actions, pause=pauses)
    def declare(self, name: str, principal: str, granted: dict[str, Any], cluster: list[str], pause: float) -> None:
        if self._is_held(name) or (self.stage.get(name) and not self._alive(name)):
            return
        raw = access(name, granted, principal=principal, clusterCan=cluster)
        self.runner.run(self._apply(raw))
        self._rest(pause)

    async def _apply(self, raw: dict[str, Any]) -> None:
        self.stage.apply(raw)

    @rule(name=names, pause=pauses)
    def delete(self, name: str, pause: float) -> None:
        # Under Observe the rights would stay: see the histories of test_crashes.py.
        if self._alive(name) and self.stage.get(name)["spec"].get("mode") != "Observe":
            self.held.pop(self.stage.get(name)["metadata"]["uid"], None)
            self.runner.run(self._delete(name))
            self._rest(pause)

    async def _delete(self, name: str) -> None:
        self.stage.delete(name)

    @rule(name=names, field=st.sampled_from(["suspend", "mode"]))
    def hold(self, name: str, field: str) -> None:
        """What it has when all is quiet is what it keeps."""
        if not self._alive(name) or self._is_held(name):
            return
        self.all_is_well()
        raw = self.stage.get(name)
        role = self.stage.role(raw["spec"]["subject"]["serviceAccount"])
        shares = split(role_from_json(role), metadata_from_json(role["metadata"]))
        self.held[raw["metadata"]["uid"]] = shares.by_uid[raw["metadata"]["uid"]]
        self.runner.run(self._amend(name, **{field: True if field == "suspend" else "Observe"}))

    @rule(name=names, pause=pauses)
    def let_go_on(self, name: str, pause: float) -> None:
        if self._alive(name) and self._is_held(name):
            del self.held[self.stage.get(name)["metadata"]["uid"]]
            self.runner.run(self._amend(name, suspend=False, mode="Enforce"))
            self._rest(pause)

    async def _amend(self, name: str, **spec: Any) -> None:
        self.stage.amend(name, **spec)

    @rule(principal=principals, damage=damages, pause=pauses)
    def tamper_with_a_role(self, principal: str, damage: dict[str, Any] | None, pause: float) -> None:
        role = self.stage.role(principal)
        if not role or principal in self._principals_of_held():
            return
        if damage is None:
            self.stage.elasticsearch.remove_role(OPERATOR.role_name(principal))
        else:
            self.stage.elasticsearch.write_role(OPERATOR.role_name(principal), role | damage)
        self._rest(pause)

    @rule(gone=st.booleans(), pause=pauses)
    def tamper_with_the_mapping(self, pause: float, *, gone: bool) -> None:
        name = OPERATOR.mapping_name
        found = self.stage.elasticsearch.mappings_now.get(name)
        if found and gone:
            self.stage.elasticsearch.remove_mapping(name)
        elif found:
            self.stage.elasticsearch.write_mapping(name, found | {"enabled": False})
        self._rest(pause)

    @rule(name=names, status=st.sampled_from([{}, {"conditions": []}]), pause=pauses)
    def tamper_with_a_status(self, name: str, status: dict[str, Any], pause: float) -> None:
        if self._alive(name) and not self._is_held(name):
            self.runner.run(self._tamper(name, status))
            self._rest(pause)

    async def _tamper(self, name: str, status: dict[str, Any]) -> None:
        self.stage.kubernetes.change(access_key(name), lambda raw: raw.update(status=status))

    @rule(error=st.sampled_from([Unreachable("x"), LoginRefused("401"), PermissionDenied("403")]), pause=pauses)
    def elasticsearch_fails(self, error: Unreachable, pause: float) -> None:
        self.stage.faults.fail(memory_elasticsearch.SIDE, error)
        self._rest(pause)

    @rule(pause=pauses)
    def kubernetes_fails(self, pause: float) -> None:
        self.stage.faults.fail(memory_kubernetes.SIDE, Unreachable("x"))
        self._rest(pause)

    @rule(pause=pauses)
    def all_work_again(self, pause: float) -> None:
        self._heal()
        self._rest(pause)

    def _heal(self) -> None:
        self.stage.faults.heal(memory_elasticsearch.SIDE)
        self.stage.faults.heal(memory_kubernetes.SIDE)

    @rule(number=st.integers(0, 4), fault=st.sampled_from(Fault))
    def something_goes_wrong_soon(self, number: int, fault: Fault) -> None:
        self.stage.faults.at_write(number, fault)

    @rule(pause=pauses)
    def restart(self, pause: float) -> None:
        self.runner.run(self.stage.restart())
        self._rest(pause)

    @rule(seconds=st.sampled_from([0.2, 2.0, 10.0, 70.0]))
    def time_passes(self, seconds: float) -> None:
        self._rest(seconds)

    @precondition(lambda self: self.stage.process is not None)
    @rule()
    def all_is_well(self) -> None:
        self._heal()
        self.runner.run(self.stage.quiet())
        self.stage.check(self._frozen())
        written = self.runner.run(self.stage.reconcile_all())
        assert written == [], (written, self.stage.cluster())

    def _frozen(self) -> dict[str, Share]:
        present = {raw["metadata"]["uid"] for key, raw in self.stage.kubernetes.objects.items()}
        return {uid: share for uid, share in self.held.items() if uid in present}

    @invariant()
    def no_rule_is_broken(self) -> None:
        self.stage.check_rules()
        assert self.stage.elasticsearch.roles_now["somebody-elses"]["metadata"] == FOREIGN["metadata"]
        assert OPERATOR.role_name(account("hand-made")) in self.stage.elasticsearch.roles_now

    def teardown(self) -> None:
        try:
            self.all_is_well()
            for key, raw in list(self.stage.kubernetes.objects.items()):
                if key[0] is Plural.ACCESSES:
                    assert not access_from_object(raw).invalid
        finally:
            super().teardown()


TestRandomHistories = Histories.TestCase
TestRandomHistories.settings = settings(
    max_examples=examples(60), stateful_step_count=25, deadline=None, suppress_health_check=list(HealthCheck)
)
