"""How the operator logs in, with which rights, and what it says where that does not work."""

import base64
import json
from collections.abc import Callable, Iterator
from contextlib import closing
from typing import Any

import pytest
from elasticsearch import AuthenticationException

from searchaccess.api.clusters.tiers import Tier
from searchaccess.core.clusters.proof import undeclared
from searchaccess_client import Elasticsearch
from tests.e2e.conftest import QUICK, clear
from tests.stack.elasticsearch import LocalElasticsearch
from tests.support.leaks import leaks
from tests.support.metadata import RENEWED_BEFORE, MetadataServer
from tests.support.operatorprocess import ROOT
from tests.support.waiting import eventually
from tests.support.worlds.logins import documented_role
from tests.support.worlds.world import (
    CLUSTER,
    LOGIN,
    OPERATOR_PASSWORD,
    OPERATOR_ROLE,
    OPERATOR_USER,
    SYSTEM,
    World,
    access,
    account,
    condition_in,
    grant,
)

WITHIN = 90
EXAMPLE_ACCOUNT = "searchaccess@acme-platform.iam.gserviceaccount.com"


def write_login(world: World, name: str, **data: str) -> None:
    """Write a login Secret; it has these keys and no others."""
    world.apply({
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"name": name, "namespace": SYSTEM},
        "data": {key: base64.b64encode(value.encode()).decode() for key, value in data.items()},
    })  # fmt: skip


def with_login(world: World, name: str, **spec: Any) -> dict[str, Any]:
    return world.cluster(name, login={"secretRef": {"namespace": SYSTEM, "name": name}}, drift=QUICK, **spec)


def test_a_missing_incomplete_or_wrong_login_is_reported_and_recovers_when_it_is_corrected(elsewhere: World) -> None:
    world = elsewhere
    world.kubernetes.run_kubectl("delete", "secret", "late", "-n", SYSTEM, "--ignore-not-found")
    world.apply(with_login(world, "late"), access("late", grant("orders-*"), cluster="late"))
    seen = world.until_cluster_reason("late", "LoginMissing", status="False", within=WITHIN)
    assert f"Secret {SYSTEM}/late does not exist" in condition_in(seen, "Ready")["message"]
    assert condition_in(seen, "Reachable")["status"] == "False"
    world.until_reason("late", "LoginMissing", status="False", within=WITHIN)

    write_login(world, "late", username=OPERATOR_USER)

    def says(text: str) -> bool:
        return text in condition_in(world.get_cluster("late"), "Ready")["message"]

    eventually(lambda: says(f"Secret {SYSTEM}/late lacks password"), within=WITHIN)
    write_login(world, "late", username=OPERATOR_USER, password="wrong")
    world.until_cluster_reason("late", "LoginRefused", status="False", within=WITHIN)
    world.until_reason("late", "LoginRefused", status="False", within=WITHIN)
    assert not world.role("late")

    write_login(world, "late", username=OPERATOR_USER, password=OPERATOR_PASSWORD)
    world.until_cluster_reason("late", "InSync", status="True", within=WITHIN)
    world.until_ready("late", within=WITHIN)
    assert condition_in(world.get_cluster("late"), "Reachable")["status"] == "True"


def test_a_password_that_changes_later_is_taken_from_the_secret(elsewhere: World) -> None:
    world = elsewhere
    user = {"password": OPERATOR_PASSWORD, "roles": [OPERATOR_USER]}
    world.admin.put("/_security/user/rotated", json=user).raise_for_status()
    write_login(world, "rotated", username="rotated", password=OPERATOR_PASSWORD)
    world.apply(with_login(world, "rotated"), access("rotated", grant("orders-*"), cluster="rotated"))
    world.until_ready("rotated", within=WITHIN)

    world.admin.post("/_security/user/rotated/_password", json={"password": "the-next-one"}).raise_for_status()
    world.until_cluster_reason("rotated", "LoginRefused", within=WITHIN)
    assert world.role("rotated")
    write_login(world, "rotated", username="rotated", password="the-next-one")
    world.until_cluster_reason("rotated", "InSync", status="True", within=WITHIN)
    world.patch("rotated", {"spec": {"grants": [grant("invoices-*")]}})
    world.until_ready("rotated", within=WITHIN)
    assert world.role("rotated")["indices"][0]["names"] == ["invoices-*"]


