"""The gateway in the chart: what is rendered, and what the API server, Pod Security and kube-score say of it."""

import json
import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from searchaccess.api.clusters.gateway import Gateway
from searchaccess.core.gateway.render import render_bootstrap, render_certificate
from searchaccess.core.gateway.render.paths import IN_THE_CHART
from tests.chart.helm import CHART, NAME, NAMESPACE, RELEASE, Helm, of_kind
from tests.chart.test_chart import NOT_WANTED, rules, score
from tests.chart.test_metadata import notes
from tests.stack.build import run_tool
from tests.stack.kubernetes import KubernetesServers

GATEWAY = "searchaccess-gateway"
ON: dict[str, Any] = {"gateway": {"enabled": True}}
CALLERS = {"namespaceSelector": {"matchLabels": {"team": "shop"}}}
MONITORING = {"namespaceSelector": {"matchLabels": {"name": "monitoring"}}}
CERTIFICATE = {"enabled": True, "issuerRef": {"kind": "ClusterIssuer", "name": "internal"}, "dnsNames": ["es.example"]}


def with_gateway(**values: Any) -> dict[str, Any]:
    return {"gateway": {"enabled": True, **values}}


def named(objects: list[dict[str, Any]], kind: str, name: str = GATEWAY) -> dict[str, Any]:
    """Return the object of a kind and a name."""
    [found] = [raw for raw in of_kind(objects, kind) if raw["metadata"]["name"] == name]
    return found


def template_of(objects: list[dict[str, Any]]) -> dict[str, Any]:
    return dict(named(objects, "Deployment")["spec"]["template"])


def container_of(objects: list[dict[str, Any]]) -> dict[str, Any]:
    [container] = template_of(objects)["spec"]["containers"]
    return dict(container)


def test_without_it_nothing_of_it_is_rendered(tool: Helm) -> None:
    text = yaml.safe_dump_all(tool.render({"networkPolicy": {"enabled": True}}))
    assert "gateway" not in text
    off = tool.render({"gateway": {"name": "other"}, "networkPolicy": {"enabled": True}})
    assert yaml.safe_dump_all(off) == text


def test_its_names_and_files_are_those_that_the_operator_writes(tool: Helm) -> None:
    """The defaults are those of `identity.gateway`."""
    fields = Gateway.model_fields
    values = yaml.safe_load((CHART / "values.yaml").read_text())["gateway"]
    assert values["name"] == fields["name"].default == GATEWAY
    assert values["replicaCount"] == fields["replicas"].default
    assert values["autoscaling"]["minReplicas"] == fields["replicas"].default
    template = template_of(tool.render(ON))
    assert template["metadata"]["labels"]["searchaccess.dev/gateway"] == GATEWAY
    sources = {item["name"]: item.get("configMap") or item["secret"] for item in template["spec"]["volumes"]}
    assert sources["dynamic"] == {"name": f"{GATEWAY}-config"}
    assert sources["login"] == {"secretName": f"{GATEWAY}-login", "defaultMode": 0o440}
    assert sources["tls"] == {"secretName": f"{GATEWAY}-tls", "defaultMode": 0o440}
    assert not any("optional" in source for source in sources.values()), "the pod waits until they are there"
    mounts = {item["name"]: item for item in container_of(tool.render(ON))["volumeMounts"]}
    assert mounts["bootstrap"]["mountPath"] == IN_THE_CHART.bootstrap
    assert mounts["dynamic"]["mountPath"] == IN_THE_CHART.dynamic
    assert mounts["login"]["mountPath"] == IN_THE_CHART.login
    assert mounts["tls"]["mountPath"] == IN_THE_CHART.tls
    assert all(item["readOnly"] and "subPath" not in item for item in mounts.values())


