"""oauth2-proxy as the alternative to the gateway: the same check of tokens, the same login, and a user to run as."""

import base64
import secrets
import ssl
from pathlib import Path
from typing import Any

import yaml

from tests.stack.build_go import OAUTH2_PROXY, ensure_program
from tests.stack.running.processes import ServerProcess, free_port
from tests.stack.running.server import Server
from tests.stack.trust.certificates import write_server_certificate
from tests.stack.trust.tokens import DEFAULT_AUDIENCE, DEFAULT_ISSUER

_START_SECONDS = 60.0
_OWNER_ONLY = 0o600


class OAuth2Proxy(Server):
    """One oauth2-proxy on a free loopback port.

    Configured as its documentation says for tokens without a browser. It has no authorities of its own for the
    upstream: it trusts those of the system, which are set for its process.
    https://oauth2-proxy.github.io/oauth2-proxy/configuration/alpha-config

    Args:
        upstream: URL of Elasticsearch.
        jwks_url: where the issuer's keys are.
        authorities: of both, in PEM form.
        role_prefix: of the users that callers run as.
        username: of its login in Elasticsearch.
        password: of it.
    """

    def __init__(
        self, upstream: str, jwks_url: str, authorities: str, role_prefix: str, username: str, password: str
    ) -> None:
        super().__init__()
        self._process: ServerProcess | None = None
        self._certificate = write_server_certificate(self.folder / "pki")
        self.port = free_port()
        self.url = f"https://127.0.0.1:{self.port}"
        self._authorities = self.folder / "authorities.pem"
        self._authorities.write_text(authorities)
        login = self.folder / "login"
        login.touch(_OWNER_ONLY)
        login.write_text("Basic " + base64.b64encode(f"{username}:{password}".encode()).decode())
        self._alpha = self.folder / "alpha.yaml"
        self._alpha.write_text(yaml.safe_dump(self._configuration(upstream, jwks_url, role_prefix, login)))

    def _configuration(self, upstream: str, jwks_url: str, role_prefix: str, login: Path) -> dict[str, Any]:
        tls = {
            "key": {"fromFile": str(self._certificate.key_file)},
            "cert": {"fromFile": str(self._certificate.certificate_file)},
        }
        caller = {"claimSource": {"claim": "email", "prefix": role_prefix}}
        return {
            "server": {"secureBindAddress": f"127.0.0.1:{self.port}", "tls": tls},
            "upstreamConfig": {
                "proxyRawPath": True,
                "upstreams": [{"id": "elasticsearch", "path": "/", "uri": upstream, "proxyWebSockets": False}],
            },
            "injectRequestHeaders": [
                {"name": "Authorization", "values": [{"secretSource": {"fromFile": str(login)}}]},
                {"name": "es-security-runas-user", "values": [caller]},
            ],
            "providers": [
                {
                    "id": "google",
                    "provider": "oidc",
                    "clientID": DEFAULT_AUDIENCE,
                    "clientSecret": secrets.token_hex(8),
                    "loginURL": f"{DEFAULT_ISSUER}/login",
                    "redeemURL": f"{DEFAULT_ISSUER}/token",
                    "oidcConfig": {
                        "issuerURL": DEFAULT_ISSUER,
                        "skipDiscovery": True,
                        "jwksURL": jwks_url,
                        "emailClaim": "email",
                        "audienceClaims": ["aud"],
                    },
                }
            ],
        }

    def start(self) -> None:
        """Start it and wait until it answers."""
        command = [
            str(ensure_program(OAUTH2_PROXY)),
            "--alpha-config",
            str(self._alpha),
            "--email-domain=*",
            "--skip-jwt-bearer-tokens=true",
        ]
        environment = {
            "SSL_CERT_FILE": str(self._authorities),
            "OAUTH2_PROXY_COOKIE_SECRET": secrets.token_hex(16),
        }
        self._process = self._processes.start("oauth2-proxy", command, environment)
        self._process.wait_until(self._answers, _START_SECONDS)

    def _answers(self) -> bool:
        try:
            # A handshake, not a connection alone: the port opens earlier.
            ssl.get_server_certificate(("127.0.0.1", self.port), ca_certs=str(self._certificate.ca_file), timeout=5)
        except OSError:
            return False
        return True

    @property
    def pid(self) -> int:
        assert self._process
        return self._process.pid

    def trust(self) -> ssl.SSLContext:
        """What a caller trusts."""
        return ssl.create_default_context(cafile=str(self._certificate.ca_file))

    def log(self) -> str:
        """What it wrote."""
        return self._process.log_file.read_text(errors="replace") if self._process else ""