def api_key(world: World) -> str:
    """Make an API key with the operator's rights and no more."""
    body = {"name": "searchaccess-operator", "role_descriptors": {"operator": OPERATOR_ROLE}}
    return str(world.admin.post("/_security/api_key", json=body).raise_for_status().json()["encoded"])


def bearer_token(world: World) -> str:
    """Log in as the operator's user; return the token."""
    body = {"grant_type": "password", "username": OPERATOR_USER, "password": OPERATOR_PASSWORD}
    return str(world.admin.post("/_security/oauth2/token", json=body).raise_for_status().json()["access_token"])


@pytest.mark.parametrize(("key", "make"), [("apiKey", api_key), ("token", bearer_token)], ids=["API key", "token"])
def test_the_operator_logs_in_with(elsewhere: World, key: str, make: Callable[[World], str]) -> None:
    world, name = elsewhere, f"login-{key.lower()}"
    secret = make(world)
    write_login(world, name, **{key: secret})
    world.apply(with_login(world, name), access(name, grant("orders-*"), cluster=name))
    world.until_ready(name, within=WITHIN)
    eventually(lambda: world.get_cluster(name)["status"].get("probe") == "Active", within=WITHIN, what="the probe")
    assert world.get_cluster(name)["status"]["url"] == world.elasticsearch.url

    role = world.role(name)
    world.write_role(name, role | {"cluster": ["all"]})
    eventually(lambda: world.role(name)["cluster"] == [], within=WITHIN, what="drift is corrected")
    world.delete(name)
    assert not world.role(name)
    assert secret not in (world.folder / "operator.log").read_text()


def map_operator(world: World, email: str) -> None:
    """Give the operator's service account the operator's role, as docs/clusters.md says."""
    text = (ROOT / "docs" / "clusters.md").read_text()
    start = text.index('{\n  "roles"')
    mapping = json.loads(text[start : text.index("```", start)].replace(EXAMPLE_ACCOUNT, email))
    world.admin.put("/_security/role_mapping/operators", json=mapping).raise_for_status()


def test_the_operator_logs_in_by_its_own_identity_and_nothing_is_stored(
    elsewhere: World, metadata: MetadataServer
) -> None:
    world = elsewhere
    metadata.lifetime = RENEWED_BEFORE + 2
    world.apply(world.cluster("keyless", login={"googleIdentity": {}}, drift=QUICK))
    world.apply(access("keyless", grant("orders-*"), cluster="keyless"))
    world.until_cluster_reason("keyless", "PermissionDenied", status="False", within=WITHIN)
    map_operator(world, metadata.email)
    world.until_ready("keyless", within=WITHIN)
    seen = world.until_cluster_reason("keyless", "InSync", status="True", within=WITHIN)
    assert condition_in(seen, "RealmProven")["status"] == "True"
    asked = len(metadata.audiences)
    eventually(lambda: len(metadata.audiences) >= asked + 3, within=WITHIN, what="tokens are renewed before they end")
    # One more to prove that it is refused.
    assert set(metadata.audiences) == {world.elasticsearch.audience, undeclared(world.elasticsearch.audience)}
    role = world.role("keyless")
    world.write_role("keyless", role | {"cluster": ["all"]})
    eventually(lambda: world.role("keyless")["cluster"] == [], within=WITHIN, what="drift is corrected")

    metadata.away = True
    seen = world.until_cluster_reason("keyless", "LoginMissing", status="False", within=WITHIN)
    assert "Workload Identity" in condition_in(seen, "Ready")["message"]
    assert world.role("keyless") == role
    metadata.away = False
    world.until_cluster_reason("keyless", "InSync", status="True", within=WITHIN)
    assert "eyJ" not in (world.folder / "operator.log").read_text(), "no token is logged"
    metadata.lifetime = 3600


# Which role it needs


OBSERVER_ROLE, MANAGER_ROLE = documented_role(Tier.OBSERVE), documented_role(Tier.FULL)


def test_all_tests_run_with_the_documented_role() -> None:
    assert MANAGER_ROLE == OPERATOR_ROLE


def write_user(world: World, name: str, role: dict[str, Any]) -> None:
    """Write a user who has this role and no other."""
    world.admin.put(f"/_security/role/{name}", json=role).raise_for_status()
    user = {"password": OPERATOR_PASSWORD, "roles": [name]}
    world.admin.put(f"/_security/user/{name}", json=user).raise_for_status()


