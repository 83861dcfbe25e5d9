"""State in, state out: rights that stay when their SearchAccess is deleted are allowed, listed, and taken away."""

from typing import Any

import pytest

from searchaccess.api.clusters.status import RELEASED_LIMIT
from searchaccess.api.constants import FINALIZER
from searchaccess.engine.inventory.namespaces import READ_EVERY
from searchaccess.ports.errors import PermissionDenied, Rejected, Unreachable
from tests.component.common import ORDERS, ORPHANS, ROLE, agree, begin, drift, granted, seen_hash
from tests.component.rights.ownership.releasing import ALL, allow, listed, orphan, released
from tests.support.loop.stage import CLUSTER_KEY, Stage, on_stage, search_cluster
from tests.support.worlds.world import CLUSTER, access, condition_in, grant

NOT_ALLOWED = ("False", "OrphanNotAllowed")


class TestWhereItIsNotAllowed:
    @staticmethod
    def test_nothing_is_granted() -> None:
        @on_stage
        async def play(stage: Stage) -> None:
            await begin(stage, orphan())
            assert stage.ready("orphan") == NOT_ALLOWED
            assert condition_in(stage.get("orphan"), "Stalled")["reason"] == "OrphanNotAllowed"
            assert "spec.orphans.allowed: true" in condition_in(stage.get("orphan"), "Ready")["message"]
            assert not stage.elasticsearch.roles_now
            assert FINALIZER not in stage.get("orphan")["metadata"].get("finalizers", [])
            stage.delete("orphan")
            await stage.quiet()
            assert not stage.get("orphan")
            assert listed(stage) == []

        play()

    @staticmethod
    def test_what_was_granted_before_is_held_and_revoked_at_deletion() -> None:
        @on_stage
        async def play(stage: Stage) -> None:
            await begin(stage, orphan(), orphans=ORPHANS)
            assert granted(stage) == {"orphan-*"}
            allow(stage, allowed=False)
            stage.amend("orphan", grants=[grant("more-*")])
            await stage.quiet()
            assert stage.ready("orphan") == NOT_ALLOWED
            assert granted(stage) == {"orphan-*"}, "nobody is locked out, nothing new is written"
            stage.delete("orphan")
            await stage.quiet()
            assert not stage.get("orphan")
            assert not stage.elasticsearch.roles_now
            assert listed(stage) == []

        play()

    @staticmethod
    def test_it_is_granted_as_soon_as_it_may_stay_or_is_not_to() -> None:
        @on_stage
        async def play(stage: Stage) -> None:
            await begin(stage, orphan("one"), orphan("two"))
            stage.amend("one", deletionPolicy="Delete")
            await stage.quiet()
            assert granted(stage) == {"one-*"}
            allow(stage, **ORPHANS)
            await stage.quiet()
            stage.check()

        play()

    @staticmethod
    def test_what_is_observed_after_it_was_enforced_is_revoked_at_deletion() -> None:
        @on_stage
        async def play(stage: Stage) -> None:
            await begin(stage, access("orders", grant("orders-*")))
            stage.amend("orders", mode="Observe")
            await stage.quiet()
            stage.delete("orders")
            await stage.quiet()
            assert not stage.get("orders")
            assert not stage.elasticsearch.roles_now

        play()

    @staticmethod
    @pytest.mark.parametrize(
        "role", [{}, {"indices": [ALL], "metadata": {"made_by": "hand"}}], ids=["nothing", "foreign"]
    )
    def test_what_was_only_ever_observed_changes_nothing(role: dict[str, Any]) -> None:
        @on_stage
        async def play(stage: Stage) -> None:
            if role:
                stage.elasticsearch.write_role(ROLE, role)
            await begin(stage, access("orders", grant("orders-*"), mode="Observe"))
            before = stage.role(ORDERS)
            stage.delete("orders")
            await stage.quiet()
            assert not stage.get("orders")
            assert stage.role(ORDERS) == before

        play()


