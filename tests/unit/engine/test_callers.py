"""The limits of a gateway's callers follow their SearchAccesses, and only those that changed are computed again."""

from collections.abc import Mapping
from typing import Any

from searchaccess.api.clusters.gateway import Gateway, GatewayLimits
from searchaccess.core.gateway.settings import CallerLimits
from searchaccess.engine.gateway.callers import Callers
from searchaccess.engine.inventory.inventory import Inventory
from searchaccess.engine.inventory.records import AccessRecord
from tests.unit.builders import a_grant, a_search_access, a_search_cluster

URL = "https://gateway.example.com"
ONE, TWO = (f"{name}@acme-shop.iam.gserviceaccount.com" for name in ("one", "two"))


def a_gateway(rate: int | None = None) -> Gateway:
    limits = GatewayLimits(requests_per_second=rate, burst=rate)
    return Gateway(audience=URL, url=URL, namespace="gateways", limits=limits)


DEFAULT = a_gateway()


class Counted(Inventory):
    """An inventory that notes of whom the SearchAccesses were read."""

    def __init__(self) -> None:
        super().__init__()
        self.computed: list[str] = []

    def of_principal(self, cluster: str, principal: str) -> list[AccessRecord]:
        self.computed.append(principal)
        return super().of_principal(cluster, principal)


class Site:
    """An inventory, the limits of its callers, and who was computed."""

    def __init__(self, *accesses: dict[str, Any]) -> None:
        self.inventory = Counted()
        raw = a_search_cluster()
        raw["metadata"]["resourceVersion"] = "1"
        self.inventory.see_cluster(raw)
        self.inventory.policies.keep(set(), frozenset())
        self._version = 1
        self.see(*accesses)
        self.limits = Callers(self.inventory, "prod")

    def see(self, *accesses: dict[str, Any]) -> None:
        for raw in accesses:
            self._version += 1
            raw["metadata"]["resourceVersion"] = str(self._version)
            self.inventory.see_access(raw)

    def now(self, gateway: Gateway | None = DEFAULT) -> Mapping[str, CallerLimits]:
        self.inventory.computed.clear()
        return self.limits.now(gateway)

    @property
    def computed(self) -> list[str]:
        return self.inventory.computed


def limited(name: str, rate: int | None, who: str = ONE, *, generation: int = 1, **more: Any) -> dict[str, Any]:
    limits: dict[str, Any] = {"limits": {"requestsPerSecond": rate, "burst": rate}} if rate else {}
    return a_search_access(name, service_account=who, generation=generation, **limits, **more)


def rates(found: Mapping[str, CallerLimits]) -> dict[str, int | None]:
    return {email: limits.rate.per_second if limits.rate else None for email, limits in found.items()}


def test_only_those_that_changed_are_computed_again() -> None:
    site = Site(limited("a", 5), limited("b", 7, TWO))
    before = site.now()
    assert rates(before) == {ONE: 5, TWO: 7}
    assert sorted(site.computed) == [ONE, TWO]

    assert site.now() is before
    assert site.computed == []

    site.see(limited("b", 8, TWO, generation=2))
    assert rates(site.now()) == {ONE: 5, TWO: 8}
    assert site.computed == [TWO]


def test_a_grant_leaves_the_same_object() -> None:
    site = Site(limited("a", 5))
    before = site.now()
    site.see(limited("a", 5, generation=2, grants=[a_grant("x-*", can=["read", "write"])]), limited("more", None, TWO))
    assert site.now() is before
    assert sorted(site.computed) == [ONE, TWO]


def test_another_default_computes_all_and_equal_limits_stay_the_same_object() -> None:
    site = Site(limited("a", 5), limited("b", None, TWO))
    before = site.now()
    assert site.now(a_gateway(5)) == {}
    assert site.now() == before


def test_the_strictest_ends_with_its_search_access() -> None:
    site = Site(limited("a", 5), limited("b", 7))
    assert rates(site.now()) == {ONE: 5}
    site.see(limited("a", 5, deleted_at="2026-01-01T10:00:00Z"))
    assert rates(site.now()) == {ONE: 5}, "its rights may not be gone yet"
    site.inventory.forget_access("uid-a")
    assert rates(site.now()) == {ONE: 7}
    site.inventory.forget_access("uid-b")
    assert rates(site.now()) == {}


def test_one_that_vanishes_without_an_event_limits_nobody() -> None:
    site = Site(limited("a", 5))
    assert rates(site.now()) == {ONE: 5}
    site.inventory.forget_access("uid-a")
    assert rates(site.now()) == {}


def test_one_that_names_another_account_limits_that_one() -> None:
    site = Site(limited("a", 5), limited("b", 7, TWO))
    assert rates(site.now()) == {ONE: 5, TWO: 7}
    site.see(limited("a", 5, TWO, generation=2))
    assert rates(site.now()) == {TWO: 5}


def test_a_label_alone_changes_what_an_agent_may_call() -> None:
    site = Site(limited("a", None))
    assert site.now() == {}
    raw = limited("a", None)
    raw["metadata"]["labels"] = {"searchaccess.dev/workload": "ai-agent"}
    site.see(raw)
    [found] = site.now().values()
    assert found.groups is not None
    site.see(limited("a", None))
    assert site.now() == {}


def test_limits_that_become_unreadable_stay() -> None:
    site = Site(limited("a", 5))
    before = site.now()
    broken = limited("a", 5, generation=2)
    broken["spec"]["limits"] = {"requestsPerSecond": None}
    site.see(broken)
    assert site.now() is before


def test_a_policy_that_refuses_it_lifts_its_limits() -> None:
    site = Site(limited("a", 5), limited("b", 7))
    assert rates(site.now()) == {ONE: 5}
    namespaces = {"match": {"namespaces": {"names": ["shop"]}}, "limits": {"grants": 0}}
    metadata = {"name": "none", "uid": "none", "generation": 1, "resourceVersion": "1"}
    site.inventory.policies.see({"metadata": metadata, "spec": namespaces})
    site.see(limited("a", 5, generation=2), limited("b", 7, generation=2))
    assert site.now() == {}


def test_without_a_gateway_nothing_is_noted_and_all_is_computed_with_the_next() -> None:
    site = Site(limited("a", 5))
    assert rates(site.now()) == {ONE: 5}
    assert site.now(None) == {}
    site.see(limited("a", 6, generation=2))
    assert rates(site.now()) == {ONE: 6}
