"""What values change: names, images, labels, where pods run, and what Prometheus gets."""

import re
from typing import Any

import pytest
import yaml

from tests.chart.helm import CHART, NAME, NAMESPACE, RELEASE, Helm, of_kind, pod_of
from tests.support.operatorprocess import ROOT

SELECTOR = {"app.kubernetes.io/name": NAME, "app.kubernetes.io/instance": "searchaccess"}


def accounts(text: str) -> set[str]:
    """Return the ServiceAccounts of the operator that manifests name: those of its namespace."""
    found = set()
    for raw in yaml.safe_load_all(text):
        if raw and raw["kind"] == "CronJob":
            found.add(raw["spec"]["jobTemplate"]["spec"]["template"]["spec"]["serviceAccountName"])
        for subject in (raw or {}).get("subjects", []):
            if subject.get("namespace") == NAMESPACE:
                found.add(subject["name"])
    return found


def test_docs_and_deploy_name_the_service_account_that_a_release_as_documented_has(tool: Helm) -> None:
    named: dict[str, set[str]] = {}
    for page in sorted((ROOT / "docs").glob("*.md")):
        for block in re.findall(r"```yaml\n(apiVersion.*?)```", page.read_text(), re.DOTALL):
            named[page.name] = named.get(page.name, set()) | accounts(block)
    for file in (*(ROOT / "deploy").glob("*.yaml"), *(ROOT / "deploy" / "cloudrun").glob("rbac.yaml")):
        if file.name != "observer.yaml":
            named[file.name] = accounts(file.read_text())
    assert named["jobs.md"]
    assert named["clusters.md"]
    assert {name for names in named.values() for name in names} == {NAME}
    for release in ("searchaccess", NAME):
        objects = tool.render({}, release=release)
        [account] = of_kind(objects, "ServiceAccount")
        assert account["metadata"]["name"] == pod_of(objects)["serviceAccountName"] == NAME
        assert all(item["metadata"]["name"].startswith(NAME) for item in objects)


@pytest.mark.parametrize(
    ("release", "values", "name"),
    [
        ("search", {}, "search-searchaccess-operator"),
        ("prod-searchaccess-operator", {}, "prod-searchaccess-operator"),
        ("searchaccess", {"nameOverride": "guard"}, "searchaccess-guard"),
        ("searchaccess", {"fullnameOverride": "guard"}, "guard"),
        ("searchaccess", {"serviceAccount": {"name": "mine"}}, "searchaccess-operator"),
    ],
)
def test_names_can_be_chosen(tool: Helm, release: str, values: dict[str, Any], name: str) -> None:
    objects = tool.render(values, release=release)
    [deployment] = of_kind(objects, "Deployment")
    assert deployment["metadata"]["name"] == name
    account = values.get("serviceAccount", {}).get("name", name)
    assert pod_of(objects)["serviceAccountName"] == account
    bindings = [*of_kind(objects, "RoleBinding"), *of_kind(objects, "ClusterRoleBinding")]
    assert {subject["name"] for binding in bindings for subject in binding["subjects"]} == {account}


def test_names_may_look_like_numbers(tool: Helm) -> None:
    names = {"fullnameOverride": "31", "namespaceOverride": "123", "serviceAccount": {"name": "5"}}
    for values in (names, {"nameOverride": "7"}):
        for raw in tool.render(values | {"crds": {"upgrade": True}}, release="0x1f"):
            meta = raw["metadata"]
            texts = [meta["name"], meta.get("namespace", ""), *meta["labels"].values()]
            texts += [text for subject in raw.get("subjects", []) for text in subject.values()]
            assert {type(text) for text in texts} == {str}, raw


def test_another_namespace_is_everywhere(tool: Helm) -> None:
    objects = tool.render({"namespaceOverride": "elsewhere", "crds": {"upgrade": True}})
    assert {raw["metadata"].get("namespace", "elsewhere") for raw in objects} == {"elsewhere"}
    subjects = [subject for raw in objects for subject in raw.get("subjects", [])]
    assert {subject["namespace"] for subject in subjects} == {"elsewhere"}
    assert "--lease-namespace=elsewhere" in pod_of(objects)["containers"][0]["args"]


