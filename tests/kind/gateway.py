"""The chart's gateway in kind: its configuration, written here as the operator writes it, and callers in a pod.

`configured_gateway` stands in for a SearchCluster with `identity.gateway`: replace it by one when the operator writes
the ConfigMap and the Secret.
"""

import base64
import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

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
_TYPE: Final = "type.googleapis.com/envoy"
_VALUES: Final = (
    *("-f", str(ROOT / "tests/kind/values.yaml"), "--set", "gateway.enabled=true"),
    *("--set", "gateway.resources.requests.cpu=50m", "--set", "gateway.concurrency=1"),
)
_TOKENS: Final = "envoy.filters.http.jwt_authn"


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
    login = base64.b64encode(f"{_LOGIN}:{_PASSWORD}".encode()).decode()
    files = {"listeners.yaml": _file(_listener(world)), "clusters.yaml": _file(_elasticsearch(world))}
    secret = {
        "@type": f"{_TYPE}.extensions.transport_sockets.tls.v3.Secret",
        "name": "login",
        "generic_secret": {"secret": {"inline_string": f"Basic {login}"}},
    }
    objects = (
        _object("ConfigMap", f"{NAME}-config", {"data": files}),
        _object("Secret", f"{NAME}-login", {"stringData": {"login.yaml": json.dumps({"resources": [secret]})}}),
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


def _file(resource: dict[str, Any]) -> str:
    return json.dumps({"version_info": "by-hand", "resources": [resource]})


def _elasticsearch(world: World) -> dict[str, Any]:
    address = {"socket_address": {"address": INSIDE, "port_value": 9200}}
    trust = {
        "trusted_ca": {"inline_string": world.elasticsearch.ca_file.read_text()},
        "match_typed_subject_alt_names": [{"san_type": "DNS", "matcher": {"exact": INSIDE}}],
    }
    return {
        "@type": f"{_TYPE}.config.cluster.v3.Cluster",
        "name": "elasticsearch",
        "type": "STRICT_DNS",
        "connect_timeout": "10s",
        "load_assignment": {
            "cluster_name": "elasticsearch",
            "endpoints": [{"lb_endpoints": [{"endpoint": {"address": address}}]}],
        },
        "transport_socket": {
            "name": "tls",
            "typed_config": {
                "@type": f"{_TYPE}.extensions.transport_sockets.tls.v3.UpstreamTlsContext",
                "sni": INSIDE,
                "common_tls_context": {"validation_context": trust},
            },
        },
    }


def _listener(world: World) -> dict[str, Any]:
    tls = {
        "@type": f"{_TYPE}.extensions.transport_sockets.tls.v3.DownstreamTlsContext",
        "common_tls_context": {
            "tls_certificates": [
                {
                    "certificate_chain": {"filename": "/etc/gateway/tls/tls.crt"},
                    "private_key": {"filename": "/etc/gateway/tls/tls.key"},
                    "watched_directory": {"path": "/etc/gateway/tls"},
                }
            ]
        },
    }
    route = {
        "match": {"prefix": "/"},
        "route": {"cluster": "elasticsearch", "timeout": "0s"},
        "request_headers_to_add": [
            {
                "header": {
                    "key": "es-security-runas-user",
                    "value": f"{PREFIX}%DYNAMIC_METADATA({_TOKENS}:jwt:email)%",
                },
                "append_action": "OVERWRITE_IF_EXISTS_OR_ADD",
            }
        ],
    }
    manager = {
        "@type": f"{_TYPE}.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager",
        "stat_prefix": "gateway",
        "use_remote_address": True,
        "access_log": [
            {
                "name": "stdout",
                "typed_config": {
                    "@type": f"{_TYPE}.extensions.access_loggers.file.v3.FileAccessLog",
                    "path": "/dev/stdout",
                },
            }
        ],
        "http_filters": [
            _tokens(world),
            _login(),
            _filter("router", f"{_TYPE}.extensions.filters.http.router.v3.Router"),
        ],
        "route_config": {"virtual_hosts": [{"name": "elasticsearch", "domains": ["*"], "routes": [route]}]},
    }
    return {
        "@type": f"{_TYPE}.config.listener.v3.Listener",
        "name": "gateway",
        "address": {"socket_address": {"address": "0.0.0.0", "port_value": 8443}},  # noqa: S104 - in a pod
        "filter_chains": [
            {
                "transport_socket": {"name": "tls", "typed_config": tls},
                "filters": [{"name": "http", "typed_config": manager}],
            }
        ],
    }


def _filter(name: str, kind: str, **settings: Any) -> dict[str, Any]:
    return {"name": name, "typed_config": {"@type": kind, **settings}}


def _tokens(world: World) -> dict[str, Any]:
    provider = {
        "issuer": DEFAULT_ISSUER,
        "audiences": [DEFAULT_AUDIENCE],
        "local_jwks": {"inline_string": world.elasticsearch.issuer.jwks()},
        "payload_in_metadata": "jwt",
        "require_expiration": True,
    }
    rules = [{"match": {"prefix": "/"}, "requires": {"provider_name": "google"}}]
    kind = f"{_TYPE}.extensions.filters.http.jwt_authn.v3.JwtAuthentication"
    return _filter(_TOKENS, kind, providers={"google": provider}, rules=rules)


def _login() -> dict[str, Any]:
    watched = {"path": "/etc/gateway/login/login.yaml", "watched_directory": {"path": "/etc/gateway/login"}}
    generic = {
        "@type": f"{_TYPE}.extensions.http.injected_credentials.generic.v3.Generic",
        "header": "Authorization",
        "credential": {
            "name": "login",
            "sds_config": {"path_config_source": watched, "resource_api_version": "V3"},
        },
    }
    kind = f"{_TYPE}.extensions.filters.http.credential_injector.v3.CredentialInjector"
    credential = {"name": "envoy.http.injected_credentials.generic", "typed_config": generic}
    return _filter("login", kind, overwrite=True, credential=credential)
