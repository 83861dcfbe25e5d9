"""``searchaccess gateway render`` prints what the operator would write."""

from pathlib import Path
from typing import Any

import pytest
import yaml
from typer.testing import CliRunner

from searchaccess.api.clusters.gateway import Gateway
from searchaccess.cli.main import app
from searchaccess.core.clusters.connection import Connection
from searchaccess.core.gateway.derived import settings_of
from searchaccess.core.gateway.render import render, render_bootstrap
from tests.support.loop.stage import search_cluster
from tests.support.pem import CERTIFICATE

GATEWAY: dict[str, Any] = {"audience": "https://es", "url": "https://gw", "namespace": "gateways"}


def manifest(folder: Path, **spec: Any) -> str:
    file = folder / "cluster.yaml"
    file.write_text(yaml.safe_dump(search_cluster(**{"identity": {"gateway": GATEWAY}, **spec})))
    return str(file)


def test_it_writes_the_files_that_the_operator_would_write(tmp_path: Path) -> None:
    out = tmp_path / "out"
    done = CliRunner().invoke(
        app, ["gateway", "render", "-f", manifest(tmp_path), "--to", str(out), "--instance", "prod"]
    )
    assert done.exit_code == 0, done.output
    connection = Connection(("https://one:9200",))
    rendered = render(settings_of(Gateway.model_validate(GATEWAY), connection, "searchaccess.prod."))
    assert (out / "dynamic" / "listeners.yaml").read_text() == rendered.listeners
    assert (out / "dynamic" / "clusters.yaml").read_text() == rendered.clusters
    assert (out / "bootstrap" / "bootstrap.yaml").read_text() == render_bootstrap()


def test_it_prints_them_without_a_folder(tmp_path: Path) -> None:
    done = CliRunner().invoke(app, ["gateway", "render", "-f", manifest(tmp_path)])
    assert done.exit_code == 0
    names = ["bootstrap/bootstrap.yaml", "dynamic/listeners.yaml", "dynamic/clusters.yaml"]
    assert [line[2:] for line in done.stdout.splitlines() if line[2:] in names] == names
    assert len(list(yaml.safe_load_all(done.stdout))) == 3


@pytest.mark.parametrize(
    ("spec", "says"),
    [
        ({"identity": {"jwtRealm": {"name": "google", "audience": "x"}}}, "declares no gateway"),
        ({"urls": ["https://one:9200/path"]}, "without a path"),
        ({"urls": ["ftp://one"]}, "SearchCluster prod:"),
        ({"ca": {"secretRef": {"namespace": "a", "name": "b", "key": "c"}}}, "give --ca FILE"),
    ],
)
def test_what_cannot_be_rendered_is_said(tmp_path: Path, spec: dict[str, Any], says: str) -> None:
    done = CliRunner().invoke(app, ["gateway", "render", "-f", manifest(tmp_path, **spec)])
    assert done.exit_code == 1
    assert says in done.output


def test_a_folder_that_cannot_be_written_and_certificates_in_another_form_are_said(tmp_path: Path) -> None:
    file, der = manifest(tmp_path), tmp_path / "ca.der"
    der.write_bytes(b"\x30\x82\xff\xfe")
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "bootstrap").write_text("a file")
    done = CliRunner().invoke(app, ["gateway", "render", "-f", file, "--to", str(tmp_path / "out")])
    assert (done.exit_code, "bootstrap.yaml cannot be written: File exists" in done.output) == (1, True), done.output
    for option in ("--ca", "--jwks-ca"):
        done = CliRunner().invoke(app, ["gateway", "render", "-f", file, option, str(der)])
        assert (done.exit_code, "write it in PEM form" in done.output) == (64, True), done.output


@pytest.mark.parametrize("arguments", [("gateway", "render"), ("mapping",), ("login", "--tier", "Roles")])
def test_the_name_of_an_installation_is_checked_by_each_command(tmp_path: Path, arguments: tuple[str, ...]) -> None:
    done = CliRunner().invoke(app, [*arguments, "-f", manifest(tmp_path), "--instance", "Prod.*"])
    assert (done.exit_code, "use lower-case letters" in done.output) == (64, True), done.output


def test_certificates_come_from_a_file(tmp_path: Path) -> None:
    ca, file = tmp_path / "ca.pem", manifest(tmp_path, ca={"secretRef": {"namespace": "a", "name": "b", "key": "c"}})
    ca.write_text(CERTIFICATE)
    done = CliRunner().invoke(app, ["gateway", "render", "-f", file, "--ca", str(ca)])
    assert done.exit_code == 0, done.output
    assert "BEGIN CERTIFICATE" in done.output
    ca.write_text("no certificate")
    assert CliRunner().invoke(app, ["gateway", "render", "-f", file, "--ca", str(ca)]).exit_code == 1