def test_another_name_and_namespace_are_everywhere(tool: Helm) -> None:
    more = {"metrics": {"podMonitor": {"enabled": True}}, "certificate": {"certManager": CERTIFICATE}}
    plain = [raw for raw in tool.render(with_gateway(**more)) if GATEWAY in raw["metadata"]["name"]]
    found = [
        raw
        for raw in tool.render(with_gateway(name="es", namespace="edge", **more))
        if raw["metadata"].get("namespace") == "edge"
    ]
    renamed = {(raw["kind"], raw["metadata"]["name"].replace(GATEWAY, "es")) for raw in plain}
    assert {(raw["kind"], raw["metadata"]["name"]) for raw in found} == renamed
    files = named(found, "ConfigMap", "es-bootstrap")
    assert GATEWAY not in yaml.safe_dump_all(raw for raw in found if raw is not files)
    [binding] = of_kind(found, "RoleBinding")
    assert [subject["namespace"] for subject in binding["subjects"]] == [NAMESPACE]


@pytest.mark.parametrize(
    "values",
    [
        ON,
        with_gateway(
            namespace="edge",
            autoscaling={"enabled": True},
            service={
                "type": "LoadBalancer",
                "annotations": {"networking.gke.io/load-balancer-type": "Internal"},
                "loadBalancerSourceRanges": ["10.0.0.0/8"],
                "loadBalancerIP": "10.1.2.3",
                "externalTrafficPolicy": "Local",
            },
            networkPolicy={"from": [CALLERS], "metricsFrom": [MONITORING], "egress": [{"to": [MONITORING]}]},
            podLabels={"a": "b"},
            podAnnotations={"a": "b"},
            nodeSelector={"a": "b"},
            tolerations=[{"key": "a", "operator": "Exists"}],
            hostAliases=[{"ip": "10.1.1.1", "hostnames": ["es.internal"]}],
            dnsConfig={"nameservers": ["10.0.0.10"]},
            priorityClassName="system-cluster-critical",
            extraArgs=["--log-path", "/dev/stderr"],
            lifecycle={"preStop": {"sleep": {"seconds": 20}}},
        ),
        with_gateway(name="g", replicaCount=1, networkPolicy={"enabled": False}),
        with_gateway() | {"watchNamespaces": ["shop"]},
    ],
    ids=["defaults", "everything", "little", "some namespaces"],
)
def test_the_api_server_takes_all_that_it_renders(
    tool: Helm, installed: KubernetesServers, tmp_path: Path, values: dict[str, Any]
) -> None:
    installed.run_kubectl("create", "namespace", "edge", check=False)
    assert "0 chart(s) failed" in tool.run("lint", "--strict", str(CHART), "--kube-version", "1.36.0", values=values)
    objects = tool.render(values)
    file = tmp_path / "objects.yaml"
    file.write_text(yaml.safe_dump_all(objects))
    options = ("--server-side", "--dry-run=server", "--validate=strict")
    shown = installed.run_kubectl("apply", *options, "-f", str(file)).stdout
    assert len(shown.splitlines()) == len(objects)


def test_helm_4_renders_the_same(tool: Helm, helm4: Path, installed: KubernetesServers, tmp_path: Path) -> None:
    assert Helm(helm4, installed, tmp_path).render(ON) == tool.render(ON)


def test_pods_are_as_restricted_as_can_be(tool: Helm, installed: KubernetesServers) -> None:
    installed.run_kubectl("create", "namespace", "restricted", check=False)
    level = "pod-security.kubernetes.io/enforce=restricted"
    installed.run_kubectl("label", "namespace", "restricted", level, "--overwrite")
    objects = tool.render(ON)
    specs = [template_of(objects)["spec"], *(raw["spec"] for raw in of_kind(objects, "Pod"))]
    assert len(specs) == 3
    for spec in specs:
        assert spec["automountServiceAccountToken"] is False
        spec.pop("serviceAccountName", None)
        pod = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "gateway"}, "spec": spec}
        installed.run_kubectl("create", "--dry-run=server", "-n", "restricted", "-f", "-", input=json.dumps(pod))
        for container in spec["containers"]:
            assert container["securityContext"]["readOnlyRootFilesystem"] is True


