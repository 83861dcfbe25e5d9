"""What is wrong with a SearchCluster is told there and on its accesses; nothing is granted; what it was recovers."""

import base64
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.stack.elasticsearch import LocalElasticsearch
from tests.stack.processes import free_port
from tests.support.metadata import RENEWED_BEFORE, MetadataServer
from tests.support.operatorprocess import ROOT
from tests.support.waiting import eventually
from tests.support.world import (
    CLUSTER,
    LOGIN,
    OPERATOR_PASSWORD,
    OPERATOR_ROLE,
    OPERATOR_USER,
    SYSTEM,
    World,
    access,
    condition_in,
    grant,
)

WITHIN = 90
QUICK = {"probeEvery": "500ms"}
EXAMPLE_ACCOUNT = "searchaccess@acme-platform.iam.gserviceaccount.com"


def write_login(world: World, name: str, **data: str) -> None:
    """Write a login Secret; it has these keys and no others."""
    world.apply({
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"name": name, "namespace": SYSTEM},
        "data": {key: base64.b64encode(value.encode()).decode() for key, value in data.items()},
    })  # fmt: skip


def with_login(world: World, name: str) -> dict[str, Any]:
    return world.cluster(name, login={"secretRef": {"namespace": SYSTEM, "name": name}}, drift=QUICK)


def delete_cluster(world: World, name: str) -> None:
    world.kubernetes.run_kubectl("delete", "searchcluster", name, "--timeout=60s")


def annotate(world: World, name: str, key: str, value: str) -> None:
    world.kubernetes.run_kubectl("annotate", "searchcluster", name, "--overwrite", f"searchaccess.dev/{key}={value}")


def test_a_realm_that_differs_stops_granting_and_not_deleting(elsewhere: World) -> None:
    world = elsewhere
    world.apply(world.cluster("realm", drift=QUICK))
    world.apply(access("realm-old", grant("orders-*"), cluster="realm"))
    world.until_ready("realm-old", within=WITHIN)
    before = world.role("realm-old")

    wrong = {"name": "google", "audience": "https://other.example.com"}
    world.patch_cluster("realm", {"spec": {"identity": {"jwtRealm": wrong}}})
    seen = world.until_cluster_reason("realm", "RealmMismatch", status="False", within=WITHIN)
    verified = condition_in(seen, "RealmVerified")
    line = "xpack.security.authc.realms.jwt.google.allowed_audiences: [https://other.example.com]"
    assert verified["status"] == "False"
    assert line in verified["message"]
    assert "node-0" in verified["message"]
    assert world.elasticsearch.audience in verified["message"], "it says what it found"
    assert condition_in(seen, "Stalled")["status"] == "True"

    world.apply(access("realm-new", grant("orders-*"), cluster="realm"))
    found = world.until_reason("realm-new", "RealmMismatch", status="False", within=WITHIN)
    assert line in condition_in(found, "Ready")["message"]
    assert not world.role("realm-new")
    assert world.role("realm-old") == before
    world.delete("realm-old")
    assert not world.role("realm-old"), "deletions still take effect"

    right = {"name": "google", "audience": world.elasticsearch.audience}
    world.patch_cluster("realm", {"spec": {"identity": {"jwtRealm": right}}})
    world.until_ready("realm-new", within=WITHIN)
    assert world.role("realm-new")
    assert condition_in(world.get_cluster("realm"), "RealmVerified")["status"] == "True"


def test_a_realm_that_does_not_exist_is_named(elsewhere: World) -> None:
    elsewhere.apply(elsewhere.cluster("absent", identity={"jwtRealm": {"name": "absent", "audience": "x"}}))
    seen = elsewhere.until_cluster_reason("absent", "RealmMismatch", status="False", within=WITHIN)
    assert "xpack.security.authc.realms.jwt.absent.order: 1" in condition_in(seen, "RealmVerified")["message"]


def test_a_missing_incomplete_or_wrong_login_is_told_and_recovers_when_it_is_corrected(elsewhere: World) -> None:
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
    """Log in as the operator's user; give the token."""
    body = {"grant_type": "password", "username": OPERATOR_USER, "password": OPERATOR_PASSWORD}
    return str(world.admin.post("/_security/oauth2/token", json=body).raise_for_status().json()["access_token"])


