"""SearchAccesses that share a principal, or a name, do not depend on each other; and what is left when one goes."""

from typing import Any

import pytest

from tests.support.waiting import eventually
from tests.support.worlds.world import World, access, account, condition_in, grant

Body = dict[str, Any]

WITHIN = 60


def share(world: World, principal: str) -> tuple[Body, Body]:
    """Declare two accesses of one principal, in the namespaces shop and billing, and give them."""
    email = account(principal)
    first = access(principal, grant(f"{principal}-one"), principal=email)
    second = access(principal, grant(f"{principal}-two", can=["read", "write"]), principal=email, namespace="billing")
    for index in ("one", "two", "three"):
        world.admin.put(f"/{principal}-{index}")
    world.apply(first, second)
    world.until_ready(principal)
    world.until_ready(principal, namespace="billing")
    return first, second


def entries(world: World, principal: str) -> Body:
    """Return a role's privileges by index names."""
    return {",".join(entry["names"]): set(entry["privileges"]) for entry in world.role(principal).get("indices", [])}


def owners(world: World, principal: str) -> set[str]:
    return {f"{owner['namespace']}/{owner['name']}" for owner in world.role(principal)["metadata"]["owners"]}


def statuses(world: World, principal: str) -> dict[str, int]:
    """Return what a service gets when it reads each index."""
    with world.caller(principal) as caller:
        return {name: caller.get(f"/{principal}-{name}/_search").status_code for name in ("one", "two", "three")}


def edit(world: World, principal: str, index: str, *privileges: str) -> None:
    """Change the privileges of one entry, as somebody who should not."""
    role = world.role(principal)
    for entry in role["indices"]:
        if entry["names"] == [f"{principal}-{index}"]:
            entry["privileges"] = list(privileges)
    world.write_role(principal, role)


READ = {"read", "view_index_metadata"}
WRITE = {"create", "index"}


def test_two_accesses_of_one_principal_add_up(world: World) -> None:
    share(world, "union")
    assert entries(world, "union") == {"union-one": READ, "union-two": READ | WRITE}
    assert owners(world, "union") == {"shop/union", "billing/union"}
    assert statuses(world, "union") == {"one": 200, "two": 200, "three": 403}


def standing(world: World, name: str) -> dict[str, Any]:
    """Return a status without what it says of others."""
    status = dict(world.get(name)["status"])
    status["conditions"] = [item for item in status["conditions"] if item["type"] != "GrantedElsewhere"]
    return status


def test_deleting_one_leaves_the_other(world: World) -> None:
    share(world, "leaver")
    named = eventually(
        lambda: world.condition("leaver", "GrantedElsewhere"), within=WITHIN, what="it names the other one"
    )
    assert "billing/leaver" in named["message"]
    seen = standing(world, "leaver")
    world.delete("leaver", namespace="billing")
    assert entries(world, "leaver") == {"leaver-one": READ}
    assert owners(world, "leaver") == {"shop/leaver"}
    assert statuses(world, "leaver") == {"one": 200, "two": 403, "three": 403}
    eventually(lambda: not world.condition("leaver", "GrantedElsewhere"), within=WITHIN, what="there is no other one")
    assert standing(world, "leaver") == seen

    world.delete("leaver")
    assert not world.role("leaver")


def test_suspending_one_freezes_its_rights_and_the_other_goes_on(world: World) -> None:
    first, second = share(world, "paused")
    world.patch("paused", {"spec": {"suspend": True}}, namespace="billing")
    eventually(
        lambda: condition_in(world.get("paused", "billing"), "Synced").get("reason") == "Suspended", within=WITHIN
    )
    assert condition_in(world.get("paused", "billing"), "Ready")["status"] == "True", "pausing changes nothing"

    # A changed manifest of the suspended one has no effect; that of the other has.
    second["spec"] |= {"suspend": True, "grants": [grant("paused-three")]}
    first["spec"]["grants"] = [grant("paused-one", can=["read", "delete"])]
    world.apply(second, first)
    world.until_ready("paused")
    assert entries(world, "paused") == {"paused-one": READ | {"delete"}, "paused-two": READ | WRITE}

    # What somebody does to the entry of the suspended one stays; to that of the other, not.
    edit(world, "paused", "two", "read", "delete")
    edit(world, "paused", "one", "all")
    healed = {"paused-one": READ | {"delete"}, "paused-two": {"read", "delete"}}
    eventually(lambda: entries(world, "paused") == healed, within=WITHIN, what="only the other's entry is healed")
    assert (world.get("paused", "billing")["status"].get("drift") or {}).get("detected", 0) == 0

    second["spec"]["suspend"] = False
    world.apply(second)
    world.until_ready("paused", namespace="billing", within=WITHIN)
    assert entries(world, "paused") == {"paused-one": READ | {"delete"}, "paused-three": READ}


