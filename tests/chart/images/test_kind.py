"""What tests in kind are made of, as far as it can be tested without Docker."""

import stat
from pathlib import Path

import pytest
import yaml

from tests.kind.__main__ import prepare
from tests.kind.offline.build_envoy import envoy_image
from tests.stack.kubernetes import ExternalKubernetes, KubernetesServers
from tests.support.operatorprocess import ROOT

FOLDER = ROOT / "tests" / "kind"


def test_the_api_server_takes_the_manifests(kubernetes_servers: KubernetesServers, tmp_path: Path) -> None:
    prepare(tmp_path / "kind", 30000)
    made = tmp_path / "kind" / "elasticsearch.yaml"
    kubectl = kubernetes_servers.run_kubectl
    kubectl("create", "namespace", "elastic", check=False)  # Another test may have made it.
    for file in (made, FOLDER / "elasticsearch.yaml"):
        kubectl("apply", "--server-side", "--dry-run=server", "--validate=strict", "-f", str(file))
    mounted = {item["subPath"] for item in _container()["volumeMounts"] if "subPath" in item}
    [secret] = [item for item in yaml.safe_load_all(made.read_text()) if item["kind"] == "Secret"]
    data = secret["stringData"]
    assert mounted | {"password"} == set(data)
    settings = yaml.safe_load(data["elasticsearch.yml"])
    assert {value for value in settings.values() if str(value) in data} == {"server.crt", "server.key", "jwks.json"}


def _container() -> dict[str, list[dict[str, str]]]:
    [stateful] = [
        item
        for item in yaml.safe_load_all((FOLDER / "elasticsearch.yaml").read_text())
        if item["kind"] == "StatefulSet"
    ]
    return dict(stateful["spec"]["template"]["spec"]["containers"][0])


def test_what_is_made_stays_and_is_its_owners_alone(tmp_path: Path) -> None:
    prepare(tmp_path / "kind", 30000)
    before = (tmp_path / "kind" / "env").read_text()
    prepare(tmp_path / "kind", 30000)
    assert (tmp_path / "kind" / "env").read_text() == before
    for name in ("env", "elasticsearch.yaml", "issuer.pem"):
        assert stat.S_IMODE((tmp_path / "kind" / name).stat().st_mode) == 0o600
    names = [line.removeprefix("export ").partition("=")[0] for line in before.splitlines()]
    assert len(names) == 6
    assert all(name.startswith("SEARCHACCESS_TEST_") for name in names)


def test_ports_and_names_agree() -> None:
    cluster = yaml.safe_load((FOLDER / "cluster.yaml").read_text())
    [mapping] = cluster["nodes"][0]["extraPortMappings"]
    [service] = [
        item for item in yaml.safe_load_all((FOLDER / "elasticsearch.yaml").read_text()) if item["kind"] == "Service"
    ]
    assert service["spec"]["ports"][0]["nodePort"] == mapping["containerPort"]
    assert f"{mapping['containerPort']}/tcp" in (FOLDER / "up.sh").read_text()
    assert mapping["hostPort"] == 0, "checkouts that share a Docker have ports of their own"
    workflow = yaml.safe_load((ROOT / ".github" / "workflows" / "kind.yml").read_text())
    commands = [step.get("run", "") for step in workflow["jobs"]["kind"]["steps"]]
    assert [text for text in commands if text.startswith("make ")] == ["make kind-up", "make kind-test"]


def test_the_gateways_image_is_that_of_the_chart() -> None:
    image = yaml.safe_load((ROOT / "charts/searchaccess-operator/values.yaml").read_text())["gateway"]["image"]
    assert envoy_image() == f"{image['repository']}:{image['tag']}"
    assert f"\nenvoy={envoy_image()} " in (FOLDER / "up.sh").read_text()


def test_a_cluster_of_somebody_else_does(
    kubernetes_servers: KubernetesServers, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "kubeconfig"
    file.write_text(kubernetes_servers.kubeconfig.read_text())
    monkeypatch.setenv("SEARCHACCESS_TEST_KUBECONFIG", str(file))
    monkeypatch.setenv("PATH", str(kubernetes_servers.kubectl.parent), prepend=":")
    other = ExternalKubernetes()
    assert "kube-system" in other.run_kubectl("get", "namespaces", "-o", "name").stdout
    path = other.service_account_kubeconfig("default", "default")
    who = other.run_kubectl("auth", "whoami", kubeconfig=path).stdout
    assert "system:serviceaccount:default:default" in who
    other.close()
    assert kubernetes_servers.run_kubectl("get", "namespaces").returncode == 0
