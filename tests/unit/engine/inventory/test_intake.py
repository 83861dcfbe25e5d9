"""Whatever an object is: it costs itself alone."""

import copy
import json
from collections.abc import Mapping
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from searchaccess.api.conditions.reasons import Reason
from searchaccess.api.constants import ANNOTATION_RECONCILE, ANNOTATION_ROTATE, FINALIZER
from searchaccess.api.status import SearchAccessStatus
from searchaccess.core.model.intake.validation import MESSAGE_LIMIT
from searchaccess.core.policy.decision import OPEN, Do, decide
from searchaccess.core.status.access import AccessFacts, build_access_status
from searchaccess.engine.inventory import intake
from searchaccess.engine.inventory.inventory import Inventory
from searchaccess.ports.meter import Meter
from tests.support.failures.odd import HUGE, nested, odd_values, queries, real
from tests.unit.builders import NOW, PRINCIPAL, a_grant, a_search_access, a_search_cluster

DEEP = nested(5000, lambda inner: {"a": inner})
OTHER = "other@acme-shop.iam.gserviceaccount.com"


class Counting(Meter):
    """Counts faults."""

    def __init__(self) -> None:
        self.faults: list[tuple[str, str]] = []

    def faulted(self, cluster: str, place: str) -> None:
        self.faults.append((cluster, place))


def an_inventory(meter: Meter | None = None) -> Inventory:
    """Return an inventory that has listed all policies: there are none."""
    made = Inventory(meter)
    made.policies.keep(set(), frozenset())
    return made


def _versioned(raw: dict[str, Any], version: int) -> dict[str, Any]:
    raw["metadata"]["resourceVersion"] = str(version)
    return raw


