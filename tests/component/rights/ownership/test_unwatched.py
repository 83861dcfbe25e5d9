"""State in, state out: roles whose SearchAccesses are in namespaces that are not watched are held."""

import copy
from typing import Any, Final

import pytest

from searchaccess.core.model.watched import Watched
from searchaccess.core.rights.ownership import Operator
from searchaccess.engine.lister import RESYNC_PERIOD
from tests.component.common import FORMER, MAPPING, ORDERS, ORPHANS, begin, drift, former_installation, granted
from tests.component.rights.ownership.releasing import allow, listed
from tests.component.rights.ownership.test_takeover import GIVEN_UP, may
from tests.component.watching import SEEN, UNSEEN, key_in, unseen, warned, watch_only
from tests.support.loop.stage import CLUSTER_KEY, OPERATOR, Stage, access_key, on_stage, search_cluster
from tests.support.memory.kubernetes import CONTROLLER
from tests.support.worlds.world import access, account, condition_in, grant

OTHERS: Final = account("others")
ANOTHER: Final = Operator("blue", CONTROLLER)


def hidden(name: str = "others", *indices: str, **more: Any) -> dict[str, Any]:
    """Return a SearchAccess of the namespace that is not watched later."""
    return access(name, grant(*(indices or (f"{name}-*",))), namespace=UNSEEN, **more)


def beside(**more: Any) -> dict[str, Any]:
    """Return one of the same account as the SearchAccess ``orders`` of the other namespace."""
    return hidden("beside", principal=ORDERS, **more)


async def begin_unseen(stage: Stage, *objects: dict[str, Any], **spec: Any) -> None:
    """Grant all of it, and take one namespace out of what is watched."""
    await begin(stage, *objects, **spec)
    await watch_only(stage, SEEN)


@pytest.mark.parametrize(
    "more",
    [{}, {"deletionPolicy": "Orphan"}, {"deletionPolicy": "Disable"}, {"mode": "Observe"}],
    ids=["plain", "orphaning", "disabling", "observing"],
)
def test_a_role_of_a_namespace_that_is_not_watched_stays_untouched(more: dict[str, Any]) -> None:
    @on_stage
    async def play(stage: Stage) -> None:
        await begin(stage, hidden(), access("orders", grant("orders-*")), orphans=ORPHANS)
        stage.kubernetes.change(key_in(UNSEEN, "others"), lambda raw: raw["spec"].update(more))
        await stage.quiet()
        role, status = copy.deepcopy(stage.role(OTHERS)), stage.kubernetes.objects[key_in(UNSEEN, "others")]["status"]
        await watch_only(stage, SEEN)
        assert await stage.reconcile_all() == []
        # Not even when its SearchAccess is gone, which nobody tells.
        stage.kubernetes.objects.pop(key_in(UNSEEN, "others"))
        await stage.sleep(2 * RESYNC_PERIOD)
        assert await stage.reconcile_all() == []
        assert stage.role(OTHERS) == role
        assert may(stage, OTHERS, "others-*")
        assert stage.ready("orders") == ("True", "InSync")
        assert drift(stage) == {"open": 0, "detected": 0, "corrected": 0}
        assert not stage.cluster()["status"].get("released")
        assert unseen(stage) == [f"{UNSEEN}/others"]
        [line] = warned(stage)
        assert (line["count"], line["held"]) == (1, f"{UNSEEN}/others")
        assert status

    play()


@on_stage
async def test_what_changed_in_it_by_hand_stays_too(stage: Stage) -> None:
    await begin_unseen(stage, hidden(), access("orders", grant("orders-*")))
    changed = stage.role(OTHERS) | {"cluster": ["monitor"]}
    stage.elasticsearch.write_role(OPERATOR.role_name(OTHERS), changed)
    assert await stage.reconcile_all() == []
    assert stage.role(OTHERS) == changed


