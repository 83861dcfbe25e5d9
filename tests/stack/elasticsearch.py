"""A real Elasticsearch node with the security plugin and a JWT realm that trusts our token issuer."""

import json
import os
import secrets
import shutil
import ssl
from abc import ABC, abstractmethod
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Literal, Self

import httpx
import yaml

from tests.stack.build_elasticsearch import ensure_elasticsearch_home
from tests.stack.cache import BuildInputs, ensure_entry
from tests.stack.releases import Release, chosen_release, find_jdk
from tests.stack.running.processes import ProcessGroup, free_port
from tests.stack.running.workspace import Workspace
from tests.stack.trust.certificates import write_server_certificate
from tests.stack.trust.tokens import DEFAULT_AUDIENCE, DEFAULT_ISSUER, TokenIssuer

_START_SECONDS = 180.0
_CLUSTER_NAME = "searchaccess-test"
_ARCHIVE = "classes.jsa"
_EXTERNAL_VARIABLE = "SEARCHACCESS_TEST_ELASTICSEARCH"
_LOG_CONFIGURATION = Path(__file__).parent / "es" / "config" / "log4j2.properties"

License = Literal["trial", "basic"]


class ElasticsearchServer(ABC):
    """Where a test reaches Elasticsearch, as the admin or as the bearer of a token."""

    url: str
    ca_file: Path
    username: str
    password: str
    issuer: TokenIssuer
    realm = "google"
    audience = DEFAULT_AUDIENCE

    @abstractmethod
    def start(self) -> None:
        """Start it, again on the same port with the same data, and wait until it is ready."""

    @abstractmethod
    def stop(self) -> None:
        """Stop it in good order; the data stays until `close`."""

    @abstractmethod
    def kill(self) -> None:
        """End it as a crash would."""

    @abstractmethod
    def close(self, *, failed: bool = False) -> None:
        """Stop it and remove its data; after a failure logs and data are kept."""

    def client(self) -> httpx.Client:
        """A client with the admin's rights."""
        return httpx.Client(base_url=self.url, verify=self._trust(), auth=(self.username, self.password), timeout=60)

    def client_as(self, token: str) -> httpx.Client:
        """A client with a bearer token, such as one of `issuer.mint(email)`."""
        headers = {"Authorization": f"Bearer {token}"}
        return httpx.Client(base_url=self.url, verify=self._trust(), headers=headers, timeout=60)

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close(failed=error is not None)

    def _trust(self) -> ssl.SSLContext:
        return ssl.create_default_context(cafile=str(self.ca_file))


def realm_settings() -> dict[str, Any]:
    """Settings of the JWT realm that trusts the keys in `jwks.json`."""
    realm = f"xpack.security.authc.realms.jwt.{ElasticsearchServer.realm}"
    return {
        f"{realm}.order": 1,
        f"{realm}.token_type": "id_token",
        f"{realm}.client_authentication.type": "none",
        f"{realm}.allowed_issuer": DEFAULT_ISSUER,
        f"{realm}.allowed_audiences": [ElasticsearchServer.audience],
        f"{realm}.allowed_signature_algorithms": ["RS256"],
        f"{realm}.claims.principal": "email",
        f"{realm}.pkc_jwkset_path": "jwks.json",
    }


