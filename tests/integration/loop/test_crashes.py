"""The operator is killed, or did not see what happened: what is declared is what comes out."""

import itertools
import json
import random
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import pytest

from tests.support.servers.proxy import Fault, Seen
from tests.support.waiting import eventually
from tests.support.worlds.arena import MERGE, PATIENCE, Arena, of_accesses, reads_roles, until_hit
from tests.support.worlds.supervisor import Supervisor
from tests.support.worlds.world import access, account, grant

pytestmark = pytest.mark.timeout(600)

NAMES = 30
PRINCIPALS = 20
"""Some accesses share one, and with it a role."""
CRASHES = 7


def rip_out(field: Arena, name: str) -> None:
    """Delete an access by force: nobody gets to clean up after it."""
    field.world.delete(name, wait=False)
    field.world.kubernetes.run_kubectl("patch", "searchaccess", name, "-n", "shop", *MERGE, check=False)
    eventually(lambda: name not in field.listed(), within=PATIENCE, what=f"{name} is gone")


class Declared:
    """What is declared, and changes to it drawn by lot."""

    def __init__(self, field: Arena, lots: random.Random) -> None:
        self._field = field
        self._lots = lots
        self.grants: dict[str, list[dict[str, Any]]] = {}

    @staticmethod
    def principal(name: str) -> str:
        return f"svc-{int(name.split('-')[1]) % PRINCIPALS}"

    def put(self, *names: str) -> None:
        for name in names:
            count = self._lots.randint(1, 3)
            self.grants[name] = [
                grant(f"{name}-{self._lots.randrange(10**6)}-*", can=[self._lots.choice(["read", "write", "delete"])])
                for _ in range(count)
            ]
        self._field.world.apply(
            *(access(name, *self.grants[name], principal=account(self.principal(name))) for name in names)
        )

    def drop(self, *names: str) -> None:
        for name in names:
            del self.grants[name]
            self._field.world.delete(name, wait=False)

    def change(self) -> None:
        """Apply some new ones, edit some and delete some."""
        gone = set(self._field.listed()) - set(self.grants)
        # A name is free again when the old object is really gone.
        free = [
            name for name in (f"a-{number}" for number in range(NAMES)) if name not in self.grants | dict.fromkeys(gone)
        ]
        known = list(self.grants)
        self._lots.shuffle(free)
        self._lots.shuffle(known)
        self.drop(*known[:2])
        self.put(*known[2:5], *free[:6])

    def entries(self) -> dict[str, set[str]]:
        """Index patterns by principal."""
        found: dict[str, set[str]] = {}
        for name, grants in self.grants.items():
            for one in grants:
                found.setdefault(self.principal(name), set()).update(one["indices"])
        return found


def entries_in(roles: dict[str, dict[str, Any]]) -> dict[str, set[str]]:
    return {name: {index for entry in role["indices"] for index in entry["names"]} for name, role in roles.items()}


class Foreign:
    """Objects of others, in the neighborhood and under our very names."""

    def __init__(self, field: Arena) -> None:
        self._admin = field.world.admin
        own = field.world.role_name("somebody-else")
        role = {"cluster": ["monitor"], "metadata": {"team": "others"}}
        mapping = {"enabled": True, "roles": ["foreign"], "rules": {"field": {"username": "x"}}}
        self._paths = [f"/_security/role/{own}", "/_security/role/foreign", "/_security/role_mapping/foreign"]
        for path in self._paths:
            self._admin.put(path, json=mapping if "mapping" in path else role).raise_for_status()
        self._before = self._look()

    def _look(self) -> str:
        return json.dumps([self._admin.get(path).json() for path in self._paths], sort_keys=True)

    def check(self) -> None:
        assert self._look() == self._before

    def remove(self) -> None:
        for path in self._paths:
            self._admin.delete(path)


def nth(number: int, *, writes: bool = True) -> Callable[[Seen], bool]:
    """The so many-th write, or request of any kind; watches never end and do not count."""
    counter = itertools.count(1)
    return lambda seen: (seen.writes or not writes) and not seen.watches and next(counter) == number


