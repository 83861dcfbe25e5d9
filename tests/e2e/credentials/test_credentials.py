"""API keys that the operator makes, stores and rotates, as a workload and its team meet them."""

import base64
import json
import time
from contextlib import closing
from functools import partial
from typing import Any

import grpc
import pytest

from searchaccess.core.model.identities.workload import SecretUse
from tests.e2e.clusters.test_logins import write_login
from tests.e2e.credentials.keys import (
    CLUSTER,
    ISSUER_ROLE,
    OVERLAP,
    WITHIN,
    busy_caller,
    client_with,
    documents,
    secret,
    until_drift_is_shown,
    with_key,
)
from tests.support.leaks import leaks
from tests.support.operatorprocess import ROOT
from tests.support.servers.googlestate import LOCATION, a_workload
from tests.support.servers.secretserver import SecretManagerServer
from tests.support.waiting import eventually
from tests.support.worlds.world import World, access, account, condition_in, grant


def test_a_workload_reads_its_secret_and_may_what_was_granted(keys: World) -> None:
    world = keys
    world.apply(with_key("reader"))
    found = world.until_reason("reader", "InSync", status="True", within=WITHIN)
    assert condition_in(found, "CredentialReady")["reason"] == "CredentialActive"
    value = secret(world, "reader")
    assert found["status"]["credential"]["keyId"] == value["id"]
    assert value["url"] == world.elasticsearch.url
    with closing(client_with(world, value["encoded"])) as client:
        assert documents(client) == documents(world.admin) > 0
        assert client.get("/invoices-1/_search").status_code == 403
        assert client.put("/orders-1/_doc/2", json={}).status_code == 403

        world.patch("reader", {"spec": {"grants": [grant("invoices-*")]}})
        eventually(lambda: client.get("/invoices-1/_search").status_code == 200, within=WITHIN, what="other rights")
        assert client.get("/orders-1/_search").status_code == 403
        assert secret(world, "reader") == value, "the key is the same"

        world.delete("reader")
        assert client.get("/invoices-1/_search").status_code == 401
    assert not secret(world, "reader")


@pytest.mark.one_release
def test_through_five_rotations_no_request_is_refused(keys: World) -> None:
    """The caller has no back-off, and reads its secret again within the overlap, as docs/credentials.md says."""
    world = keys
    world.apply(with_key("busy"))
    world.until_reason("busy", "InSync", status="True", within=WITHIN)
    with busy_caller(world, partial(secret, world, "busy"), times=50) as (used, refused):
        for number in range(5):
            world.annotate("busy", "rotate-requested-at", f"rotation-{number}")
            eventually(partial(_answers, world, f"rotation-{number}"), within=WITHIN, what="it is rotated")
    assert refused == []
    assert len(used) >= 5, "it went through the keys"
    raw = world.admin.get("/_security/api_key", params={"active_only": "true", "name": "searchaccess.*"}).json()
    assert len([key for key in raw["api_keys"] if "/busy." in key["name"]]) == 1


def _answers(world: World, request: str) -> bool:
    status = world.get("busy")["status"]["credential"]
    return (status.get("rotationRequest"), status["phase"]) == (request, "Active")


def test_what_people_do_to_keys_and_secrets_is_healed(keys: World) -> None:
    world = keys
    world.apply(with_key("damaged"))
    world.until_reason("damaged", "InSync", status="True", within=WITHIN)
    first = secret(world, "damaged")
    world.admin.request("DELETE", "/_security/api_key", json={"ids": [first["id"]]}).raise_for_status()
    eventually(lambda: secret(world, "damaged")["id"] != first["id"], within=WITHIN, what="another key")
    second = secret(world, "damaged")
    world.kubernetes.run_kubectl("delete", "secret", "damaged-elasticsearch", "-n", "shop")
    world.annotate("damaged", "reconcile-requested-at", "now")
    eventually(lambda: secret(world, "damaged"), within=WITHIN, what="another Secret")
    with closing(client_with(world, secret(world, "damaged")["encoded"])) as new:
        assert new.get("/orders-*/_search").status_code == 200
    assert second["id"] != secret(world, "damaged")["id"]
    until_drift_is_shown(world, "damaged")


def test_a_secret_that_is_not_ours_is_not_touched(keys: World) -> None:
    world = keys
    metadata = {"name": "foreign-elasticsearch", "namespace": "shop"}
    foreign = {"apiVersion": "v1", "kind": "Secret", "metadata": metadata, "stringData": {"credential": "mine"}}
    world.apply(foreign, with_key("foreign"))
    found = world.until_reason("foreign", "OwnershipConflict", status="False", within=WITHIN)
    assert "foreign-elasticsearch" in condition_in(found, "Ready")["message"]
    world.delete("foreign")
    options = ("-n", "shop", "-o", "jsonpath={.data.credential}")
    text = world.kubernetes.run_kubectl("get", "secret", "foreign-elasticsearch", *options).stdout
    assert base64.b64decode(text) == b"mine"
    world.kubernetes.run_kubectl("delete", "secret", "foreign-elasticsearch", "-n", "shop")


