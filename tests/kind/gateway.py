"""The chart's gateway in kind, as the operator configures it, and callers in pods.

Elasticsearch has one owner, so the SearchCluster ``prod`` of these tests moves from its realm to the gateway, and back.
"""

import base64
import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import httpx

from tests.kind.issuer import PORT, publish_keys
from tests.kind.operators import IMAGE, helm, listed, until_two_run
from tests.stack.trust.certificates import ServerCertificate, write_server_certificate
from tests.support.operatorprocess import ROOT
from tests.support.waiting import eventually
from tests.support.worlds.world import CLUSTER, SYSTEM, World, access, account, condition_in, grant

NAME: Final = "searchaccess-gateway"
GATEWAYS: Final = "gateways"
"""Namespace of the gateway: not the operator's, so that what it may do there is what the chart's Role says."""
HOST: Final = f"{NAME}.{GATEWAYS}.svc"
SELECTOR: Final = f"searchaccess.dev/gateway={NAME}"
CALLERS: Final = "callers"
"""Namespace of the pods that call, and of the issuer's keys."""
RESTRICTED: Final = "pod-security.kubernetes.io/enforce=restricted"
CALLER: Final = "gateway-reader"
"""The SearchAccess of the caller that calls all the time."""
_CHART: Final = ("upgrade", "searchaccess", str(ROOT / "charts/searchaccess-operator"), "-n", SYSTEM)
_PLAIN: Final = ("-f", str(ROOT / "tests/kind/values.yaml"))
_VALUES: Final = (
    *("--set", "gateway.enabled=true", "--set", f"gateway.namespace={GATEWAYS}"),
    *("--set", "gateway.resources.requests.cpu=50m", "--set", "gateway.concurrency=1"),
    *("--set", f"gateway.networkPolicy.egressPorts={{9200,{PORT}}}"),
)


@dataclass(frozen=True, slots=True)
class Gateway:
    """The gateway at work, and the certificates that it may have."""

    world: World
    certificates: tuple[ServerCertificate, ...]

    def pods(self) -> list[dict[str, Any]]:
        """Return all its pods, also those that end."""
        return listed(self.world, "pods", "-n", GATEWAYS, "-l", SELECTOR)

    def until_two_are_ready(self) -> None:
        """Wait until a rollout is over and two pods are ready, and no other is left."""
        kubectl = self.world.kubernetes.run_kubectl
        kubectl("rollout", "status", f"deployment/{NAME}", "-n", GATEWAYS, "--timeout=180s")
        eventually(lambda: len(self.pods()) == 2, within=120, every=0.5, what="two pods of the gateway")

    def until(self, kind: str, status: str, reason: str, *, loaded: int = 0) -> dict[str, Any]:
        """Wait until the SearchCluster has a condition and so many pods the configuration; return its status."""
        last: dict[str, Any] = {}

        def observe() -> bool:
            last.clear()
            last.update(self.world.get_cluster())
            found = condition_in(last, kind)
            enough = last["status"].get("gateway", {}).get("loaded", 0) >= loaded
            return enough and (found.get("status"), found.get("reason")) == (status, reason)

        try:
            eventually(observe, within=120, every=0.5)
        except AssertionError:
            raise AssertionError(f"{kind} is not {status}, {reason}: {json.dumps(last, indent=1)}") from None
        return dict(last["status"])

    def use(self, certificate: ServerCertificate) -> None:
        """Give the gateway a certificate."""
        texts = {
            "tls.crt": certificate.certificate_file.read_text(),
            "tls.key": certificate.key_file.read_text(),
        }
        metadata = {"name": f"{NAME}-tls", "namespace": GATEWAYS}
        secret = {"type": "kubernetes.io/tls", "stringData": texts, "metadata": metadata}
        self.world.apply({"apiVersion": "v1", "kind": "Secret", **secret})

    def look_now(self, why: str) -> None:
        """Let kubelets write changed Secrets into pods now: they look about once a minute, and when a pod changes."""
        changed = f"tests/look={why}"
        self.world.kubernetes.run_kubectl("annotate", "pods", "-n", GATEWAYS, "-l", SELECTOR, changed, "--overwrite")

    def login_in(self, pod: dict[str, Any]) -> str:
        """Return the user of the login that a pod has."""
        read = ("exec", pod["metadata"]["name"], "-n", GATEWAYS, "--", "cat", "/etc/gateway/login/login.yaml")
        _, found, rest = self.world.kubernetes.run_kubectl(*read).stdout.partition("Basic ")
        assert found, "it has a login"
        encoded = rest.partition('"')[0].split()[0]
        return base64.b64decode(encoded).decode().partition(":")[0]


