"""What is left out grants nothing by accident: every optional field of all kinds, and what its absence means."""

import copy
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from searchaccess.api.base import ApiModel, Narrows, parts_of
from searchaccess.api.crd import custom_resource_definitions
from searchaccess.api.searchaccess import SearchAccessSpec
from searchaccess.api.searchaccesspolicy import SearchAccessPolicySpec
from searchaccess.api.searchcluster import SearchClusterSpec
from searchaccess.core.clusters.cluster import cluster_from_object
from searchaccess.core.model.parsing import access_from_object
from searchaccess.core.policy.guardrails.policy import policy_from_object
from searchaccess.operator.observing import read_manifests

GRANTS_MORE: dict[str, list[Any]] = {
    "SearchAccess.grants[].fields": [{}],
    "SearchAccess.grants[].fields.include": [[]],
    "SearchAccess.grants[].fields.exclude": [[]],
    "SearchAccess.grants[].where": [{}],
    "SearchAccess.grants[].remoteClusters": [[]],
    "SearchAccess.validFrom": [""],
    "SearchAccess.validUntil": [""],
    "SearchAccess.schedule": [{}],
    "SearchAccess.mode": [""],
    "SearchAccess.suspend": [""],
    "SearchAccess.limits": [{}],
    "SearchAccess.limits.requestsPerSecond": [0],
    "SearchAccess.limits.burst": [0],
    "SearchAccess.limits.maxBody": ["", "0Mi"],
    "SearchAccess.limits.apis": [[]],
    "SearchAccess.credential.rotateEvery": [""],
    "SearchAccess.credential.overlap": [""],
    "SearchAccess.credential.revoke": [""],
    "SearchCluster.ca": [{}],
    "SearchCluster.login": [{}],
    "SearchCluster.identity.jwtRealm.principal": [""],
    "SearchCluster.identity.gateway.ca": [{}],
    "SearchCluster.identity.gateway.jwks.ca": [{}],
    "SearchCluster.identity.gateway.limits": [""],
    "SearchCluster.identity.gateway.limits.requestsPerSecond": ["", 0],
    "SearchCluster.identity.cloudRun.refreshEvery": [""],
    "SearchCluster.identity.gateway.rotateEvery": [""],
    "SearchCluster.identity.cloudRun.gracePeriod": [""],
    "SearchCluster.allowedNamespaces": [{}],
    "SearchCluster.allowedNamespaces.selector.matchLabels": [{}],
    "SearchCluster.allowedNamespaces.selector.matchExpressions": [[]],
    "SearchCluster.adoption.namespaces.selector.matchLabels": [{}],
    "SearchCluster.adoption.namespaces.selector.matchExpressions": [[]],
    "SearchCluster.orphans.revoke[].name": [""],
    "SearchCluster.takeOver[].credentials": [""],
    "SearchCluster.secretStores[].vault.ca": [{}],
    "SearchCluster.policies": [[]],
    "SearchCluster.policies.unmatched": [""],
    "SearchAccessPolicy.match.namespaces.selector.matchLabels": [{}],
    "SearchAccessPolicy.match.namespaces.selector.matchExpressions": [[]],
    "SearchAccessPolicy.match.labels.matchLabels": [{}],
    "SearchAccessPolicy.match.labels.matchExpressions": [[]],
    "SearchAccessPolicy.match.subjects[].projects": [[]],
    "SearchAccessPolicy.match.subjects[].locations": [[]],
    "SearchAccessPolicy.match.subjects[].serviceAccounts": [[]],
    "SearchAccessPolicy.allow": [[]],
    "SearchAccessPolicy.deny": [[]],
    "SearchAccessPolicy.deny[].can": [[]],
    "SearchAccessPolicy.subjects": [[]],
    "SearchAccessPolicy.subjects[].projects": [[]],
    "SearchAccessPolicy.subjects[].locations": [[]],
    "SearchAccessPolicy.subjects[].serviceAccounts": [[]],
    "SearchAccessPolicy.require": [{}],
    "SearchAccessPolicy.require.fields": [""],
    "SearchAccessPolicy.require.hiddenFields": [[]],
    "SearchAccessPolicy.require.where": [""],
    "SearchAccessPolicy.require.auth": [[]],
    "SearchAccessPolicy.require.rotateEvery": [""],
    "SearchAccessPolicy.require.annotations": [[]],
    "SearchAccessPolicy.require.mode": [""],
    "SearchAccessPolicy.require.validUntil": [""],
    "SearchAccessPolicy.require.approval": [{}],
    "SearchAccessPolicy.require.approval.within": [""],
    "SearchAccessPolicy.require.limits": [{}],
    "SearchAccessPolicy.require.limits.requestsPerSecond": [0],
    "SearchAccessPolicy.require.limits.burst": [0],
    "SearchAccessPolicy.require.limits.maxBody": ["", "0Mi"],
    "SearchAccessPolicy.require.limits.apis": [[]],
    "SearchAccessPolicy.limits": [{}],
    "SearchAccessPolicy.limits.grants": [""],
    "SearchAccessPolicy.limits.patterns": [""],
    "SearchAccessPolicy.limits.literalPrefix": [""],
    "SearchAccessPolicy.limits.regularExpressions": [""],
    "SearchAccessPolicy.limits.privileges": [""],
    "SearchAccessPolicy.limits.clusterCan": [""],
    "SearchAccessPolicy.limits.remoteClusters": [""],
    "SearchAccessPolicy.limits.kibana": [""],
    "SearchAccessPolicy.limits.deletionPolicies": [[]],
    "SearchAccessPolicy.limits.adopt": [""],
    "SearchAccessPolicy.limits.secretStores": [""],
    "SearchAccessPolicy.limits.secretNames": [[]],
}
"""Fields without which more is granted, or for longer, with what else says nothing of them."""

