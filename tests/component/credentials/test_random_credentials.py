"""Random histories of credentials: rotations, crashes, lost replies, outages, people. No consumer is locked out."""

from dataclasses import replace
from functools import cache
from typing import Any

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from searchaccess.api.stores.credentials import Auth, PayloadFormat
from searchaccess.core.credentials.credential import State, Wish
from searchaccess.core.credentials.payload import held_key
from searchaccess.core.credentials.rotation import MOST_LIVE
from searchaccess.core.model.access import Access
from searchaccess.core.model.canonical import RoleBody, role_from_json
from searchaccess.core.model.identities.workload import SecretUse
from searchaccess.core.model.parsing import access_from_object
from searchaccess.engine.credentials.observe import Issued
from searchaccess.engine.credentials.steps import Credentials, Job
from searchaccess.engine.pacing.sharedclock import SharedClock
from searchaccess.engine.rights.observe import roles_by_owner
from searchaccess.engine.state import ClusterState, Session
from searchaccess.ports.errors import ExternalError, LoginRefused, PermissionDenied, Throttled, Unreachable
from searchaccess.ports.stores import Place
from tests.support.failures.faults import Crash, Fault, Faults
from tests.support.loop.clocks import EPOCH, SettableClock, virtual_runner
from tests.support.loop.stage import OPERATOR
from tests.support.memory import elasticsearch as memory_elasticsearch
from tests.support.memory import google as memory_google
from tests.support.memory import store as memory_store
from tests.support.memory.elasticsearch import MemoryElasticsearch
from tests.support.memory.google import MemoryGoogle
from tests.support.memory.store import MemoryStore
from tests.support.runs.effort import examples
from tests.support.servers.googlestate import a_workload
from tests.support.worlds.world import access, grant

HOUR, DAY = 3600.0, 86400.0
ROTATE, OVERLAP, GRACE = 30 * DAY, 24 * HOUR, 7 * DAY
PATIENCE = 15 * DAY
MOST_SKEW = 6 * HOUR
UID = "uid-1"
SERVICE = a_workload()
SIDES = (memory_elasticsearch.SIDE, memory_store.SIDE, memory_google.SIDE)
PLACE = Place("shop", "orders-elasticsearch")
FOREIGN = Place("shop", "somebody-elses")


def rights(index: str) -> RoleBody:
    declared = declare(index)
    return RoleBody(cluster=declared.share.cluster, entries=declared.share.entries)


