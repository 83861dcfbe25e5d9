"""The gateway as a whole: operator, Kubernetes, Elasticsearch with a Basic license, and Envoy with what was written.

Only the kubelet is stood in for, and Google, whose tokens a key of ours signs.
"""

import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import httpx
import pytest

from tests.stack.elasticsearch import LocalElasticsearch, realm_settings
from tests.stack.kubernetes import KubernetesServers
from tests.support.metadata import MetadataServer
from tests.support.servers.gatewaypod import NAME, GatewayPod
from tests.support.waiting import eventually
from tests.support.worlds.gatewayload import load
from tests.support.worlds.world import CLUSTER, World, access, account, condition_in, grant

pytestmark = pytest.mark.elasticsearch

PATIENCE = 240.0
GATEWAYS = "search-gateway"
"""The gateway's namespace."""
ROLE = f"searchaccess-gateway.default.{NAME}"
CONDITIONS = {
    "GatewayInSync": ("True", "GatewayInSync"),
    "GatewayVerified": ("True", "GatewayVerified"),
    "RunAsEnabled": ("True", "RunAsEnabled"),
}
DOCUMENTS = {
    "orders-1": {"region": "eu", "total": 12, "ssn": "281-04"},
    "orders-2": {"region": "us", "total": 30, "ssn": "412-66"},
    "bills-1": {"region": "eu", "total": 5, "ssn": "655-18"},
}
LIMITED = access("orders", grant("orders-*"), limits={"requestsPerSecond": 1, "burst": 3, "apis": ["Search"]})
RESTRICTED = access("orders", grant("orders-*", where={"term": {"region": "eu"}}, fields={"exclude": ["ssn"]}))


@dataclass
class Chain:
    """All parts, and what callers get of them."""

    world: World
    pod: GatewayPod

    def client(self, name: str, **claims: Any) -> httpx.Client:
        """Speaks to the gateway with a token of a service account."""
        return self.pod.envoy.client(self.world.elasticsearch.issuer.mint(account(name), **claims))

    def status(self, name: str, path: str = "/orders-*/_search", **claims: Any) -> int:
        with self.client(name, **claims) as client:
            return client.get(path).status_code

    def found(self, name: str, path: str = "/orders-*/_search") -> list[dict[str, Any]]:
        """Return the documents that a service account finds."""
        with self.client(name) as client:
            hits = client.get(path).raise_for_status().json()["hits"]["hits"]
        return [hit["_source"] for hit in sorted(hits, key=lambda hit: str(hit["_index"]))]

    def declare(self, *objects: dict[str, Any]) -> None:
        """Apply SearchAccesses and wait until they are in sync."""
        self.world.apply(*objects)
        self.world.until_ready(*(raw["metadata"]["name"] for raw in objects), within=PATIENCE)

    def refusal(self) -> str:
        """Return the words in which Elasticsearch refuses an account without rights: they name the gateway's login."""
        with self.client("nobody") as client:
            return str(client.get("/orders-1/_search").json()["error"]["reason"])

    def user(self, name: str) -> dict[str, Any]:
        """Return a service account's user in Elasticsearch; empty: there is none."""
        full = self.world.role_name(name)
        answer = self.world.admin.get(f"/_security/user/{full}")
        return dict(answer.json().get(full, {})) if answer.is_success else {}

    def gateway(self) -> dict[str, Any]:
        """Return what the SearchCluster's status says about the gateway."""
        return dict(self.world.get_cluster()["status"].get("gateway") or {})

    def conditions(self) -> dict[str, tuple[str, str]]:
        found = self.world.get_cluster()
        each = {kind: condition_in(found, kind) for kind in CONDITIONS}
        return {kind: (one.get("status", ""), one.get("reason", "")) for kind, one in each.items()}