GRANTS_NO_MORE: dict[str, str] = {
    "SearchAccess.subject.cloudRunService": "exactly one subject is needed",
    "SearchAccess.subject.cloudRunJob": "exactly one subject is needed",
    "SearchAccess.subject.cloudRunWorkerPool": "exactly one subject is needed",
    "SearchAccess.subject.serviceAccount": "exactly one subject is needed",
    "SearchAccess.grants": "less is granted",
    "SearchAccess.grants[].can": "less is granted",
    "SearchAccess.grants[].privileges": "less is granted",
    "SearchAccess.clusterCan": "less is granted",
    "SearchAccess.kibana": "less is granted",
    "SearchAccess.kibana[].base": "features are needed then",
    "SearchAccess.kibana[].features": "base is needed then",
    "SearchAccess.auth": "a credential needs it",
    "SearchAccess.credential": "auth needs it",
    "SearchAccess.credential.format": "the rights are the same",
    "SearchAccess.credential.rollout": "the rights are the same",
    "SearchCluster.secretStores[].kubernetes.format": "the rights are the same",
    "SearchAccess.credential.gracePeriod": "what is kept holds no working key",
    "SearchAccess.ttlAfterExpired": "the object stays, without rights",
    "SearchAccess.deletionPolicy": "the rights end with the object",
    "SearchCluster.urls": "one address is needed",
    "SearchCluster.cloudId": "one address is needed",
    "SearchCluster.eck": "one address is needed",
    "SearchCluster.ca.inline": "exactly one place is needed",
    "SearchCluster.ca.secretRef": "exactly one place is needed",
    "SearchCluster.ca.secretRef.key": "the key that all have",
    "SearchCluster.ca.configMapRef": "exactly one place is needed",
    "SearchCluster.ca.configMapRef.key": "the key that all have",
    "SearchCluster.allowExposure": "less is allowed",
    "SearchCluster.login.secretRef": "exactly one way is needed",
    "SearchCluster.login.googleIdentity": "exactly one way is needed",
    "SearchCluster.login.googleIdentity.audience": "the realm checks it",
    "SearchCluster.login.googleIdentity.clientSecretRef": "the realm checks it",
    "SearchCluster.identity.jwtRealm.issuer": "the realm is compared with it",
    "SearchCluster.identity.jwtRealm.clientAuthentication": "the realm is compared with it",
    "SearchCluster.identity.jwtRealm": "exactly one way is needed",
    "SearchCluster.identity.gateway": "exactly one way is needed",
    "SearchCluster.identity.gateway.issuer": "tokens of Google alone count",
    "SearchCluster.identity.gateway.jwks": "another issuer than Google needs it",
    "SearchCluster.identity.gateway.jwks.ca.inline": "exactly one place is needed",
    "SearchCluster.identity.gateway.jwks.ca.secretRef": "exactly one place is needed",
    "SearchCluster.identity.gateway.jwks.ca.secretRef.key": "the key that all have",
    "SearchCluster.identity.gateway.jwks.ca.configMapRef": "exactly one place is needed",
    "SearchCluster.identity.gateway.jwks.ca.configMapRef.key": "the key that all have",
    "SearchCluster.identity.gateway.ca.inline": "exactly one place is needed",
    "SearchCluster.identity.gateway.ca.secretRef": "exactly one place is needed",
    "SearchCluster.identity.gateway.ca.secretRef.key": "the key that all have",
    "SearchCluster.identity.gateway.ca.configMapRef": "exactly one place is needed",
    "SearchCluster.identity.gateway.ca.configMapRef.key": "the key that all have",
    "SearchCluster.identity.gateway.name": "where the configuration is written, not what it allows",
    "SearchCluster.identity.gateway.replicas": "fewer requests are allowed than with one replica",
    "SearchCluster.identity.gateway.limits.burst": "requestsPerSecond limits the average",
    "SearchCluster.identity.gateway.limits.maxBody": "bodies are limited to 100Mi",
    "SearchCluster.identity.gateway.iap": "its assertions are not accepted",
    "SearchCluster.identity.gateway.iap.allowPeople": "nobody but service accounts is allowed",
    "SearchCluster.identity.cloudRun": "its fields have defaults",
    "SearchCluster.allowedNamespaces.names": "either is enough, so less is allowed",
    "SearchCluster.allowedNamespaces.selector": "either is enough, so less is allowed",
    "SearchCluster.allowedNamespaces.selector.matchExpressions[].values": "the operator says whether there are any",
    "SearchCluster.orphans": "none may stay",
    "SearchCluster.orphans.allowed": "none may stay",
    "SearchCluster.orphans.revoke": "what stays was released before",
    "SearchCluster.orphans.revoke[].namespace": "exactly one way is needed",
    "SearchCluster.orphans.revoke[].role": "exactly one way is needed",
    "SearchCluster.secretStores": "nothing can be stored",
    "SearchCluster.secretStores[].kubernetes": "exactly one kind is needed",
    "SearchCluster.secretStores[].googleSecretManager": "exactly one kind is needed",
    "SearchCluster.secretStores[].googleSecretManager.location": "where it is kept, not who reads it",
    "SearchCluster.secretStores[].googleSecretManager.replicaLocations": "where it is kept, not who reads it",
    "SearchCluster.secretStores[].googleSecretManager.kmsKey": "Google's own key encrypts it",
    "SearchCluster.secretStores[].vault": "exactly one kind is needed",
    "SearchCluster.secretStores[].vault.namespace": "another place of the same Vault",
    "SearchCluster.secretStores[].vault.mount": "another place of the same Vault",
    "SearchCluster.secretStores[].vault.path": "another place of the same Vault",
    "SearchCluster.secretStores[].vault.ca.inline": "exactly one place is needed",
    "SearchCluster.secretStores[].vault.ca.secretRef": "exactly one place is needed",
    "SearchCluster.secretStores[].vault.ca.secretRef.key": "the key that all have",
    "SearchCluster.secretStores[].vault.ca.configMapRef": "exactly one place is needed",
    "SearchCluster.secretStores[].vault.ca.configMapRef.key": "the key that all have",
    "SearchCluster.secretStores[].vault.auth.jwt": "exactly one way is needed",
    "SearchCluster.secretStores[].vault.auth.jwt.mount": "another place of the same Vault",
    "SearchCluster.secretStores[].vault.auth.kubernetes": "exactly one way is needed",
    "SearchCluster.secretStores[].vault.auth.kubernetes.mount": "another place of the same Vault",
    "SearchCluster.secretStores[].vault.auth.tokenSecretRef": "exactly one way is needed",
    "SearchCluster.mapping": "the same callers get the same roles",
    "SearchCluster.drift": "its fields have defaults",
    "SearchCluster.drift.probeEvery": "when a change is noticed, not what is granted",
    "SearchCluster.drift.sweepEvery": "when a change is noticed, not what is granted",
    "SearchCluster.audit": "no last use is reported",
    "SearchCluster.audit.every": "events are read once an hour",
    "SearchCluster.adoption": "nothing is adopted",
    "SearchCluster.adoption.objects": "nothing is adopted",
    "SearchCluster.adoption.namespaces": "no annotation counts",
    "SearchCluster.adoption.namespaces.names": "either is enough, so fewer annotations count",
    "SearchCluster.adoption.namespaces.selector": "either is enough, so fewer annotations count",
    "SearchCluster.adoption.namespaces.selector.matchExpressions[].values": "the operator says whether there are any",
    "SearchCluster.takeOver": "nothing is taken over",
    "SearchCluster.takeOver[].instance": "only what has our own names is taken over",
    "SearchAccessPolicy.match": "it applies to every SearchAccess",
    "SearchAccessPolicy.match.namespaces": "it applies to more SearchAccesses",
    "SearchAccessPolicy.match.namespaces.names": "selector is needed then",
    "SearchAccessPolicy.match.namespaces.selector": "names are needed then",
    "SearchAccessPolicy.match.namespaces.selector.matchExpressions[].values": "the operator says whether there are any",
    "SearchAccessPolicy.match.clusters": "it applies to more SearchAccesses",
    "SearchAccessPolicy.match.subjects": "it applies to more SearchAccesses",
    "SearchAccessPolicy.match.labels": "it applies to more SearchAccesses",
    "SearchAccessPolicy.match.labels.matchExpressions[].values": "the operator says whether there are any",
    "SearchAccessPolicy.mode": "it is enforced",
    "SearchAccessPolicy.onViolation": "rights are revoked",
    "SearchAccessPolicy.allow[].can": "less is allowed",
    "SearchAccessPolicy.allow[].privileges": "less is allowed",
    "SearchAccessPolicy.require.approval.by.users": "groups are needed then",
    "SearchAccessPolicy.require.approval.by.groups": "users are needed then",
    "SearchAccessPolicy.require.approval.breakGlass": "no approval can be bypassed",
    "SearchAccessPolicy.exceptions": "it applies to more SearchAccesses",
}
"""The other optional fields, and why their absence grants no more."""

