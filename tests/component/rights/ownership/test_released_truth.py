"""State in, state out: only what the SearchCluster's status lists counts as released, whatever is cut off or forged."""

from typing import Any

import pytest

from searchaccess.ports.kubernetes import Plural
from tests.component.common import ORDERS, ORPHANS, ROLE, begin, drift, granted
from tests.component.rights.ownership.releasing import ALL, allow, forge, listed, orphan, released
from tests.support.failures.breaking import Break, Place, breaking
from tests.support.failures.faults import Fault
from tests.support.loop.clocks import run_virtually
from tests.support.loop.stage import CLUSTER_KEY, OPERATOR, Stage, on_stage, search_cluster
from tests.support.runs.effort import places
from tests.support.worlds.world import CLUSTER, access, account, grant


class TestForgery:
    """Who may write roles in Elasticsearch cannot have anything count as released."""

    @staticmethod
    @pytest.mark.parametrize("entry", [ALL, {"names": ["x"], "privileges": ["read"]}], ids=["all", "a little"])
    def test_what_metadata_says_was_released_is_drift(entry: dict[str, Any]) -> None:
        @on_stage
        async def play(stage: Stage) -> None:
            await released(stage, access("orders", grant("orders-*")))
            forge(stage, entry)
            await stage.quiet()
            assert granted(stage) == {"orphan-*", "orders-*"}
            assert drift(stage)["corrected"] == 2
            paths = {item["path"] for item in stage.get("orders")["status"]["drift"]["items"]}
            assert paths == {f"indices[{entry['names'][0]}]", "metadata.released"}
            assert listed(stage) == [("shop/orphan", "r orphan-*")]

        play()

    @staticmethod
    def test_it_is_not_released_with_the_last_owner_either() -> None:
        @on_stage
        async def play(stage: Stage) -> None:
            await begin(stage, access("orders", grant("orders-*")), orphans=ORPHANS)
            forge(stage, ALL)
            stage.delete("orders")
            await stage.quiet()
            assert not stage.role(ORDERS)
            assert listed(stage) == []

        play()


class TestWhatAnEarlierVersionReleased:
    """It is taken over once, where nothing was ever listed."""

    @staticmethod
    async def before(stage: Stage) -> None:
        """Have rights released as an earlier version did: in a shared role, and in one that is nobody's."""
        await released(
            stage, access("orders", grant("orders-*")), access("alone", grant("alone-*"), deletionPolicy="Orphan")
        )
        stage.delete("alone")
        await stage.quiet()
        await stage.stop()
        stage.kubernetes.objects[CLUSTER_KEY]["status"].pop("released")

    def test_what_metadata_says_is_taken_over_and_told(self) -> None:
        async def play() -> None:
            stage = Stage()
            stage.start()
            await self.before(stage)
            stage.start()
            await stage.quiet()
            found = stage.cluster()["status"]["released"]
            assert {(item["namespace"], item["role"], item["rights"]) for item in found} == {
                ("", ROLE, "r orphan-*"),
                ("", OPERATOR.role_name(account("alone")), "r alone-*"),
            }
            assert stage.notes(CLUSTER).count("RightsReleased") == 4
            assert granted(stage) == {"orphan-*", "orders-*"}
            forge(stage, {"names": ["x"], "privileges": ["read"]})
            await stage.quiet()
            assert granted(stage) == {"orphan-*", "orders-*"}, "from then on the list is exact"
            allow(stage, allowed=True, revoke=[{"role": OPERATOR.role_name(account("alone"))}])
            await stage.quiet()
            assert not stage.role(account("alone"))
            await stage.stop()
            stage.check_rules()

        run_virtually(play())

    def test_what_nobody_can_declare_is_not(self) -> None:
        async def play() -> None:
            stage = Stage()
            stage.start()
            await self.before(stage)
            forge(stage, ALL | {"allow_restricted_indices": True})
            stage.start()
            await stage.quiet()
            assert granted(stage) == {"orders-*"}, "it took the place of the other in the metadata"
            await stage.stop()
            stage.check_rules()

        run_virtually(play())


