"""What happens while a side is away, refuses, or answers into the void."""

import json
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from itertools import pairwise

import pytest

from searchaccess.api.conditions.reasons import Reason
from searchaccess.api.constants import FINALIZER
from tests.stack.elasticsearch import ElasticsearchServer
from tests.support.servers.proxy import Fault, Proxy, Seen
from tests.support.waiting import eventually
from tests.support.worlds.arena import (
    PATIENCE,
    Arena,
    of_accesses,
    patches_finalizers,
    patches_status,
    until_hit,
    writes_roles,
)
from tests.support.worlds.world import OPERATOR_PASSWORD, OPERATOR_ROLE, OPERATOR_USER, access, condition_in, grant

pytestmark = pytest.mark.timeout(400)


def declare(field: Arena, *names: str, index: str = "orders-*") -> None:
    field.world.apply(*(access(name, grant(index)) for name in names))


def until_gone(field: Arena, name: str) -> None:
    eventually(lambda: name not in field.listed(), within=PATIENCE, every=0.2, what=f"{name} is gone")


def until_says(field: Arena, name: str, reason: str, status: str | None = None) -> None:
    field.world.until_reason(name, reason, status=status, within=PATIENCE)


def may_read(field: Arena, name: str, index: str) -> bool:
    with field.world.caller(name) as caller:
        asked = {"index": [{"names": [index], "privileges": ["read"]}]}
        return bool(caller.post("/_security/user/_has_privileges", json=asked).json().get("has_all_requested"))


@contextmanager
def away(server: ElasticsearchServer) -> Iterator[None]:
    server.stop()
    try:
        yield
    finally:
        server.start()


def test_elasticsearch_goes_and_comes_back(field: Arena) -> None:
    old = [f"old-{number}" for number in range(4)]
    new = [f"new-{number}" for number in range(10)]
    field.world.apply(field.cluster())
    declare(field, *old)
    with field.running():
        field.until_in_sync(len(old))
        field.until_quiet()
        with away(field.world.elasticsearch):
            declare(field, *new)
            field.world.patch("old-0", {"spec": {"grants": [grant("edited-*")]}})
            field.world.delete("old-1", wait=False)
            until_says(field, new[0], "ClusterUnreachable", "Unknown")
            # What was true and is not to change is not called into question at once, but after a minute.
            assert condition_in(field.listed()["old-2"], "Ready")["reason"] == "InSync"
            for name in (*new, "old-0"):
                until_says(field, name, "ClusterUnreachable", "Unknown")
            until_says(field, "old-1", "ClusterUnreachable", "False")
            assert FINALIZER in field.listed()["old-1"]["metadata"]["finalizers"]
        field.until_in_sync(len(old) + len(new) - 1)
        assert set(field.roles()) == {*new, "old-0", "old-2", "old-3"}
        assert may_read(field, "new-9", "orders-1")
        assert may_read(field, "old-0", "edited-1")
        assert not may_read(field, "old-1", "orders-1")


def test_retries_back_off_and_never_stop(field: Arena, record_property: Callable[[str, object], None]) -> None:
    field.world.apply(field.cluster())
    declare(field, "svc")
    with field.running():
        field.until_in_sync(1)
        mark = field.elasticsearch.mark()
        with field.elasticsearch.fault(Fault(answer=(502, {"error": "nobody there"}))) as outage:
            until_hit(outage)
            # Those that come meanwhile get the report, and hurry nothing.
            for number in range(5):
                declare(field, f"new-{number}")
            until_says(field, "new-4", "ClusterUnreachable", "Unknown")
            until_hit(outage, 10)
            tries = [request.at for request in field.elasticsearch.since(mark) if request.status == 502]
        field.until_in_sync(6)
    gaps = [after - before for before, after in pairwise(tries)]
    record_property("seconds between tries", [round(gap, 1) for gap in gaps])
    most = max(sum(start <= at < start + 10 for at in tries) for start in tries)
    record_property("most tries in 10 s", most)
    # 0.25, 0.5, 1, 2, 4 and then 5 seconds at most, each drawn from its upper half; a try takes its time on top.
    assert most <= 9, gaps
    assert all(gap >= 1 for gap in gaps[6:]), gaps
    # Without a limit, the last would be half a minute at least.
    assert all(gap <= 30 for gap in gaps), gaps