class TestTheList:
    @staticmethod
    def test_what_stays_is_listed_counted_and_told() -> None:
        @on_stage
        async def play(stage: Stage) -> None:
            await released(stage, access("orders", grant("orders-*")))
            assert granted(stage) == {"orphan-*", "orders-*"}
            (item,) = stage.cluster()["status"]["released"]
            assert (item["role"], item["principal"], item["since"][:4]) == (ROLE, ORDERS, "2026")
            assert stage.notes(CLUSTER).count("RightsReleased") == 1
            assert await stage.reconcile_all() == []
            stage.check_rules()

        play()

    @staticmethod
    def test_observed_and_then_deleted_is_listed_too() -> None:
        @on_stage
        async def play(stage: Stage) -> None:
            await begin(stage, access("orders", grant("orders-*")), orphans=ORPHANS)
            stage.amend("orders", mode="Observe")
            await stage.quiet()
            stage.delete("orders")
            await stage.quiet()
            assert granted(stage) == {"orders-*"}
            assert listed(stage) == [("shop/orders", "r orders-*")]

        play()

    @staticmethod
    def test_it_stays_when_orphans_are_not_allowed_any_more_and_after_a_restart() -> None:
        @on_stage
        async def play(stage: Stage) -> None:
            await released(stage, access("orders", grant("orders-*")))
            allow(stage, allowed=False)
            await stage.quiet()
            await stage.restart()
            await stage.quiet()
            assert listed(stage) == [("shop/orphan", "r orphan-*")]
            assert granted(stage) == {"orphan-*", "orders-*"}

        play()

    @staticmethod
    def test_nothing_is_released_before_kubernetes_has_it_in_the_list() -> None:
        @on_stage
        async def play(stage: Stage) -> None:
            await begin(stage, orphan(), access("orders", grant("orders-*")), orphans=ORPHANS)
            stage.faults.fail("kubernetes", Rejected("a webhook says no"), "replace_status")
            stage.delete("orphan")
            await stage.sleep(60)
            assert FINALIZER in stage.get("orphan")["metadata"]["finalizers"]
            assert "released" not in stage.role(ORDERS)["metadata"]
            stage.apply(access("other", grant("other-*"), principal=ORDERS))
            await stage.sleep(5)
            assert granted(stage) == {"orphan-*", "orders-*", "other-*"}, "nobody else waits"
            stage.faults.heal("kubernetes")
            await stage.quiet()
            assert not stage.get("orphan")
            assert listed(stage) == [("shop/orphan", "r orphan-*")]

        play()

    @staticmethod
    def test_who_takes_a_cluster_over_knows_what_was_released_just_before() -> None:
        @on_stage
        async def play(stage: Stage) -> None:
            await released(stage, access("orders", grant("orders-*")))
            await stage.stop()
            listed_now = stage.cluster()["status"]["released"]
            stage.kubernetes.change(CLUSTER_KEY, lambda raw: raw["status"].update(released=[]))
            process = stage.start()
            ownership = process.host._context.ownership
            ownership.held = set[str]().intersection  # type: ignore[assignment, method-assign]
            await stage.sleep(2)
            # Another replica releases, and is gone before the watch says so.
            process.watch.down = True
            stage.kubernetes.change(CLUSTER_KEY, lambda raw: raw["status"].update(released=listed_now))
            del ownership.held
            process.inventory.changed.set()
            await stage.quiet()
            assert granted(stage) == {"orphan-*", "orders-*"}
            assert listed(stage) == [("shop/orphan", "r orphan-*")]

        play()

    @staticmethod
    def test_when_it_is_full_the_next_one_waits_until_there_is_room() -> None:
        @on_stage
        async def play(stage: Stage) -> None:
            names = [f"o-{number:03}" for number in range(RELEASED_LIMIT)]
            await begin(stage, orphan(), *(orphan(name) for name in names), orphans=ORPHANS)
            for name in names:
                stage.delete(name)
            await stage.quiet()
            assert len(listed(stage)) == RELEASED_LIMIT
            stage.delete("orphan")
            await stage.sleep(30)
            assert stage.ready("orphan") == ("False", "ReleasedListFull")
            assert "spec.orphans.revoke" in condition_in(stage.get("orphan"), "Ready")["message"]
            assert stage.notes("orphan")[-1] == "ReleasedListFull"
            assert "orphan-*" in granted(stage)
            allow(stage, allowed=True, revoke=[{"namespace": "shop", "name": names[0]}])
            await stage.quiet()
            assert not stage.get("orphan")
            assert ("shop/orphan", "r orphan-*") in listed(stage)
            assert f"{names[0]}-*" not in granted(stage)

        play()

    @staticmethod
    def test_what_somebody_removes_leaves_it_at_the_next_full_read() -> None:
        @on_stage
        async def play(stage: Stage) -> None:
            await released(stage)
            await stage.sleep(120)
            stage.elasticsearch.remove_role(ROLE)
            await stage.quiet()
            assert listed(stage) == []
            assert stage.notes(CLUSTER)[-1] == "ReleasedRightsEnded"
            assert await stage.reconcile_all() == []

        play()

    @staticmethod
    def test_one_that_is_applied_again_is_another_one() -> None:
        @on_stage
        async def play(stage: Stage) -> None:
            await released(stage, access("orders", grant("orders-*")))
            stage.apply(orphan())
            await stage.quiet()
            assert stage.ready("orphan") == ("True", "InSync")
            assert listed(stage) == [("shop/orphan", "r orphan-*")], "the former one's stay beside its own"
            stage.amend("orphan", deletionPolicy="Delete")
            await stage.quiet()
            stage.delete("orphan")
            await stage.quiet()
            assert granted(stage) == {"orphan-*", "orders-*"}

        play()

    @staticmethod
    def test_a_role_that_is_adopted_has_nothing_released_any_more() -> None:
        @on_stage
        async def play(stage: Stage) -> None:
            await released(stage)
            stage.apply(access("orders", grant("orders-*")))
            await stage.quiet()
            assert stage.ready("orders") == ("False", "OwnershipConflict")
            agree(stage, ROLE)
            await stage.quiet()
            assert granted(stage) == {"orders-*"}
            await stage.sleep(120)
            await stage.reconcile_all()
            assert listed(stage) == []

        play()


