"""What the loop says names the thing: who uses a SearchCluster, which there are, what is pending."""

from tests.component.common import begin
from tests.support.loop.stage import CLUSTER_KEY, Stage, on_stage, search_cluster
from tests.support.worlds.world import access, condition_in, grant


def message(stage: Stage, name: str, kind: str = "Ready") -> str:
    return str(condition_in(stage.get(name), kind)["message"])


@on_stage
async def test_a_deletion_that_waits_names_who_uses_the_cluster(stage: Stage) -> None:
    await begin(stage, *(access(f"a-{number:02}", grant("x")) for number in range(17)))
    stage.kubernetes.delete(CLUSTER_KEY)
    await stage.quiet()
    assert stage.cluster_ready() == ("False", "InUse")
    said = condition_in(stage.cluster(), "Ready")["message"]
    assert "17 SearchAccesses" in said
    assert "shop/a-00, shop/a-01, shop/a-02, shop/a-03, shop/a-04 and 12 more" in said
    for number in range(16):
        stage.delete(f"a-{number:02}")
    await stage.quiet()
    assert (
        "1 SearchAccess still uses this SearchCluster: shop/a-16." in condition_in(stage.cluster(), "Ready")["message"]
    )


@on_stage
async def test_a_cluster_that_does_not_exist_shows_which_do_and_none_that_is_not_allowed(stage: Stage) -> None:
    stage.apply(
        search_cluster(),
        search_cluster("prod-secret", "https://two:9200", allowedNamespaces={"names": ["billing"]}),
        access("near", grant("x"), cluster="prd"),
        access("far", grant("x"), cluster="main"),
    )
    stage.server("https://two:9200").wipe("uuid-of-two")
    await stage.quiet()
    assert message(stage, "near") == "there is no SearchCluster named 'prd'; did you mean prod?"
    assert message(stage, "far") == "there is no SearchCluster named 'main'; the namespace shop may use prod"


@on_stage
async def test_what_is_pending_is_said_not_where_it_is_written(stage: Stage) -> None:
    await begin(stage, access("observed", grant("orders-*"), mode="Observe"))
    said = message(stage, "observed")
    [item] = stage.get("observed")["status"]["drift"]["items"]
    assert said == f"{item['object']} {item['path']}: want {item['want']}, have nothing"
