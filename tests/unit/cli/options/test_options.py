"""Options, as the real program takes them."""

import io
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from searchaccess.adapters.kubernetes.kubeconfig import namespace_of
from searchaccess.operator.observing import read_manifests
from searchaccess.ports.errors import BadManifest
from tests.unit.builders import a_search_access
from tests.unit.cli.options.test_connecting import answers
from tests.unit.cli.program import api_server, environment, refused, warm, write_kubeconfig

OBSERVE = ("reconcile", "--once", "--observe")


def manifest(name: str, namespace: str | None = "shop") -> dict[str, Any]:
    """Return a SearchAccess whose rights nobody can delegate: `login` names it."""
    raw = a_search_access(name, clusterCan=["manage_ilm"])
    raw["metadata"] = {"name": name} | ({"namespace": namespace} if namespace else {})
    return raw


def left_out(done: "subprocess.CompletedProcess[str]") -> list[str]:
    marker = "searchaccess: left out "
    lines = [line for line in done.stderr.splitlines() if line.startswith(marker)]
    return [line.removeprefix(marker).partition(":")[0] for line in lines]


def test_manifests_come_from_files_folders_and_standard_input(tmp_path: Path) -> None:
    folder = tmp_path / "folder" / "deeper"
    folder.mkdir(parents=True)
    (tmp_path / "file.yaml").write_text(yaml.safe_dump_all([manifest("one"), None, manifest("two", None)]))
    (folder / "three.yml").write_text(yaml.safe_dump(manifest("three")))
    given = ("-n", "shop", "-f", str(tmp_path / "file.yaml"), "-f", str(tmp_path / "folder"), "-f", "-")
    done = warm(tmp_path, "login", *given, stdin=yaml.safe_dump_all([manifest("four"), manifest("five")]))
    assert left_out(done) == ["shop/one", "shop/two", "shop/three", "shop/four", "shop/five"]


def test_a_namespace_is_given_to_what_names_none(monkeypatch: pytest.MonkeyPatch) -> None:
    def read(namespace: str, text: str) -> list[str]:
        monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(text.encode())))
        return [str(raw["metadata"].get("namespace")) for raw in read_manifests([Path("-")], namespace)]

    cluster = {"apiVersion": "searchaccess.dev/v1alpha1", "kind": "SearchCluster", "metadata": {"name": "prod"}}
    some = yaml.safe_dump_all([manifest("one"), manifest("two", None), cluster])
    assert read("", some) == ["shop", "None", "None"]
    assert read("shop", some) == ["shop", "shop", "None"]
    with pytest.raises(BadManifest, match="SearchAccess one is of the namespace shop, and --namespace is other"):
        read("other", some)
    with pytest.raises(BadManifest, match="standard input, line 1: it cannot be read as YAML"):
        read("", "a: [")


def test_without_a_namespace_it_is_that_of_the_context(tmp_path: Path) -> None:
    with api_server(answers(), []) as url:
        kubeconfig = write_kubeconfig(tmp_path, url)
        content = yaml.safe_load(kubeconfig.read_text())
        content["contexts"].append({"name": "team", "context": {"cluster": "one", "user": "me", "namespace": "team"}})
        kubeconfig.write_text(yaml.safe_dump(content))
        given = (*OBSERVE, "-f", "-", "-o", "yaml", "--context", "team", "--kubeconfig", str(kubeconfig))
        done = warm(tmp_path, *given, stdin=yaml.safe_dump(manifest("one", None)), check=1)
    assert [item["name"] for item in yaml.safe_load(done.stdout)["items"]] == ["team/one"]
    assert namespace_of(kubeconfig, "team") == "team"
    assert namespace_of(kubeconfig) == namespace_of(tmp_path / "none") == "default"


def test_a_former_name_is_taken_for_a_release(tmp_path: Path) -> None:
    with api_server(answers(), []) as url:
        kubeconfig = ("--kubeconfig", str(write_kubeconfig(tmp_path, url)))
        done = warm(tmp_path, *OBSERVE, *kubeconfig, "--patience", "1m", check=0)
    assert "--patience is deprecated and will be removed after the next release: use --timeout" in done.stderr
    assert "excludes --patience, its former name" in refused(*OBSERVE, "--timeout", "1m", "--patience", "2m")
    assert "--patience" not in refused("reconcile", "--help", code=0)
    says = "--list-every is deprecated and will be removed after the next release: use --resync-period"
    assert says in refused("run", "--list-every", "60", "--kubeconfig", str(tmp_path / "none"), code=1)
    assert "excludes --list-every, its former name" in refused("run", "--list-every", "60", "--resync-period", "1m")
    assert "is at least 1s" in refused("run", "--resync-period", "10ms")
    assert "--list-every" not in refused("run", "--help", code=0)


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("--once", "-n", "shop"), "requires --observe: a run reconciles all namespaces"),
        (("--once", "--gke", "projects/p/locations/l/clusters/c", "--context", "x"), "excludes --kubeconfig and"),
        (("--once", "--timeout", "5 lightyears"), "write a duration, such as 50m or 1h30m"),
        (("--once", "--watch-namespace", "shop"), "requires --lease-namespace or --home-namespace"),
        (("--once", "--watch-namespace", "Shop", "--home-namespace", "x"), "write the name of a namespace"),
        (("--once", "--search-clusters", "folder"), "requires --watch-namespace"),
    ],
    ids=" ".join,
)
def test_what_excludes_what(arguments: tuple[str, ...], says: str) -> None:
    assert says in refused("reconcile", *arguments)


def test_a_shell_completes_options(tmp_path: Path) -> None:
    completing = {"_SEARCHACCESS_COMPLETE": "complete_bash", "COMP_WORDS": "searchaccess reconcile --na"}
    done = subprocess.run(
        [str(Path(sys.executable).with_name("searchaccess"))],
        env=environment(tmp_path) | completing | {"COMP_CWORD": "2"},
        capture_output=True,
        text=True,
        check=True,
        timeout=600,
    )
    assert done.stdout.split() == ["--namespace"]