class LocalElasticsearch(ElasticsearchServer):
    """A node of our own on a free loopback port; any number may run at once.

    Args:
        issuer: whose tokens the realm accepts; a new one by default.
        settings: flat settings that replace or extend ours; a value of None removes one.
        secure_settings: what the node's keystore holds besides the bootstrap password.
        license: `basic` has neither the JWT realm nor document- and field-level security.
        audit: write audit events to `audit_file`.
        heap: the size of the Java heap.
        release: which Elasticsearch; the chosen one by default.
        classes: an option of the JVM about an archive of classes; by default it has that of `ensure_class_archive`.
    """

    def __init__(
        self,
        *,
        issuer: TokenIssuer | None = None,
        settings: dict[str, Any] | None = None,
        secure_settings: dict[str, str] | None = None,
        license: License = "trial",  # noqa: A002 - the name of the setting.
        audit: bool = False,
        heap: str = "768m",
        release: Release | None = None,
        classes: str = "",
    ) -> None:
        self.release = release or chosen_release()
        self._classes = classes
        self._workspace = Workspace()
        self._folder = self._workspace.path
        self._heap = heap
        self._processes = ProcessGroup(self.log_folder)
        self._port = free_port()
        self.url = f"https://127.0.0.1:{self._port}"
        self.username = "elastic"
        self.password = secrets.token_urlsafe(18)
        self._secure_settings = {"bootstrap.password": self.password, **(secure_settings or {})}
        self.issuer = issuer or TokenIssuer()
        self._certificate = write_server_certificate(self._folder / "config" / "pki")
        self.ca_file = self._certificate.ca_file
        self._write_configuration({**self._default_settings(license, audit=audit), **(settings or {})})

    @property
    def log_folder(self) -> Path:
        return self._folder / "logs"

    @property
    def audit_file(self) -> Path:
        """One JSON object a line; there only with `audit=True`."""
        return self.log_folder / f"{_CLUSTER_NAME}_audit.json"

    def start(self) -> None:
        home = ensure_elasticsearch_home(self.release)
        classes = self._classes or f"-XX:SharedArchiveFile={ensure_class_archive(self.release)}"
        lines = "\n".join(f"{name}={value}" for name, value in self._secure_settings.items())
        self._processes.start("elasticsearch", self._command(home, classes), {"ELASTICSEARCH_SECURE_SETTINGS": lines})
        try:
            self.wait_ready()
        except BaseException:
            self.kill()
            raise

    def write_file_roles(self, roles: Mapping[str, Any]) -> None:
        """Replace the roles in `roles.yml`; the node reads it again after some seconds, and no API shows them."""
        path = self._folder / "config" / "roles.yml"
        fresh = path.with_suffix(".new")
        # A role begins where a line does, and may not refer to another one.
        fresh.write_text("".join(f"{json.dumps(name)}: {json.dumps(role)}\n" for name, role in roles.items()))
        fresh.replace(path)

    def wait_ready(self) -> None:
        """Wait until tokens and role mappings work."""
        process = self._processes.get("elasticsearch")
        if process is None:
            raise RuntimeError("Elasticsearch has not been started.")
        with self.client() as client:
            process.wait_until(lambda: _is_ready(client), _START_SECONDS)

    def stop(self) -> None:
        if process := self._processes.get("elasticsearch"):
            process.stop()

    def kill(self) -> None:
        if process := self._processes.get("elasticsearch"):
            process.kill()

    def close(self, *, failed: bool = False) -> None:
        self._processes.close()
        self._workspace.close(failed=failed)

    def _command(self, home: Path, classes: str) -> list[str]:
        temporary = self._folder / "tmp"
        temporary.mkdir(exist_ok=True)
        return [
            find_jdk(self.release).java,
            *self.release.flags,
            f"-Xms{self._heap}",
            f"-Xmx{self._heap}",
            "-XX:+UseSerialGC",
            "-XX:TieredStopAtLevel=1",
            classes,
            "-Des.distribution.type=tar",
            f"-Djava.io.tmpdir={temporary}",
            "-cp",
            f"{home / 'launcher'}/*:{home / 'lib'}/*",
            "ElasticsearchLauncher",
            str(home),
            str(self._folder / "config"),
        ]

    def _write_configuration(self, settings: dict[str, Any]) -> None:
        config = self._folder / "config"
        kept = {name: value for name, value in settings.items() if value is not None}
        (config / "elasticsearch.yml").write_text(yaml.safe_dump(kept))
        (config / "jwks.json").write_text(self.issuer.jwks())
        shutil.copy(_LOG_CONFIGURATION, config)

    def _default_settings(self, license_type: License, *, audit: bool) -> dict[str, Any]:
        return {
            "cluster.name": _CLUSTER_NAME,
            "node.name": "node-0",
            "discovery.type": "single-node",
            "network.host": "127.0.0.1",
            "http.port": self._port,
            "transport.port": free_port(),
            "path.data": str(self._folder / "data"),
            "path.logs": str(self.log_folder),
            "action.destructive_requires_name": False,
            "cluster.routing.allocation.disk.threshold_enabled": False,
            "xpack.license.self_generated.type": license_type,
            "xpack.security.enabled": True,
            "xpack.security.audit.enabled": audit,
            "xpack.security.transport.ssl.enabled": False,
            "xpack.security.http.ssl.enabled": True,
            "xpack.security.http.ssl.certificate": str(self._certificate.certificate_file),
            "xpack.security.http.ssl.key": str(self._certificate.key_file),
            **realm_settings(),
        }


