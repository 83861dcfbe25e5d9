"""State in, state out: what one SearchAccess hides and another one shows the same account is said on both."""

from typing import Any

from searchaccess.ports.errors import Unreachable
from searchaccess.ports.kubernetes import Plural
from tests.component.common import ORDERS, ORPHANS, begin
from tests.component.credentials.common import STORES
from tests.component.policies.test_policies import ONLY_LOGS, policy
from tests.support.failures.breaking import Break, Place, breaking
from tests.support.loop.stage import Stage, on_stage
from tests.support.memory.kubernetes import Key
from tests.support.worlds.world import access, condition_in, grant

EU: dict[str, Any] = {"where": {"term": {"region": "eu"}}}
REGION: dict[str, Any] = {"fields": {"include": ["region"]}}
MINE = access("orders", grant("orders-*", **EU))
THEIRS = access("everything", grant("*"), principal=ORDERS, namespace="evil")
THEIR_KEY: Key = (Plural.ACCESSES, "evil", "everything")
HIDES = "SearchAccess evil/everything (*) shows documents that this one hides"
SHOWS = "this one shows documents that SearchAccess shop/orders (orders-*) hides"


def said(stage: Stage) -> dict[str, str]:
    """Return the messages of all that have the condition, by namespace and name."""
    found: dict[str, str] = {}
    for (_, namespace, name), raw in stage.kubernetes.objects.items():
        for item in raw.get("status", {}).get("conditions", []):
            if item["type"] == "Exclusive":
                assert (item["status"], item["reason"]) == ("False", "WidenedBy")
                found[f"{namespace}/{name}"] = item["message"]
    return found


def change(stage: Stage, **spec: Any) -> None:
    stage.kubernetes.change(THEIR_KEY, lambda raw: raw["spec"].update(spec))


@on_stage
async def test_it_is_said_on_both_at_once_and_no_longer_when_one_goes(stage: Stage) -> None:
    await begin(stage, MINE, access("bystander", grant("bills-*", **EU)))
    assert said(stage) == {}
    stage.apply(THEIRS)
    await stage.sleep(2)
    assert said(stage) == {"shop/orders": HIDES, "evil/everything": SHOWS}
    await stage.quiet()
    assert stage.ready("orders") == ("True", "InSync"), "it is a warning"
    assert await stage.reconcile_all() == [], "nothing is written again"
    stage.kubernetes.delete(THEIR_KEY)
    await stage.quiet()
    assert said(stage) == {}
    stage.check()


@on_stage
async def test_it_stays_while_rights_stay_that_are_no_longer_declared(stage: Stage) -> None:
    await begin(stage, MINE, THEIRS)
    for spec in ({"suspend": True}, {"suspend": False, "mode": "Observe"}, {"grants": [grant("Upper")]}):
        change(stage, **spec)
        await stage.quiet()
        assert said(stage) == {"shop/orders": HIDES, "evil/everything": SHOWS}, spec
    change(stage, grants=[grant("bills-*")], mode="Enforce")
    await stage.quiet()
    assert said(stage) == {}


@on_stage
async def test_a_new_one_that_is_only_observed_shows_nothing(stage: Stage) -> None:
    await begin(stage, MINE)
    observed = access("everything", grant("*"), principal=ORDERS, namespace="evil", mode="Observe")
    stage.apply(observed)
    await stage.quiet()
    assert said(stage) == {}


@on_stage
async def test_rights_that_a_policy_lets_stay_are_said(stage: Stage) -> None:
    await begin(stage, MINE, THEIRS)
    stage.apply(policy(**ONLY_LOGS, onViolation="Keep", match={"namespaces": {"names": ["evil"]}}))
    await stage.quiet()
    assert condition_in(stage.kubernetes.objects[THEIR_KEY], "Ready")["reason"] == "PolicyViolation"
    assert said(stage) == {"shop/orders": HIDES, "evil/everything": SHOWS}


@on_stage
async def test_rights_that_were_released_are_said(stage: Stage) -> None:
    theirs = access("everything", grant("*"), principal=ORDERS, namespace="evil", deletionPolicy="Orphan")
    await begin(stage, MINE, theirs, orphans=ORPHANS)
    stage.kubernetes.delete(THEIR_KEY)
    await stage.quiet()
    released = "rights released by deletionPolicy: Orphan (*) shows documents that this one hides"
    assert said(stage) == {"shop/orders": released}
    assert await stage.reconcile_all() == []


@on_stage
async def test_two_that_only_observe_and_together_show_more_say_both(stage: Stage) -> None:
    """Nothing is changed under Observe, so only the statuses can say it."""
    theirs = access("everything", grant("orders-1"), principal=ORDERS, namespace="evil")
    await begin(stage, MINE, theirs)
    stage.amend("orders", mode="Observe")
    change(stage, mode="Observe")
    await stage.quiet()
    assert list(said(stage)) == ["shop/orders", "evil/everything"]


@on_stage
async def test_one_that_is_refused_shows_nothing_and_says_itself_why(stage: Stage) -> None:
    await begin(stage, MINE)
    stage.apply(access("everything", grant("*", **REGION), principal=ORDERS, namespace="evil"))
    await stage.quiet()
    theirs = condition_in(stage.kubernetes.objects[THEIR_KEY], "Ready")
    assert theirs["reason"] == "RestrictionsWouldWiden"
    assert "shop/orders" in theirs["message"]
    assert said(stage) == {}


@on_stage
async def test_a_namespace_may_show_itself_what_it_hides(stage: Stage) -> None:
    await begin(stage, MINE, access("everything", grant("*"), principal=ORDERS))
    assert said(stage) == {}


@on_stage
async def test_it_stays_said_while_the_cluster_is_away_and_not_after_a_change_to_a_key(stage: Stage) -> None:
    await begin(stage, MINE, THEIRS, secretStores=STORES)
    stage.faults.fail("elasticsearch", Unreachable("away"))
    await stage.sleep(300)
    assert said(stage) == {"shop/orders": HIDES, "evil/everything": SHOWS}
    stage.faults.heal("elasticsearch")
    change(stage, auth="ApiKey", credential={"store": "main", "name": "everything"})
    await stage.quiet()
    assert said(stage) == {}


@on_stage
async def test_it_stays_said_while_an_internal_error_prevents_planning(stage: Stage) -> None:
    await begin(stage, MINE, THEIRS)
    before = said(stage)
    stage.faults.broke = True
    with breaking(Break(Place("searchaccess.core.rights.plan", "plan_role"), KeyError)):
        stage.amend("orders", grants=[grant("orders-*", **EU), grant("bills-*")])
        await stage.sleep(60)
        assert stage.ready("orders")[1] == "InternalError"
        assert said(stage) == before
    await stage.quiet()
    assert said(stage) == before