def hit_or_in_sync(field: Arena, fault: Fault) -> None:
    """Wait until a fault struck; it need not when there are fewer writes than it waits for."""
    eventually(lambda: fault.hits or not field.unready(), within=PATIENCE, every=0.2, what="a crash")


@pytest.mark.parametrize("seed", [1, 2])
def test_killed_at_any_moment_it_ends_up_with_what_is_declared(
    field: Arena, seed: int, record_property: Callable[[str, object], None]
) -> None:
    """Each crash strikes at a request drawn by lot, mostly a write, on either side, before or after it was done."""
    lots = random.Random(seed)  # noqa: S311 - draws lots
    declared, foreign = Declared(field, lots), Foreign(field)
    field.world.apply(field.cluster())
    struck: list[str] = []
    with Supervisor(field.operator()).running() as supervisor:
        for _ in range(CRASHES):
            side = lots.choice([field.elasticsearch, field.api])
            before, writes = lots.random() < 0.5, lots.random() < 0.7
            number = lots.randint(1, 3 if side is field.elasticsearch else 12)
            fault = Fault(drop=before, lose_reply=not before, times=1, hook=supervisor.kill)
            exits = supervisor.exits
            with side.fault(fault, nth(number, writes=writes)):
                declared.change()
                hit_or_in_sync(field, fault)
            if fault.hits:
                name = "Elasticsearch" if side is field.elasticsearch else "Kubernetes"
                moment = f"{'before' if before else 'after'} {'write' if writes else 'request'} {number} to {name}"
                struck.append(moment)
                supervisor.until_restarted(exits)
        declared.change()
        field.until_in_sync(len(declared.grants))
        # One role under our name is another's: its accesses would say so, and nobody declared any.
        field.until_quiet()
        roles = field.roles()
    roles.pop("somebody-else")
    record_property("crashes", struck)
    assert struck
    assert supervisor.exits == len(struck)
    assert entries_in(roles) == declared.entries()
    assert set(field.listed()) == set(declared.grants)
    foreign.check()
    foreign.remove()