@pytest.mark.parametrize(
    ("values", "image"),
    [
        ({"image": {"registry": "a.example"}}, "a.example/searchaccess-operator:0.1.0"),
        ({"image": {"registry": "a.example/sub/"}}, "a.example/sub/searchaccess-operator:0.1.0"),
        (
            {"global": {"imageRegistry": "b.example"}, "image": {"registry": "a.example", "tag": "1"}},
            "b.example/searchaccess-operator:1",
        ),
        (
            {"global": {"imageRegistry": "b.example"}, "image": {"digest": f"sha256:{'a' * 64}"}},
            f"b.example/searchaccess-operator@sha256:{'a' * 64}",
        ),
    ],
)
def test_all_images_come_from_the_registry(tool: Helm, values: dict[str, Any], image: str) -> None:
    objects = tool.render(values | {"crds": {"upgrade": True}})
    pods = [pod_of(objects), *(raw["spec"] for raw in of_kind(objects, "Pod"))]
    pods += [raw["spec"]["template"]["spec"] for raw in of_kind(objects, "Job")]
    assert len(pods) == 3
    assert {container["image"] for pod in pods for container in pod["containers"]} == {image}


def test_pull_secrets_are_names_or_objects_of_this_chart_or_of_all(tool: Helm) -> None:
    values = {"global": {"imagePullSecrets": ["shared", {"name": "other"}]}, "imagePullSecrets": [{"name": "shared"}]}
    assert pod_of(tool.render(values))["imagePullSecrets"] == [{"name": "shared"}, {"name": "other"}]
    assert "imagePullSecrets" not in pod_of(tool.render({}))


def test_a_chart_that_has_this_one_may_have_globals_of_its_own_and_a_condition(tool: Helm) -> None:
    assert tool.render({"enabled": True, "global": {"storageClass": "fast"}}) == tool.render({})


def test_values_of_an_earlier_version_alone_are_refused_with_what_to_do(tool: Helm) -> None:
    """`helm upgrade --reuse-values` takes the defaults of the chart that was installed, not of the one that comes."""
    output = tool.run(
        "template", RELEASE, str(CHART), "--kube-version", "1.36.0", values={"commonLabels": None}, check=False
    )
    assert "--reset-then-reuse-values" in output


@pytest.mark.parametrize("value", ["commonLabels", "commonAnnotations", "image", "metrics"])
def test_a_value_that_must_not_be_null_is_named(tool: Helm, value: str) -> None:
    output = tool.run("template", RELEASE, str(CHART), "--kube-version", "1.36.0", values={value: None}, check=False)
    assert f"the values lack {value}: where you set it to null, leave it out" in output


def test_a_service_monitor_without_a_service_is_refused(tool: Helm) -> None:
    values = {"metrics": {"service": False, "serviceMonitor": {"enabled": True}}}
    output = tool.run("template", RELEASE, str(CHART), "--kube-version", "1.36.0", values=values, check=False)
    assert "metrics.serviceMonitor.enabled needs metrics.service" in output
    assert not of_kind(tool.render({"metrics": {"service": False}}), "ServiceMonitor")


EVERYTHING: dict[str, Any] = {
    "crds": {"upgrade": True},
    "clusters": [{"name": "prod", "spec": {}}],
    "approvals": {"enabled": True},
    "finalizerPolicy": True,
    "networkPolicy": {"enabled": True},
    "metrics": {key: {"enabled": True} for key in ("serviceMonitor", "prometheusRule", "grafanaDashboard")},
}


def test_common_labels_and_annotations_are_on_all_objects_and_pods(tool: Helm) -> None:
    labels = {"team": "platform", "app.kubernetes.io/name": "mine"}
    objects = tool.render(EVERYTHING | {"commonLabels": labels, "commonAnnotations": {"contact": "us"}})
    pods = [raw["spec"]["template"] for raw in (*of_kind(objects, "Deployment"), *of_kind(objects, "Job"))]
    for raw in (*objects, *pods):
        meta = raw["metadata"]
        assert meta["labels"]["team"] == "platform"
        assert meta["annotations"]["contact"] == "us"
        assert meta["labels"]["app.kubernetes.io/name"].startswith(NAME), "what the selector needs is not replaced"
    [deployment] = of_kind(objects, "Deployment")
    assert deployment["spec"]["selector"]["matchLabels"] == SELECTOR


def test_only_the_operators_own_pods_are_selected(tool: Helm) -> None:
    """Else a Service would lead to the pod of `helm test`, and a PodDisruptionBudget would count it."""
    objects = tool.render(EVERYTHING)
    others = [raw["metadata"]["labels"] for raw in of_kind(objects, "Pod")]
    others += [raw["spec"]["template"]["metadata"]["labels"] for raw in of_kind(objects, "Job")]
    assert len(others) == 2
    assert all(not SELECTOR.items() <= labels.items() for labels in others)