@pytest.mark.parametrize(("key", "make"), [("apiKey", api_key), ("token", bearer_token)], ids=["API key", "token"])
def test_the_operator_logs_in_with(elsewhere: World, key: str, make: Callable[[World], str]) -> None:
    world, name = elsewhere, f"login-{key.lower()}"
    secret = make(world)
    write_login(world, name, **{key: secret})
    world.apply(with_login(world, name), access(name, grant("orders-*"), cluster=name))
    world.until_ready(name, within=WITHIN)
    assert world.get_cluster(name)["status"]["probe"] == "Active"
    assert world.get_cluster(name)["status"]["url"] == world.elasticsearch.url

    role = world.role(name)
    world.write_role(name, role | {"cluster": ["all"]})
    eventually(lambda: world.role(name)["cluster"] == [], within=WITHIN, what="drift is put right")
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
    asked = len(metadata.audiences)
    eventually(lambda: len(metadata.audiences) >= asked + 3, within=WITHIN, what="tokens are renewed before they end")
    assert set(metadata.audiences) == {world.elasticsearch.audience}
    role = world.role("keyless")
    world.write_role("keyless", role | {"cluster": ["all"]})
    eventually(lambda: world.role("keyless")["cluster"] == [], within=WITHIN, what="drift is put right")

    metadata.away = True
    seen = world.until_cluster_reason("keyless", "LoginMissing", status="False", within=WITHIN)
    assert "Workload Identity" in condition_in(seen, "Ready")["message"]
    assert world.role("keyless") == role
    metadata.away = False
    world.until_cluster_reason("keyless", "InSync", status="True", within=WITHIN)
    assert "eyJ" not in (world.folder / "operator.log").read_text(), "no token is logged"
    metadata.lifetime = 3600


@pytest.mark.parametrize("kind", ["Secret", "ConfigMap"])
def test_certificates_are_read_from_a(elsewhere: World, kind: str) -> None:
    world, name = elsewhere, f"ca-{kind.lower()}"
    reference = {"namespace": SYSTEM, "name": name, "key": "authority.pem"}
    place = {"Secret": "secretRef", "ConfigMap": "configMapRef"}[kind]
    world.apply(world.cluster(name, ca={place: reference}, drift=QUICK), access(name, grant("x"), cluster=name))
    seen = world.until_cluster_reason(name, "LoginMissing", status="False", within=WITHIN)
    assert f"{kind} {SYSTEM}/{name} does not exist" in condition_in(seen, "Ready")["message"]

    data = "stringData" if kind == "Secret" else "data"
    authority = Path(world.elasticsearch.ca_file).read_text()
    metadata = {"name": name, "namespace": SYSTEM}
    world.apply({"apiVersion": "v1", "kind": kind, "metadata": metadata, data: {"authority.pem": authority}})
    world.until_ready(name, within=WITHIN)


def test_another_address_is_used_when_the_first_does_not_answer(elsewhere: World) -> None:
    world = elsewhere
    dead = f"https://127.0.0.1:{free_port()}"
    urls = [dead, world.elasticsearch.url]
    world.apply(world.cluster("two", urls=urls, drift=QUICK), access("two", grant("orders-*"), cluster="two"))
    world.until_ready("two", within=WITHIN)
    world.patch("two", {"spec": {"grants": [grant("invoices-*")]}})
    world.until_ready("two", within=WITHIN)
    assert world.role("two")["indices"][0]["names"] == ["invoices-*"]


def test_an_elasticsearch_of_eck_needs_only_its_name(elsewhere: World) -> None:
    """Its Secrets are as ECK makes them. There is no DNS of a cluster here, so the address is given."""
    world = elsewhere
    world.namespace("logging")
    allow_secrets(world, "logging")
    server = world.elasticsearch
    for name, data in (
        ("quickstart-es-http-certs-public", {"ca.crt": Path(server.ca_file).read_text(), "tls.crt": "x"}),
        ("quickstart-es-elastic-user", {server.username: server.password}),
    ):
        metadata = {"name": name, "namespace": "logging"}
        world.apply({"apiVersion": "v1", "kind": "Secret", "metadata": metadata, "stringData": data})
    spec = world.cluster("eck", eck={"namespace": "logging", "name": "quickstart"}, drift=QUICK)
    del spec["spec"]["ca"], spec["spec"]["login"]
    world.apply(spec, access("eck", grant("orders-*"), cluster="eck"))
    world.until_ready("eck", within=WITHIN)
    assert world.role("eck")


