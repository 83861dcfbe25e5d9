"""A SearchAccessPolicy, as a tenant meets it: what it refuses is revoked, and comes back without it."""

from contextlib import closing
from typing import Any

import httpx

from tests.e2e.credentials.keys import WITHIN, client_with, secret, with_key
from tests.support.waiting import eventually
from tests.support.worlds.world import World, access, condition_in, grant

LABELS = {"example.com/tested": "policies"}
ONLY_LOGS: dict[str, Any] = {
    "apiVersion": "searchaccess.dev/v1alpha1",
    "kind": "SearchAccessPolicy",
    "metadata": {"name": "only-logs"},
    "spec": {
        "match": {"labels": {"matchLabels": LABELS}},
        "allow": [{"indices": ["logs-*"], "can": ["read"]}],
    },
}
REFUSED = {httpx.codes.UNAUTHORIZED, httpx.codes.FORBIDDEN}


def labeled(manifest: dict[str, Any]) -> dict[str, Any]:
    manifest["metadata"]["labels"] = LABELS
    return manifest


def denied(world: World) -> int:
    found = world.kubernetes.run_kubectl(
        "get", "searchaccesspolicy", "only-logs", "-o", "jsonpath={.status.counts.denied}"
    )
    return int(found.stdout or 0)


def test_a_policy_revokes_what_it_refuses_and_gives_it_back_when_it_is_deleted(world: World, keys: World) -> None:
    world.admin.put("/policed-1")
    world.apply(labeled(access("policed", grant("policed-*"))), labeled(with_key("policed-key")))
    world.until_ready("policed")
    keys.until_reason("policed-key", "InSync", status="True", within=WITHIN)
    with world.caller("policed") as caller, closing(client_with(keys, secret(keys, "policed-key")["encoded"])) as key:

        def by_token() -> int:
            return caller.get("/policed-1/_search").status_code

        def by_key() -> int:
            return key.get("/orders-1/_search").status_code

        assert (by_token(), by_key()) == (200, 200)
        world.apply(ONLY_LOGS)
        try:
            eventually(lambda: by_token() == httpx.codes.FORBIDDEN, within=WITHIN, what="the token is refused")
            eventually(lambda: by_key() in REFUSED, within=WITHIN, what="the key is refused")
            for name in ("policed", "policed-key"):
                found = world.until_reason(name, "PolicyViolation", status="False", within=WITHIN)
                said = condition_in(found, "PolicyAccepted")["message"]
                assert said.startswith("SearchAccessPolicy only-logs: grants[0]: read is allowed only on logs-*, ")
            eventually(lambda: denied(world) == 2, within=WITHIN, what="the status of the policy counts both")
        finally:
            world.kubernetes.run_kubectl("delete", "searchaccesspolicy", "only-logs", "--ignore-not-found")
        eventually(lambda: by_token() == httpx.codes.OK, within=WITHIN, what="the rights are back")
    keys.until_reason("policed-key", "InSync", status="True", within=WITHIN)
    with closing(client_with(keys, secret(keys, "policed-key")["encoded"])) as another:
        assert another.get("/orders-1/_search").status_code == httpx.codes.OK
