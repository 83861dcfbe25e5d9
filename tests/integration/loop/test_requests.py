"""Requests are behavior: how many of which kind things cost, counted where they pass."""

import json
from collections import Counter
from collections.abc import Callable, Sequence

import pytest

from searchaccess.engine.loop.schedule import FINGERPRINT_EVERY, LONGEST_BURST
from searchaccess.engine.status.finalizers import WITHIN
from tests.support.servers.proxy import Seen, summary
from tests.support.waiting import eventually
from tests.support.worlds.arena import (
    PATIENCE,
    Arena,
    is_about_others,
    is_check,
    is_fingerprint,
    is_probe,
    is_visibility,
    of_accesses,
    patches_finalizers,
    patches_status,
    reads_mappings,
    reads_roles,
    writes_roles,
)
from tests.support.worlds.world import access, grant

Report = Callable[[str, object], None]
"""pytest's record_property."""

pytestmark = pytest.mark.timeout(400)

MANY = 300
BUDGET = 20
"""Elasticsearch requests for many new accesses, all in all."""
QUIET_SECONDS = 5
"""Applying them takes less on a quiet machine."""
FEW = 12
PROBES = 9
"""In about 20 seconds."""
LATE = 2
"""What the rate may appear higher by, if the first of them arrives late on a busy machine."""


def declare(field: Arena, count: int, *, first: int = 0) -> None:
    numbers = range(first, first + count)
    field.world.apply(*(access(f"svc-{number}", grant(f"orders-{number}-*")) for number in numbers))


def until_swept(field: Arena, mark: int, times: int) -> None:
    """Wait until everything was read so many times."""
    for reads in (reads_roles, reads_mappings):
        eventually(
            lambda reads=reads: field.elasticsearch.count(reads, mark) >= times,  # type: ignore[misc]
            within=PATIENCE,
            what=f"{times} sweeps",
        )


def first_sweeps(requests: Sequence[Seen], times: int) -> Sequence[Seen]:
    """Return the requests up to the end of so many sweeps; another one may have begun meanwhile."""
    for end in range(len(requests) + 1):
        if all(sum(map(reads, requests[:end])) >= times for reads in (reads_roles, reads_mappings)):
            return requests[:end]
    raise AssertionError(f"not {times} sweeps: {summary(requests)}")


def is_write(request: Seen) -> bool:
    return request.writes


def says_pending(request: Seen) -> bool:
    """Say whether it writes a status that says that something is waited for."""
    values = [change.get("value") for change in json.loads(request.body)]
    return any(isinstance(value, dict) and value.get("reason") == "Pending" for value in values)


def work(requests: Sequence[Seen]) -> list[Seen]:
    """What is neither a probe nor a check, nor about others, nor the question which indices may be seen."""
    rest = (is_probe, is_check, is_visibility, is_about_others)
    return [request for request in requests if not any(kind(request) for kind in rest)]


def test_many_new_accesses_cost_few_requests_and_two_patches_each(field: Arena, record_property: Report) -> None:
    field.world.apply(field.cluster())
    with field.running():
        field.until_cluster_ready()
        field.until_quiet()
        search, api = field.elasticsearch.mark(), field.api.mark()
        declare(field, MANY)
        field.until_in_sync(MANY)
        requests = field.elasticsearch.since(search)
        assert len(field.roles()) == MANY
        for number in (0, MANY - 1):
            with field.world.caller(f"svc-{number}") as caller:
                rights = caller.get("/_security/user/_privileges").raise_for_status().json()
            assert [name for entry in rights["indices"] for name in entry["names"]] == [f"orders-{number}-*"]
        field.until_quiet()
    elapsed = requests[-1].at - requests[0].at
    passes = sum(map(writes_roles, requests))
    record_property("requests", summary(requests))
    record_property("of them work", len(work(requests)))
    record_property("seconds", round(elapsed, 1))
    statuses = [seen for seen in field.api.since(api, patches_status) if of_accesses(seen)]
    finalizers = [seen for seen in field.api.since(api, patches_finalizers) if of_accesses(seen)]
    # Where a finalizer takes longer than WITHIN, its SearchAccess waits, and says so; so do others of its namespace.
    early = {seen.path.removesuffix("/status"): seen.at for seen in statuses if says_pending(seen)}
    record_property("waited for their finalizers", len(early))
    asked = {seen.path: seen.at for seen in reversed(finalizers)}
    assert not early or max(at - asked[path] for path, at in early.items() if path in asked) > WITHIN - 0.1
    # One read and one write a pass; what comes while roles are read may be served at once, and is then read again. A
    # pass in which all wait for their finalizers writes nothing. Once, the role mapping is read and written.
    reads = sum(map(reads_roles, requests))
    assert reads <= passes + 2 or early, summary(requests)
    assert len(work(requests)) == reads + passes + 2, summary(requests)
    # A burst that lasts longer because the machine is busy is served in more passes, with more probes in between.
    budget = BUDGET + max(0.0, elapsed - QUIET_SECONDS) * (2 / LONGEST_BURST + 1 / 2)
    assert len(requests) <= budget, (elapsed, summary(requests))

    reported = Counter(seen.path for seen in statuses if not says_pending(seen))
    held = Counter(seen.path for seen in finalizers)
    assert (len(reported), set(reported.values())) == (MANY, {1})
    assert len(held) == MANY
    assert set(held.values()) == {1} or early, "one that takes too long is tried again"
    others = [request for request in field.api.since(api, is_write) if not of_accesses(request)]
    record_property("status writes of the SearchCluster", summary(others))
    assert len(others) <= (reads if early else passes) + 2, summary(others)