@pytest.fixture(scope="module")
def whole(
    built_servers: None,  # noqa: ARG001 - built before any test.
    tmp_path_factory: pytest.TempPathFactory,
    request: pytest.FixtureRequest,
) -> Iterator[Chain]:
    """The gateway at work, for an Elasticsearch with a Basic license and no realm for tokens."""
    before, folder = request.session.testsfailed, tmp_path_factory.mktemp("gateway")
    no_realm: dict[str, Any] = dict.fromkeys(realm_settings())
    kubernetes = KubernetesServers()
    elasticsearch = LocalElasticsearch(license="basic", settings=no_realm, heap="512m")
    pod: GatewayPod | None = None
    try:
        with ThreadPoolExecutor() as pool:
            list(pool.map(lambda start: start(), [kubernetes.start, elasticsearch.start]))
        world = World(kubernetes, elasticsearch, folder)
        world.install()
        for index, document in DOCUMENTS.items():
            world.admin.put(f"/{index}/_doc/1?refresh=true", json=document).raise_for_status()
        pod = GatewayPod(world, GATEWAYS, folder)
        with MetadataServer(elasticsearch.issuer, account("searchaccess-operator")) as metadata:
            world.environment = metadata.environment
            with world.running(), pod:
                world.apply(world.cluster(identity=pod.identity(), drift={"probeEvery": "500ms"}))
                world.until_cluster_reason(CLUSTER, "InSync", within=PATIENCE)
                pod.until_served()
                yield Chain(world, pod)
    finally:
        failed = request.session.testsfailed > before
        elasticsearch.close(failed=failed)
        kubernetes.close(failed=failed)


@pytest.fixture
def chain(whole: Chain, request: pytest.FixtureRequest) -> Iterator[Chain]:
    """The same for one test, which leaves no SearchAccess behind; a failure shows the logs' ends."""
    before = request.session.testsfailed
    yield whole
    whole.world.kubernetes.run_kubectl("delete", "searchaccess", "--all", "-n", "shop", "--timeout=60s")
    if request.session.testsfailed > before:
        print(whole.pod.envoy.log()[-4000:], whole.world.process.output()[-8000:], sep="\n")


def test_a_token_gets_the_documents_of_its_own_account_until_its_access_is_revoked(chain: Chain) -> None:
    before = chain.pod.wanted_version()
    chain.declare(access("orders", grant("orders-*")), access("bills", grant("bills-*")))
    assert chain.found("orders") == [DOCUMENTS["orders-1"], DOCUMENTS["orders-2"]]
    assert chain.found("bills", "/bills-*/_search") == [DOCUMENTS["bills-1"]]
    assert chain.status("orders", "/bills-1/_search") == 403
    assert chain.status("bills", "/orders-1/_search") == 403
    assert chain.found("bills") == [], "patterns match only what it may read"
    assert chain.status("nobody") == 403
    assert chain.status("orders", audience="https://other.example.com") == 403
    assert chain.status("orders", lifetime=-600) == 401
    with httpx.Client(base_url=chain.pod.url, verify=chain.pod.envoy.trust(), timeout=30) as stranger:
        refused = stranger.get("/orders-*/_search")
    assert (refused.status_code, refused.json()["error"]["type"]) == (401, "gateway_authentication_exception")
    assert chain.pod.wanted_version() == before, "who has no limits of its own costs the gateway no new configuration"

    with chain.client("orders") as warm:
        sent = set[int]()
        # The operator's own test of the gateway, once in a while, sends requests as well.
        for _ in range(5):
            upstream = chain.pod.envoy.statistic("cluster.elasticsearch.upstream_rq_total")
            assert [warm.get("/orders-*/_search").status_code for _ in range(10)] == [200] * 10
            sent.add(chain.pod.envoy.statistic("cluster.elasticsearch.upstream_rq_total") - upstream)
        assert min(sent) == 10, f"a caller's request is one request to Elasticsearch: {sent}"
        chain.world.delete("orders")
        assert warm.get("/orders-*/_search").status_code == 403
    assert chain.user("orders") == {}
    assert chain.status("bills", "/bills-*/_search") == 200


def test_the_status_says_that_the_gateway_serves_what_was_written_and_refuses_what_it_must(chain: Chain) -> None:
    eventually(lambda: chain.conditions() == CONDITIONS, within=PATIENCE, what=f"not {CONDITIONS}")
    found = chain.gateway()
    assert found["version"] == chain.pod.version
    assert (found["pods"], found["loaded"]) == (1, 1)
    assert found["places"] == [f"{GATEWAYS}/{NAME}"]
    assert chain.pod.keys.asked == 1, "once for each configuration, and then every five minutes"
    assert condition_in(chain.world.get_cluster(), "RealmVerified") == {}


