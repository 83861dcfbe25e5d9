"""The chart: what it renders is what the API server takes."""

import json
import re
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from searchaccess import __version__
from searchaccess.cli.pages.dashboard import dashboard
from tests.chart.helm import CHART, NAMESPACE, RELEASE, Helm, of_kind
from tests.stack.kubernetes import KubernetesServers
from tests.support.operatorprocess import ROOT

EXAMPLES = list(yaml.safe_load_all((ROOT / "examples" / "cluster.yaml").read_text()))
SPEC: dict[str, Any] = next(raw for raw in EXAMPLES if raw["kind"] == "SearchCluster")["spec"]

FULL: dict[str, Any] = {
    "global": {"imageRegistry": "europe-docker.pkg.dev", "imagePullSecrets": ["shared"]},
    "image": {"repository": "acme/ops/searchaccess", "digest": f"sha256:{'a' * 64}"},
    "imagePullSecrets": [{"name": "pull"}],
    "commonLabels": {"team": "platform"},
    "commonAnnotations": {"example.com/contact": "platform"},
    "crds": {"upgrade": True},
    "instance": "prod-eu",
    "replicaCount": 3,
    "serviceAccount": {
        "labels": {"a": "b"},
        "annotations": {"iam.gke.io/gcp-service-account": "ops@acme.iam.gserviceaccount.com"},
    },
    "rbac": {
        "loginNamespaces": ["elastic", NAMESPACE],
        "credentialNamespaces": ["shop", "billing"],
        "aggregateToEdit": True,
    },
    "clusters": [{"name": "chart-prod", "spec": SPEC}],
    "log": {"json": False, "level": "debug"},
    "extraArgs": ["--resync-period=1m"],
    "extraEnv": [{"name": "SEARCHACCESS_RUN_ENDPOINT", "value": "run.example.com"}],
    "envFrom": [{"configMapRef": {"name": "more", "optional": True}}],
    "extraVolumes": [{"name": "ca", "configMap": {"name": "ca"}}],
    "extraVolumeMounts": [{"name": "ca", "mountPath": "/ca", "readOnly": True}],
    "extraInitContainers": [{"name": "first", "image": "{{ .Values.image.repository }}:first"}],
    "extraContainers": [{"name": "beside", "image": "proxy:1"}],
    "extraObjects": [
        {
            "apiVersion": "v1",
            "kind": "ConfigMap",
            "metadata": {"name": "{{ .Release.Name }}-more", "namespace": NAMESPACE},
            "data": {"a": "b"},
        }
    ],
    "deploymentAnnotations": {"a": "b"},
    "deploymentLabels": {"a": "b"},
    "podAnnotations": {"a": "b"},
    "podLabels": {"a": "b"},
    "dnsPolicy": "None",
    "dnsConfig": {"nameservers": ["10.0.0.10"], "searches": ["svc.cluster.local"]},
    "hostAliases": [{"ip": "10.1.1.1", "hostnames": ["elasticsearch.internal"]}],
    "schedulerName": "other",
    "podDisruptionBudget": {"minAvailable": "50%"},
    "metrics": {"serviceAnnotations": {"a": "b"}, "serviceLabels": {"a": "b"}, "grafanaDashboard": {"enabled": True}},
    "nodeSelector": {"kubernetes.io/arch": "amd64"},
    "tolerations": [{"key": "ops", "operator": "Exists"}],
    "affinity": {"nodeAffinity": {"preferredDuringSchedulingIgnoredDuringExecution": []}},
    "topologySpreadConstraints": [
        {
            "maxSkew": 1,
            "topologyKey": "kubernetes.io/hostname",
            "whenUnsatisfiable": "DoNotSchedule",
            "labelSelector": {},
        }
    ],
    "priorityClassName": "system-cluster-critical",
    "networkPolicy": {
        "enabled": True,
        "metricsFrom": [{"namespaceSelector": {"matchLabels": {"name": "monitoring"}}}],
        "egress": [{"to": [{"ipBlock": {"cidr": "10.0.0.0/8"}}]}],
    },
    "approvals": {"enabled": True},
    "finalizerPolicy": True,
}
MATRIX: dict[str, dict[str, Any]] = {
    "defaults": {},
    "everything": FULL,
    "one replica": {"replicaCount": 1},
    "nothing optional": {
        "rbac": {"create": False},
        "serviceAccount": {"create": False, "name": "mine"},
        "metrics": {"service": False},
        "podDisruptionBudget": {"enabled": False},
        "protectKinds": False,
    },
    "network policy": {"networkPolicy": {"enabled": True}},
    "admission webhook": {"admission": {"enabled": True}, "networkPolicy": {"enabled": True}},
    "gateway": {
        "gateway": {"enabled": True, "autoscaling": {"enabled": True}},
        "networkPolicy": {"enabled": True},
        "metrics": {"grafanaDashboard": {"enabled": True}},
    },
    "some namespaces": {"watchNamespaces": ["shop", "billing"], "clusters": [{"name": "chart-prod", "spec": SPEC}]},
    # Helm takes a default away where null is given.
    "defaults taken away": {
        "affinity": None,
        "startupProbe": None,
        "livenessProbe": None,
        "readinessProbe": None,
        "podDisruptionBudget": {"minAvailable": None, "maxUnavailable": None},
    },
}


