"""Random histories of moves: whoever once had rights always has some, and in the end exactly what is declared."""

from typing import Any

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import initialize, invariant, rule

from searchaccess.ports.errors import Unreachable
from searchaccess.ports.kubernetes import Plural
from tests.component.credentials.common import STORES
from tests.component.moves.common import NEW, new_cluster
from tests.support.failures.faults import Fault
from tests.support.loop.stage import Stage, access_key, search_cluster
from tests.support.loop.stagemachine import StageMachine
from tests.support.memory import elasticsearch as memory_elasticsearch
from tests.support.memory import kubernetes as memory_kubernetes
from tests.support.memory import store as memory_store
from tests.support.memory.elasticsearch import MemoryElasticsearch, owner_uids
from tests.support.runs.effort import examples
from tests.support.worlds.world import access, account, condition_in, grant

NAMES = ("a", "b", "c")
HOUR = 3600.0
names = st.sampled_from(NAMES)
pauses = st.sampled_from([0.0, 0.02, 0.5, 3.0])
SIDES = (memory_elasticsearch.SIDE, memory_kubernetes.SIDE, memory_store.SIDE)


def auth_of(auth: str, name: str) -> dict[str, Any]:
    if auth == "IdentityToken":
        return {"auth": auth, "credential": None}
    return {"auth": auth, "credential": {"store": "main", "name": f"{name}-secret", "overlap": "1h"}}


