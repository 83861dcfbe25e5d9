"""Users with passwords that the operator makes, stores and rotates, as a workload and its team meet them."""

from contextlib import closing
from functools import partial
from typing import Any

import pytest

from tests.e2e.credentials.keys import (
    WITHIN,
    busy_caller,
    client_with,
    documents,
    secret,
    until_drift_is_shown,
    with_key,
)
from tests.support.leaks import leaks
from tests.support.waiting import eventually
from tests.support.worlds.world import World, condition_in, grant


def users(world: World, name: str) -> list[str]:
    """Return the users of a SearchAccess."""
    found = world.admin.get("/_security/user").raise_for_status().json()
    return sorted(user for user in found if user.startswith("searchaccess.") and f"/{name}." in user)


def with_password(name: str, **more: Any) -> dict[str, Any]:
    return with_key(name, auth="Password", **more)


def test_a_workload_reads_its_secret_and_may_what_was_granted(keys: World) -> None:
    world = keys
    world.apply(with_password("user"))
    found = world.until_reason("user", "InSync", status="True", within=WITHIN)
    assert condition_in(found, "CredentialReady")["reason"] == "CredentialActive"
    value = secret(world, "user")
    assert [value["username"]] == [found["status"]["credential"]["username"]] == users(world, "user")
    with closing(client_with(world, value["encoded"], "Basic")) as client:
        assert documents(client) == documents(world.admin) > 0
        assert client.get("/invoices-1/_search").status_code == 403
        assert client.get("/_security/_authenticate").json()["roles"] == [value["username"]]

        world.patch("user", {"spec": {"grants": [grant("invoices-*")]}})
        eventually(lambda: client.get("/invoices-1/_search").status_code == 200, within=WITHIN, what="other rights")
        assert client.get("/orders-1/_search").status_code == 403
        assert secret(world, "user") == value, "the user is the same"

        world.delete("user")
        assert client.get("/invoices-1/_search").status_code == 401
    assert not secret(world, "user")
    assert not users(world, "user")
    assert value["username"] not in world.admin.get("/_security/role").json()


@pytest.mark.one_release
def test_from_key_to_password_and_through_rotations_no_request_is_refused(keys: World) -> None:
    world = keys
    world.apply(with_key("busy-user"))
    world.until_reason("busy-user", "InSync", status="True", within=WITHIN)
    values: list[str] = []
    with busy_caller(world, partial(secret, world, "busy-user"), times=50) as (used, refused):
        world.patch("busy-user", {"spec": {"auth": "Password"}})
        for number in range(2):
            world.annotate("busy-user", "rotate-requested-at", f"rotation-{number}")
            eventually(partial(_answers, world, f"rotation-{number}"), within=WITHIN, what="it is rotated")
            values.append(secret(world, "busy-user")["password"])
    assert refused == []
    assert len(used) >= 3, "it went through them"
    assert users(world, "busy-user") == [secret(world, "busy-user")["username"]]
    shown = world.kubernetes.run_kubectl("get", "searchaccess,events", "-A", "-o", "yaml").stdout
    assert leaks({"kubectl": shown, "log": (world.folder / "operator.log").read_text()}, values) == []


def _answers(world: World, request: str) -> bool:
    status = world.get("busy-user")["status"].get("credential", {})
    return (status.get("rotationRequest"), status.get("phase")) == (request, "Active")


def test_who_is_disabled_by_hand_is_replaced(keys: World) -> None:
    world = keys
    world.apply(with_password("disabled"))
    world.until_reason("disabled", "InSync", status="True", within=WITHIN)
    first = secret(world, "disabled")["username"]
    world.admin.put(f"/_security/user/{first.replace('/', '%2F')}/_disable").raise_for_status()
    eventually(lambda: secret(world, "disabled")["username"] != first, within=WITHIN, what="another user")
    eventually(lambda: users(world, "disabled") == [secret(world, "disabled")["username"]], within=WITHIN, what="one")
    until_drift_is_shown(world, "disabled")