def test_killed_at_random_moments_while_everything_is_deleted(field: Arena) -> None:
    lots = random.Random(7)  # noqa: S311 - draws lots
    declared = Declared(field, lots)
    field.world.apply(field.cluster())
    with Supervisor(field.operator()).running() as supervisor:
        declared.put(*(f"a-{number}" for number in range(NAMES)))
        field.until_in_sync(NAMES)
        for number in (2, 9):
            exits = supervisor.exits
            fault = Fault(drop=lots.random() < 0.5, lose_reply=True, times=1, hook=supervisor.kill)
            with field.api.fault(fault, nth(number)):
                names = list(declared.grants)[: NAMES // 2]
                declared.grants = {name: grants for name, grants in declared.grants.items() if name not in names}
                field.world.kubernetes.run_kubectl("delete", "searchaccess", "-n", "shop", "--wait=false", *names)
                supervisor.until_restarted(exits)
        eventually(lambda: not field.listed(), within=PATIENCE, every=0.3, what="no access is left")
        assert supervisor.exits == 2
    assert not field.roles()


def test_accesses_that_went_while_it_was_down_leave_no_role(field: Arena) -> None:
    field.world.apply(field.cluster())
    field.world.apply(*(access(f"svc-{number}", grant("orders-*")) for number in range(5)))
    with field.running():
        field.until_in_sync(5)
        field.until_quiet()
    rip_out(field, "svc-1")
    rip_out(field, "svc-3")
    before = {name: found["metadata"]["resourceVersion"] for name, found in field.listed().items()}
    with field.running():
        eventually(lambda: set(field.roles()) == {"svc-0", "svc-2", "svc-4"}, within=PATIENCE, what="orphans are gone")
        field.until_quiet()
    assert before == {name: found["metadata"]["resourceVersion"] for name, found in field.listed().items()}


def test_a_deletion_that_the_watch_missed_is_noticed_by_the_list(field: Arena) -> None:
    def watches(seen: Seen) -> bool:
        return seen.watches and "/searchaccesses" in seen.path

    expired = {"type": "ERROR", "object": {"kind": "Status", "status": "Failure", "code": 410, "reason": "Expired"}}
    field.world.apply(field.cluster())
    field.world.apply(access("stays", grant("orders-*")), access("goes", grant("orders-*")))
    with field.running(extra=("--resync-period", "4s")) as process:
        field.until_in_sync(2)
        field.until_quiet()
        with field.api.fault(Fault(answer=(200, expired), times=1), watches) as gap:
            # The watch breaks, the access goes, and what happened meanwhile is no longer to be had.
            with field.api.fault(Fault(black_hole=True), watches) as silence:
                field.api.cut()
                until_hit(silence)
                rip_out(field, "goes")
            until_hit(gap)
        eventually(lambda: set(field.roles()) == {"stays"}, within=PATIENCE, every=0.2, what="its role is gone")
        # And the watch works again.
        field.world.apply(access("comes", grant("orders-*")))
        field.until_in_sync(2)
        assert process.running


def test_the_api_server_goes_and_comes_back(field: Arena, record_property: Callable[[str, object], None]) -> None:
    field.world.apply(field.cluster())
    field.world.apply(*(access(f"svc-{number}", grant("orders-*")) for number in range(5)))
    with Supervisor(field.operator(proxied=False)).running() as supervisor:
        field.until_in_sync(5)
        field.until_quiet()
        field.kubernetes.stop_apiserver()
        # Elasticsearch is kept as declared meanwhile: it needs nobody's answer.
        role = field.world.role("svc-0")
        field.world.write_role("svc-0", role | {"cluster": ["all"]})
        eventually(lambda: field.world.role("svc-0") == role, within=PATIENCE, every=0.2, what="drift is healed")
        exits_while_away = supervisor.exits
        field.kubernetes.start_apiserver()
        field.world.apply(access("svc-5", grant("orders-*")))
        field.world.patch("svc-1", {"spec": {"grants": [grant("edited-*")]}})
        field.world.delete("svc-2", wait=False)
        field.until_in_sync(5)
        assert set(field.roles()) == {"svc-0", "svc-1", "svc-3", "svc-4", "svc-5"}
        assert field.roles()["svc-1"]["indices"][0]["names"] == ["edited-*"]
        # What was found meanwhile was not forgotten.
        eventually(
            lambda: field.listed()["svc-0"]["status"].get("drift", {}).get("corrected"),
            within=PATIENCE,
            what="drift is counted",
        )
        record_property("exits while away", exits_while_away)
        record_property("exits", supervisor.exits)


def test_started_before_the_api_server_it_waits(field: Arena) -> None:
    field.world.apply(field.cluster(), access("svc", grant("orders-*")))
    supervisor = Supervisor(field.operator(proxied=False))
    field.kubernetes.stop_apiserver()
    try:
        with supervisor.running():
            eventually(
                lambda: "the namespace kube-system" in supervisor.process.output(), within=PATIENCE, what="tries"
            )
            field.kubernetes.start_apiserver()
            field.until_in_sync(1)
            assert supervisor.exits == 0
    except BaseException:
        with suppress(Exception):
            field.kubernetes.start_apiserver()
        raise
    assert field.elasticsearch.count(reads_roles) >= 1
    assert not field.api.since(0, of_accesses)


def test_what_a_restored_etcd_has_is_what_counts(field: Arena) -> None:
    names = ("edited", "deleted")
    field.world.apply(field.cluster(), *(access(name, grant(f"{name}-*")) for name in names))
    then = {name: [f"{name}-*"] for name in names}
    with Supervisor(field.operator(proxied=False, extra=("--resync-period", "3s"))).running() as supervisor:
        field.until_in_sync(2)
        field.kubernetes.back_up()
        field.world.apply(access("edited", grant("other-*")), access("created", grant("created-*")))
        field.world.delete("deleted")
        field.until_in_sync(2)
        assert set(field.roles()) == {"edited", "created"}
        field.kubernetes.restore()
        # Nothing that comes has a later version than what is known.
        eventually(
            lambda: {name: role["indices"][0]["names"] for name, role in field.roles().items()} == then,
            within=PATIENCE,
            every=0.3,
            what="the roles are those of the backup",
        )
        field.until_in_sync(2)
        assert supervisor.exits == 0
