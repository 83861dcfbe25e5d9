"""What the chart says of itself: to Artifact Hub, and to a person who has just installed it."""

import textwrap
from typing import Any

import pytest
import yaml

from searchaccess import __version__
from searchaccess.api.crd import custom_resource_definitions
from tests.chart.helm import CHART, NAME, NAMESPACE, RELEASE, Helm
from tests.stack.kubernetes import KubernetesServers

METADATA: dict[str, Any] = yaml.safe_load((CHART / "Chart.yaml").read_text())
ANNOTATIONS: dict[str, str] = METADATA["annotations"]


def test_the_chart_of_the_kinds_has_the_same_version() -> None:
    inner = yaml.safe_load((CHART / "charts" / "crds" / "Chart.yaml").read_text())
    [dependency] = METADATA["dependencies"]
    assert inner["version"] == inner["appVersion"] == dependency["version"] == METADATA["version"] == __version__
    assert inner["name"] == dependency["name"]


def test_artifact_hub_gets_every_kind_with_examples_that_are_valid(installed: KubernetesServers) -> None:
    reported = {
        (item["name"], item["kind"], item["version"]) for item in yaml.safe_load(ANNOTATIONS["artifacthub.io/crds"])
    }
    crds = custom_resource_definitions().values()
    assert reported == {
        (crd["metadata"]["name"], crd["spec"]["names"]["kind"], crd["spec"]["versions"][0]["name"]) for crd in crds
    }
    examples = yaml.safe_load(ANNOTATIONS["artifacthub.io/crdsExamples"])
    assert {item["kind"] for item in examples} == {crd["spec"]["names"]["kind"] for crd in crds}
    _try(installed, yaml.safe_dump_all(examples), len(examples))


def _try(servers: KubernetesServers, manifests: str, count: int) -> None:
    done = servers.run_kubectl("create", "--dry-run=server", "--validate=strict", "-f", "-", input=manifests)
    assert len(done.stdout.splitlines()) == count


def notes(tool: Helm, values: dict[str, Any]) -> str:
    shown = tool.run("install", RELEASE, str(CHART), "-n", NAMESPACE, "--dry-run", values=values)
    return shown[shown.index("NOTES:") :]


def test_notes_lead_to_the_first_search_cluster(tool: Helm, installed: KubernetesServers) -> None:
    text = notes(tool, {})
    manifest = textwrap.dedent(text.split("<<EOF\n")[1].split("  EOF\n")[0])
    assert yaml.safe_load(manifest)["kind"] == "SearchCluster"
    _try(installed, manifest, 1)
    assert f"ServiceAccount {NAMESPACE}/{NAME}" in text
    assert f"--clusterrole={NAME}-edit" in text
    assert f"helm test {RELEASE} -n {NAMESPACE}" in text


@pytest.mark.parametrize(
    ("values", "absent"),
    [
        ({"clusters": [{"name": "prod", "spec": {}}]}, "kind: SearchCluster"),
        ({"metrics": {"service": False}}, "helm test"),
        ({"rbac": {"aggregateToEdit": True}}, "create rolebinding"),
    ],
)
def test_notes_leave_out_what_does_not_apply(tool: Helm, values: dict[str, Any], absent: str) -> None:
    text = notes(tool, values)
    assert absent not in text
    assert "\n\n\n" not in text
    assert text.rstrip().endswith("SearchClusters while the operator runs.")
