"""API keys in a real Vault, to which the operator logs in by its own Google token."""

from functools import partial
from typing import Any

import pytest

from tests.contract.stores.test_vault import documented_policy
from tests.e2e.credentials.keys import CLUSTER, WITHIN, busy_caller, with_key
from tests.stack.others.vault import VaultServer
from tests.support.waiting import eventually
from tests.support.worlds.world import World, account, condition_in

pytestmark = pytest.mark.one_release

AUDIENCE = "https://vault.example.com"


@pytest.fixture
def in_vault(keys: World, vault_server: VaultServer) -> World:
    """The store is Vault's."""
    world, vault = keys, vault_server
    vault.write_policy("searchaccess", documented_policy())
    if "jwt/" not in vault.call("GET", "sys/auth"):
        vault.call("POST", "sys/auth/jwt", {"type": "jwt"})
    vault.call("POST", "auth/jwt/config", {"jwt_validation_pubkeys": [world.elasticsearch.issuer.public_pem()]})
    role = {"role_type": "jwt", "user_claim": "email", "bound_audiences": [AUDIENCE], "token_policies": "searchaccess"}
    email = account("searchaccess-operator")
    vault.call("POST", "auth/jwt/role/operator", role | {"bound_claims": {"email": email}, "token_ttl": "1h"})
    store = {
        "address": vault.url,
        "ca": {"inline": vault.ca_file.read_text()},
        "auth": {"jwt": {"role": "operator", "audience": AUDIENCE}},
    }
    world.patch_cluster(CLUSTER, {"spec": {"secretStores": [{"name": "main", "vault": store}]}})
    # Otherwise the operator may see a SearchAccess first, and use the store before.
    world.until_cluster_reason(CLUSTER, "InSync", status="True", within=WITHIN)
    return world


def value(vault: VaultServer, name: str) -> dict[str, Any]:
    return vault.value(f"searchaccess/shop/{name}-elasticsearch") or {}


def test_through_two_rotations_no_request_is_refused(in_vault: World, vault_server: VaultServer) -> None:
    world, vault = in_vault, vault_server
    world.apply(with_key("vaulted", credential={"gracePeriod": "0s"}))
    found = world.until_reason("vaulted", "InSync", status="True", within=WITHIN)
    assert found["status"]["credential"]["keyId"] == value(vault, "vaulted")["id"]
    with busy_caller(world, partial(value, vault, "vaulted"), times=20) as (used, refused):
        for number in (2, 3):
            world.annotate("vaulted", "rotate-requested-at", f"rotation-{number}")
            eventually(partial(_is_over, world, number), within=WITHIN, what="it is rotated")
    assert refused == []
    assert len(used) == 3
    path = "secret/metadata/searchaccess/shop/vaulted-elasticsearch"

    def destroyed() -> list[bool]:
        return [version["destroyed"] for version in vault.call("GET", path)["data"]["versions"].values()]

    eventually(lambda: destroyed() == [True, True, False], within=WITHIN, what="old versions are destroyed")
    world.delete("vaulted")
    assert vault.ask("GET", path).status_code == 404


def _is_over(world: World, version: int) -> bool:
    status = world.get("vaulted")["status"]["credential"]
    return (status["version"], status["phase"]) == (version, "Active")


def test_a_secret_of_somebody_else_is_not_touched(in_vault: World, vault_server: VaultServer) -> None:
    world, vault = in_vault, vault_server
    path = "secret/data/searchaccess/shop/taken-elasticsearch"
    vault.call("POST", path, {"data": {"mine": "1"}})
    world.apply(with_key("taken"))
    world.until_reason("taken", "OwnershipConflict", status="False", within=WITHIN)
    assert value(vault, "taken") == {"mine": "1"}


def test_without_a_policy_it_says_so_and_goes_on_with_one(in_vault: World, vault_server: VaultServer) -> None:
    world, vault = in_vault, vault_server
    vault.write_policy("searchaccess", documented_policy().replace("searchaccess/", "others/"))
    world.apply(with_key("refused"))
    found = world.until_reason("refused", "StoreUnavailable", within=WITHIN)
    message = condition_in(found, "CredentialReady")["message"]
    assert (
        "secret store main: Vault, secret/searchaccess/shop/refused-elasticsearch: the operator's policies" in message
    )
    vault.write_policy("searchaccess", documented_policy())
    world.until_reason("refused", "InSync", status="True", within=WITHIN * 3)
    log = (world.folder / "operator.log").read_text()
    for secret in (value(vault, "refused")["api_key"], vault.root_token):
        assert secret not in log
