"""What the webhook refuses, and what it must not block."""

from typing import Any

import pytest

from searchaccess.core.model.access import Access
from searchaccess.core.model.parsing import access_from_object
from searchaccess.core.policy.guardrails import memory, ruling, verdicts
from searchaccess.core.policy.guardrails.joint import panel
from searchaccess.core.policy.guardrails.joint.remembered import Answers
from searchaccess.core.webhook.ruling import Undecided
from searchaccess.engine.inventory import intake
from tests.support.loop.clocks import SettableClock
from tests.unit.builders import a_grant
from tests.unit.webhook.scene import ONLY_SHOP, a_policy, knowing, reads, ruled

DEFAULT_ACCOUNT = "123456789012-compute@developer.gserviceaccount.com"
APP_ENGINE = "acme-shop@appspot.gserviceaccount.com"


def two_grants() -> dict[str, Any]:
    wide = a_grant("shop-1", where={"term": {"region": "eu"}}, fields={"include": ["region"]})
    return reads() | {"spec": reads()["spec"] | {"grants": [wide, a_grant("shop-1", fields={"include": ["price"]})]}}


def test_what_policies_accept_is_allowed_without_a_word() -> None:
    found = ruled(knowing(a_policy(**ONLY_SHOP)), reads("shop-1"))
    assert (found.allowed, found.message, found.warnings) == (True, "", ())


REFUSED: dict[str, tuple[list[dict[str, Any]], dict[str, Any], dict[str, Any], str]] = {
    "by a policy": (
        [a_policy(**ONLY_SHOP)],
        {},
        reads("orders-*"),
        "SearchAccessPolicy limits: grants[0]: read is allowed only on shop-*, not on orders-*",
    ),
    "by two policies": (
        [a_policy(**ONLY_SHOP), a_policy("narrow", limits={"grants": 0})],
        {},
        reads("orders-1"),
        "SearchAccessPolicy limits: grants[0]: read is allowed only on shop-*, not on orders-1; SearchAccessPolicy nar",
    ),
    "by one that cannot be read": (
        [a_policy(allow=[{"indices": ["shop-**/"], "can": ["fly"]}])],
        {},
        reads("shop-1"),
        "SearchAccessPolicy limits: the policy cannot be read (spec.allow[0].can[0]: ",
    ),
    "as none applies": (
        [],
        {"policies": {"unmatched": "Deny"}},
        reads("shop-1"),
        "no SearchAccessPolicy applies to it, and SearchCluster prod refuses what none applies to",
    ),
    "for its namespace": (
        [],
        {"allowedNamespaces": {"names": ["billing"]}},
        reads("shop-1"),
        "SearchCluster prod does not allow the namespace shop",
    ),
    "for limits that nothing enforces": (
        [],
        {},
        reads("shop-1", limits={"requestsPerSecond": 5}),
        "limits need identity.gateway, which SearchCluster prod does not have: nothing would limit the caller. Remove",
    ),
    "for rights that stay": (
        [],
        {},
        reads("shop-1", deletionPolicy="Orphan"),
        "SearchCluster prod does not allow deletionPolicy: Orphan: remove deletionPolicy, or ",
    ),
    "for its spec": ([], {}, reads("shop-1,shop-2"), "spec.grants[0].indices: 'shop-1,shop-2': "),
    "for an unknown field": ([], {}, reads("shop-1", indexes=["a"]), "spec.indexes: there is no such field"),
    "for grants that widen each other": (
        [],
        {},
        two_grants(),
        "spec.grants[1] (shop-1) and spec.grants[0] (shop-1) can read the same index",
    ),
}


@pytest.mark.parametrize(("policies", "cluster", "new", "says"), REFUSED.values(), ids=REFUSED)
def test_what_would_get_no_rights_is_refused_with_the_words_of_its_status(
    policies: list[dict[str, Any]], cluster: dict[str, Any], new: dict[str, Any], says: str
) -> None:
    found = ruled(knowing(*policies, cluster=cluster), new)
    assert not found.allowed
    assert found.message.startswith(says), found.message