def allow_secrets(world: World, namespace: str) -> None:
    """Let the operator read what ECK keeps, as docs/clusters.md says."""
    text = (ROOT / "docs" / "clusters.md").read_text()
    manifest = text[text.index("apiVersion: rbac") : text.index("```", text.index("apiVersion: rbac"))]
    world.kubernetes.run_kubectl("apply", "-n", namespace, "-f", "-", input=manifest)


def test_a_login_without_rights_is_told(elsewhere: World) -> None:
    world = elsewhere
    role = {"cluster": ["monitor", "read_security"]}
    world.admin.put("/_security/role/read-only", json=role).raise_for_status()
    user = {"password": OPERATOR_PASSWORD, "roles": ["read-only"]}
    world.admin.put("/_security/user/read-only", json=user).raise_for_status()
    write_login(world, "powerless", username="read-only", password=OPERATOR_PASSWORD)
    world.apply(with_login(world, "powerless"), access("powerless", grant("orders-*"), cluster="powerless"))
    world.until_reason("powerless", "PermissionDenied", status="False", within=WITHIN)
    world.until_cluster_reason("powerless", "PermissionDenied", status="False", within=WITHIN)
    assert not world.role("powerless")

    world.admin.put("/_security/role/read-only", json={"cluster": ["monitor", "manage_security"]}).raise_for_status()
    world.until_ready("powerless", within=WITHIN)
    seen = world.until_cluster_reason("powerless", "InSync", status="True", within=WITHIN)
    assert seen["status"]["probe"] == "Unavailable", "without monitor on .security there is only the sweep"


def test_a_certificate_of_another_authority_is_not_trusted(elsewhere: World) -> None:
    world = elsewhere
    other = world.kubernetes.ca_file.read_text()
    world.apply(world.cluster("tls", ca={"inline": other}), access("tls", grant("orders-*"), cluster="tls"))
    seen = world.until_cluster_reason("tls", "TlsNotVerified", status="False", within=WITHIN)
    assert condition_in(seen, "Reachable")["reason"] == "TlsNotVerified"
    world.until_reason("tls", "TlsNotVerified", status="False", within=WITHIN)
    assert not world.role("tls")

    world.apply(world.cluster("tls"))
    world.until_ready("tls", within=WITHIN)


def test_a_cluster_waits_with_its_end_for_the_accesses_that_use_it(elsewhere: World) -> None:
    world = elsewhere
    world.apply(world.cluster("used", drift=QUICK), access("used", grant("orders-*"), cluster="used"))
    world.until_ready("used", within=WITHIN)
    world.kubernetes.run_kubectl("delete", "searchcluster", "used", "--wait=false")
    seen = world.until_cluster_reason("used", "InUse", status="False", within=WITHIN)
    assert "1 SearchAccess" in condition_in(seen, "Ready")["message"]
    assert world.role("used")
    assert world.caller("used").get("/orders-*/_search").status_code == 200, "and nobody loses a right meanwhile"

    world.delete("used")
    eventually(lambda: not world.get_cluster("used"), within=WITHIN, what="the SearchCluster is gone")
    assert not world.role("used")
    assert not world.mapping(), "and so is its role mapping"


@pytest.fixture
def third(elsewhere: World) -> Iterator[World]:
    """The same Kubernetes and operator with a third Elasticsearch, of the same issuer."""
    with LocalElasticsearch(issuer=elsewhere.elasticsearch.issuer, heap="512m") as server:
        there = World(elsewhere.kubernetes, server, elsewhere.folder)
        there.install()
        yield there