def test_limits_of_a_searchaccess_arrive_at_the_gateway_and_end_with_it(chain: Chain) -> None:
    before = chain.pod.version
    chain.declare(LIMITED, access("bills", grant("bills-*")))
    eventually(lambda: chain.pod.version not in {"", before}, within=PATIENCE, what="another version")
    chain.pod.until_served()
    limited = chain.pod.version
    with chain.client("orders") as client:
        document = client.get("/orders-1/_doc/1")
        answers = [client.get("/orders-*/_search") for _ in range(12)]
    assert (document.status_code, document.json()["error"]["type"]) == (403, "gateway_authorization_exception")
    assert "parts of the API only: Search" in document.json()["error"]["reason"]
    refused = [one for one in answers if one.status_code == 429]
    assert len(refused) >= 6
    assert {one.status_code for one in answers} == {200, 429}
    assert refused[0].headers["retry-after"] == "1"
    assert [chain.status("bills", "/bills-1/_doc/1") for _ in range(12)] == [200] * 12
    chain.declare(access("orders", grant("orders-*")))

    def is_as_before() -> bool:
        # The same content, of another write.
        return chain.pod.version.partition(".")[0] == before.partition(".")[0]

    eventually(is_as_before, within=PATIENCE, what="the former configuration")
    assert chain.pod.version != before
    mark = chain.pod.object("pods", "0")["metadata"]["annotations"]["searchaccess.dev/refresh"]
    assert mark.split(" ")[1] in {before, chain.pod.version, limited}, "the operator marks pods that lack something"
    assert [chain.status("orders", "/orders-1/_doc/1") for _ in range(12)] == [200] * 12


def test_a_new_login_fails_no_request(chain: Chain) -> None:
    # Created again, now without limits: it waits for nothing.
    chain.declare(access("orders", grant("orders-*")))
    token = chain.world.elasticsearch.issuer.mint(account("orders"))
    before = str(eventually(lambda: chain.gateway().get("loginUser"), what="a login"))
    assert before in chain.refusal()
    with load(chain.pod.envoy, token, "/orders-1/_doc/1") as callers:
        now = "searchaccess.dev/rotate-requested-at=2026-11-29T12:00:00Z"
        chain.world.kubernetes.run_kubectl("annotate", "searchcluster", CLUSTER, "--overwrite", now)
        after = {"a": f"{ROLE}.b", "b": f"{ROLE}.a"}[before[-1]]
        eventually(lambda: chain.gateway()["loginUser"] == after, within=PATIENCE, what=f"the login {after}")
        eventually(lambda: after in chain.refusal(), within=PATIENCE, what=f"Envoy logs in as {after}")
        callers.goes_on()
    chain.world.until_event(CLUSTER, "GatewayLoginRotated", namespace="default")
    assert "passwords reset" not in chain.world.process.output(), "its own new login is nobody else's doing"


def test_a_renamed_search_cluster_fails_no_request(chain: Chain) -> None:
    world, kubectl = chain.world, chain.world.kubernetes.run_kubectl
    chain.declare(access("orders", grant("orders-*"), limits={"requestsPerSecond": 10_000}))
    chain.pod.until_served()
    token = world.elasticsearch.issuer.mint(account("orders"))
    login, version = chain.gateway()["loginUser"], chain.pod.version
    with load(chain.pod.envoy, token, "/orders-1/_doc/1") as callers:
        # There and back, so that the other tests find what they expect.
        for old, new in ((CLUSTER, f"{CLUSTER}-2"), (f"{CLUSTER}-2", CLUSTER)):
            identity = chain.pod.identity()
            world.apply(world.cluster(new, identity=identity, drift={"probeEvery": "500ms"}))
            world.until_cluster_reason(new, "DuplicateCluster", within=PATIENCE)
            world.patch("orders", {"spec": {"cluster": new}})
            kubectl("delete", "searchcluster", old, f"--timeout={PATIENCE:.0f}s")
            world.until_cluster_reason(new, "InSync", within=PATIENCE)
            world.until_ready("orders", within=PATIENCE)

            def is_taken_over(name: str = new) -> bool:
                objects = [chain.pod.object(*one) for one in (("configmaps", "config"), ("secrets", "login"))]
                owners = {one["metadata"]["annotations"]["searchaccess.dev/searchcluster"] for one in objects}
                role = world.admin.get(f"/_security/role/{ROLE}").json()[ROLE]
                return {*owners, role["metadata"]["gateway"]["cluster"]} == {name}

            eventually(is_taken_over, within=PATIENCE, what=f"the gateway is of {new}")

            def login_of(name: str = new) -> str:
                return str((world.get_cluster(name)["status"].get("gateway") or {}).get("loginUser", ""))

            # The status follows the objects.
            assert eventually(login_of, within=PATIENCE, what=f"the login of {new}") == login
            assert not (world.get_cluster(new)["status"].get("drift") or {}).get("corrected")
            callers.goes_on()
    assert chain.pod.version == version