def test_kube_score_finds_nothing_but_what_is_meant(tool: Helm, kube_score: Path, tmp_path: Path) -> None:
    file = tmp_path / "rendered.yaml"
    file.write_text(yaml.safe_dump_all(tool.render(ON | {"networkPolicy": {"enabled": True}}, "--skip-tests")))
    # The same address serves probes of life and of readiness: only a draining Envoy fails it, and is not asked then.
    wanted = (*NOT_WANTED, "pod-probes-identical")
    ignored = [option for name in wanted for option in ("--ignore-test", name)]
    done = score(kube_score, file, *ignored, "--exit-one-on-warning")
    assert done.returncode == 0, done.stdout


def test_envoy_refuses_what_it_does_not_know_and_has_no_way_to_the_api_server(tool: Helm) -> None:
    objects = tool.render(ON)
    container = container_of(objects)
    assert "--reject-unknown-dynamic-fields" in container["args"]
    assert container["image"] == "docker.io/envoyproxy/envoy:v1.40.0"
    pairs = dict(zip(container["args"], container["args"][1:], strict=False))
    assert pairs["--service-node"] == "$(POD_NAME)"
    assert pairs["--service-cluster"] == GATEWAY
    assert [item["name"] for item in container["env"]] == ["POD_NAME"]
    assert named(objects, "ServiceAccount")["automountServiceAccountToken"] is False
    subjects = [raw["subjects"] for raw in (*of_kind(objects, "RoleBinding"), *of_kind(objects, "ClusterRoleBinding"))]
    assert {subject["name"] for each in subjects for subject in each} == {NAME}


@pytest.mark.parametrize(
    ("image", "more", "expected"),
    [
        ({"tag": "v1.40.1"}, {}, "docker.io/envoyproxy/envoy:v1.40.1"),
        ({"digest": f"sha256:{'a' * 64}"}, {}, f"docker.io/envoyproxy/envoy@sha256:{'a' * 64}"),
        ({}, {"global": {"imageRegistry": "eu.example"}}, "eu.example/envoyproxy/envoy:v1.40.0"),
        ({"registry": "", "repository": "envoy"}, {}, "envoy:v1.40.0"),
    ],
)
def test_the_image_can_be_chosen(tool: Helm, image: dict[str, Any], more: dict[str, Any], expected: str) -> None:
    objects = tool.render(with_gateway(image=image) | more | {"imagePullSecrets": ["pull"]})
    assert container_of(objects)["image"] == expected
    assert template_of(objects)["spec"]["imagePullSecrets"] == [{"name": "pull"}]


def test_artifact_hub_names_the_image_of_the_values() -> None:
    metadata = yaml.safe_load((CHART / "Chart.yaml").read_text())
    images = {item["name"]: item["image"] for item in yaml.safe_load(metadata["annotations"]["artifacthub.io/images"])}
    image = yaml.safe_load((CHART / "values.yaml").read_text())["gateway"]["image"]
    assert images["envoy"] == f"{image['registry']}/{image['repository']}:{image['tag']}"


def test_the_operator_may_write_its_two_objects_and_nothing_else(tool: Helm) -> None:
    for values in (ON, with_gateway(namespace="edge"), ON | {"watchNamespaces": ["shop"]}):
        without = {key: value for key, value in values.items() if key != "gateway"}
        added = [json.loads(text) for text in rules(tool.render(values)) - rules(tool.render(without))]
        namespace = values["gateway"].get("namespace", NAMESPACE)
        assert {(kind, place) for kind, place, _ in added} == {("Role", namespace)}
        found = {
            (resource, *rule.get("resourceNames", []), *rule["verbs"])
            for _, _, rule in added
            for resource in rule["resources"]
        }
        assert found == {
            ("configmaps", f"{GATEWAY}-config", "get", "patch", "delete"),
            ("secrets", f"{GATEWAY}-login", "get", "patch", "delete"),
            ("configmaps", "create"),
            ("secrets", "create"),
            ("pods", "list"),
            ("pods/status", "patch"),
        }
    assert "Role" not in str(
        [raw for raw in tool.render(ON | {"rbac": {"create": False}}) if raw["kind"].startswith("Role")]
    )