@on_stage
async def test_in_a_shared_role_each_part_is_reconciled_or_held_by_itself(stage: Stage) -> None:
    await begin_unseen(stage, beside(), access("orders", grant("orders-*")))
    stage.amend("orders", grants=[grant("orders-*", "invoices-*")])
    await stage.quiet()
    assert granted(stage) == {"beside-*", "orders-*", "invoices-*"}
    assert stage.ready("orders") == ("True", "InSync")
    role = copy.deepcopy(stage.role(ORDERS))

    added = {"names": ["added-*"], "privileges": ["all"]}
    own = [entry for entry in role["indices"] if "beside-*" in entry["names"]]
    stage.elasticsearch.write_role(OPERATOR.role_name(ORDERS), role | {"indices": [*own, added]})
    await stage.reconcile_all()
    assert stage.role(ORDERS) == role
    corrected = drift(stage)["corrected"]
    assert corrected

    stage.elasticsearch.write_role(OPERATOR.role_name(ORDERS), role | {"description": "mine"})
    await stage.reconcile_all()
    assert stage.role(ORDERS) == role
    assert drift(stage)["corrected"] == corrected + 1

    before = len(stage.faults.writes)
    stage.delete("orders")
    await stage.quiet()
    assert not stage.get("orders")
    assert granted(stage) == {"beside-*"}
    assert "delete_roles" not in {call.method for call in stage.faults.writes[before:]}
    assert unseen(stage) == [f"{UNSEEN}/beside"]


@pytest.mark.parametrize("policy", ["Orphan", "Disable"])
def test_who_leaves_a_shared_role_takes_nothing_of_others_along(policy: str) -> None:
    @on_stage
    async def play(stage: Stage) -> None:
        declared = access("orders", grant("orders-*"), deletionPolicy=policy)
        await begin_unseen(stage, beside(), declared, orphans=ORPHANS)
        stage.delete("orders")
        await stage.quiet()
        assert not stage.get("orders")
        assert granted(stage) == ({"beside-*", "orders-*"} if policy == "Orphan" else {"beside-*"})
        assert OPERATOR.owns(stage.role(ORDERS)["metadata"])
        assert [owner["name"] for owner in stage.role(ORDERS)["metadata"]["owners"]] == ["beside"]
        if policy == "Orphan":
            assert listed(stage) == [("shop/orders", "r orders-*")]
            allow(stage, allowed=True, revoke=[{"namespace": "shop"}])
            await stage.quiet()
            assert granted(stage) == {"beside-*"}

    play()


@on_stage
async def test_what_cannot_be_seen_is_never_revoked_as_it_would_widen(stage: Stage) -> None:
    """Whoever declares something beside it is refused, however old."""
    eu: dict[str, Any] = {"where": {"term": {"region": "eu"}}}
    stage.apply(search_cluster(), access("orders", grant("orders-*")))
    await stage.quiet()
    stage.apply(access("beside", grant("shared-*", **eu), namespace=UNSEEN, principal=ORDERS))
    await stage.quiet()
    await watch_only(stage, SEEN)
    stage.amend("orders", grants=[grant("shared-*", fields={"include": ["id"]})])
    await stage.quiet()
    assert stage.ready("orders") == ("False", "RestrictionsWouldWiden")
    assert f"{UNSEEN}/beside" in condition_in(stage.get("orders"), "Ready")["message"]
    shared = [entry for entry in stage.role(ORDERS)["indices"] if "shared-*" in entry["names"]]
    assert len(shared) == 1
    assert "query" in shared[0]


@on_stage
async def test_rights_whose_release_was_only_noted_are_not_released(stage: Stage) -> None:
    leaving = hidden(deletionPolicy="Orphan")
    await begin(stage, leaving, access("orders", grant("orders-*")), orphans=ORPHANS)
    role = copy.deepcopy(stage.role(OTHERS))
    stage.kubernetes.delete(key_in(UNSEEN, "others"))
    while not stage.cluster()["status"].get("released"):
        await stage.sleep(0.01)
    await stage.stop()
    stage.elasticsearch.write_role(OPERATOR.role_name(OTHERS), role)
    await watch_only(stage, SEEN)
    await stage.reconcile_all()
    assert stage.role(OTHERS) == role
    assert listed(stage) == [(f"{UNSEEN}/others", "r others-*")], "its owner is there: it is not released yet"


# Role mappings


@on_stage
async def test_a_role_mapping_of_its_own_stays(stage: Stage) -> None:
    await begin_unseen(stage, hidden(), access("orders", grant("orders-*")), mapping="PerPrincipal")
    stage.delete("orders")
    await stage.quiet()
    await stage.reconcile_all()
    assert set(stage.elasticsearch.mappings_now) == {OPERATOR.role_name(OTHERS)}
    assert may(stage, OTHERS, "others-*")