def ensure_class_archive(release: Release | None = None) -> Path:
    """An archive of the classes that a node loads, as the JVM has them in memory.

    With it a start takes 4.4 s of a processor, without it 7 s. A JVM ignores one that it did not write itself, and one
    that is not there.

    Args:
        release: which one; the chosen one by default.
    """
    wanted = release or chosen_release()
    home, jdk = ensure_elasticsearch_home(wanted), find_jdk(wanted)
    inputs = BuildInputs("elasticsearch-classes", wanted.version, (), facts=(str(home), jdk.java, jdk.version))

    def build(target: Path) -> None:
        with LocalElasticsearch(release=wanted, classes=f"-XX:ArchiveClassesAtExit={target / _ARCHIVE}") as server:
            server.stop()

    return ensure_entry(inputs, build) / _ARCHIVE


class ExternalElasticsearch(ElasticsearchServer):
    """A cluster that somebody else runs, named by environment variables.

    `SEARCHACCESS_TEST_ELASTICSEARCH_URL`, with `_USERNAME`, `_PASSWORD`, `_CA` (PEM file) and `_SIGNING_KEY` (PEM file
    of the private key whose public half is in the realm's JWKS). All tests that authenticate with a token need a JWT
    realm as ours there: named `google`, issuer and audience as in `tokens.py`, `claims.principal: email`. Tests that
    stop, start or kill the server fail with a clear error: they need a server of our own.
    """

    def __init__(self) -> None:
        self.url = _external("URL").rstrip("/")
        self.username = _external("USERNAME")
        self.password = _external("PASSWORD")
        self.ca_file = Path(_external("CA"))
        self.issuer = TokenIssuer.from_file(Path(_external("SIGNING_KEY")))

    @staticmethod
    def is_configured() -> bool:
        return f"{_EXTERNAL_VARIABLE}_URL" in os.environ

    def start(self) -> None:
        raise NotOursError(self.url)

    def stop(self) -> None:
        raise NotOursError(self.url)

    def kill(self) -> None:
        raise NotOursError(self.url)

    def close(self, *, failed: bool = False) -> None:
        """Nothing to do: it is not ours."""


class NotOursError(RuntimeError):
    """A test wants to stop or start a server that somebody else runs."""

    def __init__(self, url: str) -> None:
        super().__init__(f"{url} is not ours to stop or start: unset {_EXTERNAL_VARIABLE}_URL to run this test.")


def _external(name: str) -> str:
    variable = f"{_EXTERNAL_VARIABLE}_{name}"
    if value := os.environ.get(variable):
        return value
    raise RuntimeError(f"{_EXTERNAL_VARIABLE}_URL is set, so {variable} is needed too.")


def _is_ready(client: httpx.Client) -> bool:
    """Whether the node answers and has finished its own first writes to the security index.

    A new node creates that index and fills it with the built-in roles: before that, a token's role mappings cannot be
    read, and the index's sequence number moves without anybody's doing. One that was started again assigns the shards
    of its indices one after the other: before that, their documents cannot be read.
    """
    try:
        roles = client.post("/_security/_query/role", json={"size": 0})
        if not roles.is_success or roles.json()["total"] == 0:
            return False
        return client.get("/_cluster/health?wait_for_status=yellow&timeout=1s").is_success
    except httpx.TransportError:
        return False
