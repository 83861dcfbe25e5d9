"""The webhook in the chart: off by default, with no right but to its own certificate."""

from typing import Any

import pytest
import yaml

from tests.chart.helm import NAME, NAMESPACE, Helm, of_kind, pod_of
from tests.chart.test_chart import SPEC, rules
from tests.support.operatorprocess import ROOT

ON: dict[str, Any] = {"admission": {"enabled": True}}
BY_CERT_MANAGER: dict[str, Any] = {"admission": {"enabled": True, "certManager": {"enabled": True}}}
WEBHOOK = f"{NAME}-admission"
KINDS = ("ValidatingWebhookConfiguration", "Issuer", "Certificate", "Secret")


def webhook_of(objects: list[dict[str, Any]]) -> dict[str, Any]:
    [registration] = of_kind(objects, "ValidatingWebhookConfiguration")
    [webhook] = registration["webhooks"]
    return dict(webhook)


def arguments(objects: list[dict[str, Any]]) -> set[str]:
    return {item for item in pod_of(objects)["containers"][0]["args"] if "admission" in item}


def test_it_is_off_by_default(tool: Helm) -> None:
    objects = tool.render({})
    assert not [raw for raw in objects if raw["kind"] in KINDS or raw["metadata"]["name"].endswith("-admission")]
    assert not arguments(objects)
    assert [port["name"] for port in pod_of(objects)["containers"][0]["ports"]] == ["http"]


def test_it_is_as_the_tests_have_it_and_grants_no_more(tool: Helm) -> None:
    """The tests of the webhook run with deploy/admission.yaml."""
    plain = list(yaml.safe_load_all((ROOT / "deploy" / "admission.yaml").read_text()))
    objects = tool.render(ON)
    assert webhook_of(objects) == webhook_of(plain)
    assert rules(objects) - rules(tool.render({})) == rules(plain)
    [secret] = of_kind(objects, "Secret")
    assert secret["metadata"]["name"] == WEBHOOK
    assert "data" not in secret, "an upgrade leaves what the operator wrote"
    named = {f"--admission-webhook={WEBHOOK}", "--admission=0.0.0.0:9443", "--admission-certificate-lifetime=2160h"}
    assert arguments(objects) == named


def test_the_service_leads_to_the_port_of_the_webhook(tool: Helm) -> None:
    objects = tool.render({"admission": {"enabled": True, "port": 8443}})
    called = webhook_of(objects)["clientConfig"]["service"]
    [service] = [raw for raw in of_kind(objects, "Service") if raw["metadata"]["name"] == called["name"]]
    assert (service["metadata"]["namespace"], called["namespace"]) == (NAMESPACE, NAMESPACE)
    assert [port["port"] for port in service["spec"]["ports"]] == [called["port"]]
    ports = {port["name"]: port["containerPort"] for port in pod_of(objects)["containers"][0]["ports"]}
    assert ports[service["spec"]["ports"][0]["targetPort"]] == 8443
    [deployment] = of_kind(objects, "Deployment")
    assert service["spec"]["selector"].items() <= deployment["spec"]["template"]["metadata"]["labels"].items()


def test_with_cert_manager_the_operator_needs_no_right_and_serves_what_is_mounted(tool: Helm) -> None:
    objects = tool.render(BY_CERT_MANAGER)
    assert rules(objects) == rules(tool.render({}))
    assert not of_kind(objects, "Secret")
    [registration] = of_kind(objects, "ValidatingWebhookConfiguration")
    [certificate] = [raw for raw in of_kind(objects, "Certificate") if "dnsNames" in raw["spec"]]
    place = f"{certificate['metadata']['namespace']}/{certificate['metadata']['name']}"
    assert registration["metadata"]["annotations"] == {"cert-manager.io/inject-ca-from": place}
    service = registration["webhooks"][0]["clientConfig"]["service"]
    assert certificate["spec"]["dnsNames"] == [f"{service['name']}.{service['namespace']}.svc"]
    pod = pod_of(objects)
    [volume] = [item for item in pod["volumes"] if item["name"] == "admission"]
    assert volume["secret"]["secretName"] == certificate["spec"]["secretName"]
    [mount] = [item for item in pod["containers"][0]["volumeMounts"] if item["name"] == "admission"]
    assert arguments(objects) == {"--admission=0.0.0.0:9443", f"--admission-certificate={mount['mountPath']}"}