def test_without_rights_on_secrets_the_condition_says_so(keys: World) -> None:
    world = keys
    raw = with_key("elsewhere")
    raw["metadata"]["namespace"] = "billing"
    world.apply(raw)
    found = world.until_reason("elsewhere", "StoreUnavailable", namespace="billing", within=WITHIN)
    assert "secrets" in condition_in(found, "CredentialReady")["message"]
    assert "billing" in condition_in(found, "CredentialReady")["message"]
    world.delete("elsewhere", namespace="billing", wait=False)
    world.kubernetes.run_kubectl("apply", "-n", "billing", "-f", str(ROOT / "deploy" / "kubernetes-store.yaml"))
    eventually(lambda: not world.get("elsewhere", "billing"), within=WITHIN * 6, what="it is gone")


@pytest.fixture
def by_api_key(keys: World) -> World:
    """The operator's login is an API key."""
    body = {"name": "searchaccess-operator", "role_descriptors": {"operator": ISSUER_ROLE}}
    encoded = keys.admin.post("/_security/api_key", json=body).raise_for_status().json()["encoded"]
    write_login(keys, "issuer-key", apiKey=str(encoded))
    reference = {"namespace": "searchaccess-system", "name": "issuer-key"}
    keys.patch_cluster(CLUSTER, {"spec": {"login": {"secretRef": reference}}})
    # Otherwise the operator may see a SearchAccess first, and make a key by the login before.
    keys.until_cluster_reason(CLUSTER, "InSync", status="True", within=WITHIN)
    return keys


def test_a_login_by_api_key_makes_roles_and_no_keys_and_says_why(by_api_key: World) -> None:
    world = by_api_key
    world.apply(with_key("underived"), access("underived-token", grant("orders-*"), cluster=CLUSTER))
    found = world.until_reason("underived", "LoginCannotIssue", status="False", within=WITHIN)
    assert "API key" in condition_in(found, "Ready")["message"]
    world.until_ready("underived-token", within=WITHIN)
    assert not secret(world, "underived")


def test_no_value_is_where_people_can_read_it(keys: World) -> None:
    world = keys
    world.apply(with_key("canary"))
    world.until_reason("canary", "InSync", status="True", within=WITHIN)
    first = secret(world, "canary")
    world.annotate("canary", "rotate-requested-at", "now")
    eventually(lambda: secret(world, "canary")["id"] != first["id"], within=WITHIN, what="another key")
    second = secret(world, "canary")
    world.delete("canary")
    kubectl = world.kubernetes.run_kubectl
    texts = {
        "the log": (world.folder / "operator.log").read_text(),
        "objects": kubectl("get", "searchaccesses,searchclusters", "-A", "-o", "yaml").stdout,
        "events": kubectl("get", "events", "-A", "-o", "yaml").stdout,
        "keys": world.admin.get("/_security/api_key").text,
    }
    assert leaks(texts, [first["api_key"], second["api_key"]]) == []


# Google Secret Manager

PROJECT = "acme-secrets"


@pytest.fixture
def at_google(keys: World) -> World:
    """The store is Google's."""
    keys.patch_cluster(
        CLUSTER, {"spec": {"secretStores": [{"name": "main", "googleSecretManager": {"project": PROJECT}}]}}
    )
    # Otherwise the operator may see a SearchAccess first, and use the store before.
    keys.until_cluster_reason(CLUSTER, "InSync", status="True", within=WITHIN)
    return keys


@pytest.mark.one_release
def test_versions_in_secret_manager_follow_the_keys(at_google: World, google: SecretManagerServer) -> None:
    world, name = at_google, "versioned-elasticsearch"

    def newest() -> dict[str, Any]:
        return dict(json.loads(google.newest(PROJECT, name) or "{}"))

    world.apply(with_key("versioned", credential={"gracePeriod": "0s"}))
    found = world.until_reason("versioned", "InSync", status="True", within=WITHIN)
    first = newest()
    assert found["status"]["credential"]["version"] == 1
    assert found["status"]["credential"]["keyId"] == first["id"]
    began = time.monotonic()
    world.annotate("versioned", "rotate-requested-at", "now")
    eventually(lambda: newest()["id"] != first["id"], within=WITHIN, what="a second version")
    with closing(client_with(world, first["encoded"])) as old, closing(client_with(world, newest()["encoded"])) as new:
        status = old.get("/orders-1/_search").status_code
        assert status == 200 or time.monotonic() - began > OVERLAP, "both are good for a while"
        assert new.get("/orders-1/_search").status_code == 200
        eventually(lambda: old.get("/orders-1/_search").status_code == 401, within=WITHIN, what="the old one ended")
        assert new.get("/orders-1/_search").status_code == 200

    def states() -> list[str]:
        kept = google.kept(PROJECT, name)
        return [version.state.name for version in kept.versions] if kept else []

    eventually(lambda: states() == ["DESTROYED", "ENABLED"], within=WITHIN, what="the old version is destroyed")
    google.put(PROJECT, name, '{"mine": true}')
    world.annotate("versioned", "reconcile-requested-at", "now")
    eventually(lambda: newest().get("id"), within=WITHIN, what="what somebody added is not what consumers read")
    world.delete("versioned")
    assert google.kept(PROJECT, name) is None
    assert google.tokens == {"Bearer an-access-token"}