def test_suspended_alone_nothing_is_looked_at_until_it_goes_on(world: World) -> None:
    declared = access("alone", grant("alone-one"))
    world.apply(declared)
    world.until_ready("alone")
    world.patch("alone", {"spec": {"suspend": True}})
    eventually(lambda: condition_in(world.get("alone"), "Synced").get("reason") == "Suspended", within=WITHIN)

    edit(world, "alone", "one", "all")
    edited = world.role("alone")
    seen = world.get("alone")["metadata"]["resourceVersion"]
    # Another one, corrected, proves that a full reconcile happened.
    world.apply(access("alone-witness", grant("alone-one")))
    world.until_ready("alone-witness")
    world.admin.delete(f"/_security/role/{world.role_name('alone-witness')}").raise_for_status()
    eventually(lambda: world.role("alone-witness"), within=WITHIN, what="the witness is healed")
    assert world.role("alone") == edited
    assert world.get("alone")["metadata"]["resourceVersion"] == seen

    world.patch("alone", {"spec": {"suspend": False}})
    eventually(lambda: entries(world, "alone") == {"alone-one": READ}, within=WITHIN, what="it heals")
    world.until_ready("alone")


def test_observing_one_reports_its_drift_and_the_others_is_corrected(world: World) -> None:
    share(world, "watched")
    world.patch("watched", {"spec": {"mode": "Observe"}}, namespace="billing")
    world.until_ready("watched", namespace="billing")

    edit(world, "watched", "two", "read")
    observed = world.until_reason("watched", "DriftDetected", status="False", namespace="billing", within=WITHIN)
    assert [item["path"] for item in observed["status"]["drift"]["items"]] == ["indices[watched-two].privileges"]

    # Not before the first was reported: a role has no version to compare, so what comes between the operator's read and
    # its write is overwritten unseen.
    edit(world, "watched", "one", "all")
    expected = {"watched-one": READ, "watched-two": {"read"}}
    eventually(lambda: entries(world, "watched") == expected, within=WITHIN, what="only the enforced entry is healed")
    world.until_ready("watched")
    reported = eventually(lambda: world.get("watched")["status"]["drift"]["items"], within=WITHIN)
    assert [item["path"] for item in reported] == ["indices[watched-one].privileges"]


def test_the_same_name_in_two_namespaces_is_two_accesses(world: World) -> None:
    world.apply(
        access("twin", grant("twin-one"), principal=account("twin-a")),
        access("twin", grant("twin-two"), principal=account("twin-b"), namespace="billing"),
    )
    world.until_ready("twin")
    world.until_ready("twin", namespace="billing")
    assert entries(world, "twin-a") == {"twin-one": READ}
    assert entries(world, "twin-b") == {"twin-two": READ}

    seen = world.get("twin", "billing")["metadata"]["resourceVersion"]
    world.delete("twin")
    assert not world.role("twin-a")
    assert entries(world, "twin-b") == {"twin-two": READ}
    assert world.get("twin", "billing")["metadata"]["resourceVersion"] == seen


def settled(world: World, witness: str) -> None:
    """Wait until a full reconcile happened, orphans included: it corrects a witness."""
    world.apply(access(witness, grant("witness-*")))
    world.until_ready(witness)
    world.admin.delete(f"/_security/role/{world.role_name(witness)}").raise_for_status()
    eventually(lambda: world.role(witness), within=WITHIN, what="the witness is healed")
    world.delete(witness)


def test_delete_takes_the_role_with_the_last_access(world: World) -> None:
    world.admin.put("/policy-delete-one")
    world.apply(access("policy-delete", grant("policy-delete-one"), deletionPolicy="Delete"))
    world.until_ready("policy-delete")
    world.delete("policy-delete")
    assert not world.role("policy-delete")
    assert world.caller("policy-delete").get("/policy-delete-one/_search").status_code == 403