def test_without_an_issuer_cert_manager_signs_by_an_authority_that_stays(tool: Helm) -> None:
    objects = tool.render(BY_CERT_MANAGER)
    issuers = {raw["metadata"]["name"]: raw["spec"] for raw in of_kind(objects, "Issuer")}
    certificates = {raw["metadata"]["name"]: raw["spec"] for raw in of_kind(objects, "Certificate")}
    signer = issuers[certificates[WEBHOOK]["issuerRef"]["name"]]
    authority = next(spec for spec in certificates.values() if spec["secretName"] == signer["ca"]["secretName"])
    assert authority["isCA"]
    assert issuers[authority["issuerRef"]["name"]] == {"selfSigned": {}}
    own = {"kind": "ClusterIssuer", "name": "acme"}
    given = {"admission": {"enabled": True, "certManager": {"enabled": True, "issuerRef": own}}}
    objects = tool.render(given)
    assert not of_kind(objects, "Issuer")
    assert [raw["spec"]["issuerRef"] for raw in of_kind(objects, "Certificate")] == [own]


def test_what_it_is_asked_about_can_be_limited(tool: Helm) -> None:
    selected = {
        "enabled": True,
        "failurePolicy": "Fail",
        "timeoutSeconds": 2,
        "namespaceSelector": {
            "matchLabels": {"a": "b"},
            "matchExpressions": [{"key": "team", "operator": "Exists"}],
        },
        "objectSelector": {"matchLabels": {"c": "d"}},
    }
    webhook = webhook_of(tool.render({"admission": selected}))
    assert (webhook["failurePolicy"], webhook["timeoutSeconds"]) == ("Fail", 2)
    assert webhook["objectSelector"] == {"matchLabels": {"c": "d"}}
    assert webhook["namespaceSelector"]["matchLabels"] == {"a": "b"}
    keys = [item["key"] for item in webhook["namespaceSelector"]["matchExpressions"]]
    assert keys == ["kubernetes.io/metadata.name", "team"]


def test_an_installation_for_some_namespaces_is_asked_about_these_only(tool: Helm) -> None:
    values = {"watchNamespaces": ["shop", "billing"], "clusters": [{"name": "prod", "spec": SPEC}], **ON}
    objects = tool.render(values)
    terms = webhook_of(objects)["namespaceSelector"]["matchExpressions"]
    assert {"key": "kubernetes.io/metadata.name", "operator": "In", "values": ["shop", "billing"]} in terms
    named = {raw["metadata"]["name"] for raw in objects if not raw["metadata"].get("namespace")}
    assert named == {f"{NAMESPACE}-{WEBHOOK}"}


def test_the_network_policy_lets_the_api_server_in(tool: Helm) -> None:
    peers = [{"ipBlock": {"cidr": "172.16.0.0/28"}}]
    [policy] = of_kind(tool.render(ON | {"networkPolicy": {"enabled": True, "admissionFrom": peers}}), "NetworkPolicy")
    assert {"ports": [{"port": "admission", "protocol": "TCP"}], "from": peers} in policy["spec"]["ingress"]
    [without] = of_kind(tool.render({"networkPolicy": {"enabled": True}}), "NetworkPolicy")
    assert len(without["spec"]["ingress"]) == 1


@pytest.mark.parametrize("values", [ON, BY_CERT_MANAGER], ids=["own", "cert-manager"])
def test_values_of_an_earlier_version_render_as_before(tool: Helm, values: dict[str, Any]) -> None:
    assert tool.render({"admission": None}) == tool.render({})
    assert tool.render({"admission": None}) != tool.render(values)