class TestAFaultOfOurs:
    """It costs the item on which it happened, for a while, and nobody else."""

    @staticmethod
    @pytest.mark.parametrize("name", ["to_revoke", "still_there", "shown", "release", "kept_of", "without_revoked"])
    def test_nothing_is_lost_and_others_are_served(name: str) -> None:
        async def play() -> None:
            stage = Stage()
            stage.faults.broke = True
            stage.start()
            await begin(stage, orphan(), access("orders", grant("orders-*")), orphans=ORPHANS)
            broken = Break(Place("searchaccess.core.ownership.released", name), KeyError)
            with breaking(broken):
                stage.delete("orphan")
                stage.apply(access("else", grant("else-*")))
                await stage.sleep(20)
                assert stage.ready("else") == ("True", "InSync")
                assert granted(stage) == {"orphan-*", "orders-*"}
                allow(stage, allowed=True, revoke=[{"namespace": "shop"}])
                stage.apply(access("more", grant("more-*")))
                await stage.sleep(20)
                assert stage.ready("more") == ("True", "InSync")
                broken.healed = True
            await stage.sleep(330)
            await stage.quiet()
            assert not stage.get("orphan")
            assert granted(stage) == {"orders-*"}
            assert listed(stage) == []
            await stage.stop()
            stage.check_rules()

        run_virtually(play())

    @staticmethod
    def test_what_an_earlier_version_released_is_taken_over_when_it_is_over() -> None:
        async def play() -> None:
            stage = Stage()
            stage.faults.broke = True
            stage.start()
            await TestWhatAnEarlierVersionReleased.before(stage)
            broken = Break(Place("searchaccess.core.ownership.released", "believed"), KeyError)
            with breaking(broken):
                stage.start()
                await stage.sleep(30)
                assert granted(stage) == {"orphan-*", "orders-*"}
                assert listed(stage) == []
                broken.healed = True
            await stage.sleep(30)
            await stage.quiet()
            assert granted(stage) == {"orphan-*", "orders-*"}
            assert {rights for _, rights in listed(stage)} == {"r orphan-*", "r alone-*"}
            await stage.stop()
            stage.check_rules()

        run_virtually(play())


async def _life(stage: Stage) -> None:
    """Rights are released, in a shared role and in one of their own; some are revoked."""
    stage.apply(search_cluster(orphans=ORPHANS), access("orders", grant("orders-*")), orphan())
    stage.apply(access("alone", grant("alone-*"), deletionPolicy="Orphan"))
    await stage.quiet()
    stage.delete("orphan")
    stage.delete("alone")
    await stage.quiet()
    assert sorted(listed(stage)) == [("shop/alone", "r alone-*"), ("shop/orphan", "r orphan-*")]
    assert granted(stage) == {"orders-*", "orphan-*"}
    allow(stage, allowed=True, revoke=[{"namespace": "shop", "name": "alone"}])
    await stage.quiet()
    assert listed(stage) == [("shop/orphan", "r orphan-*")]
    assert not stage.role(account("alone"))
    allow(stage, allowed=False, revoke=[{"namespace": "shop"}])
    await stage.quiet()
    assert listed(stage) == []
    assert granted(stage) == {"orders-*"}
    assert {key[2] for key in stage.kubernetes.objects if key[0] is Plural.ACCESSES} == {"orders"}


async def _play(number: int | None, fault: Fault) -> int:
    stage = Stage()
    if number is not None:
        stage.faults.at_write(number, fault)
    stage.start()
    await _life(stage)
    await stage.reconcile_all()
    stage.check()
    assert await stage.reconcile_all() == []
    await stage.stop()
    return len(stage.faults.writes)


@pytest.mark.parametrize("fault", list(Fault), ids=lambda fault: fault.name.lower().replace("_", " "))
def test_it_may_be_cut_off_at_any_write(fault: Fault) -> None:
    writes = run_virtually(_play(None, fault))
    assert writes > 12
    for number in places(writes):
        try:
            run_virtually(_play(number, fault))
        except AssertionError as error:
            raise AssertionError(f"{fault.name} at write {number} of {writes}: {error}") from error
