"""Google's metadata server, as far as a workload asks it for its identity; with a key that the test's realms trust.

https://cloud.google.com/compute/docs/metadata/overview, https://cloud.google.com/run/docs/securing/service-identity
"""

import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any, Self
from urllib.parse import parse_qs, urlsplit

from tests.stack.tokens import TokenIssuer

_ACCOUNT = "/computeMetadata/v1/instance/service-accounts/default/"
_IDENTITY = f"{_ACCOUNT}identity"
RENEWED_BEFORE = 225
"""Seconds before a token's end at which Google's library gets another one."""


class MetadataServer:
    """The metadata server of one workload.

    Args:
        issuer: signs the tokens.
        email: the workload's service account.
    """

    def __init__(self, issuer: TokenIssuer, email: str) -> None:
        self.email = email
        self.issuer = issuer
        self.lifetime = 3600
        """Seconds for which tokens are good."""
        self.away = False
        self.audiences: list[str] = []
        """For whom tokens were asked for, one after the other."""
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)

    @property
    def environment(self) -> dict[str, str]:
        """What a process needs in its environment to find it."""
        address = f"127.0.0.1:{self._server.server_port}"
        return {"GCE_METADATA_HOST": address, "GCE_METADATA_IP": address}

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.shutdown()
        self._server.server_close()

    def _identity(self, query: str) -> str:
        asked = parse_qs(query)
        self.audiences.append(asked["audience"][0])
        email: dict[str, Any] = {} if asked.get("format") == ["full"] else {"email": None, "email_verified": None}
        return self.issuer.mint(self.email, audience=asked["audience"][0], lifetime=self.lifetime, **email)

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        owner = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                url = urlsplit(self.path)
                if owner.away:
                    self._answer(503, "away")
                elif self.headers.get("Metadata-Flavor") != "Google":
                    self._answer(403, "Missing Metadata-Flavor:Google header.")
                elif url.path == _IDENTITY:
                    self._answer(200, owner._identity(url.query))
                elif url.path == _ACCOUNT and url.query == "recursive=true":
                    about = {"aliases": ["default"], "email": owner.email, "scopes": []}
                    self._answer(200, json.dumps(about), "application/json")
                elif url.path == f"{_ACCOUNT}token" or (url.path.endswith("/token") and owner.email in url.path):
                    token = {"access_token": "an-access-token", "expires_in": 3600, "token_type": "Bearer"}
                    self._answer(200, json.dumps(token), "application/json")
                elif url.path == "/computeMetadata/v1/project/project-id":
                    self._answer(200, "acme-platform")
                else:
                    self._answer(200 if url.path == "/" else 404, "")

            def _answer(self, status: int, text: str, kind: str = "text/html") -> None:
                self.send_response(status)
                self.send_header("Metadata-Flavor", "Google")
                self.send_header("Content-Type", kind)
                self.send_header("Content-Length", str(len(text)))
                self.end_headers()
                self.wfile.write(text.encode())

            def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - as the base class calls it.
                """Say nothing."""

        return Handler
