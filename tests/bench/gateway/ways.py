"""The ways to one Elasticsearch that are compared: without anything between, through the gateway, through another."""

import base64
import secrets
import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import httpx
import psutil

from searchaccess.core.gateway.settings import CallerLimits, GatewaySettings, Rate, Upstream
from tests.bench.gateway.wire import Connection
from tests.stack.elasticsearch import ElasticsearchServer
from tests.stack.gateway.envoy import Gateway
from tests.stack.gateway.oauth2proxy import OAuth2Proxy
from tests.stack.gateway.servers import KeyPublisher
from tests.stack.gateway.settings import loopback_settings
from tests.stack.trust.certificates import write_server_certificate
from tests.support.worlds.world import account

DIRECT: Final = "direct"
TOKEN: Final = "direct, token"
GATEWAY: Final = "gateway"
OTHER: Final = "oauth2-proxy"

INDEX: Final = "bench"
CALLER: Final = account("bench")
PREFIX: Final = "searchaccess.bench."
LARGEST: Final = 100 * 1024 * 1024
"""Bytes of a body, as by default."""
WORKERS: Final = 2
"""Threads of Envoy, as in the chart."""
_LOGIN: Final = "searchaccess-gateway.bench.gateway.a"
_RUN_AS: Final = r"/searchaccess\.bench\.[a-z0-9\-\.]+\@([a-z0-9\-]+\.)+gserviceaccount\.com/"
_ROLE: Final[dict[str, Any]] = {"indices": [{"names": [INDEX], "privileges": ["all"]}]}
_SETTINGS: Final = {"number_of_replicas": 0, "number_of_shards": 1}
_MAPPINGS: Final = {"properties": {"text": {"enabled": False, "type": "object"}}}


@dataclass(frozen=True)
class Way:
    """One way to Elasticsearch."""

    name: str
    url: str
    trust: ssl.SSLContext
    authorization: str
    process: psutil.Process | None = None
    """What is between; None: nothing."""

    def connect(self) -> Connection:
        """Open a connection."""
        return Connection(self.url, self.trust)

    def cpu(self) -> float:
        """Return the seconds of CPU that were used between; 0: nothing is there."""
        if self.process is None:
            return 0.0
        times = self.process.cpu_times()
        return float(times.user + times.system)


def basic(username: str, password: str) -> str:
    """Return the header of a login."""
    return "Basic " + base64.b64encode(f"{username}:{password}".encode()).decode()


def settings_for(ca: str, jwks_url: str, upstream: Upstream) -> GatewaySettings:
    """Return settings of a gateway as a SearchCluster has them, whose limits nobody reaches."""
    limits = CallerLimits(LARGEST, Rate(1_000_000, 1_000_000))
    return loopback_settings(ca, jwks_url, upstream, limits, PREFIX)


@contextmanager
def ways(server: ElasticsearchServer, folder: Path) -> Iterator[list[Way]]:
    """Start what is between, and give all ways.

    Args:
        server: with a license that includes the JWT realm.
        folder: for certificates.
    """
    password, own = secrets.token_urlsafe(16), secrets.token_urlsafe(16)
    with server.client() as admin:
        _prepare(admin, password, own)
    port = int(server.url.rpartition(":")[2])
    trust = ssl.create_default_context(cafile=str(server.ca_file))
    token = "Bearer " + server.issuer.mint(CALLER)
    with KeyPublisher(write_server_certificate(folder / "keys"), server.issuer.jwks()) as keys:
        url, authorities = f"{keys.url}/certs", _authorities(server, keys)
        gateway = Gateway(
            settings_for(authorities, url, Upstream("127.0.0.1", port)), _LOGIN, password, concurrency=WORKERS
        )
        other = OAuth2Proxy(server.url, url, authorities, PREFIX, _LOGIN, password)
        with gateway, other:
            yield [
                Way(DIRECT, server.url, trust, basic(CALLER, own)),
                Way(TOKEN, server.url, trust, token),
                Way(GATEWAY, gateway.url, gateway.trust(), token, psutil.Process(gateway.pid)),
                Way(OTHER, other.url, other.trust(), token, psutil.Process(other.pid)),
            ]


def _authorities(server: ElasticsearchServer, keys: KeyPublisher) -> str:
    return server.ca_file.read_text() + keys.certificate.ca_file.read_text()


def _prepare(admin: httpx.Client, password: str, own: str) -> None:
    """Write the caller's user and role, the gateway's login, and who may log in directly."""
    user = PREFIX + CALLER
    unknown = "$2a$10$" + "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ."
    for path, body in {
        f"/{INDEX}": {"settings": _SETTINGS, "mappings": _MAPPINGS},
        f"/_security/role/{user}": _ROLE,
        f"/_security/user/{user}": {"password_hash": unknown, "roles": [user]},
        f"/_security/user/{CALLER}": {"password": own, "roles": [user]},
        "/_security/role_mapping/bench": {
            "enabled": True,
            "roles": [user],
            "rules": {"field": {"username": CALLER}},
        },
        "/_security/role/searchaccess-gateway.bench": {"run_as": [_RUN_AS]},
        f"/_security/user/{_LOGIN}": {"password": password, "roles": ["searchaccess-gateway.bench"]},
    }.items():
        admin.put(path, json=body).raise_for_status()