def test_only_callers_and_the_operator_connect_and_only_what_is_needed_is_reached(tool: Helm) -> None:
    values = with_gateway(
        networkPolicy={"from": [CALLERS], "metricsFrom": [MONITORING], "egressPorts": [443, 9243]}
    ) | {"networkPolicy": {"enabled": True}}
    objects = tool.render(values)
    policy = named(objects, "NetworkPolicy")["spec"]
    pods = template_of(objects)["metadata"]["labels"]
    assert policy["podSelector"]["matchLabels"].items() <= pods.items()
    assert policy["policyTypes"] == ["Ingress", "Egress"]
    operator = pod_labels(objects, NAME)
    calls, metrics = policy["ingress"]
    assert [port["port"] for port in calls["ports"]] == ["https"]
    assert calls["from"][0] == CALLERS
    assert calls["from"][1]["podSelector"]["matchLabels"].items() <= operator.items()
    [test] = [raw for raw in of_kind(objects, "Pod") if "gateway" in raw["metadata"]["name"]]
    assert calls["from"][2]["podSelector"]["matchLabels"].items() <= test["metadata"]["labels"].items()
    assert [port["port"] for port in metrics["ports"]] == ["metrics"]
    assert metrics["from"][0]["podSelector"]["matchLabels"].items() <= operator.items()
    assert metrics["from"][1:] == [MONITORING]
    assert [[port["port"] for port in rule["ports"]] for rule in policy["egress"]] == [[53, 53], [443, 9243]]
    own = named(objects, "NetworkPolicy", NAME)["spec"]
    [out] = [rule for rule in own["egress"] if "podSelector" in str(rule.get("to"))]
    assert out["to"][0]["podSelector"]["matchLabels"].items() <= pods.items()
    ports = {item["name"]: item["containerPort"] for item in container_of(objects)["ports"]}
    assert (
        {port["port"] for port in out["ports"]} == set(ports.values()) == {IN_THE_CHART.port, IN_THE_CHART.health_port}
    )


def test_without_callers_everybody_calls_but_metrics_stay_closed(tool: Helm) -> None:
    calls, metrics = named(tool.render(ON), "NetworkPolicy")["spec"]["ingress"]
    assert "from" not in calls
    assert len(metrics["from"]) == 1


def pod_labels(objects: list[dict[str, Any]], name: str) -> dict[str, str]:
    return dict(named(objects, "Deployment", name)["spec"]["template"]["metadata"]["labels"])


def test_no_selector_takes_pods_of_another(tool: Helm) -> None:
    """Also if the operator is called as the gateway."""
    for more in ({}, {"nameOverride": GATEWAY}, {"fullnameOverride": "other"}):
        objects = tool.render(ON | more)
        selectors = [raw["spec"]["selector"]["matchLabels"] for raw in of_kind(objects, "Deployment")]
        labels = [raw["spec"]["template"]["metadata"]["labels"] for raw in of_kind(objects, "Deployment")]
        matches = [[selector.items() <= each.items() for each in labels] for selector in selectors]
        assert sorted(matches) == [[False, True], [True, False]]
        for raw in of_kind(objects, "Pod"):
            assert not any(selector.items() <= raw["metadata"]["labels"].items() for selector in selectors)