def test_a_login_that_only_observes_sees_all_and_changes_nothing(elsewhere: World) -> None:
    world = elsewhere
    write_user(world, "observer", OBSERVER_ROLE)
    write_login(world, "observer", username="observer", password=OPERATOR_PASSWORD)
    world.apply(with_login(world, "observer", orphans={"allowed": True}))
    world.apply(access("observed", grant("orders-*"), cluster="observer", mode="Observe"))
    found = world.until_reason("observed", "ChangesPending", status="False", within=WITHIN)
    assert found["status"]["drift"]["items"], "what would be written is reported"
    seen = world.until_cluster_reason("observer", "InSync", status="True", within=WITHIN)
    assert seen["status"]["probe"] == "Active"
    assert not world.role("observed")
    assert not world.mapping()

    world.patch("observed", {"spec": {"mode": "Enforce"}})
    found = world.until_reason("observed", "PermissionDenied", status="False", within=WITHIN)
    assert "manage_security" in condition_in(found, "Ready")["message"], "the missing privilege is named"
    assert not world.role("observed")

    world.admin.put("/_security/role/observer", json=MANAGER_ROLE).raise_for_status()
    world.until_ready("observed", within=WITHIN)
    role = world.role("observed")

    # Back again: drift is found, and stays.
    world.patch("observed", {"spec": {"mode": "Observe"}})
    world.until_reason("observed", "InSync", status="True", within=WITHIN)
    world.admin.put("/_security/role/observer", json=OBSERVER_ROLE).raise_for_status()
    world.write_role("observed", role | {"cluster": ["all"]})
    found = world.until_reason("observed", "DriftDetected", status="False", within=WITHIN)
    assert "cluster" in {item["path"] for item in found["status"]["drift"]["items"]}
    assert world.role("observed")["cluster"] == ["all"]
    world.until_cluster_reason("observer", "InSync", status="True", within=WITHIN)

    # A release is written into the role, as docs/clusters.md says.
    world.delete("observed", wait=False)
    world.until_reason("observed", "PermissionDenied", within=WITHIN)
    world.admin.put("/_security/role/observer", json=MANAGER_ROLE).raise_for_status()
    eventually(lambda: not world.get("observed"), within=WITHIN, what="it is gone")
    assert world.role("observed")["cluster"] == ["all"], "and its rights stay, as Observe says"


def test_what_a_login_that_only_observes_never_enforced_can_be_deleted(elsewhere: World) -> None:
    world = elsewhere
    write_user(world, "onlooker", OBSERVER_ROLE)
    write_login(world, "onlooker", username="onlooker", password=OPERATOR_PASSWORD)
    world.apply(with_login(world, "onlooker"))
    world.apply(access("never-enforced", grant("orders-*"), cluster="onlooker", mode="Observe"))
    world.until_reason("never-enforced", "ChangesPending", within=WITHIN)
    world.delete("never-enforced")
    assert not world.get("never-enforced")


def password_login(world: World, name: str, role: dict[str, Any]) -> dict[str, str]:
    write_user(world, name, role)
    return {"username": name, "password": OPERATOR_PASSWORD}


def api_key_login(world: World, name: str, role: dict[str, Any]) -> dict[str, str]:
    body = {"name": name, "role_descriptors": {"operator": role}}
    return {"apiKey": str(world.admin.post("/_security/api_key", json=body).raise_for_status().json()["encoded"])}


@pytest.mark.parametrize("make", [password_login, api_key_login], ids=["user", "API key"])
def test_a_login_without_rights_is_reported(
    elsewhere: World, make: Callable[[World, str, dict[str, Any]], dict[str, str]]
) -> None:
    world, name = elsewhere, f"powerless-{make.__name__.split('_')[0]}"
    write_login(world, name, **make(world, name, {"cluster": ["monitor", "read_security"]}))
    world.apply(with_login(world, name), access(name, grant("orders-*"), cluster=name))
    found = world.until_reason(name, "PermissionDenied", status="False", within=WITHIN)
    assert "manage_security" in condition_in(found, "Ready")["message"]
    world.until_cluster_reason(name, "PermissionDenied", status="False", within=WITHIN)
    assert not world.role(name)

    write_login(world, name, **make(world, f"{name}-no-more", {"cluster": ["monitor", "manage_security"]}))
    world.annotate(name, "reconcile-requested-at", "now")
    world.until_ready(name, within=WITHIN)
    seen = world.until_cluster_reason(name, "InSync", status="True", within=WITHIN)
    assert seen["status"]["probe"] == "Unavailable", "without monitor on .security there is only the sweep"


