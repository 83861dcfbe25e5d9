"""The chart with `watchNamespaces`: no right and no object beyond these namespaces and the release's own."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from searchaccess.api.vouching import NAMES
from searchaccess.operator.sources.clusterfiles import read_folder
from tests.chart.helm import CHART, NAME, NAMESPACE, RELEASE, Helm, of_kind, pod_of
from tests.chart.test_chart import FULL, SPEC, rules
from tests.chart.test_metadata import notes
from tests.stack.kubernetes import KubernetesServers
from tests.support.waiting import eventually

WATCHED = ["shop", "billing"]
VALUES: dict[str, Any] = {"watchNamespaces": WATCHED, "clusters": [{"name": "prod", "spec": SPEC}]}
OBJECTS = VALUES | {"rbac": {"searchClusters": True}}
AS_IT_COMES = {**FULL, **VALUES, "crds": {"upgrade": False}, "finalizerPolicy": False, "approvals": {"enabled": False}}
"""All that is optional, but for what asks for cluster-wide rights itself."""
APPROVALS = {"apiGroups": ["searchaccess.dev"], "resources": ["searchaccessapprovals"], "verbs": ["list", "watch"]}


@pytest.mark.parametrize("values", [VALUES, {"watchNamespaces": ["shop"]}, AS_IT_COMES])
def test_every_object_is_in_a_namespace_that_is_named(tool: Helm, values: dict[str, Any]) -> None:
    objects = tool.render(values)
    places = {*values["watchNamespaces"], NAMESPACE, *values.get("rbac", {}).get("loginNamespaces", [])}
    assert {raw["metadata"].get("namespace") for raw in objects} <= places
    assert not [raw["kind"] for raw in objects if raw["kind"].startswith("Cluster")]
    for binding in of_kind(objects, "RoleBinding"):
        assert binding["roleRef"]["kind"] == "Role"
        account = values.get("serviceAccount", {}).get("name", NAME)
        assert binding["subjects"] == [{"kind": "ServiceAccount", "name": account, "namespace": NAMESPACE}]


def test_without_the_value_nothing_is_as_it_is_with_it(tool: Helm) -> None:
    plain, listed = tool.render({}), tool.render({"watchNamespaces": []})
    assert plain == listed
    assert not [name for name in (raw["metadata"]["name"] for raw in plain) if name.endswith(("-home", "-accesses"))]
    assert not [item for item in pod_of(plain)["containers"][0]["args"] if "namespace=" in item and "lease" not in item]


def test_searchclusters_are_in_files_that_the_operator_reads(tool: Helm, tmp_path: Path) -> None:
    objects = tool.render(VALUES)
    [files] = of_kind(objects, "ConfigMap")
    for name, text in files["data"].items():
        (tmp_path / name).write_text(text)
    _, found = read_folder(tmp_path)
    assert {name: raw["spec"] for name, raw in found.items()} == {"prod": SPEC}
    [container] = pod_of(objects)["containers"]
    [mount] = [item for item in container["volumeMounts"] if item["name"] == "clusters"]
    assert f"--search-clusters={mount['mountPath']}" in container["args"]
    [volume] = [item for item in pod_of(objects)["volumes"] if item["name"] == "clusters"]
    assert volume["configMap"]["name"] == files["metadata"]["name"]
    assert [item for item in container["args"] if item.startswith("--watch")] == [
        f"--watch-namespace={name}" for name in WATCHED
    ]
    written = [json.loads(text)[2] for text in rules(objects) if '"configmaps"' in text and '"patch"' in text]
    assert [rule["resourceNames"] for rule in written] == [["searchaccess-default-prod"]]


def test_without_a_searchcluster_no_configmap_may_be_written(tool: Helm) -> None:
    objects = tool.render({"watchNamespaces": ["shop"]})
    assert not [text for text in rules(objects) if '"configmaps"' in text and '"patch"' in text]
    [files] = of_kind(objects, "ConfigMap")
    assert files["data"] == {}


def test_a_value_asks_for_searchclusters_of_the_api_server(tool: Helm) -> None:
    objects = tool.render(OBJECTS)
    [role] = of_kind(objects, "ClusterRole")
    [binding] = of_kind(objects, "ClusterRoleBinding")
    resources = {name: rule["verbs"] for rule in role["rules"] for name in rule["resources"]}
    assert resources == {
        "searchclusters": ["list", "watch", "patch"],
        "searchclusters/status": ["patch"],
        "searchaccesspolicies": ["list", "watch"],
        "searchaccesspolicies/status": ["patch"],
        "validatingadmissionpolicies": ["get"],
        "validatingadmissionpolicybindings": ["get"],
    }
    assert {tuple(rule["resourceNames"]) for rule in role["rules"] if "get" in rule["verbs"]} == {NAMES}
    approvals = {raw["metadata"]["namespace"] for raw in of_kind(objects, "Role") if APPROVALS in raw["rules"]}
    assert approvals == set(OBJECTS["watchNamespaces"])
    assert binding["roleRef"]["name"] == role["metadata"]["name"]
    [events] = [raw for raw in of_kind(objects, "Role") if raw["metadata"]["namespace"] == "default"]
    assert events["rules"] == [{"apiGroups": [""], "resources": ["events"], "verbs": ["create"]}]
    assert [raw["roleRef"]["name"] for raw in of_kind(objects, "RoleBinding")].count(events["metadata"]["name"]) == 1
    watched = tool.render(OBJECTS | {"watchNamespaces": ["default", "shop"]})
    assert "cluster-events" not in str(watched), "it may create events there already"
    # Releases of two namespaces may have the same name.
    assert role["metadata"]["name"].startswith(f"{NAMESPACE}-")
    assert [raw["metadata"]["name"] for raw in of_kind(objects, "SearchCluster")] == ["prod"]
    assert not of_kind(objects, "ConfigMap")
    assert "--search-clusters" not in str(pod_of(objects))


def test_labels_are_read_only_where_they_may_be(tool: Helm) -> None:
    with_labels, without = (tool.render(VALUES | {"rbac": {"namespaceLabels": given}}) for given in (True, False))
    more = [json.loads(text) for text in rules(with_labels) - rules(without)]
    assert sorted((place, rule["resourceNames"], rule["verbs"]) for _, place, rule in more) == [
        ("billing", ["billing"], ["get"]),
        ("shop", ["shop"], ["get"]),
    ]


def test_what_expired_is_deleted_only_where_that_is_allowed(tool: Helm) -> None:
    with_right, without = (tool.render(VALUES | {"rbac": {"deleteExpired": given}}) for given in (True, False))
    more = [json.loads(text) for text in rules(with_right) - rules(without)]
    expected = [("Role", place, ["searchaccesses"], ["delete"]) for place in ("billing", "shop")]
    assert sorted((kind, place, rule["resources"], rule["verbs"]) for kind, place, rule in more) == expected


@pytest.mark.parametrize("names", [["Shop"], ["shop", "shop"], "shop"])
def test_what_is_no_list_of_namespaces_is_refused(tool: Helm, names: Any) -> None:
    values = {"watchNamespaces": names}
    output = tool.run("template", RELEASE, str(CHART), "--kube-version", "1.36.0", values=values, check=False)
    assert "watchNamespaces" in output


@pytest.mark.parametrize(
    ("values", "says"),
    [
        (VALUES, "kubectl get configmap searchaccess-default-prod"),
        ({"watchNamespaces": ["shop"]}, "add one to `clusters`"),
        (OBJECTS, "kubectl get searchclusters"),
        ({"watchNamespaces": ["shop"], "rbac": {"searchClusters": True}}, "kind: SearchCluster"),
    ],
)
def test_notes_say_what_it_serves(tool: Helm, values: dict[str, Any], says: str) -> None:
    text = notes(tool, values)
    assert f"SearchAccesses of {', '.join(values['watchNamespaces'])} only" in text
    assert says in text
    assert "create rolebinding" not in text, "the ClusterRoles for people are not there"
    assert "\n\n\n" not in text


@pytest.fixture
def team(installed: KubernetesServers) -> Iterator[Path]:
    """A kubeconfig of somebody who may do everything in some namespaces, and nothing elsewhere."""
    everything = {"apiGroups": ["*"], "resources": ["*"], "verbs": ["*"]}
    objects: list[dict[str, Any]] = [
        {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": "team", "namespace": NAMESPACE}}
    ]
    for namespace in (NAMESPACE, *WATCHED):
        metadata = {"name": "team", "namespace": namespace}
        head = {"apiVersion": "rbac.authorization.k8s.io/v1", "metadata": metadata}
        subject = {"kind": "ServiceAccount", "name": "team", "namespace": NAMESPACE}
        reference = {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": "team"}
        objects.append(head | {"kind": "Role", "rules": [everything]})
        objects.append(head | {"kind": "RoleBinding", "roleRef": reference, "subjects": [subject]})
    text = yaml.safe_dump_all(objects)
    installed.run_kubectl("apply", "-f", "-", input=text)
    who = f"--as=system:serviceaccount:{NAMESPACE}:team"
    eventually(lambda: installed.may("create", "deployments", "-n", WATCHED[-1], who), what="its rights")
    yield installed.service_account_kubeconfig(NAMESPACE, "team")
    installed.run_kubectl("delete", "-f", "-", input=text)


def test_who_may_do_nothing_beyond_these_namespaces_installs_and_uninstalls_it(tool: Helm, team: Path) -> None:
    options = (RELEASE, "-n", NAMESPACE, "--kubeconfig", str(team))
    without_kinds = VALUES | {"crds": {"install": False}}
    tool.run("install", options[0], str(CHART), *options[1:], values=without_kinds)
    tool.run("upgrade", options[0], str(CHART), *options[1:], values=without_kinds | {"watchNamespaces": ["shop"]})
    tool.run("uninstall", *options)
    refused = tool.run(
        "install", options[0], str(CHART), *options[1:], values={"crds": {"install": False}}, check=False
    )
    assert "forbidden" in refused, "the check can fail"
    tool.run("uninstall", *options, "--ignore-not-found")