def test_a_pod_drains_before_it_ends(tool: Helm) -> None:
    objects = tool.render(with_gateway(drainSeconds=7))
    shell, option, script = container_of(objects)["lifecycle"]["preStop"]["exec"]["command"]
    assert (shell, option) == ("bash", "-c")
    assert f"/dev/tcp/127.0.0.1/{IN_THE_CHART.admin_port}" in script
    assert re.fullmatch(r"exec 3<>\S+ && printf 'POST /healthcheck/fail HTTP/1\.1[^']*' >&3; sleep 7", script.strip())
    run_tool(["bash", "-n", "-c", script], cwd=CHART)
    refused = with_gateway(drainSeconds=60)
    output = tool.run("template", RELEASE, str(CHART), "--kube-version", "1.36.0", values=refused, check=False)
    assert "gateway.drainSeconds must be less than gateway.terminationGracePeriodSeconds" in output
    own = {"preStop": {"sleep": {"seconds": 20}}}
    assert container_of(tool.render(with_gateway(lifecycle=own)))["lifecycle"] == own


def test_envoys_memory_fits_into_the_limit(tool: Helm) -> None:
    limit = container_of(tool.render(ON))["resources"]["limits"]["memory"]
    assert int(limit.removesuffix("Mi")) * 1024 * 1024 >= IN_THE_CHART.max_heap * 1.5


def test_static_files_are_those_of_the_code_and_new_ones_restart_pods(tool: Helm) -> None:
    objects = tool.render(ON)
    data = {
        name: yaml.safe_load(text) for name, text in named(objects, "ConfigMap", f"{GATEWAY}-bootstrap")["data"].items()
    }
    assert data == {
        "bootstrap.yaml": yaml.safe_load(render_bootstrap()),
        "certificate.yaml": yaml.safe_load(render_certificate(IN_THE_CHART)),
    }
    admin = data["bootstrap.yaml"]["admin"]["address"]["socket_address"]
    assert admin == {"address": "127.0.0.1", "port_value": IN_THE_CHART.admin_port}
    assert "checksum/bootstrap" in template_of(objects)["metadata"]["annotations"]


def test_what_answers_without_tls_is_read_only(tool: Helm) -> None:
    [listener] = yaml.safe_load(render_bootstrap())["static_resources"]["listeners"]
    assert listener["address"]["socket_address"]["port_value"] == IN_THE_CHART.health_port
    [chain] = listener["filter_chains"]
    [host] = chain["filters"][0]["typed_config"]["route_config"]["virtual_hosts"]
    for route in host["routes"]:
        asked = {item["name"]: item["string_match"]["exact"] for item in route["match"]["headers"]}
        assert asked == {":method": "GET", ":path": route["match"]["path"]}
    assert {route["match"]["path"] for route in host["routes"]} == {"/ready", "/stats/prometheus", "/version"}
    assert listener["ignore_global_conn_limit"] is listener["bypass_overload_manager"] is True, "probes always answer"
    for probe in ("startupProbe", "livenessProbe", "readinessProbe"):
        assert container_of(tool.render(ON))[probe]["httpGet"] == {"path": "/ready", "port": "metrics"}


def test_pods_are_spread_and_scaled(tool: Helm) -> None:
    objects = tool.render(ON)
    spec = template_of(objects)["spec"]
    labels = template_of(objects)["metadata"]["labels"]
    [constraint] = spec["topologySpreadConstraints"]
    terms = spec["affinity"]["podAntiAffinity"]["preferredDuringSchedulingIgnoredDuringExecution"]
    selectors = [constraint["labelSelector"], *(term["podAffinityTerm"]["labelSelector"] for term in terms)]
    selectors += [named(objects, "PodDisruptionBudget")["spec"]["selector"]]
    assert len(selectors) == 4
    for selector in selectors:
        assert selector["matchLabels"].items() <= labels.items()
        assert selector["matchLabels"]["searchaccess.dev/gateway"] == GATEWAY
    assert named(objects, "Deployment")["spec"]["replicas"] == 2
    assert not of_kind(objects, "HorizontalPodAutoscaler")
    scaled = tool.render(with_gateway(autoscaling={"enabled": True, "minReplicas": 3}))
    assert "replicas" not in named(scaled, "Deployment")["spec"], "it would undo what the autoscaler does"
    assert named(scaled, "HorizontalPodAutoscaler")["spec"]["minReplicas"] == 3
    assert named(scaled, "PodDisruptionBudget")["spec"]["maxUnavailable"] == 1
    alone = tool.render(with_gateway(replicaCount=1))
    assert GATEWAY not in {raw["metadata"]["name"] for raw in of_kind(alone, "PodDisruptionBudget")}