@pytest.mark.parametrize("some_seen", [True, False])
@pytest.mark.parametrize(("before", "now"), [("RoleTemplate", "PerPrincipal"), ("PerPrincipal", "RoleTemplate")])
def test_another_kind_of_role_mapping_costs_them_nothing(*, before: str, now: str, some_seen: bool) -> None:
    @on_stage
    async def play(stage: Stage) -> None:
        objects = [access("orders", grant("orders-*"))] if some_seen else []
        await begin_unseen(stage, hidden(), *objects, mapping=before)
        stage.apply(search_cluster(mapping=now))
        await stage.quiet()
        await stage.reconcile_all()
        assert may(stage, OTHERS, "others-*")
        if some_seen:
            assert may(stage, ORDERS, "orders-*")
        await watch_only(stage)
        await stage.reconcile_all()
        assert may(stage, OTHERS, "others-*")
        if now == "PerPrincipal":
            assert MAPPING not in stage.elasticsearch.mappings_now, "it goes when nobody needs it"

    play()


@on_stage
async def test_callers_get_roles_of_other_names_when_all_can_be_seen(stage: Stage) -> None:
    for email in (ORDERS, OTHERS):
        stage.google.state.add_account(email)
    await begin_unseen(stage, hidden(), access("orders", grant("orders-*")))
    mapping = copy.deepcopy(stage.elasticsearch.mappings_now)
    stage.kubernetes.change(CLUSTER_KEY, lambda raw: raw["spec"]["identity"]["jwtRealm"].update(principal="sub"))
    await stage.quiet()
    assert stage.elasticsearch.mappings_now == mapping
    assert may(stage, OTHERS, "others-*")
    assert may(stage, ORDERS, "orders-*")
    assert stage.ready("orders") == ("False", "Pending")
    assert f"such as {UNSEEN}/others" in condition_in(stage.get("orders"), "Ready")["message"]
    await watch_only(stage)
    await stage.reconcile_all()
    assert stage.elasticsearch.mappings_now != mapping
    assert stage.ready("orders") == ("True", "InSync")


# Former installations and other instances


@on_stage
async def test_a_role_of_a_former_installation_stays(stage: Stage) -> None:
    left = await former_installation(
        stage, FORMER, search_cluster(), hidden(), beside(), access("orders", grant("orders-*"))
    )
    for name, raw in left.roles_now.items():
        stage.elasticsearch.write_role(name, raw)
    for name, raw in left.mappings_now.items():
        stage.elasticsearch.write_mapping(name, raw)
    await watch_only(stage, SEEN)
    taken = [{"controller": FORMER.controller}]
    await begin(stage, access("orders", grant("orders-*")), takeOver=taken)
    await stage.reconcile_all()
    assert stage.ready("orders") == ("True", "InSync")
    assert granted(stage) == {"orders-*", "beside-*"}
    assert granted(stage, OTHERS) == {"others-*"}
    assert unseen(stage) == [f"{UNSEEN}/beside", f"{UNSEEN}/others"]
    # The stage knows no objects of the former installation: what was written with their rights is what is held.
    assert all("with rights of former-" in violation for violation in stage.violations)
    stage.violations.clear()


@pytest.mark.parametrize("mapping", ["RoleTemplate", "PerPrincipal"])
def test_what_another_instance_that_was_given_up_has_of_them_stays(mapping: str) -> None:
    @on_stage
    async def play(stage: Stage) -> None:
        objects = (hidden(), beside(), access("orders", grant("orders-*")), access("old", grant("old-*")))
        left = await former_installation(stage, ANOTHER, search_cluster(mapping=mapping), *objects)
        for name, raw in left.roles_now.items():
            stage.elasticsearch.write_role(name, raw)
        for name, raw in left.mappings_now.items():
            stage.elasticsearch.write_mapping(name, raw)
        await watch_only(stage, SEEN)
        await begin(stage, access("orders", grant("orders-*")), mapping=mapping)
        stage.kubernetes.change(CLUSTER_KEY, lambda raw: raw["spec"].update(takeOver=GIVEN_UP))
        await stage.quiet()
        await stage.reconcile_all()
        assert may(stage, OTHERS, "others-*")
        assert may(stage, ORDERS, "beside-*")
        assert may(stage, ORDERS, "orders-*")
        assert not may(stage, account("old"), "old-*"), "nobody declares it, as can be seen"

    play()


# The SearchCluster goes