BEHIND_GATEWAY: dict[str, Any] = {
    "gateway": {
        "audience": "https://es.example.com",
        "url": "https://es.example.com",
        "namespace": "search",
        "jwks": {"url": "https://keys.example.com", "ca": {"secretRef": {"namespace": "a", "name": "b"}}},
        "ca": {"secretRef": {"namespace": "a", "name": "b"}},
        "iap": {"audience": "/projects/1/global/backendServices/2"},
    }
}
"""The other way in which a SearchCluster has callers verified."""

FULL: dict[str, dict[str, Any]] = {
    "SearchAccess": {
        "cluster": "prod",
        "subject": {"serviceAccount": "orders@acme-shop.iam.gserviceaccount.com"},
        "grants": [{
            "indices": ["orders-*"], "can": ["read"], "fields": {"include": ["a"], "exclude": ["b"]},
            "where": {"term": {"region": "eu"}}, "remoteClusters": ["eu"],
        }],
        "kibana": [{"spaces": ["default"], "features": {"discover": "read"}}],
        "auth": "ApiKey",
        "credential": {"store": "main", "name": "orders"},
    },
    "SearchCluster": {
        "urls": ["https://elasticsearch.example.com:9200"],
        "login": {"secretRef": {"namespace": "a", "name": "b"}},
        "identity": {"jwtRealm": {"name": "google", "audience": "https://es.example.com"}, "cloudRun": {}},
        "allowedNamespaces": {
            "names": ["shop"],
            "selector": {"matchLabels": {"a": "b"}, "matchExpressions": [{"key": "a", "operator": "Exists"}]},
        },
        "ca": {"secretRef": {"namespace": "a", "name": "b"}},
        "secretStores": [{
            "name": "main",
            "vault": {
                "address": "https://vault.example.com",
                "ca": {"secretRef": {"namespace": "a", "name": "b"}},
                "auth": {"jwt": {"role": "a", "audience": "b"}},
            },
        }],
        "drift": {},
        "orphans": {"revoke": [{"namespace": "shop", "name": "orders"}]},
        "takeOver": [{"controller": "a"}],
        "policies": {},
        "audit": {"index": "audit"},
        "adoption": {
            "namespaces": {
                "names": ["shop"],
                "selector": {"matchLabels": {"a": "b"}, "matchExpressions": [{"key": "a", "operator": "Exists"}]},
            },
        },
    },
    "SearchAccessPolicy": {
        "match": {
            "namespaces": {
                "names": ["shop"],
                "selector": {"matchLabels": {"a": "b"}, "matchExpressions": [{"key": "a", "operator": "Exists"}]},
            },
            "labels": {"matchLabels": {"a": "b"}, "matchExpressions": [{"key": "a", "operator": "Exists"}]},
            "subjects": [{"projects": ["a"], "locations": ["b"], "serviceAccounts": ["c"]}],
        },
        "allow": [{"indices": ["a"], "can": ["read"], "privileges": ["read"]}],
        "deny": [{"indices": ["a"], "can": ["read"]}],
        "subjects": [{"projects": ["a"], "locations": ["b"], "serviceAccounts": ["c"]}],
        "require": {
            "fields": True,
            "approval": {"by": {"users": ["a"], "groups": ["b"]}, "within": "1h", "for": "8h"},
            "limits": {"requestsPerSecond": 5},
        },
        "limits": {"grants": 1},
        "exceptions": [{"namespace": "a", "name": "b", "reason": "c", "until": "2027-01-01T00:00:00Z"}],
    },
}  # fmt: skip
READ: dict[str, Any] = {
    "SearchAccess": access_from_object,
    "SearchCluster": cluster_from_object,
    "SearchAccessPolicy": policy_from_object,
}
PLURALS = {crd["spec"]["names"]["kind"]: plural for plural, crd in custom_resource_definitions().items()}
SPECS: dict[str, type[ApiModel]] = {
    "SearchAccess": SearchAccessSpec,
    "SearchCluster": SearchClusterSpec,
    "SearchAccessPolicy": SearchAccessPolicySpec,
}


