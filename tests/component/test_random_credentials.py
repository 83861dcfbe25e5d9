"""Random histories of credentials: rotations, crashes, lost replies, outages, people. No consumer is locked out."""

from dataclasses import replace
from typing import Any

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from searchaccess.api.credentials import PayloadFormat
from searchaccess.core.access import access_from_object
from searchaccess.core.canonical import RoleBody
from searchaccess.core.credential import State, Wish
from searchaccess.core.keys import key_from_json, names_of_keys
from searchaccess.core.payload import held_key
from searchaccess.core.rotation import MOST_LIVE
from searchaccess.core.workload import SecretUse
from searchaccess.engine.credentials import Credentials, Job
from searchaccess.ports.errors import ExternalError, LoginRefused, PermissionDenied, Throttled, Unreachable
from searchaccess.ports.stores import Place
from tests.support import memory_elasticsearch, memory_google, memory_store
from tests.support.clocks import virtual_runner
from tests.support.faults import Crash, Fault, Faults
from tests.support.googlestate import a_workload
from tests.support.memory_elasticsearch import MemoryElasticsearch
from tests.support.memory_google import MemoryGoogle
from tests.support.memory_store import MemoryStore
from tests.support.stage import OPERATOR
from tests.support.world import access, grant

HOUR, DAY = 3600.0, 86400.0
ROTATE, OVERLAP, GRACE = 30 * DAY, 24 * HOUR, 7 * DAY
PATIENCE = 15 * DAY
UID = "uid-1"
SERVICE = a_workload()
SIDES = (memory_elasticsearch.SIDE, memory_store.SIDE, memory_google.SIDE)
PLACE = Place("shop", "orders-elasticsearch")
FOREIGN = Place("shop", "somebody-elses")


def rights(index: str) -> RoleBody:
    declared = declare(index)
    return RoleBody(cluster=declared.share.cluster, entries=declared.share.entries)


def declare(index: str) -> Any:
    raw = access("orders", grant(index))
    raw["metadata"] |= {"uid": UID, "generation": 1, "resourceVersion": "1"}
    return access_from_object(raw)