def test_the_login_secret_may_be_shared_by_clusters(elsewhere: World) -> None:
    assert elsewhere.cluster("any")["spec"]["login"]["secretRef"]["name"] == LOGIN
    elsewhere.apply(elsewhere.cluster("sharing"), access("sharing", grant("orders-*"), cluster="sharing"))
    elsewhere.until_ready("sharing", within=WITHIN)
    assert condition_in(elsewhere.get_cluster(CLUSTER), "Ready")["status"] == "True"


# A realm with a shared client secret

REALM_SECRET = "shared-by-the-realm-and-its-callers"
REALM = f"xpack.security.authc.realms.jwt.{LocalElasticsearch.realm}"


@pytest.fixture
def secretive(elsewhere: World) -> Iterator[World]:
    """The same Kubernetes and operator, with an Elasticsearch whose realm takes no token without its secret."""
    settings = {f"{REALM}.client_authentication.type": "shared_secret"}
    secure = {f"{REALM}.client_authentication.shared_secret": REALM_SECRET}
    issuer = elsewhere.elasticsearch.issuer
    with LocalElasticsearch(issuer=issuer, settings=settings, secure_settings=secure, heap="512m") as server:
        there = World(elsewhere.kubernetes, server, elsewhere.folder)
        there.install()
        yield there
        clear(there, keep=CLUSTER)


def test_a_realm_with_a_shared_client_secret(
    secretive: World, metadata: MetadataServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The operator logs in there, the realm is compared, and workloads are let in with the secret and not without."""
    world = secretive
    map_operator(world, metadata.email)
    world.admin.put("/orders-1/_doc/1?refresh=true", json={"total": 12}).raise_for_status()
    declared = world.cluster("secretive", login={"googleIdentity": {}}, drift=QUICK)
    world.apply(declared, access("knows-it", grant("orders-*"), cluster="secretive"))
    world.until_cluster_reason("secretive", "LoginRefused", status="False", within=WITHIN)

    write_login(world, "realm-secret", clientSecret=REALM_SECRET)
    reference = {"namespace": SYSTEM, "name": "realm-secret"}
    world.patch_cluster("secretive", {"spec": {"login": {"googleIdentity": {"clientSecretRef": reference}}}})
    seen = world.until_cluster_reason("secretive", "RealmMismatch", status="False", within=WITHIN)
    verified = condition_in(seen, "RealmVerified")["message"]
    assert f"{REALM}.client_authentication.type: none" in verified
    assert "shared_secret" in verified, "it says what it found"
    assert not world.role("knows-it")

    realm = {"clientAuthentication": "SharedSecret"}
    world.patch_cluster("secretive", {"spec": {"identity": {"jwtRealm": realm}}})
    world.until_ready("knows-it", within=WITHIN)
    seen = world.until_cluster_reason("secretive", "InSync", status="True", within=WITHIN)
    assert condition_in(seen, "RealmVerified")["status"] == "True"
    assert condition_in(seen, "RealmProven")["status"] == "True"

    with MetadataServer(world.elasticsearch.issuer, account("knows-it")) as own:
        own.show_to(monkeypatch)
        assert hits(world, REALM_SECRET) == 1
        for wrong in (None, "another-secret"):
            with pytest.raises(AuthenticationException):
                hits(world, wrong)
    assert leaks({"log": (world.folder / "operator.log").read_text(), "status": json.dumps(seen)}, [REALM_SECRET]) == []


def hits(world: World, client_secret: str | None) -> int:
    """Search as the workload whose metadata server this process sees."""
    server = world.elasticsearch
    options: dict[str, Any] = {"ca_certs": str(server.ca_file), "client_secret": client_secret}
    with closing(Elasticsearch(server.url, audience=server.audience, **options)) as client:
        return int(client.search(index="orders-*")["hits"]["total"]["value"])
