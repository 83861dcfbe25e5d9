"""What values change of the gateway's pods and of their Service, and what values of the whole chart change of it."""

from itertools import pairwise
from typing import Any

from tests.chart.gateway.test_gateway_chart import ON, container_of, named, template_of, with_gateway
from tests.chart.helm import Helm

OF_PODS: dict[str, Any] = {
    "nodeSelector": {"disk": "fast"},
    "tolerations": [{"key": "edge", "operator": "Exists"}],
    "hostAliases": [{"ip": "10.1.1.1", "hostnames": ["es.internal"]}],
    "dnsConfig": {"nameservers": ["10.0.0.10"]},
    "priorityClassName": "platform",
    "terminationGracePeriodSeconds": 97,
    "topologySpreadConstraints": [{"maxSkew": 3, "topologyKey": "rack", "whenUnsatisfiable": "DoNotSchedule"}],
}
"""Values that a PodSpec has under the same name."""
SERVICE: dict[str, Any] = {
    "type": "LoadBalancer",
    "loadBalancerClass": "internal",
    "loadBalancerIP": "10.1.2.3",
    "loadBalancerSourceRanges": ["10.0.0.0/8"],
    "externalTrafficPolicy": "Local",
}
"""Values that a ServiceSpec has under the same name."""


def test_what_its_pods_are_told_is_what_they_have(tool: Helm) -> None:
    own = {"affinity": {"podAntiAffinity": {}}, "concurrency": 3, "logLevel": "info", "extraArgs": ["--use-dynamic"]}
    more = {"resources": {"limits": {"memory": "2Gi"}}, "podLabels": {"a": "b"}, "podAnnotations": {"c": "d"}}
    objects = tool.render(with_gateway(**OF_PODS, **own, **more, image={"pullPolicy": "Always"}))
    template, container = template_of(objects), container_of(objects)
    assert {key: template["spec"][key] for key in OF_PODS} == OF_PODS
    assert template["spec"]["affinity"] == own["affinity"]
    arguments = container["args"]
    pairs = dict(pairwise(arguments))
    assert (pairs["--concurrency"], pairs["--log-level"]) == ("3", "info")
    assert arguments[-1] == "--use-dynamic"
    assert container["resources"]["limits"]["memory"] == "2Gi"
    assert container["imagePullPolicy"] == "Always"
    assert template["metadata"]["labels"]["a"] == "b"
    assert template["metadata"]["annotations"]["c"] == "d"


def test_its_service_is_as_a_load_balancer_needs_it(tool: Helm) -> None:
    own = {"port": 9200, "annotations": {"networking.gke.io/load-balancer-type": "Internal"}, "labels": {"a": "b"}}
    service = named(tool.render(with_gateway(service=SERVICE | own)), "Service")
    assert {key: service["spec"][key] for key in SERVICE} == SERVICE
    assert service["metadata"]["annotations"] == own["annotations"]
    assert service["metadata"]["labels"]["a"] == "b"
    [port] = service["spec"]["ports"]
    assert (port["port"], port["targetPort"]) == (9200, "https")
    plain = named(tool.render(ON), "Service")["spec"]
    assert plain["type"] == "ClusterIP"
    assert not SERVICE.keys() - {"type"} & plain.keys()


def test_all_that_it_and_the_webhook_need_has_the_common_labels_and_annotations(tool: Helm) -> None:
    values = with_gateway(
        autoscaling={"enabled": True},
        metrics={"podMonitor": {"enabled": True}},
        certificate={"certManager": {"enabled": True, "issuerRef": {"name": "internal"}, "dnsNames": ["es.example"]}},
    ) | {"commonLabels": {"team": "platform"}, "commonAnnotations": {"contact": "us"}}
    for admission in ({"enabled": True}, {"enabled": True, "certManager": {"enabled": True}}):
        objects = tool.render(values | {"admission": admission})
        kinds = {raw["kind"] for raw in objects}
        assert {"HorizontalPodAutoscaler", "PodMonitor", "ValidatingWebhookConfiguration", "Certificate"} <= kinds
        for raw in (*objects, template_of(objects)):
            meta = raw["metadata"]
            assert (meta["labels"]["team"], meta["annotations"]["contact"]) == ("platform", "us"), raw
