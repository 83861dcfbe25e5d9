"""Rights that stay when their SearchAccess is deleted: allowed, listed and revoked, and never made up by others."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from searchaccess.core.model.canonical import role_from_json
from tests.e2e.rights.test_sharing import READ, entries
from tests.support.waiting import eventually
from tests.support.worlds.world import CLUSTER, World, access, account, condition_in, grant

WITHIN = 60
ALLOWED = {"allowed": True, "revoke": []}


@contextmanager
def orphans(world: World, **changes: Any) -> Iterator[None]:
    """Have the SearchCluster say something else about released rights for a while."""
    world.patch_cluster(CLUSTER, {"spec": {"orphans": ALLOWED | changes}})
    # Otherwise the operator may see a SearchAccess first.
    world.until_cluster_reason(CLUSTER, "InSync", status="True", within=WITHIN)
    try:
        yield
    finally:
        world.patch_cluster(CLUSTER, {"spec": {"orphans": ALLOWED}})


def listed(world: World, name: str) -> dict[str, Any]:
    found = world.get_cluster()["status"].get("released", [])
    return next((item for item in found if item["name"] == name), {})


def test_rights_stay_only_where_that_is_allowed_listed_until_they_are_revoked(world: World) -> None:
    world.admin.put("/leaving-one")
    with orphans(world, allowed=False):
        world.apply(access("leaving", grant("leaving-one"), deletionPolicy="Orphan"))
        world.until_reason("leaving", "OrphanNotAllowed", within=WITHIN)
        assert not world.role("leaving"), "by default nothing may be left behind, so nothing is granted"
    world.until_ready("leaving")
    caller = world.caller("leaving")
    assert caller.get("/leaving-one/_search").status_code == 200

    world.delete("leaving")
    assert caller.get("/leaving-one/_search").status_code == 200, "it stays, as declared"
    item = eventually(lambda: listed(world, "leaving"), within=WITHIN, what="it is listed")
    assert (item["namespace"], item["role"]) == ("shop", world.role_name("leaving"))
    assert (item["principal"], item["rights"]) == (account("leaving"), "r leaving-one")
    event = world.until_event(CLUSTER, "RightsReleased", "shop/leaving", namespace="default")
    assert world.role_name("leaving") in event["message"]

    with orphans(world, revoke=[{"namespace": "shop", "name": "leaving"}]):
        eventually(lambda: not listed(world, "leaving"), within=WITHIN, what="it is revoked")
        assert not world.role("leaving")
        assert caller.get("/leaving-one/_search").status_code == 403


def test_what_a_role_says_was_released_and_nobody_released_is_healed(world: World) -> None:
    world.admin.put("/forged-two")
    world.apply(access("forged", grant("forged-one")))
    world.until_ready("forged")
    caller, role = world.caller("forged"), world.role("forged")
    added = {"names": ["forged-two"], "privileges": ["read", "view_index_metadata"]}
    (entry,) = role_from_json({"indices": [added]}).entries
    said = role["metadata"] | {"released": {"entries": [entry.hash], "cluster": []}}
    world.write_role("forged", role | {"indices": [*role["indices"], added], "metadata": said})

    eventually(lambda: entries(world, "forged") == {"forged-one": READ}, within=WITHIN, what="it is healed")
    assert caller.get("/forged-two/_search").status_code == 403
    eventually(lambda: condition_in(world.get("forged"), "Drifted").get("reason") == "DriftCorrected", within=WITHIN)
    assert not any(item["role"] == world.role_name("forged") for item in world.get_cluster()["status"]["released"])