def test_a_sweep_in_sync_is_two_reads(field: Arena) -> None:
    field.world.apply(field.cluster(drift={"probeEvery": "1h", "sweepEvery": "5s"}))
    declare(field, FEW)
    with field.running():
        field.until_in_sync(FEW)
        until_swept(field, field.elasticsearch.mark(), 1)
        search, api = field.elasticsearch.mark(), field.api.mark()
        until_swept(field, search, 3)
        requests = first_sweeps(field.elasticsearch.since(search), 3)
    assert [request.path for request in work(requests) if reads_roles(request)] == ["/_security/role"] * 3
    assert [request.path for request in work(requests) if reads_mappings(request)] == ["/_security/role_mapping"] * 3
    assert len(work(requests)) == 6, summary(requests)
    assert sum(map(is_probe, requests)) <= 4, summary(requests)
    assert not [request for request in requests if request.writes]
    assert not field.api.since(api, is_write)


def test_a_restart_in_sync_writes_nothing(field: Arena) -> None:
    field.world.apply(field.cluster())
    declare(field, FEW)
    with field.running():
        field.until_in_sync(FEW)
        field.until_quiet()
    before = {name: found["metadata"]["resourceVersion"] for name, found in field.listed().items()}
    search, api = field.elasticsearch.mark(), field.api.mark()
    with field.running():
        eventually(lambda: field.elasticsearch.count(reads_roles, search) >= 1, within=PATIENCE, what="the first pass")
        field.until_quiet()
        eventually(lambda: any(seen.watches for seen in field.api.since(api)), within=PATIENCE, what="watches")
        field.until_quiet(3)
    requests = field.elasticsearch.since(search)
    assert not [request for request in requests if request.writes], summary(requests)
    assert not field.api.since(api, is_write), summary(field.api.since(api, is_write))
    # Roles and mappings; and once after a start the login, keys and users, as some may be left that nobody declares.
    # Of others, keys and users are read too.
    assert len(work(requests)) == 4, summary(requests)
    assert sum(map(is_about_others, requests)) == 3, summary(requests)
    assert before == {name: found["metadata"]["resourceVersion"] for name, found in field.listed().items()}


def test_one_changed_access_costs_three_requests_at_most(field: Arena, record_property: Report) -> None:
    field.world.apply(field.cluster())
    declare(field, FEW)
    with field.running():
        field.until_in_sync(FEW)
        field.until_quiet()
        mark = field.elasticsearch.mark()
        field.world.patch("svc-3", {"spec": {"grants": [grant("invoices-*", can=["write"])]}})
        field.until_in_sync(FEW)
        # What was written by us must not look like somebody else's change at the next probes.
        eventually(lambda: field.elasticsearch.count(is_probe, mark) >= 4, within=PATIENCE, what="probes")
        requests = field.elasticsearch.since(mark)
        assert field.roles()["svc-3"]["indices"][0]["names"] == ["invoices-*"]
    record_property("requests", summary(requests))
    # A fingerprint comes every so many seconds, whatever changes: a slow machine sees more of them.
    checks = [request for request in requests if is_check(request) and not is_fingerprint(request)]
    assert len(work(requests)) + len(checks) <= 3, summary(requests)


def test_at_rest_there_is_a_probe_now_and_then_and_nothing_else(field: Arena, record_property: Report) -> None:
    field.world.apply(field.cluster())
    declare(field, FEW)
    with field.running():
        field.until_in_sync(FEW)
        field.until_quiet()
        search, api = field.elasticsearch.mark(), field.api.mark()
        eventually(
            lambda: field.elasticsearch.count(is_probe, search) >= PROBES, within=PATIENCE, every=0.2, what="probes"
        )
        requests = field.elasticsearch.since(search)
        assert not field.api.since(api, is_write)
    record_property("requests", summary(requests))
    rest = [
        request
        for request in requests
        if not (is_probe(request) or is_fingerprint(request) or is_about_others(request))
    ]
    # Which indices may be seen is asked once for patterns that were just declared.
    assert sum(map(is_visibility, rest)) == len(rest) <= 1, summary(requests)
    # A fingerprint may fall into this short time, so their part is computed. On top: a sweep every 5 minutes
    # (probe and four reads), and a check every 10 (four reads) with the question which indices may be seen.
    times = [request.at for request in requests if is_probe(request)]
    per_minute = 60 * (len(times) - 1) / (times[-1] - times[0]) + 60 / FINGERPRINT_EVERY + 5 / 5 + 5 / 10
    record_property("requests a minute", per_minute)
    # Without spacing it would be 36.5.
    assert 6 < per_minute <= 33 + LATE


def test_a_foreign_change_costs_two_looks(field: Arena, record_property: Report) -> None:
    """Somebody else's role that does not concern us: read at once and when it is surely searchable; nothing written."""
    field.world.apply(field.cluster())
    declare(field, FEW)
    with field.running():
        field.until_in_sync(FEW)
        field.until_quiet()
        mark, api = field.elasticsearch.mark(), field.api.mark()
        field.world.admin.put("/_security/role/somebody", json={"cluster": ["monitor"]}).raise_for_status()
        eventually(lambda: field.elasticsearch.count(reads_roles, mark) >= 2, within=PATIENCE, what="reconciles")
        field.until_quiet(3)
        requests = field.elasticsearch.since(mark)
        field.world.admin.delete("/_security/role/somebody")
    record_property("requests", summary(requests))
    assert len(work(requests)) == 4, summary(requests)
    assert not [request for request in requests if request.writes]
    assert not field.api.since(api, is_write)