class Histories(RuleBasedStateMachine):
    """One credential, in a store that counts versions."""

    versions = True

    def __init__(self) -> None:
        super().__init__()
        self.runner = virtual_runner()
        self.faults = Faults()
        self.time = 1_700_000_000.0
        self.elasticsearch = MemoryElasticsearch(self.faults)
        self.elasticsearch.now = lambda: self.time
        self.elasticsearch.on_key = self._not_too_many
        self.store = MemoryStore(self.faults, versions=self.versions)
        self.store.put(FOREIGN, "somebody else's value", owner="")
        self.google = MemoryGoogle(self.faults)
        self.google.state.deploy(SERVICE)
        self.pinned = ""
        """The key in the version that Cloud Run has by its number."""
        self.deployed = ""
        """The revision that has it."""
        self.wish = Wish(UID, rights("orders-*"), ROTATE, OVERLAP, GRACE, waits_for_users=True)
        self.looked_at = self.time
        self.requests = 0
        self.whole = False
        """Nobody has damaged anything since consumers could last read a key that works."""
        self.readers: list[tuple[str, float]] = []
        """Keys that consumers have read, and when."""

    def _not_too_many(self, _id: str) -> None:
        live = [raw for raw in self.elasticsearch.live_keys() if raw["username"] != "mallory"]
        assert len(live) <= MOST_LIVE, "three keys are live"

    @property
    def job(self) -> Job:
        declared = replace(declare("orders-*"), uid=UID, subject=SERVICE)
        return Job(declared, self.wish, PayloadFormat.JSON, PLACE, self.store, "main", "https://es.example.com")

    async def _pass(self, *, withdraw: bool = False) -> None:
        credentials = Credentials(OPERATOR, self.elasticsearch, self.google, lambda: self.time)
        me = await self.elasticsearch.login()
        raw = await self.elasticsearch.keys(names_of_keys(OPERATOR))
        keys = [key for item in raw if (key := key_from_json(item, OPERATOR, me)) and key.owner == UID]
        if withdraw:
            await credentials.withdraw(self.job, keys)
        else:
            await credentials.keep(self.job, keys)

    def _try(self, *, withdraw: bool = False) -> bool:
        """Let the operator look once; it may fail or die."""
        try:
            self.runner.run(self._pass(withdraw=withdraw))
        except (ExternalError, Crash):
            self.faults.restart()
            return False
        self.looked_at = self.time
        return True

    @initialize()
    def begin(self) -> None:
        assert self._try()
        self.whole = True

    @rule(hours=st.sampled_from([0, 1, 23, 25, 24 * 8, 24 * 27, 24 * 31]))
    def time_passes(self, hours: int) -> None:
        """The operator looks at least daily: longer than that it is not away here."""
        left = hours
        while left > 0:
            self._consume()
            self.time += min(left, 12) * HOUR
            left -= 12
            self.look()

    @rule()
    def look(self) -> None:
        if self._try():
            self.whole = True
        self._consume()

    def _consume(self) -> None:
        """Somebody reads the newest version, and goes on with that for as long as old and new are promised to work."""
        value = self.store.newest(PLACE)
        key_id = held_key(value) if value else ""
        if self.time > self.looked_at + PATIENCE:
            # For so long a key outlives its rotation, and no longer.
            self._damage()
        if self.whole:
            assert key_id in self._live(), "what consumers read does not work"
            self.readers.append((key_id, self.time))
        self.readers = [(key, since) for key, since in self.readers if self.time < since + OVERLAP]

    def _live(self) -> set[str]:
        return {raw["id"] for raw in self.elasticsearch.live_keys()}

    @rule()
    def somebody_deploys_with_the_newest_version_by_its_number(self) -> None:
        kept = self.store.kept.get(PLACE)
        newest = kept.secret.newest if kept and self.versions else None
        if newest:
            self.google.state.deploy(SERVICE, uses=(SecretUse(PLACE.name, str(newest.number)),))
            self.deployed = self.google.state.workloads[SERVICE].latest_created
            self.pinned = held_key(self.store.newest(PLACE) or "") if self.whole else ""

    @rule(rolls=st.booleans(), broken=st.booleans())
    def somebody_wants_versions_rolled_out(self, *, rolls: bool, broken: bool) -> None:
        self.wish = replace(self.wish, rolls=rolls)
        self.google.state.broken = "it does not start" if broken else ""
        self.look()

    @rule()
    def somebody_deploys_with_latest(self) -> None:
        self.google.state.deploy(SERVICE, uses=(SecretUse(PLACE.name, "latest"),))
        self.pinned = ""

    @rule()
    def somebody_asks_for_a_rotation(self) -> None:
        self.requests += 1
        self.wish = replace(self.wish, requested=f"request-{self.requests}")
        self.look()

    @rule(index=st.sampled_from(["orders-*", "invoices-*"]))
    def somebody_declares_other_rights(self, index: str) -> None:
        self.wish = replace(self.wish, rights=rights(index))
        self.look()

    @rule(number=st.integers(0, 5), fault=st.sampled_from(Fault))
    def something_goes_wrong_soon(self, number: int, fault: Fault) -> None:
        self.faults.at_write(number, fault)

    @rule(
        side=st.sampled_from(SIDES),
        error=st.sampled_from([Unreachable("x"), Throttled("429"), PermissionDenied("403"), LoginRefused("401")]),
        method=st.sampled_from(["*", "add", "create_key", "note_key", "revoke_keys", "look", "disable"]),
    )
    def something_fails(self, side: str, error: ExternalError, method: str) -> None:
        self.faults.fail(side, error, method)
        self.look()

    @rule()
    def all_work_again(self) -> None:
        for side in SIDES:
            self.faults.heal(side)
        self.look()

    # People

    def _damage(self) -> None:
        self.whole = False
        self.readers = []
        self.pinned = ""

    @rule(number=st.integers(0, 2))
    def somebody_invalidates_a_key(self, number: int) -> None:
        live = sorted(self._live())
        if live:
            self._damage()
            self.elasticsearch.invalidate_keys([live[number % len(live)]])

    @rule(state=st.sampled_from([State.DISABLED, State.DESTROYED]), number=st.integers(0, 3))
    def somebody_disables_a_version(self, state: State, number: int) -> None:
        kept = self.store.kept.get(PLACE)
        if kept and self.versions:
            self._damage()
            self.store.set_state(PLACE, [kept.secret.versions[number % len(kept.secret.versions)].number], state)

    @rule()
    def somebody_deletes_the_secret(self) -> None:
        self._damage()
        self.store.kept.pop(PLACE, None)

    @rule(value=st.sampled_from(["", "my own value", '{"id": "key-1"}']))
    def somebody_adds_a_version(self, value: str) -> None:
        if PLACE in self.store.kept:
            self._damage()
            self.store.put(PLACE, value)

    @rule()
    def somebody_changes_a_keys_rights(self) -> None:
        for key_id in self._live():
            self.elasticsearch.keys_now[key_id]["role_descriptors"] = {"mine": {"cluster": ["all"]}}

    @rule(placed=st.booleans())
    def somebody_makes_a_key_that_looks_like_ours(self, *, placed: bool) -> None:
        real = [raw for raw in self.elasticsearch.live_keys() if raw["username"] == self.elasticsearch.me.username]
        if real:
            metadata = dict(real[-1]["metadata"]) | {"sequence": 99}
            if not placed:
                metadata.pop("secret", None)
            key_id = f"forged-{len(self.elasticsearch.keys_now)}"
            forged = real[-1] | {"id": key_id, "username": "mallory", "metadata": metadata}
            self.elasticsearch.keys_now[key_id] = forged

    @rule()
    def the_operator_gets_another_login(self) -> None:
        self.elasticsearch.me = replace(self.elasticsearch.me, username=f"operator-{self.requests}")
        self.look()

    def _requested(self) -> set[str]:
        return {raw["metadata"]["requested"] for raw in self.elasticsearch.live_keys()}

    # What must be true

    @invariant()
    def who_read_a_key_may_use_it_for_the_overlap(self) -> None:
        for key_id, since in self.readers:
            assert self.time >= since + OVERLAP or key_id in self._live(), f"{key_id} ended too early"

    @invariant()
    def what_cloud_run_hands_out_works_until_it_expires(self) -> None:
        serving = {item.revision for item in self.google.state.workloads[SERVICE].serving}
        if self.pinned and self.deployed in serving and self.pinned not in self._live():
            expires = self.elasticsearch.keys_now[self.pinned]["expiration"] / 1000
            assert self.time >= expires, f"{self.pinned} ended although a revision has it"

    @invariant()
    def nothing_foreign_is_touched(self) -> None:
        kept = self.store.kept[FOREIGN]
        assert kept.values[1] == "somebody else's value"
        assert len(kept.secret.versions) == 1

    @rule()
    def all_is_well(self) -> None:
        """When nothing fails and no old version is in use any more, one key is left, and it is what consumers read."""
        self.google.state.broken = ""
        self.somebody_deploys_with_latest()
        for side in SIDES:
            self.faults.heal(side)
        self.faults.restart()
        assert self._try()
        # A rotation that had to wait for the overlap's end has one of its own, and another may be due meanwhile.
        for _ in range(4):
            if len(self._live()) == 1 and self._requested() == {self.wish.requested}:
                break
            self.time += OVERLAP + 1
            assert self._try()
        self.readers = []
        live = self.elasticsearch.live_keys()
        assert len(live) == 1, [raw["metadata"] for raw in live]
        [key] = live
        assert key["username"] == self.elasticsearch.me.username
        assert set(key["role_descriptors"]) == {"searchaccess"}
        assert key["metadata"]["requested"] == self.wish.requested
        value = self.store.newest(PLACE)
        assert value is not None
        assert held_key(value) == key["id"]
        enabled = [version for version in self.store.kept[PLACE].secret.versions if version.state is State.ENABLED]
        assert len(enabled) == 1
        before = len(self.faults.writes)
        assert self._try()
        assert len(self.faults.writes) == before, "quiet: nothing more is written"
        self.whole = True

    def teardown(self) -> None:
        try:
            self.all_is_well()
            assert self._try(withdraw=True)
            assert not self._live()
            assert PLACE not in self.store.kept
        finally:
            self.runner.close()


class HistoriesWithoutVersions(Histories):
    """The same in a store that has the newest value alone."""

    versions = False


QUICK = settings(max_examples=1000, stateful_step_count=25, deadline=None, suppress_health_check=list(HealthCheck))

TestWithVersions = Histories.TestCase
TestWithVersions.settings = QUICK
TestWithoutVersions = HistoriesWithoutVersions.TestCase
TestWithoutVersions.settings = QUICK