def test_replicas_are_spread_with_and_without_zone_labels_and_after_a_rollout(tool: Helm) -> None:
    pod = pod_of(tool.render({}))
    # The scheduler ignores nodes that lack a key of any constraint: a zone's would undo that of nodes.
    [constraint] = pod["topologySpreadConstraints"]
    assert constraint == {
        "maxSkew": 1,
        "topologyKey": "kubernetes.io/hostname",
        "whenUnsatisfiable": "ScheduleAnyway",
        "labelSelector": {"matchLabels": SELECTOR},
        "matchLabelKeys": ["pod-template-hash"],
    }
    terms = pod["affinity"]["podAntiAffinity"]["preferredDuringSchedulingIgnoredDuringExecution"]
    weights = {term["podAffinityTerm"]["topologyKey"]: term["weight"] for term in terms}
    assert weights == {"kubernetes.io/hostname": 100, "topology.kubernetes.io/zone": 50}
    assert all(term["podAffinityTerm"]["labelSelector"] == {"matchLabels": SELECTOR} for term in terms)
    assert all(term["podAffinityTerm"]["matchLabelKeys"] == ["pod-template-hash"] for term in terms)


def test_earlier_releases_get_no_field_that_they_would_drop(tool: Helm) -> None:
    terms = pod_of(tool.render({}, version="1.30.4"))["affinity"]["podAntiAffinity"]
    assert "matchLabelKeys" not in str(terms)
    for version in ("1.31.0", "v1.33.2-gke.1000"):
        assert "matchLabelKeys" in str(pod_of(tool.render({}, version=version))["affinity"])


def test_affinity_of_ones_own_leaves_replicas_apart_unless_it_says_otherwise(tool: Helm) -> None:
    nodes: dict[str, Any] = {"requiredDuringSchedulingIgnoredDuringExecution": {"nodeSelectorTerms": []}}
    both = pod_of(tool.render({"affinity": {"nodeAffinity": nodes}}))["affinity"]
    assert both["nodeAffinity"] == nodes
    assert both["podAntiAffinity"]
    assert pod_of(tool.render({"affinity": {"podAntiAffinity": {}}}))["affinity"] == {"podAntiAffinity": {}}


def test_pods_that_are_not_ready_do_not_keep_a_node_from_being_drained(tool: Helm) -> None:
    [budget] = of_kind(tool.render({}), "PodDisruptionBudget")
    assert budget["spec"]["unhealthyPodEvictionPolicy"] == "AlwaysAllow"
    assert budget["spec"]["maxUnavailable"] == 1
    [other] = of_kind(tool.render({"podDisruptionBudget": {"minAvailable": 0}}), "PodDisruptionBudget")
    assert other["spec"]["minAvailable"] == 0
    assert "maxUnavailable" not in other["spec"]
    # One without any number lets no pod be evicted, ever.
    nothing = {"minAvailable": None, "maxUnavailable": None}
    [neither] = of_kind(tool.render({"podDisruptionBudget": nothing}), "PodDisruptionBudget")
    assert neither["spec"]["maxUnavailable"] == 1
    assert "minAvailable" not in neither["spec"]


@pytest.mark.parametrize("ports", [[], None])
def test_without_egress_ports_only_other_rules_let_pods_out(tool: Helm, ports: list[int] | None) -> None:
    own = {"to": [{"ipBlock": {"cidr": "10.0.0.0/8"}}]}
    values = {"enabled": True, "egressPorts": ports, "egress": [own]}
    [policy] = of_kind(tool.render({"networkPolicy": values}), "NetworkPolicy")
    rules = policy["spec"]["egress"]
    assert own in rules
    # One that names neither ports nor peers allows everything.
    assert all(rule.get("ports") or rule.get("to") for rule in rules)
    assert {port["port"] for rule in rules if "to" not in rule for port in rule["ports"]} == {53}


@pytest.mark.parametrize(
    ("log", "times"), [({}, 0), ({"level": "info"}, 0), ({"level": "debug"}, 1), ({"verbose": True}, 1)]
)
def test_the_log_level(tool: Helm, log: dict[str, Any], times: int) -> None:
    [container] = pod_of(tool.render({"log": log}))["containers"]
    assert container["args"].count("--verbose") == times


def test_a_probe_that_is_taken_away_is_not_there(tool: Helm) -> None:
    [container] = pod_of(tool.render({"startupProbe": None}))["containers"]
    assert "startupProbe" not in container
    assert container["livenessProbe"]["httpGet"]["path"] == "/livez"


