"""The demo with `GATEWAY=1`: the same story on a Basic license, where the gateway verifies callers' tokens."""

import json
import time
from pathlib import Path
from typing import Any

import httpx
from rich.text import Text

from tests.demo import data, manifests
from tests.demo.calls import ALL, CALLERS, SEARCH, Call, Caller, orders, status
from tests.demo.screen import command, new_table
from tests.demo.stage import DemoError, Stage
from tests.stack.elasticsearch import ElasticsearchServer
from tests.stack.kubernetes import KubernetesApi, KubernetesServers
from tests.support.metadata import MetadataServer
from tests.support.operatorprocess import ROOT
from tests.support.servers.gatewaypod import GatewayPod
from tests.support.worlds.gatewayload import load
from tests.support.worlds.world import World, account

_NAMESPACE = "shop"
_WORKS = ("GatewayInSync", "GatewayVerified", "RunAsEnabled")
_READER, _INDEXER = "orders-reader", "orders-indexer"
_EVERYTHING = f"200: {ALL} orders (eu, us)"
_ONE_MORE = f"200: {ALL + 1} orders (eu, us)"
_PASSWORD = {"password": "chosen-by-the-caller"}
_WITHOUT = [{"op": "remove", "path": f"/spec/grants/0/{field}"} for field in ("fields", "where")]


def _of(name: str) -> Caller:
    return next(caller for caller in CALLERS if caller.name == name)


BEHIND = (
    Caller(
        "shop-web",
        "reads orders (orders-reader)",
        (
            Call("GET", SEARCH, _EVERYTHING, orders),
            Call("DELETE", "/orders-2026-11/_doc/1007", "403 refused"),
            Call("GET", "/audit-payments/_search", "403 refused"),
            Call("PUT", "/_security/user/_password", "403 refused", body=_PASSWORD, note="by Envoy"),
        ),
    ),
    Caller(
        _INDEXER,
        "reads and writes orders, appends to its log (orders-indexer)",
        tuple(call for call in _of(_INDEXER).calls if "ssn" not in f"{call.path} {call.note}"),
    ),
    *(_of(name) for name in ("payments", "audit-report", "marketing")),
    Caller(
        "shop-web",
        "with a token that must be refused",
        (
            Call(
                "GET", SEARCH, "403 refused", note="another audience", token={"audience": "https://other.example.com"}
            ),
            Call("GET", SEARCH, "401 unauthenticated", note="expired", token={"lifetime": -600}),
        ),
    ),
)


class GatewayWorld(World):
    """A world whose callers reach Elasticsearch through the gateway alone."""

    def __init__(self, kubernetes: KubernetesApi, elasticsearch: ElasticsearchServer, folder: Path) -> None:
        super().__init__(kubernetes, elasticsearch, folder)
        if not isinstance(kubernetes, KubernetesServers):
            raise DemoError("GATEWAY=1 needs servers of its own: unset SEARCHACCESS_TEST_KUBECONFIG")
        self.pod = GatewayPod(self, "gateways", folder)
        self.metadata = MetadataServer(elasticsearch.issuer, account("searchaccess-operator"))
        self.environment = self.metadata.environment

    def caller(self, name: str, **claims: Any) -> httpx.Client:
        """Speaks to the gateway with an identity token of a service account."""
        return self.pod.envoy.client(self.elasticsearch.issuer.mint(account(name), **claims))


def _world(stage: Stage) -> GatewayWorld:
    assert isinstance(stage.world, GatewayWorld)
    return stage.world


def fill(stage: Stage) -> None:
    with stage.screen.step("Put orders and logs into Elasticsearch") as page:
        counts = data.fill(stage.world.admin)
        page.say(", ".join(f"{index} ({number})" for index, number in counts.items()))


def start_operator(stage: Stage) -> None:
    """The operator writes what the gateway needs; Envoy serves it."""
    pod, file = _world(stage).pod, manifests.cluster_file()
    with stage.screen.step("Start the operator, and declare the cluster with a gateway") as page:
        stage.closing.enter_context(_world(stage).metadata)
        page.say(f"The operator runs as a separate process (pid {stage.operator.pid}).")
        page.say(f"{file.relative_to(ROOT)}, with identity.gateway instead of a realm:")
        page.gap()
        stage.closing.enter_context(pod)
        stage.called = (pod.url, str(pod.envoy.ca_file))
        declared = manifests.with_running_servers(file, stage.stack.elasticsearch)
        for item in declared:
            if item["kind"] == "SearchCluster":
                item["spec"] = {**item["spec"], "identity": pod.identity()}
        stage.world.apply(*declared)
        name = manifests.cluster_name()
        stage.until_settled("searchcluster", name)
        pod.until_served()

        def in_sync() -> list[dict[str, Any]]:
            found = stage.world.get_cluster(name)["status"]["conditions"]
            known = {item["type"]: item["status"] for item in found}
            return found if {known.get(kind) for kind in _WORKS} == {"True"} else []

        conditions = stage.until(in_sync, lambda: f"not all of {_WORKS} are true")
        table = new_table()
        for condition in conditions:
            table.add_row(*(Text(condition[key]) for key in ("type", "status", "reason", "message")))
        page.show(table)
        page.gap()
        page.say(f"Envoy serves callers at {pod.url}; only it and the operator log in to Elasticsearch.")