WARNED: dict[str, tuple[list[dict[str, Any]], dict[str, Any], str]] = {
    "an audited policy": (
        [a_policy(mode="Audit", **ONLY_SHOP)],
        reads("orders-1"),
        "it would be refused: SearchAccessPolicy limits: grants[0]: read is allowed only on shop-*, not on orders-1",
    ),
    "unknown labels": (
        [a_policy(match={"namespaces": {"selector": {"matchLabels": {"a": "b"}}}}, **ONLY_SHOP)],
        reads("orders-1"),
        "it is not known yet whether it is accepted, and it gets no rights until then: the labels of the namespace",
    ),
    "the default compute account": (
        [],
        reads("a-1", service_account=DEFAULT_ACCOUNT),
        f"spec.subject: {DEFAULT_ACCOUNT}",
    ),
    "the default account of App Engine": ([], reads("a-1", service_account=APP_ENGINE), f"spec.subject: {APP_ENGINE}"),
    "a wildcard only": ([], reads("a-1", "*"), "spec.grants[0].indices: * matches every index"),
    "a wildcard that is written twice": ([], reads("**"), "spec.grants[0].indices: ** matches every index"),
    "an expression for everything": ([], reads("/.+/"), "spec.grants[0].indices: /.+/ matches every index"),
}


BEHIND_GATEWAY: dict[str, Any] = {
    "identity": {"gateway": {"audience": "https://es", "url": "https://gateway.example.com", "namespace": "search"}}
}


@pytest.mark.parametrize(
    ("limits", "says"),
    [
        (
            {"requestsPerSecond": 5, "burst": 51},
            "spec.limits.burst: the caller may send 51 requests at once, and 5 in a second: write at most 50",
        ),
        (
            {"apis": ["Search", "Sql", "Cluster"]},
            "spec.limits.apis: AI agents seldom need Sql, Cluster: write Documents, Search or Bulk alone",
        ),
        ({"requestsPerSecond": 5, "burst": 50, "apis": ["Documents", "Search", "Bulk"]}, ""),
    ],
)
def test_limits_that_hardly_limit_are_allowed_with_a_warning(limits: dict[str, Any], says: str) -> None:
    new = reads("shop-1", limits=limits)
    new["metadata"]["labels"] = {"searchaccess.dev/workload": "ai-agent"}
    found = ruled(knowing(cluster=BEHIND_GATEWAY), new)
    assert (found.allowed, found.warnings) == (True, (says,) if says else ())


def test_other_workloads_may_use_each_part_of_the_api_without_a_warning() -> None:
    assert ruled(knowing(cluster=BEHIND_GATEWAY), reads("shop-1", limits={"apis": ["Cluster"]})).warnings == ()


def test_a_violation_is_narrowed_only_if_its_limits_are_not_looser() -> None:
    known = knowing(a_policy(**ONLY_SHOP), cluster=BEHIND_GATEWAY)
    slow, fast = ({"limits": {"requestsPerSecond": number}} for number in (5, 10))
    assert ruled(known, reads("a-1", **slow), reads("a-*", **fast)).allowed
    assert not ruled(known, reads("a-1", **fast), reads("a-*", **slow)).allowed
    assert not ruled(known, reads("a-1"), reads("a-*", **slow)).allowed


@pytest.mark.parametrize(("policies", "new", "says"), WARNED.values(), ids=WARNED)
def test_what_is_questionable_is_allowed_with_a_warning(
    policies: list[dict[str, Any]], new: dict[str, Any], says: str
) -> None:
    found = ruled(knowing(*policies), new)
    assert found.allowed
    [warning] = found.warnings
    assert warning.startswith(says), warning


@pytest.mark.parametrize("pattern", ["a*", ".*", "orders-*-2026-*-*", "?"])
def test_other_patterns_are_no_reason_to_warn(pattern: str) -> None:
    assert ruled(knowing(), reads(pattern)).warnings == ()


def test_a_workload_whose_account_is_not_known_yet_is_allowed() -> None:
    workload = {"cloudRunService": {"project": "acme-shop", "location": "europe-west1", "name": "orders"}}
    assert ruled(knowing(), reads("shop-1", subject=workload)).allowed


def test_a_cluster_that_does_not_exist_yet_is_no_reason_to_refuse() -> None:
    assert ruled(knowing(), reads("shop-1", cluster="later")).allowed


KEPT: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "a finalizer": (reads("orders-*", finalizers=()), reads("orders-*")),
    "an annotation of nobody": (reads("orders-*"), reads("orders-*", annotations={"searchaccess.dev/reconcile": ""})),
    "the status": (reads("orders-*"), reads("orders-*", status={"summary": "x"})),
    "what is being deleted": (reads("*", deleted_at="2026-01-01T10:00:00Z", finalizers=()), reads("orders-*")),
    "suspend": (reads("orders-*", suspend=True), reads("orders-*")),
    "another part": (reads("orders-*", mode="Observe"), reads("orders-*")),
    "fewer patterns": (reads("orders-*"), reads("orders-*", "bills-*")),
    "a narrower pattern": (reads("orders-eu-*"), reads("orders-*")),
    "a restriction": (
        reads() | {"spec": reads()["spec"] | {"grants": [a_grant("orders-1", fields={"include": ["a"]})]}},
        reads("orders-*"),
    ),
    "a grant that is accepted": (
        reads() | {"spec": reads()["spec"] | {"grants": [a_grant("orders-*"), a_grant("shop-1")]}},
        reads("orders-*"),
    ),
}