def _paths(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    inner = value.items() if isinstance(value, Mapping) else enumerate(value) if isinstance(value, list) else ()
    return [path, *(found for key, one in inner for found in _paths(one, (*path, key)))]


def _whole_access() -> dict[str, Any]:
    grants = [a_grant("orders-*", fields={"include": ["a"], "exclude": ["b"]}, where={"term": {"region": "eu"}})]
    raw = a_search_access(grants=grants, annotations={ANNOTATION_RECONCILE: "x"}, clusterCan=["monitor"])
    raw["spec"] |= {"auth": "ApiKey", "credential": {"store": "main", "name": "orders"}}
    status = {
        "observedGeneration": 1,
        "conditions": [{"type": "Ready", "status": "True"}],
        "elasticsearch": {"role": "r"},
    }
    return raw | {"status": status}


@st.composite
def _mutated(draw: st.DrawFn, raw: dict[str, Any]) -> Any:
    made = copy.deepcopy(raw)
    for _ in range(draw(st.integers(1, 2))):
        path = draw(st.sampled_from(_paths(made)))
        value = draw(odd_values)
        if not path:
            return value
        inner = made
        for key in path[:-1]:
            inner = inner[key]
        inner[path[-1]] = value
    return made


def _survives(inventory: Inventory, raw: Any, plural: str) -> None:
    """See an object as a watch and a list do, then a healthy one, and check that this is served."""
    raw = real(raw)
    if plural == "accesses":
        if inventory.may_have_changed(raw):
            inventory.see_access(raw)
        inventory.see_access(raw)
    else:
        inventory.see_cluster(raw)
    inventory.see_cluster(_versioned(a_search_cluster("healthy"), 10**6))
    inventory.see_access(_versioned(a_search_access("healthy", service_account=OTHER, cluster="healthy"), 10**6))
    assert decide(inventory.accesses["uid-healthy"].access, OPEN).do is Do.ENFORCE
    assert inventory.clusters["healthy"].cluster.spec is not None
    assert OTHER in inventory.marks.dirty("healthy").principals
    for record in inventory.accesses.values():
        decision = decide(record.access, OPEN)
        status = build_access_status(AccessFacts(record.access, decision), SearchAccessStatus.read({}), NOW)
        assert len(json.dumps(status.to_json())) < 20_000


@given(raw=odd_values)
def test_anything_may_come_as_an_access_and_a_healthy_one_is_served(raw: Any) -> None:
    _survives(an_inventory(), raw, "accesses")


@given(raw=odd_values)
def test_anything_may_come_as_a_cluster_and_a_healthy_one_is_served(raw: Any) -> None:
    _survives(an_inventory(), raw, "clusters")


@given(raw=_mutated(_whole_access()))
def test_an_access_with_anything_in_any_place_costs_itself_alone(raw: Any) -> None:
    meter = Counting()
    _survives(an_inventory(meter), raw, "accesses")
    assert meter.faults in ([], [("", intake.PLACE)], [("", intake.PLACE)] * 2), "only what has no names is a fault"


@given(raw=_mutated(a_search_cluster(annotations={ANNOTATION_RECONCILE: "x"}) | {"status": {"conditions": []}}))
def test_a_cluster_with_anything_in_any_place_costs_itself_alone(raw: Any) -> None:
    _survives(an_inventory(), raw, "clusters")


@given(raw=_mutated(_whole_access()))
def test_a_known_access_that_becomes_odd_stays_known_and_is_read_again_when_it_is_right(raw: Any) -> None:
    inventory = an_inventory()
    inventory.see_access(a_search_access())
    raw = real(raw)
    if isinstance(raw, dict) and isinstance(raw.get("metadata"), dict):
        raw["metadata"]["resourceVersion"] = "101"
        inventory.see_access(raw)
    assert "uid-orders" in inventory.accesses
    inventory.see_access(_versioned(a_search_access(generation=3), 102))
    assert decide(inventory.accesses["uid-orders"].access, OPEN).do is Do.ENFORCE
    assert inventory.count("prod") == len(inventory.accesses)
    assert inventory.of_principal("prod", PRINCIPAL) == [inventory.accesses["uid-orders"]]


# Bounds


@pytest.mark.parametrize("count", [31, 170, 480, 1500])
def test_a_query_that_is_nested_too_deep_is_an_invalid_spec_with_the_limit(count: int) -> None:
    inventory = an_inventory()
    inventory.see_access(a_search_access(grants=[a_grant(where=queries(count))]))
    decision = decide(inventory.accesses["uid-orders"].access, OPEN)
    assert (decision.do, decision.reason) == (Do.HOLD, Reason.INVALID_SPEC)
    assert "spec.grants[0].where: nested more than 61 levels" in decision.message
    assert "Elasticsearch accepts at most 30 nested queries" in decision.message


@pytest.mark.parametrize(
    ("where", "says"),
    [
        ({"term": {"a": HUGE}}, "a number of more than 40 digits"),
        ({"term": {"\ud800": 1}}, "half a character"),
        ({"term": {"a": float("inf")}}, "not finite"),
        ({"terms": {"a": ["x" * 100] * 400}}, "characters"),
    ],
)
def test_a_query_that_nobody_can_write_is_an_invalid_spec(where: dict[str, Any], says: str) -> None:
    inventory = an_inventory()
    inventory.see_access(a_search_access(grants=[a_grant(), a_grant(where=where)]))
    invalid = inventory.accesses["uid-orders"].access.invalid
    assert invalid.startswith("spec.grants[1].where: ")
    assert says in invalid


def test_what_a_message_quotes_is_bounded() -> None:
    for change in ({"x" * 250_000: 1}, {"cluster": "x" * 250_000}, {"mode": "x" * 250_000}):
        inventory = an_inventory()
        inventory.see_access(a_search_access(**change))
        access = inventory.accesses["uid-orders"].access
        assert 0 < len(access.invalid) <= MESSAGE_LIMIT
        assert len(access.cluster) <= 63


@pytest.mark.parametrize(
    "value", [nested(5000, lambda inner: {"a": inner}), [HUGE], HUGE], ids=["deep", "list", "long"]
)
@pytest.mark.parametrize("field", ["mode", "auth", "clusterCan", "cluster", "subject", "suspend", "grants", "unknown"])
def test_a_value_that_python_cannot_show_is_an_invalid_spec_in_any_field(field: str, value: Any) -> None:
    meter = Counting()
    inventory = an_inventory(meter)
    raw = a_search_access()
    raw["spec"][field] = value
    inventory.see_access(raw)
    inventory.see_cluster(a_search_cluster(mapping=value))
    assert inventory.accesses["uid-orders"].access.invalid.startswith("spec")
    assert inventory.clusters["prod"].cluster.invalid.startswith("spec")
    assert not meter.faults


def test_what_python_cannot_show_is_named() -> None:
    inventory = an_inventory()
    inventory.see_access(a_search_access(mode=DEEP))
    assert inventory.accesses["uid-orders"].access.invalid == "spec: nested more than 140 levels deep"


@pytest.mark.parametrize("name", ["a..b", ".a", "a.", "a.-b", "A", "a_b", "a/b"])
def test_a_secret_under_a_name_that_no_store_takes_is_an_invalid_spec(name: str) -> None:
    inventory = an_inventory()
    inventory.see_access(a_search_access(auth="ApiKey", credential={"store": "main", "name": name}))
    assert (
        inventory.accesses["uid-orders"].access.invalid == f"spec.credential.name: {name!r} is not the name of a secret"
    )


STATUSES: list[Any] = [
    nested(1500, lambda inner: {"a": inner}),
    nested(33, lambda inner: {"a": inner}, {}),
    {"a": nested(40, lambda inner: [inner])},
    {"a": HUGE},
    {"a": "\ud800"},
    {"a": ["x" * 1000] * 2000},
    "text",
    [1],
    7,
    {"a": {1, 2}},
]


@pytest.mark.parametrize("status", STATUSES, ids=range(len(STATUSES)))
def test_a_status_that_cannot_be_kept_counts_as_absent(status: Any) -> None:
    inventory = an_inventory()
    inventory.see_access(a_search_access() | {"status": status})
    inventory.see_cluster(a_search_cluster() | {"status": status})
    assert inventory.accesses["uid-orders"].status_json == ""
    assert inventory.clusters["prod"].status_json == ""


def test_a_status_with_many_conditions_is_kept() -> None:
    status = {"conditions": [{"type": f"größe-{number}"} for number in range(100)]}
    inventory = an_inventory()
    inventory.see_access(a_search_access() | {"status": status})
    assert json.loads(inventory.accesses["uid-orders"].status_json) == status


async def test_a_long_annotation_is_no_news_each_time_it_is_seen() -> None:
    inventory = an_inventory()
    for name in (ANNOTATION_RECONCILE, ANNOTATION_ROTATE):
        raw = a_search_access(annotations={name: "x" * 250_000})
        inventory.see_access(raw)
        inventory.wrote("uid-orders", "101")
        assert not inventory.may_have_changed(_versioned(raw, 101))
        other = a_search_access(annotations={name: "x" * 250_001})
        assert inventory.may_have_changed(_versioned(other, 101))
        inventory.forget_access("uid-orders")
        await inventory.keep_accesses(set(), frozenset())


def test_an_object_without_a_uid_is_left_out_and_counted() -> None:
    meter = Counting()
    inventory = an_inventory(meter)
    for raw in (a_search_access(), a_search_cluster()):
        del raw["metadata"]["uid"]
        (inventory.see_access if raw["kind"] == "SearchAccess" else inventory.see_cluster)(raw)
    assert not inventory.accesses
    assert not inventory.clusters
    assert meter.faults == [("", intake.PLACE)] * 2


# Faults of our own


@pytest.fixture
def broken(monkeypatch: pytest.MonkeyPatch) -> set[str]:
    """Names of objects at which reading meets an error that nobody thought of."""
    names: set[str] = set()
    for kind in ("access", "cluster"):
        actual = getattr(intake, f"{kind}_from_object")

        def read(raw: Any, actual: Any = actual) -> Any:
            if raw["metadata"]["name"] in names:
                raise KeyError("something secret")
            return actual(raw)

        monkeypatch.setattr(intake, f"{kind}_from_object", read)
    return names


def test_an_access_at_which_a_fault_is_met_holds_what_it_has_and_says_so(broken: set[str]) -> None:
    meter = Counting()
    inventory = an_inventory(meter)
    inventory.see_access(a_search_access())
    before = inventory.accesses["uid-orders"].access
    inventory.marks.take_dirty("prod")
    broken.add("orders")
    inventory.see_access(_versioned(a_search_access(generation=2, grants=[a_grant("else")]), 101))
    access = inventory.accesses["uid-orders"].access
    decision = decide(access, OPEN)
    assert (decision.do, decision.reason, decision.reports) == (Do.HOLD, Reason.INTERNAL_ERROR, False)
    assert "KeyError (intake)" in decision.message
    assert "secret" not in decision.message
    assert (access.principals, access.share, access.generation) == (before.principals, before.share, 2)
    assert inventory.marks.dirty("prod").principals == {PRINCIPAL}
    assert meter.faults == [("prod", intake.PLACE)]
    assert inventory.count("prod") == 1


def _with_policy(inventory: Inventory, **spec: Any) -> None:
    raw = {"metadata": {"name": "limits", "uid": "uid-limits", "resourceVersion": "1"}, "spec": spec}
    inventory.policies.see(raw)
    inventory.policies.keep({"uid-limits"}, frozenset())


def _fails(*_: Any) -> Any:
    raise KeyError("something secret")


ONLY_LOGS: dict[str, Any] = {"allow": [{"indices": ["logs-*"], "can": ["read"]}]}


def test_what_a_policy_refused_stays_revoked_after_a_fault_whatever_the_new_version_may_say(broken: set[str]) -> None:
    inventory = Inventory()
    _with_policy(inventory, **ONLY_LOGS)
    inventory.see_access(a_search_access())
    assert inventory.accesses["uid-orders"].access.verdict.revokes
    broken.add("orders")
    inventory.see_access(_versioned(a_search_access(generation=2, grants=[a_grant("logs-1")]), 101))
    access = inventory.accesses["uid-orders"].access
    decision = decide(access, OPEN)
    assert access.verdict.revokes
    assert (decision.do, decision.reason) == (Do.REMOVE, Reason.INTERNAL_ERROR)
    assert inventory.refuses(access, "other"), "a former place does not keep it either"


def test_a_fault_while_an_access_is_taken_in_keeps_what_policies_said(monkeypatch: pytest.MonkeyPatch) -> None:
    inventory = Inventory()
    _with_policy(inventory, **ONLY_LOGS)
    inventory.see_access(a_search_access())
    monkeypatch.setattr(inventory.subjects, "register", _fails)
    inventory.see_access(_versioned(a_search_access(generation=2), 101))
    access = inventory.accesses["uid-orders"].access
    assert access.fault
    assert access.verdict.revokes


@pytest.mark.parametrize("taken_in", [False, True], ids=["at reading", "while it is taken in"])
def test_what_was_never_read_is_judged_by_no_policy_and_not_left_behind(
    broken: set[str], monkeypatch: pytest.MonkeyPatch, *, taken_in: bool
) -> None:
    broken.add("orders")
    inventory = Inventory()
    _with_policy(inventory, **ONLY_LOGS)
    if taken_in:
        broken.clear()
        monkeypatch.setattr(inventory.subjects, "register", _fails)
    inventory.see_access(a_search_access(deletionPolicy="Orphan"))
    assert inventory.accesses["uid-orders"].access.verdict.unknown
    inventory.see_access(_versioned(a_search_access(deletionPolicy="Orphan", deleted_at=NOW), 101))
    assert decide(inventory.accesses["uid-orders"].access, OPEN).do is Do.REMOVE


def test_a_fault_does_not_stop_deletion(broken: set[str]) -> None:
    broken.add("orders")
    inventory = an_inventory()
    inventory.see_access(a_search_access(deleted_at=NOW))
    assert decide(inventory.accesses["uid-orders"].access, OPEN).do is Do.REMOVE


def test_where_a_fault_was_met_the_next_list_tries_again(broken: set[str]) -> None:
    broken |= {"orders", "prod"}
    inventory = an_inventory()
    inventory.see_cluster(a_search_cluster())
    inventory.see_access(a_search_access())
    assert inventory.clusters["prod"].cluster.fault
    assert inventory.accesses["uid-orders"].access.fault
    inventory.marks.take_dirty("prod")
    inventory.see_access(a_search_access())
    assert not inventory.marks.dirty("prod"), "the same fault again is no change"
    broken.clear()
    inventory.see_cluster(a_search_cluster())
    inventory.see_access(a_search_access())
    assert inventory.clusters["prod"].cluster.spec
    assert inventory.marks.dirty("prod").full
    assert decide(inventory.accesses["uid-orders"].access, OPEN).do is Do.ENFORCE


async def test_a_fault_while_an_access_is_taken_in_costs_it_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    meter = Counting()
    inventory = an_inventory(meter)
    actual = inventory.subjects.register

    def see(access: Any, *rest: Any) -> Any:
        if access.name == "orders":
            raise ValueError("odd")
        return actual(access, *rest)

    monkeypatch.setattr(inventory.subjects, "register", see)
    inventory.see_access(a_search_access())
    inventory.see_access(a_search_access("other", service_account=OTHER))
    assert decide(inventory.accesses["uid-orders"].access, OPEN).reason is Reason.INTERNAL_ERROR
    assert inventory.of_principal("prod", "") == [inventory.accesses["uid-orders"]]
    assert decide(inventory.accesses["uid-other"].access, OPEN).do is Do.ENFORCE
    inventory.see_cluster(a_search_cluster(identity={"jwtRealm": {"name": "g", "audience": "a", "principal": "sub"}}))
    await inventory.settle("prod")
    assert meter.faults == [("prod", intake.PLACE)] * 2
    assert inventory.count("prod") == 2


def test_finalizers_of_a_newer_version_are_taken_while_a_status_is_on_its_way() -> None:
    """An event may have been missed, so that only a list has them."""
    inventory = an_inventory()
    inventory.see_cluster(a_search_cluster())
    bare = a_search_access()
    bare["metadata"]["finalizers"] = []
    inventory.see_access(_versioned(copy.deepcopy(bare), 5))
    inventory.writing.add("uid-orders")
    newer = _versioned(a_search_access() | {"status": {"observedGeneration": 7}}, 9)
    newer["metadata"]["finalizers"] = [FINALIZER]
    inventory.see_access(newer)
    record = inventory.accesses["uid-orders"]
    assert record.access.has_finalizer
    assert "7" not in record.status_json, "what is being written counts"
    inventory.wrote("uid-orders", "12")
    inventory.see_access(_versioned(bare, 11))
    assert inventory.accesses["uid-orders"].access.has_finalizer, "the event is older than what we wrote"