@contextmanager
def configured_gateway(world: World, folder: Path) -> Iterator[Gateway]:
    """Deploy the gateway, let the SearchCluster and one caller use it, and undo all of that at the end."""
    kubectl = world.kubernetes.run_kubectl
    for name in (GATEWAYS, CALLERS):
        world.namespace(name)
    kubectl("label", "namespace", GATEWAYS, "--overwrite", RESTRICTED)
    certificates = tuple(write_server_certificate(folder / name, names=(HOST,)) for name in ("first", "second"))
    gateway = Gateway(world, certificates)
    gateway.use(certificates[0])
    try:
        jwks = publish_keys(world, CALLERS, folder / "issuer")
        helm(*_CHART, *_PLAIN, *_VALUES)
        until_two_run(world)
        _move(world, gateway=_declared(world, certificates, jwks))
        world.until_cluster_reason(CLUSTER, "InSync", within=120)
        world.apply(access(CALLER, grant("orders-*")))
        world.until_ready(CALLER, "orders", within=120)
        gateway.until_two_are_ready()
        yield gateway
    finally:
        _back_to_the_realm(world)
        # They would drain first.
        kubectl("delete", "pods", "--all", "-n", GATEWAYS, "--grace-period=0", "--force")
        kubectl("delete", "namespace", GATEWAYS, CALLERS)


def _declared(world: World, certificates: tuple[ServerCertificate, ...], jwks: dict[str, Any]) -> dict[str, Any]:
    return {
        "audience": world.elasticsearch.audience,
        "jwks": jwks,
        "url": f"https://{HOST}",
        "ca": {"inline": "".join(one.ca_file.read_text() for one in certificates)},
        "namespace": GATEWAYS,
        "name": NAME,
        "limits": {"maxBody": "1Mi"},
    }


def _move(world: World, *, gateway: dict[str, Any] | None = None, realm: dict[str, Any] | None = None) -> None:
    world.patch_cluster(CLUSTER, {"spec": {"identity": {"jwtRealm": realm, "gateway": gateway}}})


def _back_to_the_realm(world: World) -> None:
    """Move the SearchCluster back, and check that nothing of the gateway is left and that the realm serves callers."""
    kubectl = world.kubernetes.run_kubectl
    kubectl("delete", "searchaccess", CALLER, "-n", "shop", "--ignore-not-found", "--timeout=60s")
    _move(world, realm={"name": world.elasticsearch.realm, "audience": world.elasticsearch.audience})
    world.until_cluster_reason(CLUSTER, "InSync", within=120)
    eventually(lambda: left_of_the_gateway(world) == [], within=120, every=0.5, what="all of the gateway is deleted")

    def is_served() -> bool:
        with world.caller("orders") as caller:
            return caller.get("/orders-*/_search").status_code == httpx.codes.OK

    eventually(is_served, within=60, every=0.5, what="the realm serves callers again")
    # Only now, as it takes the operator's rights with it.
    helm(*_CHART, *_PLAIN)
    until_two_run(world)


def left_of_the_gateway(world: World) -> list[str]:
    """Name what the operator wrote for the gateway and its callers, and did not delete yet."""
    objects = ("configmap", f"{NAME}-config"), ("secret", f"{NAME}-login")
    names = ("get", "-n", GATEWAYS, "-o", "name", "--ignore-not-found")
    found = [world.kubernetes.run_kubectl(*names, kind, name).stdout.strip() for kind, name in objects]
    users = world.admin.get("/_security/user").raise_for_status().json()
    roles = world.admin.get("/_security/role").raise_for_status().json()
    ours = (f"searchaccess-gateway.{world.instance}.", f"searchaccess.{world.instance}.")
    left = [name for name in users if name.startswith(ours)] + [name for name in roles if name.startswith(ours[0])]
    return [name for name in (*found, *left) if name] + list(world.get_cluster()["status"].get("gateway", {}))