def test_another_cluster_behind_the_name_is_not_touched_until_a_person_agrees(elsewhere: World, third: World) -> None:
    world = elsewhere
    world.apply(world.cluster("moved", drift=QUICK), access("moved", grant("orders-*"), cluster="moved"))
    world.until_ready("moved", within=WITHIN)
    uuid = world.get_cluster("moved")["status"]["uuid"]
    new_uuid = third.admin.get("/").json()["cluster_uuid"]

    world.apply(third.cluster("moved", drift=QUICK))
    seen = world.until_cluster_reason("moved", "ClusterReplaced", status="False", within=WITHIN)
    message = condition_in(seen, "Ready")["message"]
    assert f"searchaccess.dev/accept-uuid: {new_uuid}" in message
    assert condition_in(seen, "Stalled")["status"] == "True"
    assert seen["status"]["uuid"] == uuid
    world.until_reason("moved", "ClusterReplaced", within=WITHIN)
    assert not third.role("moved")
    assert not third.mapping()

    annotate(world, "moved", "accept-uuid", "a-wrong-one")
    annotate(world, "moved", "reconcile-requested-at", "now")
    eventually(lambda: world.get_cluster("moved")["status"].get("lastHandledReconcileAt") == "now", within=WITHIN)
    assert not third.mapping()

    annotate(world, "moved", "accept-uuid", new_uuid)
    world.until_cluster_reason("moved", "InSync", status="True", within=WITHIN)
    world.until_ready("moved", within=WITHIN)
    assert third.role("moved")
    assert third.mapping()
    assert world.get("moved")["status"]["elasticsearch"]["clusterUuid"] == new_uuid
    assert world.get("moved")["status"]["drift"]["detected"] == 0, "nobody took anything away"
    assert third.caller("moved").get("/orders-*/_search").status_code == 200
    # The SearchCluster is deleted while its server still runs.
    world.delete("moved")
    delete_cluster(world, "moved")


def test_a_second_searchcluster_for_the_same_elasticsearch_does_nothing_and_can_be_deleted(world: World) -> None:
    world.apply(access("first-come", grant("orders-*")))
    world.until_ready("first-come")
    mapping = world.mapping()
    world.apply(world.cluster("duplicate"), access("second-come", grant("orders-*"), cluster="duplicate"))
    seen = world.until_cluster_reason("duplicate", "DuplicateCluster", status="False", within=WITHIN)
    assert CLUSTER in condition_in(seen, "Ready")["message"]
    assert condition_in(seen, "Stalled")["status"] == "True"
    world.until_reason("second-come", "DuplicateCluster", status="False", within=WITHIN)
    assert not world.role("second-come")

    world.process.stop()
    world.process.start()
    world.annotate("first-come", "reconcile-requested-at", "after the restart")
    eventually(lambda: world.get("first-come")["status"].get("lastHandledReconcileAt"), within=WITHIN)
    world.until_cluster_reason("duplicate", "DuplicateCluster", within=WITHIN)
    assert not world.role("second-come"), "the older one is the older one after a restart too"

    world.delete("second-come")
    delete_cluster(world, "duplicate")
    world.until_ready("first-come")
    assert world.role("first-come")
    assert world.mapping() == mapping


def test_a_basic_licence_is_told_before_anything_is_written(world: World) -> None:
    with LocalElasticsearch(issuer=world.elasticsearch.issuer, license="basic", heap="512m") as server:
        there = World(world.kubernetes, server, world.folder)
        there.install()
        there.apply(
            there.cluster("basic", drift=QUICK),
            access("basic-plain", grant("orders-*"), cluster="basic"),
            access("basic-where", grant("orders-*", where={"match_all": {}}), cluster="basic"),
            access("basic-fields", grant("orders-*", fields={"exclude": ["ssn"]}), cluster="basic"),
        )
        seen = there.until_cluster_reason("basic", "LicenseInsufficient", status="False", within=WITHIN)
        assert condition_in(seen, "Licensed")["status"] == "False"
        assert seen["status"]["license"] == "basic"
        for name, text in (("plain", "JWT realm"), ("where", "where and fields"), ("fields", "where and fields")):
            found = there.until_reason(f"basic-{name}", "LicenseInsufficient", status="False", within=WITHIN)
            assert text in condition_in(found, "Ready")["message"]
            assert condition_in(found, "Stalled")["status"] == "True"
            assert not there.role(f"basic-{name}")
        assert not there.mapping()
        for name in ("plain", "where", "fields"):
            there.delete(f"basic-{name}")
        delete_cluster(there, "basic")


def test_the_login_secret_may_be_shared_by_clusters(elsewhere: World) -> None:
    assert elsewhere.cluster("any")["spec"]["login"]["secretRef"]["name"] == LOGIN
    elsewhere.apply(elsewhere.cluster("sharing"), access("sharing", grant("orders-*"), cluster="sharing"))
    elsewhere.until_ready("sharing", within=WITHIN)
    assert condition_in(elsewhere.get_cluster(CLUSTER), "Ready")["status"] == "True"
