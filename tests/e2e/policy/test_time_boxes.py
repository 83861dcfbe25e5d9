"""Rights that begin and end at their times, on real servers: nobody does anything then."""

import time
from contextlib import closing
from datetime import UTC, datetime

import httpx
import pytest

from tests.e2e.credentials.keys import WITHIN, client_with, secret, with_key
from tests.e2e.rights.test_access import fill
from tests.support.waiting import eventually
from tests.support.worlds.world import SYSTEM, World, access, condition_in, grant

pytestmark = pytest.mark.one_release


def rfc3339(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def test_a_caller_may_from_the_beginning_to_the_end(world: World) -> None:
    fill(world, "boxed-1")
    begins = int(time.time()) + 8
    world.apply(access("boxed", grant("boxed-*"), validFrom=rfc3339(begins)))
    caller = world.caller("boxed")

    def first_success() -> float:
        now = time.time()
        return now if caller.get("/boxed-1/_search").status_code == httpx.codes.OK else 0.0

    assert eventually(first_success, within=WITHIN) >= begins - 1, "not before its time"
    world.until_ready("boxed")
    world.patch("boxed", {"spec": {"validUntil": rfc3339(time.time() + 4)}})
    eventually(lambda: caller.get("/boxed-1/_search").status_code == httpx.codes.FORBIDDEN, within=WITHIN)
    found = world.until_reason("boxed", "Expired", status="False")
    assert found["status"]["validity"] == {"state": "Expired"}
    assert not condition_in(found, "Stalled")
    assert not world.role("boxed")
    world.until_event("boxed", "Expired")


def test_what_expired_is_deleted_where_the_operator_may(world: World) -> None:
    namespace = "billing"
    world.apply(access("kept", grant("kept-*"), validUntil=rfc3339(time.time() + 6), ttlAfterExpired="0s"))

    def message() -> str:
        return str(condition_in(world.get("kept"), "Ready").get("message", ""))

    eventually(lambda: "rbac.deleteExpired: true" in message(), within=WITHIN, what="it says which right is missing")
    assert "cannot delete resource" in message()
    where = ["-n", namespace]
    kubectl = world.kubernetes.run_kubectl
    kubectl("create", "role", "delete-expired", *where, "--verb=delete", "--resource=searchaccesses.searchaccess.dev")
    account = f"--serviceaccount={SYSTEM}:searchaccess-operator"
    kubectl("create", "rolebinding", "delete-expired", *where, "--role=delete-expired", account)
    later = rfc3339(time.time() + 3600)
    world.apply(access("short", grant("short-*"), namespace=namespace, validUntil=later, ttlAfterExpired="1s"))
    world.until_ready("short", namespace=namespace)
    assert world.role("short"), "it has its rights first"
    world.patch("short", {"spec": {"validUntil": rfc3339(time.time() + 2)}}, namespace)
    eventually(lambda: not world.get("short", namespace), within=WITHIN, what="it is deleted")
    assert not world.role("short")
    world.until_event("short", "ExpiredDeleted", namespace=namespace)
    assert world.get("kept")


def test_a_key_that_was_made_for_long_ends_with_its_access(keys: World) -> None:
    world = keys
    world.apply(with_key("boxed-key"))
    world.until_reason("boxed-key", "InSync", status="True", within=WITHIN)
    value = secret(world, "boxed-key")
    ends = int(time.time()) + 3600
    world.patch("boxed-key", {"spec": {"validUntil": rfc3339(ends)}})

    def expiration() -> float:
        raw = world.admin.get("/_security/api_key", params={"id": value["id"]}).json()["api_keys"][0]
        return float(raw["expiration"]) / 1000

    eventually(lambda: expiration() <= ends, within=WITHIN, what="Elasticsearch knows the end")
    assert expiration() > ends - 60
    with closing(client_with(world, value["encoded"])) as client:
        assert client.get("/orders-1/_search").status_code == httpx.codes.OK
        world.patch("boxed-key", {"spec": {"validUntil": rfc3339(time.time() + 4)}})
        eventually(lambda: client.get("/orders-1/_search").status_code == httpx.codes.UNAUTHORIZED, within=WITHIN)
    world.until_reason("boxed-key", "Expired", status="False")
    eventually(lambda: not secret(world, "boxed-key"), within=WITHIN, what="its secret is gone")