def optional(model: type[ApiModel], path: str) -> Iterator[tuple[str, Narrows | None]]:
    """Yield each optional field, however deep, with its mark."""
    for field in model.model_fields.values():
        inner, place = parts_of(field.annotation), f"{path}.{field.alias}"
        if not field.is_required():
            yield place, next((item for item in field.metadata if isinstance(item, Narrows)), None)
        if inner is not None:
            yield from optional(inner, place + ("[]" if "list[" in str(field.annotation) else ""))


OPTIONAL = {place: mark for kind, model in SPECS.items() for place, mark in optional(model, kind)}


def test_every_optional_field_has_been_thought_about() -> None:
    assert set(OPTIONAL) == GRANTS_MORE.keys() | GRANTS_NO_MORE.keys()


def test_each_field_without_which_more_is_granted_is_marked() -> None:
    assert {place for place, mark in OPTIONAL.items() if mark} == set(GRANTS_MORE)


def invalid_with(place: str, value: Any) -> str:
    """Return what is said of a complete manifest in which one field is replaced."""
    kind, *steps = place.split(".")
    spec = copy.deepcopy(FULL[kind])
    if place.startswith("SearchCluster.identity.gateway"):
        spec["identity"] = copy.deepcopy(BEHIND_GATEWAY)
    assert READ[kind](with_spec(kind, spec)).invalid == ""
    part: Any = spec
    for step in steps[:-1]:
        name, is_list, _ = step.partition("[]")
        part = part[name] if is_list else part.setdefault(name, {})
        part = part[0] if is_list else part
    part[steps[-1]] = value
    return str(READ[kind](with_spec(kind, spec)).invalid)