@pytest.mark.parametrize(("new", "old"), KEPT.values(), ids=KEPT)
def test_an_update_of_what_is_refused_already_passes_if_it_violates_no_more(
    new: dict[str, Any], old: dict[str, Any]
) -> None:
    inventory = knowing(a_policy(**ONLY_SHOP))
    assert not ruled(inventory, old).allowed
    assert ruled(inventory, new, old).allowed


WORSE: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "a wider pattern": (reads("orders*"), reads("orders-*")),
    "another pattern": (reads("orders-*", "bills-*"), reads("orders-*")),
    "another action": (
        reads() | {"spec": reads()["spec"] | {"grants": [a_grant("orders-*", can=["read", "write"])]}},
        reads("orders-*"),
    ),
    "fewer restrictions": (
        reads("orders-1"),
        reads() | {"spec": reads()["spec"] | {"grants": [a_grant("orders-*", fields={"include": ["a"]})]}},
    ),
    "another subject": (
        reads("orders-1", service_account="other@acme-shop.iam.gserviceaccount.com"),
        reads("orders-*"),
    ),
    "what was accepted": (reads("orders-*"), reads("shop-*")),
    "a spec that cannot be read any more": (reads("a,b"), reads("orders-*")),
}


@pytest.mark.parametrize(("new", "old"), WORSE.values(), ids=WORSE)
def test_an_update_that_violates_more_is_refused(new: dict[str, Any], old: dict[str, Any]) -> None:
    assert not ruled(knowing(a_policy(**ONLY_SHOP)), new, old).allowed


TIMES = {"validUntil": "2030-01-01T00:00:00Z"}
ODD_TIMES = {"validUntil": "tomorrow"}
REPAIRS: dict[str, tuple[dict[str, Any], dict[str, Any], bool]] = {
    "one of two errors": (reads("a,b"), reads("a,b", indexes=["a"]), True),
    "another error": (reads("a,b"), reads("c,d"), True),
    "a finalizer": (reads("a,b", finalizers=()), reads("a,b"), True),
    "a subject": (reads("a,b", subject={}), reads("a,b"), True),
    "a time that could not be read": (reads("a,b", **TIMES), reads("a,b", **ODD_TIMES), True),
    "the end is put off": (reads("c,d", validUntil="2031-01-01T00:00:00Z"), reads("a,b", **TIMES), False),
    "there is no end any more": (reads("c,d"), reads("a,b", **TIMES), False),
    "a time that cannot be read any more": (reads("a,b", **ODD_TIMES), reads("a,b", **TIMES), False),
    "what was valid": (reads("a,b"), reads("a"), False),
}


@pytest.mark.parametrize(("new", "old", "allowed"), REPAIRS.values(), ids=REPAIRS)
def test_an_invalid_spec_can_be_repaired_step_by_step(
    new: dict[str, Any], old: dict[str, Any], *, allowed: bool
) -> None:
    """Nothing is granted until it is valid. Only rights that it has could be kept for longer."""
    assert ruled(knowing(clock=SettableClock(1000)), new, old).allowed is allowed


def test_a_label_by_which_a_policy_applies_counts_as_a_change() -> None:
    labels = {"searchaccess.dev/workload": "ai-agent"}
    inventory = knowing(a_policy(match={"labels": {"matchLabels": labels}}, **ONLY_SHOP))
    assert not ruled(inventory, reads("orders-1", labels=labels), reads("orders-1")).allowed
    assert ruled(inventory, reads("orders-1"), reads("orders-1", labels=labels)).allowed


def test_grants_that_widen_each_other_can_be_narrowed() -> None:
    old = two_grants()
    old["spec"]["grants"].insert(0, a_grant("shop-0"))
    fewer = old | {"spec": old["spec"] | {"grants": old["spec"]["grants"][1:]}}
    more = old | {"spec": old["spec"] | {"grants": [a_grant("bills-*"), *old["spec"]["grants"]]}}
    assert not ruled(knowing(), old).allowed
    assert ruled(knowing(), fewer, old).allowed
    assert not ruled(knowing(), more, old).allowed


def test_what_is_stored_is_judged_only_if_the_update_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    inventory, read = knowing(a_policy(**ONLY_SHOP)), list[Any]()

    def counted(raw: Any) -> Access:
        read.append(raw)
        return access_from_object(raw)

    monkeypatch.setattr(intake, "access_from_object", counted)
    assert ruled(inventory, reads("shop-1"), reads("orders-*")).allowed
    assert len(read) == 1, "each may take a tenth of a second"
    assert not ruled(inventory, reads("bills-1"), reads("orders-*")).allowed
    assert len(read) == 3