def test_a_password_that_somebody_set_for_a_callers_user_stops_working(chain: Chain) -> None:
    chain.declare(access("orders", grant("orders-*")))
    name, url = chain.world.role_name("orders"), "/_security/_authenticate"
    chosen = {"password": "chosen-by-somebody"}
    chain.world.admin.put(f"/_security/user/{name}/_password", json=chosen).raise_for_status()
    login = (name, chosen["password"])
    eventually(
        lambda: chain.world.admin.get(url, auth=login).status_code == 401, within=PATIENCE, what="it stops working"
    )
    assert chain.status("orders") == 200
    chain.world.until_event(CLUSTER, "PasswordsReset", namespace="default", within=PATIENCE)


def test_what_somebody_changed_of_the_gateway_is_corrected(chain: Chain) -> None:
    chain.declare(access("orders", grant("orders-*")))
    chain.pod.until_served()
    role = chain.world.admin.get(f"/_security/role/{ROLE}").json()[ROLE]
    data = chain.pod.object("configmaps", "config")["data"]
    broken = {"data": {"listeners.yaml": data["listeners.yaml"].replace('"require_expiration": true', "")}}
    assert broken["data"] != data
    kubectl = chain.world.kubernetes.run_kubectl
    kubectl("patch", "configmap", f"{NAME}-config", "-n", GATEWAYS, "--type=merge", "-p", json.dumps(broken))
    widened = {"cluster": ["all"], "run_as": ["*"], "metadata": role["metadata"]}
    chain.world.admin.put(f"/_security/role/{ROLE}", json=widened).raise_for_status()

    def is_healed() -> bool:
        now = chain.world.admin.get(f"/_security/role/{ROLE}").json()[ROLE]
        return bool(now == role and chain.pod.object("configmaps", "config")["data"] == data)

    eventually(is_healed, within=PATIENCE, what="role and ConfigMap are as they were")

    def corrected() -> bool:
        return int((chain.world.get_cluster()["status"].get("drift") or {}).get("corrected", 0)) >= 3

    eventually(corrected, within=PATIENCE, what="drift is in the status")
    chain.pod.until_served()
    assert chain.status("orders") == 200


def test_where_and_fields_need_a_license_that_has_them_and_no_realm(chain: Chain) -> None:
    chain.world.apply(RESTRICTED)
    found = chain.world.until_reason("orders", "LicenseInsufficient", status="False", within=PATIENCE)
    assert "basic" in condition_in(found, "Ready")["message"].lower()
    assert (chain.user("orders"), chain.world.role("orders")) == ({}, {}), "it is refused before anything is written"
    assert chain.status("orders") == 403
    started = chain.world.admin.post("/_license/start_trial?acknowledge=true").json()
    assert started["trial_was_started"], started
    try:
        chain.world.until_ready("orders", within=PATIENCE)
        assert chain.found("orders") == [{"region": "eu", "total": 12}]
    finally:
        chain.world.admin.post("/_license/start_basic?acknowledge=true").raise_for_status()
    assert chain.status("orders") == 403, "not everything"
    chain.world.until_reason("orders", "LicenseInsufficient", status="False", within=PATIENCE)