def with_spec(kind: str, spec: dict[str, Any]) -> dict[str, Any]:
    return {"kind": kind, "metadata": {"name": "x", "namespace": "shop", "uid": "1"}, "spec": spec}


NEEDED = [place for place in OPTIONAL if place.startswith("SearchAccess") or ".ca." not in place]


@pytest.mark.parametrize("place", NEEDED)
def test_a_null_is_refused_wherever_it_stands(place: str) -> None:
    says = invalid_with(place, None)
    where = place.partition(".")[2].replace("[]", "[0]")
    assert says.startswith(f"spec.{where}: null is not a value: write one, or remove the line")
    assert ("(then" in says) == (place in GRANTS_MORE)


@pytest.mark.parametrize(
    ("place", "value"), [(place, value) for place, values in GRANTS_MORE.items() for value in values], ids=str
)
def test_an_empty_value_is_refused_where_absence_grants_more(place: str, value: Any) -> None:
    assert invalid_with(place, value)


def test_fields_that_exclude_nothing_are_refused_beside_included_ones_too() -> None:
    assert "spec.grants[0].fields" in invalid_with("SearchAccess.grants[].fields", {"exclude": []})
    assert "spec.grants[0].fields" in invalid_with("SearchAccess.grants[].fields", {"include": ["a"], "exclude": []})
    assert "set include, exclude or both" in invalid_with("SearchAccess.grants[].fields", {})