@cache
def declare(index: str) -> Access:
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
        self.clock = SettableClock()
        self.skew = 0.0
        """Seconds by which Elasticsearch's clock is ahead."""
        self.skewed = False
        """It jumped while this process of the operator ran."""
        self.elasticsearch = MemoryElasticsearch(self.faults)
        self.elasticsearch.now = lambda: EPOCH.timestamp() + self.time + self.skew
        self.elasticsearch.on_key = self.elasticsearch.on_user = self._not_too_many
        self.store = MemoryStore(self.faults, versions=self.versions)
        self.store.put(FOREIGN, "somebody else's value", owner="")
        self.backup: memory_store._Kept | None = None
        self.google = MemoryGoogle(self.faults)
        self.google.state.deploy(SERVICE)
        self.pinned = ""
        """The key in the version that Cloud Run has by its number."""
        self.deployed = ""
        """The revision that has it."""
        cluster: Any = None
        connection: Any = None
        self.session = Session(cluster, connection, self.elasticsearch, ClusterState())
        self.wish = Wish(UID, rights("orders-*"), ROTATE, OVERLAP, GRACE, waits_for_users=True)
        self.reconciled_at = self.time
        self.requests = 0
        self.whole = False
        """Nobody has damaged anything since consumers could last read a key that works."""
        self.readers: list[tuple[str, float]] = []
        """Keys that consumers have read, and when."""
        self._start()

    @property
    def time(self) -> float:
        return self.clock.seconds

    def _start(self) -> None:
        """Start another process of the operator, which knows nothing of the one before."""
        self.faults.restart()
        self.shared = SharedClock(self.clock)
        if self.skewed:
            # By the only clock that both processes know, keys are older or younger now than they are.
            self.readers = []
            self.skewed = False

    def _not_too_many(self, _id: str) -> None:
        others = {"mallory"}
        if self.faults.fails(memory_elasticsearch.SIDE, "revoke_keys"):
            # Nothing waits until keys of earlier logins that nobody uses are gone.
            others |= {raw["username"] for raw in self.elasticsearch.live_keys()} - {self.elasticsearch.me.username}
        live = [raw for raw in self.elasticsearch.live_keys() if raw["username"] not in others]
        assert len(live) + len(self.elasticsearch.users_now) <= MOST_LIVE, "three are live"

    @property
    def job(self) -> Job:
        declared = replace(declare("orders-*"), uid=UID, subject=SERVICE)
        return Job(declared, self.wish, PLACE, self.store, "main", "https://es.example.com")

    async def _pass(self, *, withdraw: bool = False) -> None:
        credentials = Credentials(OPERATOR, self.elasticsearch, self.google, self.shared)
        roles = self.elasticsearch.roles_now
        self.session.state.user_roles = set(
            roles_by_owner(OPERATOR, roles, lambda error: pytest.fail(str(error))).users
        )
        everything = Issued(OPERATOR)  # another one each time, as after a start
        keys = (await everything.read(self.session, (), full=True, successor=OPERATOR)).keys.get(UID, ())
        await self.shared.observe(self.elasticsearch, keys)
        if withdraw:
            await credentials.withdraw(self.job, keys)
        else:
            await credentials.keep(self.job, keys)

    def _try(self, *, withdraw: bool = False) -> bool:
        """Let the operator reconcile once; it may fail or die."""
        try:
            self.runner.run(self._pass(withdraw=withdraw))
        except Crash:
            self._start()
            return False
        except (ExternalError, KeyError):
            return False
        self.reconciled_at = self.time
        return True

    @initialize()
    def begin(self) -> None:
        assert self._try()
        self.whole = True

    @rule(hours=st.sampled_from([0, 1, 23, 25, 24 * 8, 24 * 27, 24 * 31]))
    def time_passes(self, hours: int) -> None:
        """The operator reconciles at least daily: longer than that it is not away here."""
        left = hours
        while left > 0:
            self._consume()
            self.clock.advance(min(left, 12) * HOUR)
            left -= 12
            self.observe()

    @rule()
    def observe(self) -> None:
        if self._try():
            self.whole = True
        self._consume()

    def _consume(self) -> None:
        """Somebody reads the newest version, and goes on with that for as long as old and new are promised to work."""
        value = self.store.newest(PLACE)
        key_id = held_key(value) if value else ""
        if self.time > self.reconciled_at + PATIENCE:
            # For so long a key outlives its rotation, and no longer.
            self._damage()
        if self.whole:
            assert key_id in self._live(), "what consumers read does not work"
            self.readers.append((key_id, self.time))
        self.readers = [(key, since) for key, since in self.readers if self.time < since + OVERLAP]

    def _live(self) -> set[str]:
        """Return the ids of keys that work, and the names of users that do: with a role, or without any rights."""
        users = {name for name, raw in self.elasticsearch.users_now.items() if raw["enabled"]}
        return {raw["id"] for raw in self.elasticsearch.live_keys()} | users

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
        self.observe()

    @rule()
    def somebody_deploys_with_latest(self) -> None:
        self.google.state.deploy(SERVICE, uses=(SecretUse(PLACE.name, "latest"),))
        self.pinned = ""

    @rule()
    def somebody_asks_for_a_rotation(self) -> None:
        self.requests += 1
        self.wish = replace(self.wish, requested=f"request-{self.requests}")
        self.observe()

    @rule(index=st.sampled_from(["orders-*", "invoices-*"]))
    def somebody_declares_other_rights(self, index: str) -> None:
        self.wish = replace(self.wish, rights=rights(index))
        self.observe()

    @rule(auth=st.sampled_from([Auth.API_KEY, Auth.PASSWORD]))
    def somebody_declares_another_kind(self, auth: Auth) -> None:
        self.wish = replace(self.wish, auth=auth)
        self.observe()

    @rule(form=st.sampled_from(PayloadFormat))
    def somebody_declares_another_format(self, form: PayloadFormat) -> None:
        self.wish = replace(self.wish, form=form)
        self.observe()

    @rule(number=st.integers(0, 5), fault=st.sampled_from(Fault))
    def something_goes_wrong_soon(self, number: int, fault: Fault) -> None:
        self.faults.at_write(number, fault)

    @rule(
        side=st.sampled_from(SIDES),
        error=st.sampled_from([Unreachable("x"), Throttled("429"), PermissionDenied("403"), LoginRefused("401")]),
        method=st.sampled_from(
            ["*", "add", "create_key", "note_key", "revoke_keys", "find", "disable", "create_user", "replace_roles"]
        ),
    )
    def something_fails(self, side: str, error: ExternalError, method: str) -> None:
        self.faults.fail(side, error, method)
        self.observe()

    @rule(side=st.sampled_from(SIDES), method=st.sampled_from(["*", "add", "create_key", "note_key", "find", "keys"]))
    def a_fault_of_ours_happens(self, side: str, method: str) -> None:
        self.faults.fail(side, KeyError("unexpected"), method)
        self.observe()

    @rule()
    def the_operator_starts_again(self) -> None:
        self._start()
        self.observe()

    @rule(hours=st.sampled_from([-50, -2, 2, 50]))
    def the_operators_clock_jumps(self, hours: int) -> None:
        self.clock.offset += hours * HOUR
        self.observe()

    @rule(hours=st.sampled_from([-3, 3]))
    def elasticsearchs_clock_jumps(self, hours: int) -> None:
        if abs(self.skew + hours * HOUR) <= MOST_SKEW:
            self.skew += hours * HOUR
            self.skewed = True
        self.observe()

    @rule(tells=st.booleans())
    def the_login_may_read_the_time(self, *, tells: bool) -> None:
        self.elasticsearch.tells_time = tells

    @rule()
    def all_work_again(self) -> None:
        for side in SIDES:
            self.faults.heal(side)
        self.observe()

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
            one = live[number % len(live)]
            if one in self.elasticsearch.users_now and number == 0:
                self.elasticsearch.users_now[one]["enabled"] = False
            elif one in self.elasticsearch.users_now:
                self.elasticsearch.remove_user(one)
            else:
                self.elasticsearch.invalidate_keys([one])

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

    @rule()
    def somebody_backs_the_secret_up(self) -> None:
        self.backup = self.store.kept.get(PLACE)

    @rule()
    def somebody_restores_the_secret(self) -> None:
        # Those that count versions never count one again.
        if self.backup and not self.versions:
            self._damage()
            self.store.kept[PLACE] = self.backup

    @rule(value=st.sampled_from(["", "my own value", '{"id": "key-1"}']))
    def somebody_adds_a_version(self, value: str) -> None:
        if PLACE in self.store.kept:
            self._damage()
            self.store.put(PLACE, value)

    @rule()
    def somebody_changes_a_keys_rights(self) -> None:
        for raw in self.elasticsearch.live_keys():
            self.elasticsearch.keys_now[raw["id"]]["role_descriptors"] = {"mine": {"cluster": ["all"]}}
        for raw in self.elasticsearch.users_now.values():
            raw["roles"] = ["superuser"]

    @rule()
    def somebody_deletes_or_changes_the_roles_of_users(self) -> None:
        for number, (name, raw) in enumerate(list(self.elasticsearch.roles_now.items())):
            if number % 2:
                self.elasticsearch.remove_role(name)
            else:
                # What is no longer marked as ours would be left alone when its user is gone.
                self.elasticsearch.write_role(name, {"cluster": ["all"], "metadata": raw["metadata"]})

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
        self.observe()

    def _requested(self) -> set[str]:
        working = [*self.elasticsearch.live_keys(), *self.elasticsearch.users_now.values()]
        return {raw["metadata"]["requested"] for raw in working}

    # What must be true

    @invariant()
    def who_read_a_key_may_use_it_for_the_overlap(self) -> None:
        for key_id, since in self.readers:
            assert self.time >= since + OVERLAP or key_id in self._live(), f"{key_id} ended too early"

    @invariant()
    def what_cloud_run_hands_out_works(self) -> None:
        """Unless the operator was away for more than a day, or it is another login's key, which it cannot prolong."""
        serving = {item.revision for item in self.google.state.workloads[SERVICE].serving}
        key = self.elasticsearch.keys_now.get(self.pinned)
        theirs = key is not None and key["username"] != self.elasticsearch.me.username
        if theirs or self.time > self.reconciled_at + DAY or self.deployed not in serving:
            self.pinned = ""
        assert not self.pinned or self.pinned in self._live(), f"{self.pinned} ended although a revision has it"

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
        self.clock.offset = 0.0
        assert self._try()
        # A rotation that had to wait for the overlap's end has one of its own, and another may be due meanwhile.
        for _ in range(4):
            if len(self._live()) == 1 and self._requested() == {self.wish.requested}:
                break
            self.clock.advance(OVERLAP + 1)
            assert self._try()
        self.readers = []
        live = self._live()
        assert len(live) == 1, live
        assert self._requested() == {self.wish.requested}
        value = self.store.newest(PLACE)
        assert value is not None
        assert {held_key(value)} == live
        assert value.startswith("{") is (self.wish.form is PayloadFormat.JSON), "it has the declared format"
        self._expect_right_kind(held_key(value))
        enabled = [version for version in self.store.kept[PLACE].secret.versions if version.state is State.ENABLED]
        assert len(enabled) == 1
        before = len(self.faults.writes)
        assert self._try()
        assert len(self.faults.writes) == before, "quiet: nothing more is written"
        self.whole = True

    def _expect_right_kind(self, one: str) -> None:
        if self.wish.auth is Auth.PASSWORD:
            assert set(self.elasticsearch.roles_now) == set(self.elasticsearch.users_now) == {one}
            assert self.elasticsearch.users_now[one]["roles"] == [one]
            given = replace(role_from_json(self.elasticsearch.roles_now[one]), description="")
        else:
            assert not self.elasticsearch.roles_now
            key = self.elasticsearch.keys_now[one]
            assert key["username"] == self.elasticsearch.me.username
            assert set(key["role_descriptors"]) == {"searchaccess"}
            given = role_from_json(key["role_descriptors"]["searchaccess"])
        assert given.same_as(self.wish.rights)

    def teardown(self) -> None:
        try:
            self.all_is_well()
            assert self._try(withdraw=True)
            assert not self._live()
            assert not self.elasticsearch.users_now
            assert not self.elasticsearch.roles_now
            assert PLACE not in self.store.kept
        finally:
            self.runner.close()


class HistoriesWithoutVersions(Histories):
    """The same in a store that has the newest value alone."""

    versions = False


MANY = settings(
    max_examples=examples(1000), stateful_step_count=25, deadline=None, suppress_health_check=list(HealthCheck)
)

TestWithVersions = Histories.TestCase
TestWithVersions.settings = MANY
TestWithoutVersions = HistoriesWithoutVersions.TestCase
TestWithoutVersions.settings = MANY