@pytest.mark.parametrize("released_by", [{"deletionPolicy": "Orphan"}, {"mode": "Observe"}], ids=["orphan", "observe"])
def test_what_is_released_stays_and_is_nobodys(world: World, released_by: Body) -> None:
    name = f"released-{next(iter(released_by)).lower()}"
    world.admin.put(f"/{name}-one")
    world.apply(access(name, grant(f"{name}-one")))
    world.until_ready(name)
    world.patch(name, {"spec": released_by})
    world.until_ready(name)
    caller = world.caller(name)
    assert caller.get(f"/{name}-one/_search").status_code == 200

    world.delete(name)
    role = world.role(name)
    assert entries(world, name) == {f"{name}-one": READ}
    assert set(role["metadata"]) == {"released_by", "principal"}
    assert "Released" in role["description"]
    settled(world, f"{name}-witness")
    assert world.role(name) == role, "not taken for an orphan"
    assert caller.get(f"/{name}-one/_search").status_code == 200

    # Nobody's: a new access of the same name must adopt it like any foreign role.
    world.apply(access(name, grant(f"{name}-one", can=["monitor"])))
    found = world.until_reason(name, "OwnershipConflict", within=WITHIN)
    assert world.role(name) == role
    world.agree(world.role_name(name), condition_in(found, "Ready")["message"])
    world.until_ready(name, within=WITHIN)
    assert "released_by" not in world.role(name)["metadata"]
    assert caller.get(f"/{name}-one/_search").status_code == 403


def test_disable_leaves_an_empty_role_that_says_why_and_comes_back_to_life(world: World) -> None:
    world.admin.put("/disabled-one")
    declared = access("disabled", grant("disabled-one"), deletionPolicy="Disable", clusterCan=["monitor"])
    world.apply(declared)
    world.until_ready("disabled")
    caller = world.caller("disabled")
    assert caller.get("/disabled-one/_search").status_code == 200

    world.delete("disabled")
    role = world.role("disabled")
    assert (role["indices"], role["cluster"]) == ([], [])
    assert "shop/disabled was deleted" in role["description"]
    assert role["metadata"]["disabled"]["since"] in role["description"]
    assert caller.get("/disabled-one/_search").status_code == 403
    assert caller.get("/_security/_authenticate").status_code == 200
    settled(world, "disabled-witness")
    assert world.role("disabled") == role

    world.apply(declared)
    world.until_ready("disabled")
    assert entries(world, "disabled") == {"disabled-one": READ}
    assert "disabled" not in world.role("disabled")["metadata"]
    assert caller.get("/disabled-one/_search").status_code == 200
    assert world.get("disabled")["status"]["drift"]["detected"] == 0


@pytest.mark.parametrize(
    ("policy", "left", "released"),
    [("Delete", False, False), ("Orphan", True, True), ("Disable", False, False)],
)
def test_a_deletion_policy_in_a_shared_role(world: World, policy: str, *, left: bool, released: bool) -> None:
    name = f"shared-{policy.lower()}"
    share(world, name)
    world.patch(name, {"spec": {"deletionPolicy": policy}}, namespace="billing")
    world.until_ready(name, namespace="billing")
    world.delete(name, namespace="billing")

    after = {f"{name}-one": READ} | ({f"{name}-two": READ | WRITE} if left else {})
    assert entries(world, name) == after
    assert owners(world, name) == {f"shop/{name}"}
    assert ("released" in world.role(name)["metadata"]) is released
    settled(world, f"{name}-witness")
    assert entries(world, name) == after
    world.until_ready(name)
    assert world.get(name)["status"]["drift"]["detected"] == 0, "nobody takes it for drift"

    world.delete(name)
    remains = {f"{name}-two": READ | WRITE} if left else {}
    assert entries(world, name) == remains
    assert bool(world.role(name)) is left, "what was released outlives the last owner"


@pytest.mark.parametrize(("policy", "left"), [("Delete", False), ("Orphan", True)])
def test_suspended_and_then_deleted_its_policy_applies(world: World, policy: str, *, left: bool) -> None:
    name = f"frozen-{policy.lower()}"
    world.apply(access(name, grant(f"{name}-one"), deletionPolicy=policy))
    world.until_ready(name)
    world.patch(name, {"spec": {"suspend": True}})
    eventually(lambda: condition_in(world.get(name), "Synced").get("reason") == "Suspended", within=WITHIN)

    world.delete(name)
    assert bool(world.role(name)) is left
    assert entries(world, name) == ({f"{name}-one": READ} if left else {})


def test_observed_from_the_start_and_deleted_leaves_nothing(world: World) -> None:
    world.apply(access("onlooking", grant("onlooking-*"), mode="Observe"))
    world.until_reason("onlooking", "ChangesPending", within=WITHIN)
    world.delete("onlooking")
    assert not world.role("onlooking")