@pytest.mark.parametrize(("status", "reason"), [(429, "Throttled"), (503, "ClusterUnreachable")])
def test_elasticsearch_asks_to_come_later(field: Arena, status: int, reason: str) -> None:
    field.world.apply(field.cluster())
    declare(field, "calm")
    with field.running():
        field.until_in_sync(1)
        with field.elasticsearch.fault(Fault(answer=(status, {"error": {"reason": "not now"}})), writes_roles) as fault:
            declare(field, "eager")
            until_says(field, "eager", reason)
            assert condition_in(field.listed()["calm"], "Ready")["reason"] == "InSync"
            until_hit(fault, 3)
        field.until_in_sync(2)
        assert set(field.roles()) == {"calm", "eager"}


def test_a_login_without_the_right_to_write_roles(field: Arena) -> None:
    """Elasticsearch itself refuses: a deleted access stays until its rights are really gone."""
    field.world.apply(field.cluster())
    declare(field, "leaver", "stayer")
    role = f"/_security/role/{OPERATOR_USER}"
    with field.running():
        field.until_in_sync(2)
        field.until_quiet()
        before = field.listed()["stayer"]
        reads_only = OPERATOR_ROLE | {"cluster": ["read_security", "monitor"]}
        field.world.admin.put(role, json=reads_only).raise_for_status()
        try:
            field.world.delete("leaver", wait=False)
            declare(field, "comer")
            until_says(field, "leaver", "PermissionDenied", "False")
            until_says(field, "comer", "PermissionDenied", "False")
            assert FINALIZER in field.listed()["leaver"]["metadata"]["finalizers"]
            assert set(field.roles()) == {"leaver", "stayer"}
            assert field.listed()["stayer"]["status"] == before["status"]
            assert may_read(field, "stayer", "orders-1")
        finally:
            field.world.admin.put(role, json=OPERATOR_ROLE).raise_for_status()
        until_gone(field, "leaver")
        field.until_in_sync(2)
        assert set(field.roles()) == {"comer", "stayer"}


def spoil(field: Arena, fault: Fault, when: Callable[[Seen], bool]) -> AbstractContextManager[Fault]:
    """Spoil requests about roles or about SearchAccesses, on the side where they pass."""
    side = field.elasticsearch if when is writes_roles else field.api
    return side.fault(fault, lambda seen: when(seen) and (of_accesses(seen) or writes_roles(seen)))


@pytest.mark.parametrize("how", ["drop", "lose_reply"])
def test_requests_and_replies_that_get_lost(field: Arena, how: str) -> None:
    """Not knowing whether a write happened is the same as it being cut off: observe again."""
    field.world.apply(field.cluster())
    with field.running():
        field.until_cluster_ready()
        for number, when in enumerate((writes_roles, patches_status, patches_finalizers)):
            names = [f"svc-{number}-{letter}" for letter in "abc"]
            fault = Fault(drop=how == "drop", lose_reply=how == "lose_reply", times=2)
            with spoil(field, fault, when):
                declare(field, *names)
                until_hit(fault)
                field.until_in_sync((number + 1) * 3)
            assert {*names} <= set(field.roles())
        for number, when in enumerate((writes_roles, patches_finalizers)):
            fault = Fault(drop=how == "drop", lose_reply=how == "lose_reply", times=1)
            with spoil(field, fault, when):
                field.world.delete(f"svc-{number}-a", wait=False)
                until_gone(field, f"svc-{number}-a")
            assert fault.hits == 1
        field.until_in_sync(7)
        assert set(field.roles()) == set(field.listed())
        # Once all is well, nothing goes on being written.
        field.until_quiet(3)
        mark = field.api.mark()
        field.until_quiet(2, field.elasticsearch.mark())
        assert not field.api.since(mark, lambda seen: seen.writes)