CALLS: Final = """
import http.client, json, os, ssl, threading, time
host, token, path = os.environ["HOST"], os.environ["TOKEN"], os.environ["CALLED"]
context = ssl._create_unverified_context()  # Certificates change meanwhile.
headers = {"Authorization": "Bearer " + token}
seen, lock = {"answered": 0, "failed": []}, threading.Lock()
def call():
    connection = http.client.HTTPSConnection(host, 443, timeout=30, context=context)
    while True:
        try:
            connection.request("GET", path, headers=headers)
            answer = connection.getresponse()
            text = answer.read().decode()
            problem = "" if answer.status == 200 else f"{answer.status} {text[:200]}"
        except Exception as error:
            problem = repr(error)
            connection.close()
        with lock:
            seen["answered"] += not problem
            if problem:
                seen["failed"].append(f"{time.time():.1f} {problem}")
        time.sleep(0.02)
for _ in range(4):
    threading.Thread(target=call, daemon=True).start()
while True:
    time.sleep(0.3)
    with lock, open("/tmp/new", "w") as file:
        json.dump(seen, file)
    os.replace("/tmp/new", "/tmp/seen")
"""
"""Calls the gateway on four kept connections, and writes down how it went; a failed request is not repeated."""


@dataclass(frozen=True, slots=True)
class Load:
    """A pod that calls all the time."""

    world: World
    pod: str

    def seen(self) -> dict[str, Any]:
        """Return how many requests were answered, and those that failed."""
        read = ("exec", self.pod, "-n", CALLERS, "--", "python3", "-c", "print(open('/tmp/seen').read())")

        def written() -> str:
            done = self.world.kubernetes.run_kubectl(*read, check=False)
            return done.stdout if done.returncode == 0 else ""

        # The pod has no file before its first request, and an API server may not answer once.
        return dict(json.loads(eventually(written, within=120, every=0.5, what="what the pod has seen")))

    def until_more_are_answered(self, number: int = 200) -> None:
        """Wait until some more requests are answered."""
        before = self.seen()["answered"]
        eventually(lambda: self.seen()["answered"] >= before + number, within=120, every=0.5, what="callers are served")


@contextmanager
def calling(world: World) -> Iterator[Load]:
    """Call the gateway from a pod all the time."""
    kubectl = world.kubernetes.run_kubectl
    token = world.elasticsearch.issuer.mint(account(CALLER))
    environment = (f"--env=HOST={HOST}", f"--env=TOKEN={token}", "--env=CALLED=/orders-1/_search")
    kubectl("run", "load", "-n", CALLERS, f"--image={IMAGE}", *environment, "--command", "--", "python3", "-c", CALLS)
    try:
        kubectl("wait", "--for=condition=Ready", "pod/load", "-n", CALLERS, "--timeout=120s")
        load = Load(world, "load")
        load.until_more_are_answered()
        yield load
    finally:
        kubectl("delete", "pod", "load", "-n", CALLERS, "--grace-period=0", "--force")


CALL: Final = """
import ssl, sys, urllib.error, urllib.request
url, token = sys.argv[1:]
request = urllib.request.Request(url, headers={"Authorization": "Bearer " + token})
try:
    answer = urllib.request.urlopen(request, timeout=30, context=ssl._create_unverified_context())
except urllib.error.HTTPError as error:
    answer = error
print(answer.status, answer.read().decode())
"""


def call(world: World, pod: str, url: str, token: str) -> tuple[int, str]:
    """Send one request from a pod; return status and body."""
    done = world.kubernetes.run_kubectl("exec", pod, "-n", CALLERS, "--", "python3", "-c", CALL, url, token)
    status, _, body = done.stdout.partition(" ")
    return int(status), body