OF_PODS: dict[str, Any] = {
    "nodeSelector": {"disk": "fast"},
    "tolerations": [{"key": "ops", "operator": "Exists"}],
    "priorityClassName": "platform",
    "schedulerName": "other",
    "terminationGracePeriodSeconds": 41,
    "topologySpreadConstraints": [{"maxSkew": 3, "topologyKey": "rack", "whenUnsatisfiable": "DoNotSchedule"}],
}
"""Values that a PodSpec has under the same name."""


def test_what_pods_are_told_is_what_they_have(tool: Helm) -> None:
    volume, mount = {"name": "ca", "configMap": {"name": "ca"}}, {"name": "ca", "mountPath": "/ca", "readOnly": True}
    variable, source = {"name": "A", "value": "b"}, {"secretRef": {"name": "more"}}
    probe = {"periodSeconds": 43}
    values = OF_PODS | {
        "extraVolumes": [volume],
        "extraVolumeMounts": [mount],
        "extraEnv": [variable],
        "envFrom": [source],
        "extraArgs": ["--resync-period=1m"],
        "image": {"pullPolicy": "Always"},
        "resources": {"limits": {"memory": "1Gi"}},
        "port": 8090,
        "podSecurityContext": {"runAsUser": 1234},
        "livenessProbe": probe,
        "readinessProbe": probe,
        "startupProbe": probe,
    }
    pod = pod_of(tool.render(values))
    assert {key: pod[key] for key in OF_PODS} == OF_PODS
    assert volume in pod["volumes"]
    assert pod["securityContext"]["runAsUser"] == 1234
    [container] = pod["containers"]
    assert mount in container["volumeMounts"]
    assert (container["env"], container["envFrom"]) == ([variable], [source])
    assert container["args"][-1] == "--resync-period=1m"
    assert container["imagePullPolicy"] == "Always"
    assert container["resources"]["limits"]["memory"] == "1Gi"
    assert "--listen=0.0.0.0:8090" in container["args"]
    assert container["ports"] == [{"name": "http", "containerPort": 8090}]
    assert {container[f"{name}Probe"]["periodSeconds"] for name in ("liveness", "readiness", "startup")} == {43}


def test_pods_of_hooks_run_where_the_operators_own_may(tool: Helm) -> None:
    objects = tool.render(OF_PODS | {"crds": {"upgrade": True}, "extraEnv": [{"name": "A", "value": "b"}]})
    [job], [test] = of_kind(objects, "Job"), of_kind(objects, "Pod")
    for pod in (job["spec"]["template"]["spec"], test["spec"]):
        for key in ("nodeSelector", "tolerations", "priorityClassName", "schedulerName"):
            assert pod[key] == OF_PODS[key]
    [container] = job["spec"]["template"]["spec"]["containers"]
    assert container["env"] == [{"name": "A", "value": "b"}]


def test_objects_have_the_labels_and_annotations_that_are_for_them_alone(tool: Helm) -> None:
    def of(name: str) -> dict[str, dict[str, str]]:
        return {f"{name}Labels": {"label": name}, f"{name}Annotations": {"annotation": name}}

    def pair(name: str) -> dict[str, Any]:
        return {"labels": {"label": name}, "annotations": {"annotation": name}}

    kinds = {"serviceMonitor": "ServiceMonitor", "prometheusRule": "PrometheusRule", "grafanaDashboard": "ConfigMap"}
    metrics = {name: {"enabled": True, "namespace": "monitoring", **pair(name)} for name in kinds}
    objects = tool.render(
        {**of("deployment"), **of("pod"), "serviceAccount": pair("account"), "metrics": {**metrics, **of("service")}}
    )
    [deployment] = of_kind(objects, "Deployment")
    found = {
        "deployment": deployment["metadata"],
        "pod": deployment["spec"]["template"]["metadata"],
        "account": of_kind(objects, "ServiceAccount")[0]["metadata"],
        "service": of_kind(objects, "Service")[0]["metadata"],
    }
    for name, kind in kinds.items():
        [found[name]] = [raw["metadata"] for raw in of_kind(objects, kind)]
        assert found[name]["namespace"] == "monitoring"
    for name, meta in found.items():
        assert (meta["labels"]["label"], meta["annotations"]["annotation"]) == (name, name)
    others = [raw["metadata"] for raw in objects if raw["metadata"] not in found.values()]
    assert others
    assert not [meta for meta in others if "label" in meta["labels"] or "annotation" in meta.get("annotations", {})]


