"""What is wrong with a SearchCluster is reported on it and on its accesses. Nothing is granted until it recovers."""

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from tests.e2e.conftest import QUICK
from tests.e2e.credentials.keys import STORES, client_with, secret, with_key
from tests.stack.elasticsearch import LocalElasticsearch
from tests.stack.running.processes import free_port
from tests.support.operatorprocess import ROOT
from tests.support.waiting import eventually
from tests.support.worlds.world import (
    CLUSTER,
    SYSTEM,
    World,
    access,
    condition_in,
    grant,
)

WITHIN = 90


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


def test_a_basic_license_is_reported_before_anything_is_written_and_passwords_need_none(world: World) -> None:
    with LocalElasticsearch(issuer=world.elasticsearch.issuer, license="basic", heap="512m") as server:
        there = World(world.kubernetes, server, world.folder)
        there.install()
        there.kubernetes.run_kubectl("apply", "-n", "shop", "-f", str(ROOT / "deploy" / "kubernetes-store.yaml"))
        there.admin.put("/orders-1/_doc/1?refresh=true", json={"total": 12}).raise_for_status()
        there.apply(
            there.cluster("basic", drift=QUICK, secretStores=STORES),
            with_key("basic-user", auth="Password", cluster="basic"),
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
        there.until_reason("basic-user", "InSync", status="True", within=WITHIN)
        with closing(client_with(there, secret(there, "basic-user")["encoded"], "Basic")) as client:
            assert client.get("/orders-*/_search").json()["hits"]["total"]["value"] == 1
        there.admin.post("/_license/start_trial", params={"acknowledge": "true"}).raise_for_status()
        there.until_ready("basic-where", within=WITHIN)
        with there.caller("basic-plain") as caller:
            there.until_ready("basic-plain", within=WITHIN)
            assert caller.get("/orders-*/_search").json()["hits"]["total"]["value"] == 1
            there.admin.post("/_license/start_basic", params={"acknowledge": "true"}).raise_for_status()
            assert caller.get("/orders-*/_search").status_code in {401, 403}
        for name in ("plain", "where", "fields"):
            # Far sooner than the check that comes by itself after ten minutes.
            there.until_reason(f"basic-{name}", "LicenseInsufficient", status="False", within=WITHIN)
        seen = there.until_cluster_reason("basic", "LicenseInsufficient", status="False", within=WITHIN)
        assert seen["status"]["license"] == "basic"
        for name in ("plain", "where", "fields", "user"):
            there.delete(f"basic-{name}")
        delete_cluster(there, "basic")