@pytest.mark.parametrize("status", [429, 503])
def test_the_api_server_asks_to_come_later(field: Arena, status: int) -> None:
    refusal = {"kind": "Status", "apiVersion": "v1", "status": "Failure", "code": status, "message": "not now"}
    field.world.apply(field.cluster())
    declare(field, "calm")
    with field.running() as process:
        field.until_in_sync(1)
        with field.api.fault(Fault(answer=(status, refusal)), of_accesses) as fault:
            declare(field, "eager")
            field.world.delete("calm", wait=False)
            until_hit(fault, 4)
            # Nothing is granted before the finalizer is in place.
            assert "eager" not in field.roles()
        field.until_in_sync(1)
        assert set(field.roles()) == set(field.listed()) == {"eager"}
        assert process.running


def test_a_cluster_that_never_answers_delays_no_other(field: Arena) -> None:
    server = field.world.elasticsearch
    with (
        Proxy(server.url, server.ca_file, field.folder / "second-pki") as silent,
        silent.fault(Fault(black_hole=True)),
    ):
        field.world.apply(field.cluster("good"), field.cluster("silent", silent))
        process = field.operator()
        process.start()
        try:
            field.world.apply(access("waiting", grant("orders-*"), cluster="silent"))
            eventually(lambda: silent.requests, within=PATIENCE, what="a request that hangs")
            field.world.apply(access("served", grant("orders-*"), cluster="good"))
            until_says(field, "served", "InSync")
            assert may_read(field, "served", "orders-1")
            field.world.patch("served", {"spec": {"grants": [grant("edited-*")]}})
            until_says(field, "served", "InSync")
            assert may_read(field, "served", "edited-1")
            field.world.delete("served", wait=False)
            until_gone(field, "served")
            assert not field.roles()
            assert all(request.status is None for request in silent.requests)
            assert condition_in(field.listed()["waiting"], "Ready").get("status") != "True"
        finally:
            # A request that hangs does not keep it from stopping either.
            assert process.stop() == 0


def test_one_refused_access_among_many_is_reported_alone(field: Arena) -> None:
    names = [f"svc-{number}" for number in range(50)]
    field.world.apply(field.cluster())
    with field.running():
        field.until_cluster_ready()
        good = [access(name, grant("orders-*")) for name in names if name != "svc-17"]
        field.world.apply(access("svc-17", grant("orders-*", privileges=["no_such_privilege"])), *good)
        until_says(field, "svc-17", Reason.REJECTED, "False")
        eventually(lambda: field.unready() == ["svc-17"], within=PATIENCE, every=0.3, what="all but one in sync")
        assert set(field.roles()) == {*names} - {"svc-17"}
        assert "no_such_privilege" in condition_in(field.listed()["svc-17"], "Ready")["message"]
        field.until_quiet()
        declare(field, "svc-17")
        field.until_in_sync(50)
        assert set(field.roles()) == {*names}


def test_the_search_for_leaks_finds_what_is_planted(field: Arena) -> None:
    field.world.apply(field.cluster())
    declare(field, "svc")
    with field.running() as process:
        field.until_in_sync(1)
    field.check_leaks()
    token = next(iter(field.tokens))
    original = process.log.read_text()
    for planted in (OPERATOR_PASSWORD, token):
        process.log.write_text(f"{original}Authorization: Bearer {planted}\n")
        with pytest.raises(AssertionError, match=planted[:3]):
            field.check_leaks()
    process.log.write_text(original)
    write_status(field, "svc", {"conditions": [planted_condition(OPERATOR_PASSWORD)]})
    with pytest.raises(AssertionError, match="searchaccesses"):
        field.check_leaks()
    write_status(field, "svc", None)


def write_status(field: Arena, name: str, status: dict[str, object] | None) -> None:
    """Write a status, as somebody who should not."""
    options = ("-n", "shop", "--subresource=status", "--type=merge", "-p", json.dumps({"status": status}))
    field.world.kubernetes.run_kubectl("patch", "searchaccess", name, *options)


def planted_condition(text: str) -> dict[str, object]:
    return {
        "type": "Ready",
        "status": "False",
        "reason": "Planted",
        "message": text,
        "lastTransitionTime": "2026-01-01T00:00:00Z",
        "observedGeneration": 1,
    }
