"""What a former or another installation of the operator left in Elasticsearch, on the real servers."""

import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import httpx

from tests.support.waiting import eventually
from tests.support.worlds.world import World, access, condition_in, grant

WITHIN = 60
FORMER = {"controller": "5a0c3b1e-former-kube-system"}
HEIRS = ("heir-1", "heir-2")
ORPHAN = "heir-orphan"


def left_by(stamp: dict[str, str], world: World, there: World, names: Sequence[str]) -> None:
    """Copy roles and role mapping of a running operator to another Elasticsearch, as those of another installation."""
    world.apply(*(access(name, grant("heirs-*")) for name in names))
    world.until_ready(*names, within=WITHIN)
    own = f"searchaccess.{world.instance}"
    theirs = f"searchaccess.{stamp.get('instance', world.instance)}"
    for name in names:
        role = world.role(name)
        role.pop("transient_metadata")
        role["metadata"] |= stamp
        for owner in role["metadata"]["owners"]:
            owner["uid"] = f"former-{owner['uid']}"
        there.admin.put(f"/_security/role/{world.role_name(name).replace(own, theirs)}", json=role).raise_for_status()
        world.delete(name)
    mapping = world.mapping()
    mapping["metadata"] |= stamp
    templates = [
        item | {"template": item["template"].replace(f"{own}.", f"{theirs}.")} for item in mapping["role_templates"]
    ]
    there.admin.put(
        f"/_security/role_mapping/{theirs}", json=mapping | {"role_templates": templates}
    ).raise_for_status()


@contextmanager
def asking(callers: Sequence[httpx.Client]) -> Iterator[list[int]]:
    """Have callers search all the time; yield what was not answered with 200."""
    refused: list[int] = []
    over = threading.Event()

    def ask(caller: httpx.Client) -> None:
        while not over.is_set():
            if (status := caller.get("/heirs-*/_search").status_code) != 200:
                refused.append(status)

    threads = [threading.Thread(target=ask, args=(caller,)) for caller in callers]
    for thread in threads:
        thread.start()
    try:
        yield refused
    finally:
        over.set()
        for thread in threads:
            thread.join()


def others(world: World) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = world.get_cluster("rebuilt")["status"].get("others", [])
    return found


def test_a_rebuilt_kubernetes_cluster_takes_its_old_elasticsearch_over_with_one_decision(
    world: World, elsewhere: World
) -> None:
    left_by(FORMER, world, elsewhere, [*HEIRS, ORPHAN])
    elsewhere.admin.put("/heirs-1")
    elsewhere.apply(elsewhere.cluster("rebuilt", drift={"probeEvery": "500ms"}))
    elsewhere.apply(*(access(name, grant("heirs-*"), cluster="rebuilt") for name in HEIRS))
    for name in HEIRS:
        elsewhere.until_reason(name, "OwnershipConflict", within=WITHIN)
    eventually(lambda: [one["roles"] for one in others(elsewhere)] == [3], within=WITHIN)
    undeclared = "1 of the roles for principals that no SearchAccess here names"

    def reported() -> str:
        return str(condition_in(elsewhere.get_cluster("rebuilt"), "OthersPresent").get("message", ""))

    eventually(lambda: undeclared in reported(), within=WITHIN)
    assert f"spec.takeOver: [{{controller: {FORMER['controller']}}}]" in reported()

    callers = [elsewhere.caller(name) for name in HEIRS]
    with asking(callers) as refused:
        elsewhere.patch_cluster("rebuilt", {"spec": {"takeOver": [FORMER]}})
        elsewhere.until_ready(*HEIRS, within=WITHIN)
        eventually(lambda: not others(elsewhere), within=WITHIN)
    assert refused == []
    ours = world.mapping()["metadata"]["controller"]
    assert {elsewhere.role(name)["metadata"]["controller"] for name in HEIRS} == {ours}
    assert elsewhere.mapping()["metadata"]["controller"] == ours
    assert not elsewhere.role(ORPHAN), "nobody declares it"
    eventually(lambda: not reported(), within=WITHIN, what="the status names no others")


def test_another_instance_is_reported_and_goes_once_ours_is_in_place(world: World, elsewhere: World) -> None:
    blue = {"instance": "blue"}
    left_by(blue, world, elsewhere, [*HEIRS, ORPHAN])
    elsewhere.admin.put("/heirs-1")
    elsewhere.apply(elsewhere.cluster("rebuilt", drift={"probeEvery": "500ms"}))
    elsewhere.apply(*(access(name, grant("heirs-*"), cluster="rebuilt") for name in HEIRS))
    elsewhere.until_ready(*HEIRS, within=WITHIN)
    eventually(lambda: [(one["instance"], one["roles"]) for one in others(elsewhere)] == [("blue", 3)], within=WITHIN)
    orphan = elsewhere.caller(ORPHAN)
    assert orphan.get("/heirs-*/_search").status_code == 200, "it stays in force"

    controller = world.mapping()["metadata"]["controller"]
    with asking([elsewhere.caller(name) for name in HEIRS]) as refused:
        elsewhere.patch_cluster("rebuilt", {"spec": {"takeOver": [blue | {"controller": controller}]}})
        eventually(lambda: not others(elsewhere), within=WITHIN)
    assert refused == []
    for kind in ("role", "role_mapping"):
        assert not [name for name in elsewhere.admin.get(f"/_security/{kind}").json() if "searchaccess.blue" in name]
    assert orphan.get("/heirs-*/_search").status_code == 403