def test_further_objects_may_be_templates_and_the_history_and_lifetime_can_be_chosen(tool: Helm) -> None:
    more = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "{{ .Release.Name }}-more"}}
    values = {"extraObjects": [more], "revisionHistoryLimit": 4}
    objects = tool.render(values | {"admission": {"enabled": True, "certificateLifetime": "24h"}})
    assert "searchaccess-more" in {raw["metadata"]["name"] for raw in of_kind(objects, "ConfigMap")}
    [deployment] = of_kind(objects, "Deployment")
    assert deployment["spec"]["revisionHistoryLimit"] == 4
    assert "--admission-certificate-lifetime=24h" in pod_of(objects)["containers"][0]["args"]


def test_sidecars_init_containers_and_dns(tool: Helm) -> None:
    pod = pod_of(
        tool.render(
            {
                "extraInitContainers": [{"name": "first", "image": "{{ .Values.image.repository }}:first"}],
                "extraContainers": [{"name": "beside", "image": "proxy"}],
                "dnsPolicy": "None",
                "dnsConfig": {"nameservers": ["10.0.0.10"]},
                "hostAliases": [{"ip": "10.1.1.1", "hostnames": ["a"]}],
                "runtimeClassName": "gvisor",
            }
        )
    )
    assert pod["initContainers"] == [{"name": "first", "image": "searchaccess-operator:first"}]
    assert [container["name"] for container in pod["containers"]] == ["operator", "beside"]
    assert (pod["dnsPolicy"], pod["dnsConfig"]) == ("None", {"nameservers": ["10.0.0.10"]})
    assert pod["runtimeClassName"] == "gvisor"
    assert pod["hostAliases"] == [{"ip": "10.1.1.1", "hostnames": ["a"]}]


def test_the_service_monitor_finds_the_service_from_another_namespace(tool: Helm) -> None:
    options = {
        "scrapeTimeout": "10s",
        "honorLabels": True,
        "jobLabel": "app.kubernetes.io/name",
        "targetLabels": ["team"],
        "relabelings": [{"action": "drop", "sourceLabels": ["a"], "regex": "b"}],
        "metricRelabelings": [{"action": "labeldrop", "regex": "pod"}],
    }
    monitor_values = {"enabled": True, "namespace": "monitoring", "labels": {"release": "prometheus"}, **options}
    [monitor] = of_kind(tool.render({"metrics": {"serviceMonitor": monitor_values}}), "ServiceMonitor")
    assert monitor["metadata"]["namespace"] == "monitoring"
    assert monitor["metadata"]["labels"]["release"] == "prometheus"
    assert monitor["spec"]["namespaceSelector"] == {"matchNames": [NAMESPACE]}
    [endpoint] = monitor["spec"]["endpoints"]
    assert {key: (endpoint | monitor["spec"]).get(key) for key in options} == options
    times = {"enabled": True, "interval": "", "scrapeTimeout": "1m30s"}
    [other] = of_kind(tool.render({"metrics": {"serviceMonitor": times}}), "ServiceMonitor")
    assert other["spec"]["endpoints"][0]["scrapeTimeout"] == "1m30s"
    assert not other["spec"]["endpoints"][0].get("interval")
    [plain] = of_kind(tool.render({"metrics": {"serviceMonitor": {"enabled": True}}}), "ServiceMonitor")
    assert plain["metadata"]["namespace"] == NAMESPACE
    assert plain["spec"]["endpoints"] == [{"port": "http", "path": "/metrics", "interval": "30s"}]
    assert "namespaceSelector" not in plain["spec"]


@pytest.mark.parametrize("base", ["", "https://wiki.example/search/alerts/"])
def test_each_alert_leads_to_its_runbook(tool: Helm, base: str) -> None:
    values: dict[str, Any] = {"enabled": True, "ruleLabels": {"team": "search"}}
    if base:
        values["runbookUrl"] = base
    [rule] = of_kind(tool.render({"metrics": {"prometheusRule": values}}), "PrometheusRule")
    plain = yaml.safe_load((ROOT / "charts" / NAME / "files" / "alerts.yaml").read_text())
    [[group], [same]] = rule["spec"]["groups"], plain["groups"]
    for alert, before in zip(group["rules"], same["rules"], strict=True):
        where = f"{base.rstrip('/') or 'https://searchaccess.dev/docs/alerts.md'}#{alert['alert'].lower()}"
        assert alert["annotations"]["runbook_url"] == where
        assert alert["labels"] == before["labels"] | {"team": "search"}
        assert base or alert["annotations"] == before["annotations"]