class TestRevoking:
    @staticmethod
    @pytest.mark.parametrize(
        "selector", [{"namespace": "shop"}, {"namespace": "shop", "name": "orphan"}, {"role": ROLE}]
    )
    @pytest.mark.parametrize("alone", [True, False], ids=["alone", "shared"])
    def test_what_is_named_goes_and_leaves_the_list(selector: dict[str, str], *, alone: bool) -> None:
        @on_stage
        async def play(stage: Stage) -> None:
            await released(stage, *([] if alone else [access("orders", grant("orders-*"))]))
            allow(stage, allowed=True, revoke=[selector])
            await stage.quiet()
            assert granted(stage) == (set() if alone else {"orders-*"})
            assert bool(stage.role(ORDERS)) is not alone
            assert listed(stage) == []
            assert stage.notes(CLUSTER)[-1] == "ReleasedRightsEnded"
            await stage.reconcile_all()  # A role that is gone is no foreign one any more.
            assert await stage.reconcile_all() == []
            if not alone:
                assert drift(stage)["detected"] == 0
                stage.check()

        play()

    @staticmethod
    def test_what_is_not_named_stays() -> None:
        @on_stage
        async def play(stage: Stage) -> None:
            await released(stage)
            allow(stage, allowed=True, revoke=[{"namespace": "billing"}, {"namespace": "shop", "name": "else"}])
            await stage.quiet()
            assert listed(stage) == [("shop/orphan", "r orphan-*")]
            assert granted(stage) == {"orphan-*"}

        play()

    @staticmethod
    def test_it_goes_when_its_namespace_is_not_allowed_any_more() -> None:
        @on_stage
        async def play(stage: Stage) -> None:
            await released(stage)
            stage.kubernetes.change(
                CLUSTER_KEY, lambda raw: raw["spec"].update(allowedNamespaces={"names": ["billing"]})
            )
            await stage.quiet()
            assert not stage.role(ORDERS)
            assert listed(stage) == []

        play()

    @staticmethod
    def test_what_somebody_added_to_a_role_that_is_nobodys_stays() -> None:
        @on_stage
        async def play(stage: Stage) -> None:
            await released(stage)
            role = stage.role(ORDERS)
            stage.elasticsearch.write_role(ROLE, role | {"indices": [*role["indices"], ALL]})
            allow(stage, allowed=True, revoke=[{"namespace": "shop"}])
            await stage.quiet()
            assert granted(stage) == {"*"}
            assert listed(stage) == []
            assert stage.cluster()["status"]["counts"]["foreignRoles"] == 1

        play()

    @staticmethod
    @pytest.mark.parametrize("error", [Unreachable("away"), PermissionDenied("may not")], ids=["away", "not permitted"])
    def test_what_could_not_be_revoked_stays_listed(error: Exception) -> None:
        @on_stage
        async def play(stage: Stage) -> None:
            await released(stage)
            stage.faults.fail("elasticsearch", error, "delete_roles")
            allow(stage, allowed=True, revoke=[{"namespace": "shop"}])
            await stage.sleep(60)
            assert listed(stage) == [("shop/orphan", "r orphan-*")]
            stage.faults.heal("elasticsearch")
            await stage.quiet()
            assert listed(stage) == []
            assert not stage.role(ORDERS)

        play()

    @staticmethod
    def test_who_waits_for_such_a_role_is_served_when_it_is_gone() -> None:
        @on_stage
        async def play(stage: Stage) -> None:
            await released(stage, access("rest", grant("rest-*")))
            stage.apply(access("orders", grant("orders-*")))
            await stage.quiet()
            assert stage.ready("orders") == ("False", "OwnershipConflict")
            allow(stage, allowed=True, revoke=[{"namespace": "shop"}])
            await stage.quiet()
            stage.check()

        play()

    @staticmethod
    def test_labels_of_a_namespace_that_is_gone_are_not_looked_for_all_the_time() -> None:
        @on_stage
        async def play(stage: Stage) -> None:
            stage.kubernetes.namespaces["shop"] = {"search": "yes"}
            selector = {"selector": {"matchLabels": {"search": "yes"}}}
            await begin(stage, orphan(), orphans=ORPHANS, allowedNamespaces=selector)
            stage.delete("orphan")
            await stage.quiet()
            del stage.kubernetes.namespaces["shop"]
            await stage.sleep(300)
            lists = [call for call in stage.faults.calls if call.method == "list_namespaces"]
            await stage.sleep(300)
            more = [call for call in stage.faults.calls if call.method == "list_namespaces"]
            assert len(more) - len(lists) <= 300 / READ_EVERY + 1
            assert listed(stage) == [("shop/orphan", "r orphan-*")], "it is not known to be refused"
            stage.kubernetes.namespaces["shop"] = {}
            await stage.sleep(2 * READ_EVERY)
            await stage.quiet()
            assert listed(stage) == []

        play()

    @staticmethod
    def test_with_a_role_mapping_each_the_mapping_goes_too() -> None:
        @on_stage
        async def play(stage: Stage) -> None:
            await begin(stage, orphan(), orphans=ORPHANS, mapping="PerPrincipal")
            stage.delete("orphan")
            await stage.quiet()
            assert ROLE in stage.elasticsearch.mappings_now
            stage.apply(
                search_cluster(orphans={"allowed": True, "revoke": [{"namespace": "shop"}]}, mapping="PerPrincipal")
            )
            await stage.quiet()
            assert not stage.role(ORDERS)
            assert ROLE not in stage.elasticsearch.mappings_now

        play()

    @staticmethod
    def test_what_is_revoked_in_a_role_at_the_moment_of_its_adoption_is_no_adoption() -> None:
        @on_stage
        async def play(stage: Stage) -> None:
            await begin(stage, orphan(), orphan("other"), orphans=ORPHANS)
            stage.delete("orphan")
            stage.delete("other")
            await stage.quiet()
            stage.apply(access("orders", grant("orders-*")))
            await stage.quiet()
            agreed = {"objects": [{"name": ROLE, "hash": seen_hash(stage, ROLE)}]}
            orphans = ORPHANS | {"revoke": [{"namespace": "shop", "name": "other"}]}
            stage.kubernetes.change(CLUSTER_KEY, lambda raw: raw["spec"].update(adoption=agreed, orphans=orphans))
            await stage.quiet()
            assert granted(stage) == {"orphan-*"}
            assert stage.ready("orders") == ("False", "OwnershipConflict"), "it is not as it was agreed to any more"
            assert stage.cluster()["status"].get("adopted") is None
            agree(stage, ROLE)
            await stage.quiet()
            assert granted(stage) == {"orders-*"}
            stage.check()

        play()