def test_a_null_in_a_file_is_refused_although_no_api_server_sees_it(tmp_path: Path) -> None:
    file = tmp_path / "access.yaml"
    file.write_text("""
apiVersion: searchaccess.dev/v1alpha1
kind: SearchAccess
metadata: {name: orders, namespace: shop}
spec:
  cluster: prod
  subject: {serviceAccount: orders@acme-shop.iam.gserviceaccount.com}
  grants:
    - indices: [orders-*]
      can: [read]
      where:
""")
    (raw,) = read_manifests([file])
    access = access_from_object(raw)
    assert access.invalid.endswith("remove the line (then every document can be read)")
    assert access.share.entries == ()


APPLIED = "kubectl.kubernetes.io/last-applied-configuration"


def applied(given: Any, live: Any) -> str:
    """Return what is said of an access whose grants `kubectl apply` was given, and that has others now."""
    raw = with_spec("SearchAccess", FULL["SearchAccess"] | {"grants": live})
    text = json.dumps({"spec": FULL["SearchAccess"] | {"grants": given}}, separators=(",", ":"))
    raw["metadata"]["annotations"] = {APPLIED: text}
    return access_from_object(raw).invalid


def test_a_null_that_kubectl_dropped_is_refused_from_what_it_was_given() -> None:
    plain = {"indices": ["orders-*"], "can": ["read"]}
    says = "spec.grants[0].where: null is not a value: write one, or remove the line (then every document can be read)"
    assert applied([plain | {"where": None}], [plain]) == says
    assert "fields.exclude: null" in applied(
        [plain | {"fields": {"include": ["a"], "exclude": None}}], [plain | {"fields": {"include": ["a"]}}]
    )


def test_a_dropped_null_does_not_count_when_somebody_wrote_a_value_since_or_when_it_grants_no_more() -> None:
    plain = {"indices": ["orders-*"], "can": ["read"]}
    assert applied([plain | {"where": None}], [plain | {"where": {"term": {"a": 1}}}]) == ""
    assert applied([plain | {"privileges": None}], [plain]) == ""
    assert applied([plain, plain | {"where": None}], [plain]) == ""
    assert applied([plain | {"where": {"term": {"a": None}}}], [plain | {"where": {"term": {"a": 1}}}]) == ""


