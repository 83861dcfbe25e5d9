"""A real, small Vault: the core with a KV engine, and login by JWT and by Kubernetes."""

import ssl
from pathlib import Path
from typing import Any

import httpx

from tests.stack.build_go import VAULT, ensure_program
from tests.stack.running.processes import free_port
from tests.stack.running.server import Server
from tests.stack.trust.certificates import write_server_certificate

_START_SECONDS = 30.0
MOUNT = "secret"


class VaultServer(Server):
    """One Vault on a free loopback port, unsealed, with its KV engine mounted. Its data is in memory."""

    def __init__(self) -> None:
        super().__init__()
        self._certificate = write_server_certificate(self.folder / "pki")
        self._port = free_port()
        self.url = f"https://127.0.0.1:{self._port}"
        self.ca_file = self._certificate.ca_file

    def start(self) -> None:
        token_file = self.folder / "root-token"
        process = self._processes.start("vault", self._command(ensure_program(VAULT), token_file))
        process.wait_until(lambda: token_file.is_file() and self._answers(), _START_SECONDS)
        self.root_token = token_file.read_text()
        self.call("POST", f"sys/mounts/{MOUNT}", {"type": "kv", "options": {"version": "2"}})
        # It makes the engine of version 2 in the background, and says 400 until then.
        process.wait_until(lambda: self.ask("GET", f"{MOUNT}/config").is_success, _START_SECONDS)

    def _command(self, binary: Path, token_file: Path) -> list[str]:
        return [
            str(binary),
            f"-listen=127.0.0.1:{self._port}",
            f"-certificate={self._certificate.certificate_file}",
            f"-key={self._certificate.key_file}",
            f"-token-file={token_file}",
        ]

    def _answers(self) -> bool:
        try:
            return self.ask("GET", "sys/health", token="").is_success
        except httpx.TransportError:
            return False

    def ask(self, method: str, path: str, body: Any = None, token: str | None = None) -> httpx.Response:
        """Ask the API, as root unless another token is given."""
        known = token if token is not None else self.root_token
        headers = {"X-Vault-Token": known} if known else {}
        url = f"{self.url}/v1/{path}"
        return httpx.request(method, url, json=body, headers=headers, verify=self._trust(), timeout=30)

    def _trust(self) -> Any:
        return ssl.create_default_context(cafile=str(self.ca_file))

    def call(self, method: str, path: str, body: Any = None) -> Any:
        """Ask as root; return the answer's object, empty if it has none."""
        answer = self.ask(method, path, body)
        answer.raise_for_status()
        return answer.json() if answer.content else {}

    def value(self, path: str) -> dict[str, Any] | None:
        """Return what a consumer reads at a path of the KV engine; None: nothing."""
        answer = self.ask("GET", f"{MOUNT}/data/{path}")
        return dict(answer.json()["data"]["data"]) if answer.is_success else None

    def write_policy(self, name: str, rules: str) -> None:
        """Write a policy in Vault's own language."""
        self.call("PUT", f"sys/policies/acl/{name}", {"policy": rules})

    def make_token(self, policy: str, **more: Any) -> str:
        """Make a token with a policy."""
        made = self.call("POST", "auth/token/create", {"policies": [policy], **more})
        return str(made["auth"]["client_token"])