@on_stage
async def test_a_searchcluster_waits_for_what_cannot_be_seen(stage: Stage) -> None:
    await begin_unseen(stage, hidden())
    role, mappings = copy.deepcopy(stage.role(OTHERS)), copy.deepcopy(stage.elasticsearch.mappings_now)
    stage.kubernetes.delete(CLUSTER_KEY)
    await stage.quiet()
    await stage.sleep(60)
    assert stage.cluster_ready() == ("False", "InUse")
    assert f"{UNSEEN}/others" in condition_in(stage.cluster(), "Ready")["message"]
    assert (stage.role(OTHERS), stage.elasticsearch.mappings_now) == (role, mappings)
    stage.kubernetes.delete(key_in(UNSEEN, "others"))
    await watch_only(stage)
    assert not stage.cluster()
    assert not stage.elasticsearch.roles_now


# They come back


@on_stage
async def test_who_is_watched_again_is_reconciled_and_who_is_gone_loses_its_rights(stage: Stage) -> None:
    await begin_unseen(stage, hidden(), hidden("gone"), access("orders", grant("orders-*")))
    stage.kubernetes.objects.pop(key_in(UNSEEN, "gone"))
    stage.kubernetes.change(
        key_in(UNSEEN, "others"), lambda raw: raw["spec"].update(grants=[grant("others-*", "more-*")])
    )
    await watch_only(stage, SEEN, UNSEEN)
    assert granted(stage, OTHERS) == {"others-*", "more-*"}
    assert granted(stage, account("gone")) == set()
    assert unseen(stage) == []


# A namespace that is watched and may not be listed


def refuse(stage: Stage, *namespaces: str) -> None:
    """Let some of the watched namespaces not be readable."""
    stage.kubernetes.watched = stage.kubernetes.watched.without(namespaces)


@on_stage
async def test_a_namespace_that_may_not_be_listed_when_the_operator_starts_is_held(stage: Stage) -> None:
    await begin(stage, hidden(), access("orders", grant("orders-*")))
    await stage.stop()
    stage.kubernetes.watched = Watched(frozenset({SEEN, UNSEEN}), frozenset({UNSEEN}))
    stage.start()
    await stage.quiet()
    assert granted(stage, OTHERS) == {"others-*"}
    stage.amend("orders", grants=[grant("other-*")])
    await stage.quiet()
    assert granted(stage) == {"other-*"}, "the others are served"
    [line] = [entry for entry in stage.logs[-1] if entry["event"].startswith("cannot list a namespace")]
    assert line["namespace"] == UNSEEN
    stage.kubernetes.objects.pop(key_in(UNSEEN, "others"))
    refuse(stage)
    await stage.sleep(RESYNC_PERIOD + 30)
    await stage.quiet()
    assert granted(stage, OTHERS) == set()


@on_stage
async def test_what_is_known_of_a_namespace_stays_known_while_it_may_not_be_listed(stage: Stage) -> None:
    await begin(stage, hidden(), hidden("gone"), access("orders", grant("orders-*")))
    await watch_only(stage, SEEN, UNSEEN)
    refuse(stage, UNSEEN)
    stage.kubernetes.objects.pop(key_in(UNSEEN, "gone"))
    await stage.sleep(2 * RESYNC_PERIOD)
    assert await stage.reconcile_all() == []
    assert stage.process
    known = {record.access.name for record in stage.process.inventory.accesses.values()}
    assert known == {"orders", "others", "gone"}
    assert granted(stage, OTHERS) == {"others-*"}
    assert granted(stage, account("gone")) == {"gone-*"}
    refuse(stage)
    await stage.sleep(RESYNC_PERIOD + 30)
    await stage.quiet()
    assert granted(stage, OTHERS) == {"others-*"}
    assert granted(stage, account("gone")) == set()


@on_stage
async def test_while_no_namespace_may_be_listed_nothing_is_decided(stage: Stage) -> None:
    await begin(stage, access("orders", grant("orders-*")))
    await stage.stop()
    stage.kubernetes.watched = Watched(frozenset({SEEN}), frozenset({SEEN}))
    process = stage.start()
    await stage.sleep(60)
    assert not process.host.listed.is_set()
    assert granted(stage) == {"orders-*"}
    refuse(stage)
    await stage.quiet()
    stage.annotate(access_key("orders"), "searchaccess.dev/reconcile-requested-at", "now")
    await stage.quiet()
    stage.check()