def test_an_update_that_passes_although_it_is_refused_says_so() -> None:
    found = ruled(knowing(a_policy(**ONLY_SHOP)), reads("orders-1"), reads("orders-*"))
    [warning] = found.warnings
    assert warning.startswith("it was refused before, and still is: SearchAccessPolicy limits: grants[0]: ")


@pytest.mark.parametrize(
    ("new", "old"),
    [
        (reads("*", finalizers=()), reads("*")),
        (reads("*", deleted_at="2026-01-01T10:00:00Z"), reads("orders-*")),
        (reads(*"abcdefgh", finalizers=()), reads(*"abcdefgh")),
    ],
    ids=["a finalizer", "what is being deleted", "a finalizer, and more violations than are named"],
)
def test_what_is_not_for_people_to_decide_passes_without_a_word(new: dict[str, Any], old: dict[str, Any]) -> None:
    found = ruled(knowing(a_policy(**ONLY_SHOP)), new, old)
    assert (found.allowed, found.warnings) == (True, ())


def test_where_not_all_violations_are_named_a_change_counts_as_more() -> None:
    policy = a_policy(allow=[{"indices": ["shop-*"], "can": ["read"]}])
    old = reads(*(f"orders-{number}" for number in range(9)))
    new = reads(*(f"orders-{number}" for number in range(9)), "z")
    assert not ruled(knowing(policy), new, old).allowed
    assert ruled(knowing(policy), old | {"spec": old["spec"] | {"suspend": True}}, old).allowed


def test_where_policies_do_not_say_why_a_change_counts_as_more() -> None:
    policies = [a_policy(name, limits={"grants": 0}) for name in "abcd"]
    inventory = knowing(*policies, a_policy("e", limits={"grants": 0}, deny=[{"indices": ["secret-*"]}]))
    old, new = reads("orders-*"), reads("secret-1")
    assert not ruled(inventory, new, old).allowed
    assert ruled(inventory, reads("orders-1"), old).allowed


def test_a_ruling_takes_nothing_in() -> None:
    inventory = knowing(a_policy(**ONLY_SHOP))
    workload = {"cloudRunService": {"project": "acme-shop", "location": "europe-west1", "name": "orders"}}
    for _ in range(2):
        ruled(inventory, reads("orders-*", subject=workload))
    assert not inventory.accesses
    assert not inventory.subjects
    assert not inventory.marks.dirty("prod").principals


def test_a_ruling_requests_no_labels_of_a_namespace_that_anybody_may_name() -> None:
    labels = {"selector": {"matchLabels": {"a": "b"}}}
    inventory = knowing(a_policy(match={"namespaces": labels}, **ONLY_SHOP), cluster={"allowedNamespaces": labels})
    inventory.namespaces.labels_wanted.clear()
    assert ruled(inventory, reads("orders-1", namespace="invented")).warnings
    assert not inventory.namespaces.labels_wanted.is_set()


def test_what_is_remembered_of_places_that_anybody_may_name_is_limited(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(verdicts, "_PLACES_KEPT", 3)
    monkeypatch.setattr(ruling, "_NAMESPACES_KEPT", 5)
    monkeypatch.setattr(panel, "_KEPT_EACH", 5)
    monkeypatch.setattr(memory, "_SAID_KEPT", 5)
    inventory = knowing(a_policy(**ONLY_SHOP))
    for number in range(20):
        odd = {"cluster": f"no-{number}", "namespace": f"odd-{number}"}
        assert not ruled(inventory, reads("orders-1", **odd)).allowed
        guardrails = inventory.policies._guardrails
        assert len(guardrails._possible) <= 3
        [one] = inventory.policies.memory._panels.values()
        remembered = [
            *_remembered(guardrails),
            *_remembered(one),
            *(each for part in one._compared[0] for each in _remembered(part)),
            *_remembered(one.rulings[0]),
        ]
        assert len(remembered) == 13
        assert all(len(each) <= 5 for each in remembered)
        assert len(inventory.policies.memory._evaluations) <= 6
    assert any(len(each) == 5 for each in remembered)


def _remembered(of: object) -> list[Answers[Any, Any]]:
    return [each for each in vars(of).values() if isinstance(each, Answers)]


def test_what_cannot_be_read_because_of_an_internal_error_is_not_decided(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> None:
        raise RuntimeError("an internal error")

    monkeypatch.setattr(intake, "access_from_object", fail)
    with pytest.raises(Undecided):
        ruled(knowing(), reads("orders-*"))