class Moves(StageMachine):
    """SearchAccesses change their clusters, subjects and logins; clusters come and go; the operator is interrupted."""

    def __init__(self) -> None:
        super().__init__()
        self.served: set[str] = set()
        """The uids of those that had rights once."""

    async def _begin(self) -> Stage:
        stage = Stage()
        stage.server(NEW).wipe("uuid-of-new")
        stage.start()
        stage.apply(search_cluster(secretStores=STORES))
        return stage

    @initialize()
    def start(self) -> None:
        self._rest(1)

    @rule(name=names, auth=st.sampled_from(["IdentityToken", "ApiKey", "Password"]), pause=pauses)
    def declare(self, name: str, auth: str, pause: float) -> None:
        if not self.stage.get(name):
            raw = access(name, grant(f"{name}-*"), principal=account("one"))
            raw["spec"] |= {key: value for key, value in auth_of(auth, name).items() if value}
            self.runner.run(self._apply(raw))
            self._rest(pause)

    async def _apply(self, raw: dict[str, Any]) -> None:
        self.stage.apply(raw)

    @rule(name=names, cluster=st.sampled_from(["prod", "prd", "new"]), pause=pauses)
    def move(self, name: str, cluster: str, pause: float) -> None:
        self._amend(name, pause, cluster=cluster)

    @rule(name=names, principal=st.sampled_from(["one", "two"]), pause=pauses)
    def change_subject(self, name: str, principal: str, pause: float) -> None:
        self._amend(name, pause, subject={"serviceAccount": account(principal)})

    @rule(name=names, auth=st.sampled_from(["IdentityToken", "ApiKey", "Password"]), pause=pauses)
    def change_auth(self, name: str, auth: str, pause: float) -> None:
        self._amend(name, pause, **auth_of(auth, name))

    def _amend(self, name: str, pause: float, **spec: Any) -> None:
        if self._alive(name):
            self.runner.run(self._amended(name, spec))
            self._rest(pause)

    async def _amended(self, name: str, spec: dict[str, Any]) -> None:
        def change(raw: dict[str, Any]) -> None:
            raw["spec"] = {key: value for key, value in (raw["spec"] | spec).items() if value is not None}

        self.stage.kubernetes.change(access_key(name), change)

    @rule(name=names, pause=pauses)
    def delete(self, name: str, pause: float) -> None:
        if self._alive(name):
            self.served.discard(self.stage.get(name)["metadata"]["uid"])
            self.runner.run(self._delete((Plural.ACCESSES, "shop", name)))
            self._rest(pause)

    async def _delete(self, key: Any) -> None:
        self.stage.kubernetes.delete(key)

    @rule(pause=pauses)
    def the_new_cluster_comes(self, pause: float) -> None:
        if not self.stage.cluster("new"):
            self.runner.run(self._apply(new_cluster()))
            self._rest(pause)

    @rule(pause=pauses)
    def the_new_cluster_goes(self, pause: float) -> None:
        if self.stage.cluster("new") and not self.stage.cluster("new")["metadata"].get("deletionTimestamp"):
            self.runner.run(self._delete((Plural.CLUSTERS, "", "new")))
            self._rest(pause)

    @rule(side=st.sampled_from(SIDES), pause=pauses)
    def something_fails(self, side: str, pause: float) -> None:
        self.stage.faults.fail(side, Unreachable("x"))
        self._rest(pause)

    @rule(pause=pauses)
    def all_work_again(self, pause: float) -> None:
        self._heal()
        self._rest(pause)

    def _heal(self) -> None:
        for side in SIDES:
            self.stage.faults.heal(side)

    @rule(number=st.integers(0, 4), fault=st.sampled_from(Fault))
    def something_goes_wrong_soon(self, number: int, fault: Fault) -> None:
        self.stage.faults.at_write(number, fault)

    @rule(pause=pauses)
    def restart(self, pause: float) -> None:
        self.runner.run(self.stage.restart())
        self._rest(pause)

    @rule(seconds=st.sampled_from([0.2, 2.0, 70.0, 400.0]))
    def time_passes(self, seconds: float) -> None:
        self._rest(seconds)

    @rule()
    def all_is_well(self) -> None:
        self._heal()
        self._rest(600)
        self.runner.run(self.stage.quiet())
        self.stage.check_rules()
        for name in NAMES:
            raw = self.stage.get(name)
            assert not raw or self._alive(name), raw
            if raw and self.stage.cluster(raw["spec"]["cluster"]):
                assert self.stage.ready(name) == ("True", "InSync"), raw
                assert not condition_in(raw, "Held")
                self.served.add(raw["metadata"]["uid"])
                self._exact(raw)
        assert self.runner.run(self.stage.reconcile_all()) == []

    def _exact(self, raw: dict[str, Any]) -> None:
        """Check that it has its rights where it declares them, and nowhere else but for the overlap of keys."""
        uid, spec = raw["metadata"]["uid"], raw["spec"]
        here = self.stage.server(NEW if spec["cluster"] == "new" else "https://one:9200")
        tokens = spec.get("auth", "IdentityToken") == "IdentityToken"
        for server in self.stage.servers.values():
            roles = [name for name in server.roles_now if uid in self._role_owners(server, name)]
            wanted = server is here and tokens
            assert len(roles) == wanted, (roles, spec)
            assert not wanted or roles[0].endswith(spec["subject"]["serviceAccount"])
        assert tokens or uid in self._credential_owners(here)

    def _role_owners(self, server: MemoryElasticsearch, name: str) -> set[str]:
        return owner_uids(server.roles_now[name])

    def _credential_owners(self, server: MemoryElasticsearch) -> set[str]:
        return self.runner.run(self._owners_of_live(server))

    async def _owners_of_live(self, server: MemoryElasticsearch) -> set[str]:
        live = [*server.live_keys(), *server.users_now.values()]
        return {str((raw.get("metadata") or {}).get("owner", {}).get("uid")) for raw in live}

    @invariant()
    def nobody_who_is_served_is_without_rights(self) -> None:
        self.stage.check_rules()
        for uid in self.served:
            assert any(
                uid in self._credential_owners(server)
                or any(uid in self._role_owners(server, name) for name in server.roles_now)
                for server in self.stage.servers.values()
            ), uid

    def teardown(self) -> None:
        try:
            self.all_is_well()
            for name in NAMES:
                self.delete(name, 0.0)
            self._rest(600)
            self.runner.run(self.stage.quiet())
            self.stage.check_rules()
            for server in self.stage.servers.values():
                assert not self._credential_owners(server)
                assert not server.roles_now
        finally:
            super().teardown()


TestRandomMoves = Moves.TestCase
TestRandomMoves.settings = settings(
    max_examples=examples(30), stateful_step_count=20, deadline=None, suppress_health_check=list(HealthCheck)
)