def declare(stage: Stage) -> None:
    """On a Basic license a part of the examples is refused, with the reason, before anything is written."""
    files = manifests.access_files()
    with stage.screen.step("Declare who may do what") as page, stage.world.caller("shop-web") as caller:
        checks, again = stage.new_checks_table(), stage.new_checks_table()
        request = f"shop-web: GET {SEARCH}"
        page.show(command(f"kubectl apply {' '.join(f'-f {file.relative_to(ROOT)}' for file in files)}"))
        page.show(Text(stage.kubectl("apply", *(f"--filename={file}" for file in files)).strip()))
        found = stage.until_settled("searchaccess", _READER, _NAMESPACE, reason="LicenseInsufficient")
        [ready] = [item for item in found["status"]["conditions"] if item["type"] == "Ready"]
        page.gap()
        page.say(f"{_READER}: {ready['reason']}", "yellow")
        page.say(ready["message"])
        stage.checks.add_row(checks, request, "403 refused", orders(caller.get(SEARCH)), "not granted")
        page.show(checks)
        page.gap()
        page.say("Without its fields and where, the same SearchAccess needs no paid license:")
        started, patch = time.monotonic(), json.dumps(_WITHOUT)
        stage.kubectl("patch", "searchaccess", _READER, "-n", _NAMESPACE, "--type=json", "-p", patch)
        page.show(command(f"kubectl patch searchaccess {_READER} -n {_NAMESPACE} --type=json -p '{patch}'"))
        stage.until(lambda: caller.get(SEARCH).is_success, lambda: "shop-web is not let in")
        page.say(f"In force {time.monotonic() - started:.1f} s after Enter.", "green")
        stage.checks.add_row(again, request, _EVERYTHING, orders(caller.get(SEARCH)))
        page.show(again)
        for name in (_READER, _INDEXER, "audit-writer"):
            stage.until_settled("searchaccess", name, _NAMESPACE)


def rotate(stage: Stage) -> None:
    pod, name = _world(stage).pod, manifests.cluster_name()
    with stage.screen.step("Replace the gateway's login to Elasticsearch while callers call") as page:
        before = stage.world.get_cluster(name)["status"]["gateway"]["loginUser"]
        arguments = ("annotate", "searchcluster", name, f"searchaccess.dev/rotate-requested-at={time.time():.0f}")
        token = stage.stack.elasticsearch.issuer.mint(account(_INDEXER))

        def refusal() -> str:
            with stage.world.caller("marketing") as nobody:
                return nobody.get("/orders-2026-11/_search").text

        with load(pod.envoy, token, "/orders-2026-11/_doc/1007") as callers:
            page.show(command(f"kubectl {' '.join(arguments)}"))
            stage.kubectl(*arguments)
            after = before[:-1] + {"a": "b", "b": "a"}[before[-1]]
            stage.until(lambda: after in refusal(), lambda: f"the gateway does not log in as {after}")
            callers.goes_on()
        answered, failed = callers.succeeded, callers.seen.total() - callers.succeeded
        line = f"{before} → {after}: {answered} requests answered, {failed} failed "
        page.show(Text(line) + stage.checks.count(right=failed == 0))


def tamper(stage: Stage) -> None:
    world = stage.world
    with stage.screen.step("Somebody widens a role, and sets the password of a caller's user") as page:
        role = world.get(_READER, _NAMESPACE)["status"]["elasticsearch"]["role"]
        admin, request = world.admin, "GET /audit-payments/_search"
        login = (role, _PASSWORD["password"])

        def log_in() -> str:
            return status(admin.get("/_security/_authenticate", auth=login))

        with world.caller("shop-web") as caller:
            admin.put(f"/_security/user/{role}/_password", json=_PASSWORD).raise_for_status()
            body = admin.get(f"/_security/role/{role}").json()[role]
            body.pop("transient_metadata", None)
            body["indices"][0]["names"] = ["*"]
            admin.put(f"/_security/role/{role}", json=body).raise_for_status()
            started = time.monotonic()
            seen = status(caller.get("/audit-payments/_search"))
            page.say(f"shop-web: {request}: {seen}", "red")
            stage.until(
                lambda: status(caller.get("/audit-payments/_search")) == "403 refused",
                lambda: f"{role} is not corrected",
            )
            table = stage.new_checks_table()
            got = status(caller.get("/audit-payments/_search"))
            stage.checks.add_row(table, f"shop-web: {request}", "403 refused", got, "fixed")
            stage.until(lambda: log_in() == "401 unauthenticated", lambda: f"the password of {role} still works")
            stage.checks.add_row(table, "a login with that password", "401 unauthenticated", log_in(), "reset")
            stage.checks.add_row(table, f"shop-web: GET {SEARCH}", _ONE_MORE, orders(caller.get(SEARCH)))
            page.show(table)
            page.say(f"Both after {time.monotonic() - started:.1f} s.", "green")


def revoke(stage: Stage) -> None:
    world, table = stage.world, stage.new_checks_table()
    with (
        stage.screen.step("Revoke an access") as page,
        world.caller("shop-web") as caller,
        world.caller(_INDEXER) as other,
    ):
        request = f"shop-web: GET {SEARCH}"
        stage.checks.add_row(table, request, _ONE_MORE, orders(caller.get(SEARCH)))
        page.show(command(f"kubectl delete searchaccess {_READER} -n {_NAMESPACE}"))
        stage.kubectl("delete", "searchaccess", _READER, "-n", _NAMESPACE)
        stage.checks.add_row(table, request, "403 refused", orders(caller.get(SEARCH)), "next request")
        stage.checks.add_row(table, f"{_INDEXER}: GET {SEARCH}", _ONE_MORE, orders(other.get(SEARCH)))
        page.show(table)