def test_cert_manager_makes_the_certificate_that_pods_mount(tool: Helm) -> None:
    objects = tool.render(with_gateway(certificate={"certManager": CERTIFICATE}))
    certificate = named(objects, "Certificate")["spec"]
    volumes = {item["name"]: item for item in template_of(objects)["spec"]["volumes"]}
    assert certificate["secretName"] == volumes["tls"]["secret"]["secretName"]
    assert certificate["dnsNames"] == ["es.example"]
    assert certificate["issuerRef"] == CERTIFICATE["issuerRef"]
    given = tool.render(with_gateway(certificate={"secretName": "mine"}))
    assert {"secretName": "mine", "defaultMode": 0o440} in [
        item.get("secret") for item in template_of(given)["spec"]["volumes"]
    ]
    without: tuple[dict[str, Any], ...] = ({"issuerRef": {}}, {"dnsNames": []})
    for lacking in without:
        values = with_gateway(certificate={"certManager": CERTIFICATE | lacking})
        output = tool.run("template", RELEASE, str(CHART), "--kube-version", "1.36.0", values=values, check=False)
        assert "gateway.certificate.certManager needs issuerRef" in output


def test_prometheus_gets_its_metrics_with_its_name(tool: Helm) -> None:
    monitor = named(tool.render(with_gateway(metrics={"podMonitor": {"enabled": True}})), "PodMonitor")["spec"]
    [endpoint] = monitor["podMetricsEndpoints"]
    assert (endpoint["port"], endpoint["path"]) == ("metrics", "/stats/prometheus")
    [label] = endpoint["relabelings"]
    assert label == {
        "sourceLabels": ["__meta_kubernetes_pod_label_searchaccess_dev_gateway"],
        "targetLabel": "gateway",
    }
    assert not of_kind(tool.render(ON), "PodMonitor")


@pytest.mark.parametrize(
    ("values", "says"),
    [
        ({"name": "Gateway"}, "name"),
        ({"name": "g" * 41}, "name"),
        ({"name": "1"}, "name"),  # A Service's name begins with a letter.
        ({"replicas": 2}, "replicas"),
        ({"drainSeconds": 0}, "drainSeconds"),
        ({"service": {"type": "ExternalName"}}, "type"),
        ({"logLevel": "warn"}, "logLevel"),
        ({"certificate": {"certManager": {"duration": "90d"}}}, "duration"),
        ({"networkPolicy": {"egressPorts": ["https"]}}, "egressPorts"),
    ],
)
def test_wrong_values_are_reported(tool: Helm, values: dict[str, Any], says: str) -> None:
    wrong = {"gateway": values}
    output = tool.run("template", RELEASE, str(CHART), "--kube-version", "1.36.0", values=wrong, check=False)
    assert "values don't meet the specifications of the schema" in output
    assert says in output


def test_notes_say_what_its_pods_wait_for(tool: Helm) -> None:
    text = notes(tool, with_gateway(namespace="edge", name="es", replicaCount=3))
    block = text[text.rindex("  identity:") : text.index("See docs/gateway-install.md")]
    assert yaml.safe_load(block)["identity"]["gateway"] == {"name": "es", "namespace": "edge", "replicas": 3}
    assert "es-tls" in text
    assert "\n\n\n" not in text
    assert "gateway" not in notes(tool, {})
