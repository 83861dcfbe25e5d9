"""Google's metadata server, as far as a workload asks it for its identity; with a key that the test's realms trust.

https://cloud.google.com/compute/docs/metadata/overview, https://cloud.google.com/run/docs/securing/service-identity
"""

import functools
import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self
from urllib.parse import SplitResult, parse_qs, urlsplit

import pytest
from google.auth._exponential_backoff import ExponentialBackoff
from google.auth.compute_engine import _metadata

from tests.stack.trust.tokens import TokenIssuer

if TYPE_CHECKING:
    from collections.abc import Callable

_ACCOUNTS = "/computeMetadata/v1/instance/service-accounts/"
_ACCOUNT = f"{_ACCOUNTS}default/"
_IDENTITY = f"{_ACCOUNT}identity"
_TEXT, _JSON = "text/html", "application/json"
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
        self.make_access_token: Callable[[], str] = lambda: "an-access-token"
        self.scopes: list[str] = []
        """For what access tokens were asked for, one after the other."""
        self.away = False
        self.broken = ""
        """With what text it answers 500 where it should give an identity."""
        self.without_account = False
        self.audiences: list[str] = []
        """For whom tokens were asked for, one after the other."""
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)

    @property
    def environment(self) -> dict[str, str]:
        """What a process needs in its environment to find it."""
        address = f"127.0.0.1:{self._server.server_port}"
        return {"GCE_METADATA_HOST": address, "GCE_METADATA_IP": address}

    def show_to(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """Let this process find it, and no other account."""
        monkeypatch.delenv("GOOGLE_APPLICATION_CREDENTIALS", raising=False)
        monkeypatch.setenv("CLOUDSDK_CONFIG", "/nonexistent")
        for name, value in self.environment.items():
            monkeypatch.setenv(name, value)
        # Google's library reads the address once for all, and waits up to 15 s for a server that is away.
        monkeypatch.setattr(_metadata, "_GCE_METADATA_HOST", self.environment["GCE_METADATA_HOST"])
        quick = functools.partial(ExponentialBackoff, initial_wait_seconds=0.001)
        monkeypatch.setattr(_metadata, "ExponentialBackoff", quick)

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

    def _find(self, url: SplitResult) -> tuple[int, str, str]:
        """Return status, text and its type."""
        if url.path == "/":
            return 200, "", _TEXT
        if url.path == "/computeMetadata/v1/project/project-id":
            return 200, "acme-platform", _TEXT
        if not self.without_account:
            if url.path == _IDENTITY:
                return (500, self.broken, _TEXT) if self.broken else (200, self._identity(url.query), _TEXT)
            if url.path in (_ACCOUNT, f"{_ACCOUNTS}{self.email}/") and url.query == "recursive=true":
                return 200, json.dumps({"aliases": ["default"], "email": self.email, "scopes": []}), _JSON
            if url.path in (f"{_ACCOUNT}token", f"{_ACCOUNTS}{self.email}/token"):
                self.scopes.append(parse_qs(url.query).get("scopes", [""])[0])
                made = self.make_access_token()
                token = {"access_token": made, "expires_in": self.lifetime, "token_type": "Bearer"}
                return 200, json.dumps(token), _JSON
        return 404, "", _TEXT

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        owner = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                if owner.away:
                    self._answer(503, "away")
                elif self.headers.get("Metadata-Flavor") != "Google":
                    self._answer(403, "Missing Metadata-Flavor:Google header.")
                else:
                    self._answer(*owner._find(urlsplit(self.path)))

            def _answer(self, status: int, text: str, kind: str = _TEXT) -> None:
                self.send_response(status)
                self.send_header("Metadata-Flavor", "Google")
                self.send_header("Content-Type", kind)
                self.send_header("Content-Length", str(len(text)))
                self.end_headers()
                self.wfile.write(text.encode())

            def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - as the base class calls it.
                """Say nothing."""

        return Handler
