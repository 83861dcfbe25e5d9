"""The chart's gateway in kind: its configuration, rendered as the operator does, and callers in a pod.

`configured_gateway` stands in for a SearchCluster with `identity.gateway`: replace it by one when the operator writes
the ConfigMap and the Secret.
"""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from searchaccess.core.credentials.sealed import Sealed
from searchaccess.core.gateway.render import render, render_login
from searchaccess.core.gateway.settings import CallerLimits, GatewaySettings, Upstream
from tests.kind.__main__ import INSIDE
from tests.kind.operators import IMAGE, helm, listed
from tests.stack.certificates import ServerCertificate, write_server_certificate
from tests.stack.tokens import DEFAULT_AUDIENCE, DEFAULT_ISSUER
from tests.support.operatorprocess import ROOT
from tests.support.waiting import eventually
from tests.support.world import SYSTEM, World, account

NAME: Final = "searchaccess-gateway"
HOST: Final = f"{NAME}.{SYSTEM}.svc"
SELECTOR: Final = f"searchaccess.dev/gateway={NAME}"
CALLERS: Final = "callers"
"""Namespace of the pods that call."""
PRINCIPAL: Final = account("gateway-reader")
PREFIX: Final = "gateway-test."
"""Of users that the operator does not know."""
_LOGIN, _PASSWORD = "gateway-login", "only-in-this-cluster"
_VALUES: Final = (
    *("-f", str(ROOT / "tests/kind/values.yaml"), "--set", "gateway.enabled=true"),
    *("--set", "gateway.resources.requests.cpu=50m", "--set", "gateway.concurrency=1"),
)


@dataclass(frozen=True, slots=True)
class Gateway:
    """The gateway at work, and the folder of the certificates that it had."""

    world: World
    folder: Path

    def pods(self) -> list[dict[str, Any]]:
        """Give all its pods, also those that end."""
        return listed(self.world, "pods", "-n", SYSTEM, "-l", SELECTOR)

    def until_two_are_ready(self) -> None:
        """Wait until a rollout is over and two pods are ready, and no other is left."""
        kubectl = self.world.kubernetes.run_kubectl
        kubectl("rollout", "status", f"deployment/{NAME}", "-n", SYSTEM, "--timeout=180s")
        eventually(lambda: len(self.pods()) == 2, within=120, every=0.5, what="two pods of the gateway")

    def write_certificate(self, name: str) -> ServerCertificate:
        """Give the gateway a new certificate of a new authority; return it."""
        certificate = write_server_certificate(self.folder / name, names=(HOST,))
        texts = {
            "tls.crt": certificate.certificate_file.read_text(),
            "tls.key": certificate.key_file.read_text(),
        }
        self.world.apply(_object("Secret", f"{NAME}-tls", {"type": "kubernetes.io/tls", "stringData": texts}))
        return certificate


@contextmanager
def configured_gateway(world: World, folder: Path) -> Iterator[Gateway]:
    """Deploy the gateway with a configuration, a login and a certificate, and take all of it away at the end."""
    users = {_LOGIN: {"run_as": [f"{PREFIX}*"]}, f"{PREFIX}{PRINCIPAL}": {"indices": [_reads("orders-*")]}}
    for name, role in users.items():
        world.admin.put(f"/_security/role/{name}", json=role).raise_for_status()
        user = {"password": _PASSWORD, "roles": [name]}
        world.admin.put(f"/_security/user/{name}", json=user).raise_for_status()
    gateway = Gateway(world, folder)
    login = render_login(_LOGIN, Sealed(_PASSWORD)).reveal()
    objects = (
        _object("ConfigMap", f"{NAME}-config", {"data": _configuration(world)}),
        _object("Secret", f"{NAME}-login", {"stringData": {"login.yaml": login}}),
    )
    world.apply(*objects)
    gateway.write_certificate("first")
    helm("upgrade", "searchaccess", str(ROOT / "charts/searchaccess-operator"), "-n", SYSTEM, *_VALUES)
    try:
        gateway.until_two_are_ready()
        yield gateway
    finally:
        plain = ("-f", str(ROOT / "tests/kind/values.yaml"))
        helm("upgrade", "searchaccess", str(ROOT / "charts/searchaccess-operator"), "-n", SYSTEM, *plain)
        for kind, suffix in (("configmap", "config"), ("secret", "login"), ("secret", "tls")):
            world.kubernetes.run_kubectl("delete", kind, f"{NAME}-{suffix}", "-n", SYSTEM, "--ignore-not-found")
        for name in users:
            world.admin.delete(f"/_security/user/{name}").raise_for_status()
            world.admin.delete(f"/_security/role/{name}").raise_for_status()