@pytest.mark.parametrize("values", MATRIX.values(), ids=MATRIX)
def test_the_api_server_takes_all_that_it_renders(
    tool: Helm, installed: KubernetesServers, tmp_path: Path, values: dict[str, Any]
) -> None:
    assert "0 chart(s) failed" in tool.run("lint", "--strict", str(CHART), "--kube-version", "1.36.0", values=values)
    objects = tool.render(values)
    file = tmp_path / "objects.yaml"
    file.write_text(yaml.safe_dump_all(objects))
    options = ("--server-side", "--dry-run=server", "--validate=strict")
    shown = installed.run_kubectl("apply", *options, "-f", str(file)).stdout
    assert len(shown.splitlines()) == len(objects)


def test_pods_are_as_restricted_as_can_be(tool: Helm, installed: KubernetesServers, tmp_path: Path) -> None:
    """https://kubernetes.io/docs/concepts/security/pod-security-standards/#restricted"""
    level = "pod-security.kubernetes.io/enforce=restricted"
    installed.run_kubectl("create", "namespace", "restricted", check=False)
    installed.run_kubectl("label", "namespace", "restricted", level, "--overwrite")
    objects = tool.render({"crds": {"upgrade": True}})
    specs = [raw["spec"]["template"]["spec"] for raw in (*of_kind(objects, "Deployment"), *of_kind(objects, "Job"))]
    specs += [raw["spec"] for raw in of_kind(objects, "Pod")]
    assert len(specs) == 3
    file = tmp_path / "pod.json"
    command = ("create", "--dry-run=server", "-n", "restricted", "-f", str(file))
    for spec in specs:
        spec.pop("serviceAccountName", None)
        pod = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "operator"}, "spec": spec}
        file.write_text(json.dumps(pod))
        installed.run_kubectl(*command)
    specs[-1]["containers"][0]["securityContext"].pop("capabilities")
    file.write_text(json.dumps(pod))
    refused = installed.run_kubectl(*command, check=False)
    assert "violates PodSecurity" in refused.stderr, "the check can fail"


@pytest.mark.parametrize(
    ("values", "says"),
    [
        ({"replicas": 2}, "replicas"),
        ({"instance": "Prod"}, "instance"),
        ({"image": {"digest": "sha256:x"}}, "digest"),
        ({"replicaCount": -1}, "replicaCount"),
        ({"port": 80}, "port"),
        ({"rbac": {"credentialNamespaces": ["shop", "shop"]}}, "credentialNamespaces"),
        ({"clusters": [{"name": "x"}]}, "spec"),
        ({"metrics": {"serviceMonitor": {"interval": "often"}}}, "interval"),
        ({"podLabels": {"a": 1}}, "podLabels"),
        ({"global": {"imageRegistry": True}}, "imageRegistry"),
        ({"image": {"registri": "a"}}, "registri"),
        ({"fullnameOverride": "Big"}, "fullnameOverride"),
        ({"log": {"level": "loud"}}, "level"),
        ({"dnsPolicy": "Mine"}, "dnsPolicy"),
        ({"crds": {"keep": False}}, "keep"),
        ({"imagePullSecrets": [{"nme": "pull"}]}, "imagePullSecrets"),
        ({"podDisruptionBudget": {"unhealthyPodEvictionPolicy": "Never"}}, "unhealthyPodEvictionPolicy"),
        ({"metrics": {"prometheusRule": {"runbookUrl": "docs/alerts.md"}}}, "runbookUrl"),
    ],
)
def test_wrong_values_are_reported(tool: Helm, values: dict[str, Any], says: str) -> None:
    output = tool.run("template", RELEASE, str(CHART), "--kube-version", "1.36.0", values=values, check=False)
    assert "values don't meet the specifications of the schema" in output
    assert says in output


def rules(objects: list[dict[str, Any]]) -> set[str]:
    """Return what roles grant, whatever they are called."""
    found = set()
    for raw in objects:
        if raw["kind"] in {"ClusterRole", "Role"}:
            found |= {
                json.dumps([raw["kind"], raw["metadata"].get("namespace"), rule], sort_keys=True)
                for rule in raw["rules"]
            }
    return found


