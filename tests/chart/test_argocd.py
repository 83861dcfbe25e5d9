"""What Argo CD is given: the documented command puts it where Argo CD looks for it."""

import json

import yaml

from searchaccess.api.crd import custom_resource_definitions
from searchaccess.cli.pages.argo import customizations
from tests.stack.kubernetes import KubernetesServers
from tests.support.operatorprocess import ROOT

FOLDER = ROOT / "deploy" / "argocd"


def test_the_patch_adds_our_keys_and_leaves_the_others(kubernetes_servers: KubernetesServers) -> None:
    kubectl = kubernetes_servers.run_kubectl
    kubectl("create", "namespace", "argocd", check=False)
    kubectl("create", "configmap", "argocd-cm", "-n", "argocd", "--from-literal=url=https://argocd.example")
    kubectl("patch", "configmap", "argocd-cm", "-n", "argocd", "--patch-file", str(FOLDER / "argocd-cm.yaml"))
    data = json.loads(kubectl("get", "configmap", "argocd-cm", "-n", "argocd", "-o", "json").stdout)["data"]
    assert data == {"url": "https://argocd.example"} | customizations(ROOT)
    kubectl("delete", "namespace", "argocd", "--wait=false")


def test_each_kind_has_a_health_check_by_its_conditions_if_it_has_some() -> None:
    checks = customizations(ROOT)
    with_conditions = {}
    for crd in custom_resource_definitions().values():
        [version] = crd["spec"]["versions"]
        status = version["schema"]["openAPIV3Schema"]["properties"].get("status", {})
        with_conditions[crd["spec"]["names"]["kind"]] = "conditions" in status.get("properties", {})
    assert {key for key in checks if ".health." in key} == {health_key(kind) for kind in with_conditions}
    for kind, has_conditions in with_conditions.items():
        assert ("status.conditions" in checks[health_key(kind)]) is has_conditions
    assert sorted(with_conditions.values()) == [False, True, True, True]


def health_key(kind: str) -> str:
    return f"resource.customizations.health.searchaccess.dev_{kind}"


def test_the_values_for_its_chart_say_the_same_and_actions_are_whole() -> None:
    values = yaml.safe_load((FOLDER / "values.yaml").read_text())
    assert values["configs"]["cm"] == customizations(ROOT)
    actions = yaml.safe_load(values["configs"]["cm"]["resource.customizations.actions.searchaccess.dev_SearchAccess"])
    assert [item["name"] for item in actions["definitions"]] == ["refresh", "rotate", "suspend", "resume"]
    for item in actions["definitions"]:
        assert item["action.lua"] == (FOLDER / f"{item['name']}.lua").read_text()
        assert f'["{item["name"]}"]' in actions["discovery.lua"]