def _until_credential_says(world: World, name: str, reason: str) -> str:
    """Wait for a reason of the condition; return its message."""

    def found() -> dict[str, Any]:
        condition = condition_in(world.get(name), "CredentialReady")
        return condition if condition.get("reason") == reason else {}

    return str(eventually(found, within=WITHIN, what=f"{name}: {reason}")["message"])


@pytest.mark.one_release
def test_a_version_that_a_revision_names_keeps_its_key(at_google: World, google: SecretManagerServer) -> None:
    world, name, service = at_google, "pinned-elasticsearch", a_workload("pinned", project=PROJECT)
    revision = google.state.deploy(service, account("pinned"), uses=(SecretUse(name, "1"),))
    place = {"project": PROJECT, "location": LOCATION, "name": "pinned"}
    world.apply(with_key("pinned", subject={"cloudRunService": place}))
    world.until_reason("pinned", "InSync", status="True", within=WITHIN)
    first = json.loads(google.newest(PROJECT, name) or "{}")
    world.annotate("pinned", "rotate-requested-at", "now")
    assert f"version 1: revision {revision}" in _until_credential_says(world, "pinned", "RevokeDeferred")
    with closing(client_with(world, first["encoded"])) as old:
        assert old.get("/orders-1/_search").status_code == 200
        google.state.deploy(service, account("pinned"), uses=(SecretUse(name, "2"),))
        world.annotate("pinned", "reconcile-requested-at", "now")
        eventually(lambda: old.get("/orders-1/_search").status_code == 401, within=WITHIN, what="the old one ended")
    _until_credential_says(world, "pinned", "CredentialActive")


@pytest.mark.one_release
def test_a_new_version_is_rolled_out(at_google: World, google: SecretManagerServer) -> None:
    world, name, service = at_google, "rolled-elasticsearch", a_workload("rolled", project=PROJECT)
    google.state.deploy(service, account("rolled"), uses=(SecretUse(name, "latest"),))
    place = {"project": PROJECT, "location": LOCATION, "name": "rolled"}
    world.apply(with_key("rolled", subject={"cloudRunService": place}, credential={"rollout": "NewRevision"}))
    world.until_reason("rolled", "InSync", status="True", within=WITHIN)
    first = json.loads(google.newest(PROJECT, name) or "{}")
    assert google.state.workloads[service].uses == (SecretUse(name, "1"),)
    google.state.broken = "the container did not start"
    world.annotate("rolled", "rotate-requested-at", "now")
    try:
        assert "the container did not start" in _until_credential_says(world, "rolled", "RolloutFailed")
    finally:
        google.state.broken = ""
    assert google.state.workloads[service].uses == (SecretUse(name, "2"),)
    with closing(client_with(world, first["encoded"])) as old:
        eventually(
            lambda: "the previous one stays" in _until_credential_says(world, "rolled", "RolloutFailed"),
            within=WITHIN,
            what="the overlap is over",
        )
        assert old.get("/orders-1/_search").status_code == 200
        google.state.deploy(service, account("rolled"), uses=(SecretUse(name, "2"),))
        world.annotate("rolled", "reconcile-requested-at", "now")
        eventually(lambda: old.get("/orders-1/_search").status_code == 401, within=WITHIN, what="the old one ended")
    assert len([call for call in google.calls if call[0] == "UpdateService"]) == 2


@pytest.mark.one_release
def test_a_secret_of_somebody_else_at_google_is_not_touched(at_google: World, google: SecretManagerServer) -> None:
    world = at_google
    google.put(PROJECT, "taken-elasticsearch", "somebody else's")
    world.apply(with_key("taken"))
    world.until_reason("taken", "OwnershipConflict", status="False", within=WITHIN)
    assert google.newest(PROJECT, "taken-elasticsearch") == "somebody else's"


@pytest.mark.one_release
def test_what_google_refuses_is_reported_and_the_key_goes_on(at_google: World, google: SecretManagerServer) -> None:
    world = at_google
    world.apply(with_key("refused"))
    world.until_reason("refused", "InSync", status="True", within=WITHIN)
    google.failing["AddSecretVersion"] = grpc.StatusCode.PERMISSION_DENIED
    try:
        world.annotate("refused", "rotate-requested-at", "now")
        found = world.until_reason("refused", "StoreUnavailable", status="False", within=WITHIN)
    finally:
        google.failing.clear()
    message = condition_in(found, "CredentialReady")["message"]
    assert f"projects/{PROJECT}/secrets/refused-elasticsearch" in message
    value = json.loads(google.newest(PROJECT, "refused-elasticsearch") or "")
    with closing(client_with(world, value["encoded"])) as client:
        assert client.get("/orders-1/_search").status_code == 200
    world.until_reason("refused", "InSync", status="True", within=WITHIN * 3)