def test_it_grants_what_the_tests_run_with_and_nothing_more(tool: Helm) -> None:
    """All end-to-end tests run with deploy/, and each right there is shown to be needed (test_rights.py)."""
    files = [(ROOT / "deploy" / name).read_text() for name in ("operator.yaml", "users.yaml")]
    plain = [raw for text in files for raw in yaml.safe_load_all(text)]
    store = list(yaml.safe_load_all((ROOT / "deploy" / "kubernetes-store.yaml").read_text()))
    for raw in store:
        raw["metadata"]["namespace"] = "shop"
    assert rules(tool.render({})) == rules(plain)
    assert rules(tool.render({"rbac": {"credentialNamespaces": ["shop"]}})) == rules([*plain, *store])
    without = tool.render({"rbac": {"namespaceLabels": False}})
    assert len(rules(tool.render({})) - rules(without)) == 1
    deleting = rules(tool.render({"rbac": {"deleteExpired": True}})) - rules(tool.render({}))
    [(kind, _, rule)] = map(json.loads, deleting)
    assert kind == "ClusterRole"
    assert rule == {"apiGroups": ["searchaccess.dev"], "resources": ["searchaccesses"], "verbs": ["delete"]}
    for binding in [*of_kind(tool.render(FULL), "RoleBinding"), *of_kind(tool.render(FULL), "ClusterRoleBinding")]:
        assert [subject["namespace"] for subject in binding["subjects"]] == [NAMESPACE]


def test_versions_and_arguments_are_those_of_the_project(tool: Helm) -> None:
    chart = yaml.safe_load((CHART / "Chart.yaml").read_text())
    assert chart["appVersion"] == chart["version"] == __version__
    [deployment] = of_kind(tool.render({}), "Deployment")
    [container] = deployment["spec"]["template"]["spec"]["containers"]
    assert container["image"] == f"searchaccess-operator:{__version__}"
    described = subprocess.run(
        [str(ROOT / ".venv" / "bin" / "searchaccess"), "run", "--help"],
        capture_output=True, text=True, check=True, env={"COLUMNS": "200", "PATH": "/usr/bin:/bin", "TERM": "dumb"},
    ).stdout  # fmt: skip
    for argument in [*container["args"][1:], "--verbose"]:
        assert re.search(rf"{re.escape(argument.partition('=')[0])}\b", described), argument
    [full] = of_kind(tool.render(FULL), "Deployment")
    assert full["spec"]["template"]["spec"]["containers"][0]["image"].endswith(f"@sha256:{'a' * 64}")


# Why not: images are named by version or digest, so what a node has is right; a limit of CPU slows down what is idle.
NOT_WANTED = ("container-image-pull-policy",)


def score(kube_score: Path, file: Path, *options: str) -> "subprocess.CompletedProcess[str]":
    command = [str(kube_score), "score", "--kubernetes-version", "v1.36", "--ignore-container-cpu-limit", *options]
    return subprocess.run([*command, str(file)], capture_output=True, text=True, check=False)


def test_kube_score_finds_nothing_but_what_is_meant(tool: Helm, kube_score: Path, tmp_path: Path) -> None:
    file = tmp_path / "rendered.yaml"
    # Without the pod of `helm test`, which lives for seconds and is under no NetworkPolicy.
    objects = tool.render({"networkPolicy": {"enabled": True}}, "--skip-tests")
    file.write_text(yaml.safe_dump_all(objects))
    ignored = [option for name in NOT_WANTED for option in ("--ignore-test", name)]
    done = score(kube_score, file, *ignored, "--exit-one-on-warning")
    assert done.returncode == 0, done.stdout
    without = score(kube_score, file)
    assert without.returncode == 1
    assert [line.split("] ")[1] for line in without.stdout.splitlines() if "CRITICAL" in line] == [
        "Container Image Pull Policy"
    ], "the check can fail"


def test_the_dashboard_and_alerts_are_in_the_chart(tool: Helm, promtool: Path, tmp_path: Path) -> None:
    values = {
        "metrics": {
            "serviceMonitor": {"enabled": True},
            "prometheusRule": {"enabled": True, "labels": {"a": "b"}},
            "grafanaDashboard": {"enabled": True},
        }
    }
    objects = tool.render(values)
    [rule] = of_kind(objects, "PrometheusRule")
    file = tmp_path / "rules.yaml"
    file.write_text(yaml.safe_dump(rule["spec"]))
    number = len(re.findall(r"^ *- alert:", (CHART / "files" / "alerts.yaml").read_text(), re.MULTILINE))
    assert number > 1
    assert (
        f"{number} rules found"
        in subprocess.run([promtool, "check", "rules", file], capture_output=True, text=True, check=True).stdout
    )
    [found] = [item for item in of_kind(objects, "ConfigMap") if item["metadata"]["name"].endswith("-dashboard")]
    assert found["metadata"]["labels"]["grafana_dashboard"] == "1"
    assert json.loads(found["data"]["searchaccess.json"]) == json.loads(dashboard())
    [monitor] = of_kind(objects, "ServiceMonitor")
    [service] = of_kind(objects, "Service")
    assert monitor["spec"]["selector"]["matchLabels"].items() <= service["metadata"]["labels"].items()
    [deployment] = of_kind(objects, "Deployment")
    assert service["spec"]["selector"].items() <= deployment["spec"]["template"]["metadata"]["labels"].items()