CALLS: Final = """
import http.client, json, os, ssl, threading, time
host, token, path = os.environ["HOST"], os.environ["TOKEN"], os.environ["CALLED"]
context = ssl._create_unverified_context()  # Certificates change meanwhile.
headers = {"Authorization": "Bearer " + token}
seen, lock = {"answered": 0, "failed": []}, threading.Lock()
def call():
    connection = http.client.HTTPSConnection(host, 443, timeout=15, context=context)
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
        """Give how many requests were answered, and those that failed."""
        read = ("python3", "-c", "print(open('/tmp/seen').read())")
        done = self.world.kubernetes.run_kubectl("exec", self.pod, "-n", CALLERS, "--", *read, check=False)
        return dict(json.loads(done.stdout)) if done.returncode == 0 else {"answered": 0, "failed": []}

    def until_more_are_answered(self, number: int = 200) -> None:
        """Wait until some more requests are answered."""
        before = self.seen()["answered"]
        eventually(lambda: self.seen()["answered"] >= before + number, within=120, every=0.5, what="callers are served")


@contextmanager
def calling(world: World) -> Iterator[Load]:
    """Call the gateway from a pod all the time."""
    kubectl = world.kubernetes.run_kubectl
    token = world.elasticsearch.issuer.mint(PRINCIPAL)
    environment = (f"--env=HOST={HOST}", f"--env=TOKEN={token}", "--env=CALLED=/orders-1/_search")
    kubectl("run", "load", "-n", CALLERS, f"--image={IMAGE}", *environment, "--command", "--", "python3", "-c", CALLS)
    try:
        kubectl("wait", "--for=condition=Ready", "pod/load", "-n", CALLERS, "--timeout=120s")
        load = Load(world, "load")
        load.until_more_are_answered()
        yield load
    finally:
        kubectl("delete", "pod", "load", "-n", CALLERS, "--grace-period=0", "--force")


def _object(kind: str, name: str, content: dict[str, Any]) -> dict[str, Any]:
    return {"apiVersion": "v1", "kind": kind, "metadata": {"name": name, "namespace": SYSTEM}, **content}


def _reads(names: str) -> dict[str, Any]:
    return {"names": [names], "privileges": ["read"]}


def _configuration(world: World) -> dict[str, str]:
    """The files that the operator renders, but with the keys of the issuer in them: nothing publishes them here."""
    ca = world.elasticsearch.ca_file.read_text()
    settings = GatewaySettings(
        role_prefix=PREFIX,
        audience=DEFAULT_AUDIENCE,
        issuer=DEFAULT_ISSUER,
        jwks_url=f"https://{INSIDE}/unused",
        jwks_ca=ca,
        upstreams=(Upstream(INSIDE, 9200),),
        tls=True,
        ca=ca,
        verify=True,
        replicas=2,
        limits=CallerLimits(max_body=1024 * 1024),
    )
    rendered = render(settings)
    listeners = json.loads(rendered.listeners)
    [chain] = listeners["resources"][0]["filter_chains"]
    filters = {one["name"]: one["typed_config"] for one in chain["filters"][0]["typed_config"]["http_filters"]}
    for provider in filters["envoy.filters.http.jwt_authn"]["providers"].values():
        del provider["remote_jwks"]
        provider["local_jwks"] = {"inline_string": world.elasticsearch.issuer.jwks()}
    return {"listeners.yaml": json.dumps(listeners), "clusters.yaml": rendered.clusters}