@pytest.mark.parametrize("text", ["", '{":null', '{"spec":null}', '{"a":null,"spec":[1]}', "[" * 100_000 + '":null', 7])
def test_whatever_the_annotation_says_it_can_be_read(text: Any) -> None:
    raw = with_spec("SearchAccess", FULL["SearchAccess"])
    raw["metadata"]["annotations"] = {APPLIED: text}
    assert access_from_object(raw).invalid == ""


def test_a_dropped_null_of_a_cluster_is_refused_too() -> None:
    spec = {key: value for key, value in FULL["SearchCluster"].items() if key != "allowedNamespaces"}
    raw = with_spec("SearchCluster", spec)
    assert cluster_from_object(raw).invalid == ""
    raw["metadata"]["annotations"] = {APPLIED: '{"spec":{"allowedNamespaces":null}}'}
    assert cluster_from_object(raw).invalid.startswith("spec.allowedNamespaces: null is not a value")


def schemas(schema: dict[str, Any], path: str) -> Iterator[tuple[str, dict[str, Any]]]:
    for name, part in schema.get("properties", {}).items():
        yield f"{path}.{name}", part
        yield from schemas(part, f"{path}.{name}")
        yield from schemas(part.get("items", {}), f"{path}.{name}[]")


@pytest.mark.parametrize("kind", SPECS)
def test_the_api_server_keeps_such_a_null_so_that_the_operator_refuses_it(kind: str) -> None:
    crd = custom_resource_definitions()[PLURALS[kind]]
    spec = crd["spec"]["versions"][0]["schema"]["openAPIV3Schema"]["properties"]["spec"]
    assert {path for path, part in schemas(spec, kind) if part.get("nullable")} == {
        place for place in GRANTS_MORE if place.startswith(f"{kind}.")
    }


ADDED: dict[str, set[str]] = {
    "SearchAccess": {"auth", "clusterCan", "deletionPolicy", "grants", "mode", "suspend"},
    "SearchCluster": {
        "allowExposure", "drift", "drift.probeEvery", "drift.sweepEvery", "identity.cloudRun",
        "identity.cloudRun.gracePeriod", "identity.cloudRun.refreshEvery", "identity.jwtRealm.clientAuthentication",
        "identity.jwtRealm.issuer", "identity.jwtRealm.principal", "mapping", "secretStores",
    },
    "SearchAccessPolicy": {"mode", "onViolation"},
}  # fmt: skip
"""What the API server writes into each object, as the first version knew it."""


def added(schema: dict[str, Any], path: str = "") -> Iterator[str]:
    """Yield what the API server writes into an object that does not say it."""
    for name, part in schema.get("properties", {}).items():
        place = f"{path}{name}"
        if "default" in part:
            yield place
        # The first version required jwtRealm.
        if "default" in part or name in schema.get("required", ()) or place == "identity.jwtRealm":
            yield from added(part, f"{place}.")


@pytest.mark.parametrize("kind", SPECS)
def test_a_later_field_is_written_into_no_object_that_does_not_say_it(kind: str) -> None:
    """An earlier version of the operator refuses fields that it does not know: after a rollback it would refuse all."""
    crd = custom_resource_definitions()[PLURALS[kind]]
    spec = crd["spec"]["versions"][0]["schema"]["openAPIV3Schema"]["properties"]["spec"]
    assert set(added(spec)) == ADDED[kind]


@pytest.mark.parametrize("kind", SPECS)
def test_no_default_has_a_null_which_the_api_server_would_refuse(kind: str) -> None:
    crd = custom_resource_definitions()[PLURALS[kind]]
    spec = crd["spec"]["versions"][0]["schema"]["openAPIV3Schema"]["properties"]["spec"]
    defaults = {path: part["default"] for path, part in schemas(spec, kind) if isinstance(part.get("default"), dict)}
    assert [path for path, value in defaults.items() if None in value.values()] == []
