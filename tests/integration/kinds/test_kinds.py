"""All kinds on a real API server: what is taken, what is refused and why, and what people see."""

import json
import re
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from searchaccess.api.base import ApiModel
from searchaccess.api.conditions.reasons import Reason
from searchaccess.api.conditions.types import ConditionType
from searchaccess.api.crd import CATEGORY, custom_resource_definitions
from searchaccess.api.searchaccess import SearchAccessSpec
from searchaccess.api.searchaccessapproval import SearchAccessApprovalSpec
from searchaccess.api.searchaccesspolicy import SearchAccessPolicySpec
from searchaccess.api.searchcluster import SearchClusterSpec
from searchaccess.api.vocabulary.actions import Action
from searchaccess.core.clusters.cluster import cluster_from_object
from searchaccess.core.model.parsing import access_from_object
from searchaccess.core.policy.guardrails.policy import policy_from_object
from tests.integration.kinds.cases.common import READER, Case
from tests.integration.kinds.cases.kind import accepted, rejected
from tests.stack.kubernetes import KubectlError, KubernetesServers

ROOT = Path(__file__).parents[3]
NAMESPACE = "kinds"
CRDS = custom_resource_definitions()
NOW = "2026-11-23T22:00:00Z"
LATER = "2026-12-24T10:00:00Z"

READY = {
    "type": "Ready", "status": "True", "reason": "InSync", "message": "in sync", "lastTransitionTime": NOW,
    "observedGeneration": 1,
}  # fmt: skip


class Server:
    """The API server with our CRDs."""

    def __init__(self, servers: KubernetesServers) -> None:
        self._servers = servers

    def kubectl(self, *args: str, manifests: Iterable[dict[str, Any]] = (), check: bool = True) -> tuple[str, str]:
        text = yaml.safe_dump_all(manifests) if manifests else None
        done = self._servers.run_kubectl("--namespace", NAMESPACE, *args, input=text, check=check)
        return done.stdout, done.stderr

    def dry_run(self, manifest: dict[str, Any]) -> dict[str, Any]:
        """Apply without storing; return the object as it would be stored."""
        out, _ = self.kubectl("apply", "--dry-run=server", "-o", "json", "-f", "-", manifests=[manifest])
        return dict(json.loads(out))

    def table(self, *args: str) -> tuple[list[str], list[str]]:
        """Return the header and the first row of what `kubectl get` prints."""
        lines = self.kubectl("get", *args)[0].splitlines()
        header, row = (re.split(r" {2,}|\s*$", line)[:-1] for line in lines[:2])
        return header, row


@pytest.fixture(scope="module")
def server(kubernetes_servers: KubernetesServers) -> Server:
    for plural in CRDS:
        kubernetes_servers.install_kinds(ROOT / "crds" / f"{plural}.yaml")
    kubernetes_servers.run_kubectl("create", "namespace", NAMESPACE)
    return Server(kubernetes_servers)


@pytest.fixture(scope="module")
def refusals(server: Server) -> dict[str, str]:
    """The API server's answer to every bad manifest, by name."""
    manifests = [case.manifest for case in rejected()]
    out, err = server.kubectl("apply", "--dry-run=server", "-f", "-", manifests=manifests, check=False)
    assert out == "", "some were taken"
    found = re.findall(r'"([a-z0-9-]+)" is invalid: (.*?)(?=\nError from server|\Z)', err, re.DOTALL)
    return {name: text.replace("\\\\", "\\") for name, text in found}


@pytest.fixture(scope="module")
def taken(server: Server) -> tuple[set[str], str]:
    """Names of the good manifests that the API server took, and its complaints.

    Applied by the server, as the biggest would not fit into the annotation that kubectl needs to apply by itself.
    """
    manifests = [case.manifest for case in accepted()]
    command = ["apply", "--server-side", "--dry-run=server", "-f", "-"]
    out, err = server.kubectl(*command, manifests=manifests, check=False)
    return set(re.findall(r"/([a-z0-9-]+) serverside-applied", out)), err


def ids(case: Case) -> str:
    return f"{case.manifest['kind']}: {case.sentence if len(case.sentence) < 100 else case.sentence[:99] + '…'}"


@pytest.mark.parametrize("case", rejected(), ids=ids)
def test_refuses_and_says_what_to_write_instead(case: Case, refusals: dict[str, str]) -> None:
    assert case.says in refusals[case.name]


@pytest.mark.parametrize("case", accepted(), ids=ids)
def test_takes(case: Case, taken: tuple[set[str], str]) -> None:
    names, complaints = taken
    assert case.name in names, complaints


SPECS: dict[str, type[ApiModel]] = {
    "SearchAccess": SearchAccessSpec,
    "SearchCluster": SearchClusterSpec,
    "SearchAccessPolicy": SearchAccessPolicySpec,
    "SearchAccessApproval": SearchAccessApprovalSpec,
}
READERS: dict[str, Callable[[dict[str, Any]], Any]] = {
    "SearchAccess": access_from_object,
    "SearchCluster": cluster_from_object,
    "SearchAccessPolicy": policy_from_object,
}


@pytest.mark.parametrize("case", accepted(), ids=ids)
def test_the_model_reads_what_the_server_takes(case: Case) -> None:
    spec = dict(case.manifest["spec"])
    if case.sentence == "can as null":
        spec["grants"] = [{key: value for key, value in spec["grants"][0].items() if value is not None}]
    SPECS[case.manifest["kind"]].model_validate(spec)


NULLS: dict[str, dict[str, Any]] = {
    "SearchAccess": {
        "suspend": None,
        "grants": [READER | {"where": None}, READER | {"fields": None},
                   READER | {"fields": {"include": ["a"], "exclude": None}}],
    },
    "SearchCluster": {
        "ca": None,
        "allowedNamespaces": None,
        "orphans": {"revoke": [{"namespace": "shop", "name": None}]},
        "identity": {
            "jwtRealm": {"name": "google", "audience": "a"}, "cloudRun": {"refreshEvery": None, "gracePeriod": None},
        },
    },
    "SearchAccessPolicy": {
        "allow": None,
        "deny": [{"indices": ["a"], "can": None}],
        "subjects": [{"projects": None, "locations": None, "serviceAccounts": ["*"]}],
        "require": {
            "fields": None, "hiddenFields": None, "where": None, "auth": None, "rotateEvery": None,
            "annotations": None, "mode": "Enforce", "approval": None,
        },
        "limits": {
            "grants": 1, "patterns": None, "literalPrefix": None, "regularExpressions": None, "privileges": None,
            "clusterCan": None, "remoteClusters": None, "kibana": None, "deletionPolicies": None, "adopt": None,
            "secretStores": None, "secretNames": None,
        },
    },
}  # fmt: skip


def with_nulls(kind: str, **more: Any) -> dict[str, Any]:
    case = next(case for case in accepted() if case.manifest["kind"] == kind)
    return case.manifest | {"spec": case.manifest["spec"] | NULLS[kind] | more}


def invalid(kind: str, stored: dict[str, Any], **spec: Any) -> str:
    return str(READERS[kind](stored | {"spec": stored["spec"] | spec}).invalid)


@pytest.mark.parametrize("kind", NULLS)
def test_a_null_without_which_more_is_granted_is_kept_so_that_the_operator_refuses_it(
    kind: str, server: Server
) -> None:
    out, _ = server.kubectl("create", "--dry-run=server", "-o", "json", "-f", "-", manifests=[with_nulls(kind)])
    stored = json.loads(out)
    for field, given in NULLS[kind].items():
        kept = json.dumps(stored["spec"][field]).count("null")
        assert kept == json.dumps(given).count("null")
    assert "null is not a value" in invalid(kind, stored)


@pytest.mark.parametrize("kind", NULLS)
def test_a_null_that_kubectl_apply_drops_is_refused_by_the_operator_too(kind: str, server: Server) -> None:
    stored = server.dry_run(with_nulls(kind))
    assert "null" not in json.dumps(stored["spec"])
    assert "null is not a value" in invalid(kind, stored)


def test_a_null_in_place_of_a_word_is_refused_by_the_api_server(server: Server) -> None:
    _, err = server.kubectl(
        "create", "--dry-run=server", "-f", "-", manifests=[with_nulls("SearchAccess", mode=None)], check=False
    )
    assert 'spec.mode: Unsupported value: null: supported values: "Enforce", "Observe"' in err


def rules(schema: dict[str, Any]) -> Iterable[str]:
    # What a change must not do is tested with changes.
    found = schema.get("x-kubernetes-validations", ())
    yield from (rule["message"] for rule in found if "oldSelf" not in rule["rule"])
    for part in [*schema.get("properties", {}).values(), *([schema["items"]] if "items" in schema else [])]:
        yield from rules(part)


RULES = sorted({
    message for crd in CRDS.values() for message in rules(crd["spec"]["versions"][0]["schema"]["openAPIV3Schema"])
})  # fmt: skip


_LIMIT_MESSAGES = {
    "minLength": "should be at least {} chars long",
    "maxLength": "may not be more than {} ",
    "minItems": "should have at least {} items",
    "maxItems": "must have at most {} item",
    "minProperties": "should have at least {} properties",
    "maxProperties": "must have at most {} item",
    "minimum": "should be greater than or equal to {}",
    "maximum": "should be less than or equal to {}",
    "enum": "supported values",
    "required": "Required value",
}


def limits(path: str, schema: dict[str, Any]) -> Iterable[tuple[str, str]]:
    """Yield the path of each limited field, and what is said when its limit is broken."""
    for keyword, message in _LIMIT_MESSAGES.items():
        if keyword == "required":
            yield from ((f"{path}.{name}", message) for name in schema.get("required", ()))
        elif keyword in schema:
            yield path, message.format(schema[keyword])
    for name, part in schema.get("properties", {}).items():
        yield from limits(f"{path}.{name}", part)
    if "items" in schema:
        yield from limits(f"{path}[]", schema["items"])


LIMITS = [
    limit
    for crd in CRDS.values()
    for limit in limits("spec", crd["spec"]["versions"][0]["schema"]["openAPIV3Schema"]["properties"]["spec"])
]


@pytest.mark.parametrize(("path", "says"), LIMITS)
def test_some_manifest_breaks_the_limit_of(path: str, says: str, refusals: dict[str, str]) -> None:
    place = re.escape(path).replace(r"\[\]", r"\[\d+\]")
    assert any(re.search(f"{place}: [^\n]*{re.escape(says)}", text) for text in refusals.values())


@pytest.mark.parametrize("message", RULES)
def test_some_manifest_provokes_the_rule_with(message: str, refusals: dict[str, str]) -> None:
    assert any(message in text for text in refusals.values())


@pytest.mark.parametrize("kind", SPECS)
def test_refuses_a_misspelt_field(kind: str, server: Server) -> None:
    case = next(case for case in accepted() if case.manifest["kind"] == kind)
    manifest = case.manifest | {"spec": case.manifest["spec"] | {"suspended": True}}
    with pytest.raises(KubectlError, match=r'unknown field "spec\.suspended"'):
        server.dry_run(manifest)


def test_the_server_fills_in_the_defaults_of_a_search_access(server: Server) -> None:
    case = next(case for case in accepted() if case.manifest["kind"] == "SearchAccess")
    grant = {"indices": ["orders"], "can": ["read"], "fields": {"exclude": ["a"]}}
    spec = server.dry_run(case.manifest | {"spec": case.manifest["spec"] | {"grants": [grant]}})["spec"]
    assert spec["grants"] == [grant], "nothing within lists: GitOps tools would see a difference forever"
    rest = {key: value for key, value in spec.items() if key not in {"grants", "cluster", "subject"}}
    assert rest == {
        "clusterCan": [],
        "auth": "IdentityToken",
        "mode": "Enforce",
        "suspend": False,
        "deletionPolicy": "Delete",
    }


def test_applying_the_same_manifest_again_changes_nothing(server: Server) -> None:
    manifest = next(case for case in accepted() if case.manifest["kind"] == "SearchAccess").manifest
    try:
        server.kubectl("apply", "-f", "-", manifests=[manifest])
        assert "unchanged" in server.kubectl("apply", "-f", "-", manifests=[manifest])[0]
    finally:
        server.kubectl("delete", "-f", "-", "--wait=false", manifests=[manifest])


def test_the_server_fills_in_the_defaults_of_a_search_cluster(server: Server) -> None:
    case = next(case for case in accepted() if case.manifest["kind"] == "SearchCluster")
    spec = server.dry_run(case.manifest)["spec"]
    assert spec["drift"] == {"probeEvery": "2s", "sweepEvery": "5m"}
    assert spec["mapping"] == "RoleTemplate"
    assert spec["identity"]["jwtRealm"]["issuer"] == "https://accounts.google.com"


def test_the_server_fills_in_the_other_interval_when_one_is_given(server: Server) -> None:
    case = next(case for case in accepted() if case.manifest["kind"] == "SearchCluster")
    spec = server.dry_run(case.manifest | {"spec": case.manifest["spec"] | {"drift": {"sweepEvery": "1m"}}})["spec"]
    assert spec["drift"] == {"probeEvery": "2s", "sweepEvery": "1m"}


def test_the_server_fills_in_the_defaults_of_a_search_access_policy(server: Server) -> None:
    case = next(case for case in accepted() if case.manifest["kind"] == "SearchAccessPolicy")
    spec = server.dry_run(case.manifest)["spec"]
    assert spec == case.manifest["spec"] | {"mode": "Enforce", "onViolation": "Revoke"}


EXAMPLES = sorted([*(ROOT / "examples").glob("*.yaml"), *(ROOT / "examples" / "policies").glob("*.yaml")])


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.name)
def test_takes_the_example(path: Path, server: Server) -> None:
    """Namespaces are not created by a dry run, so that each is put into ours."""
    manifests = [manifest for manifest in yaml.safe_load_all(path.read_text(encoding="utf-8")) if manifest]
    assert {manifest["kind"] for manifest in manifests} <= {"Namespace", "Secret", *SPECS}
    for manifest in manifests:
        if "namespace" in manifest["metadata"]:
            manifest["metadata"]["namespace"] = NAMESPACE
        server.dry_run(manifest)


@pytest.fixture(scope="module")
def stored(server: Server) -> Iterator[None]:
    """One object of each kind with a full status; none stays for other modules, which share the API server."""
    access = next(case.manifest for case in accepted() if case.manifest["kind"] == "SearchAccess")
    cluster = next(case.manifest for case in accepted() if case.manifest["kind"] == "SearchCluster")
    policy = next(case.manifest for case in accepted() if case.manifest["kind"] == "SearchAccessPolicy")
    approval = next(case.manifest for case in accepted() if case.manifest["kind"] == "SearchAccessApproval")
    named = ((access, "orders"), (cluster, "prod"), (policy, "limits"), (approval, "yes"))
    manifests = [manifest | {"metadata": {"name": name}} for manifest, name in named]
    server.kubectl("apply", "-f", "-", manifests=manifests)
    drift = {"open": 2, "items": []}
    patch(server, "searchaccess", "orders", {"status": {
        "observedGeneration": 1, "conditions": [READY], "access": "rw orders-* +1", "drift": drift, "lastSyncTime": NOW,
        "subject": "orders@acme-shop", "mode": "Enforce",
        "identity": {"principal": "orders@acme-shop.iam.gserviceaccount.com"},
        "elasticsearch": {"role": "searchaccess.default.orders", "mapping": "m", "specHash": "h", "clusterUuid": "u"},
        "credential": {
            "store": "main", "name": "orders", "version": 1, "keyId": "k", "phase": "Active", "issued": NOW,
            "nextRotation": LATER,
        },
        "validity": {"state": "Active", "nextChange": LATER},
        "usage": {"lastUsed": NOW, "observedAt": NOW, "since": NOW},
    }})  # fmt: skip
    counts = {"accesses": 7, "ready": 5, "drifted": 3, "roles": 6, "foreignRoles": 1}
    patch(server, "searchcluster", "prod", {"status": {
        "conditions": [READY], "url": "https://es", "version": "8.19.0", "license": "platinum", "uuid": "abc",
        "probe": "Active", "counts": counts,
    }})  # fmt: skip
    judged = {"accesses": 9, "accepted": 4, "denied": 3, "wouldDeny": 0, "exempt": 2}
    patch(server, "searchaccesspolicy", "limits", {"status": {"conditions": [READY], "counts": judged}})
    yield
    server.kubectl("delete", "-f", "-", manifests=manifests)


def patch(server: Server, kind: str, name: str, body: dict[str, Any], *args: str) -> None:
    server.kubectl("patch", kind, name, "--type=merge", "--subresource=status", "-p", json.dumps(body), *args)


def get(server: Server, kind: str, name: str) -> dict[str, Any]:
    return dict(json.loads(server.kubectl("get", kind, name, "-o", "json")[0]))


@pytest.mark.usefixtures("stored")
def test_columns_of_search_accesses(server: Server) -> None:
    header, row = server.table("searchaccesses")
    assert header == ["NAME", "SERVICE", "ACCESS", "MODE", "READY", "REASON", "AGE"]
    assert row[:-1] == ["orders", "orders@acme-shop", "rw orders-* +1", "Enforce", "True", "InSync"]


@pytest.mark.usefixtures("stored")
def test_wide_columns_of_search_accesses(server: Server) -> None:
    header, row = server.table("searchaccesses", "-o", "wide")
    assert header[7:] == [
        "CLUSTER",
        "DRIFT",
        "PRINCIPAL",
        "AUTH",
        "NEXT-ROTATION",
        "NEXT-CHANGE",
        "LAST-SYNC",
        "LAST-USED",
        "MESSAGE",
    ]
    assert row[7:13] == ["prod", "2", "orders@acme-shop.iam.gserviceaccount.com", "IdentityToken", LATER, LATER]
    assert row[13]
    assert row[14] == row[13], "an age too: what was never used, or is not known to be, has none"
    assert row[15] == "in sync"


@pytest.mark.usefixtures("stored")
def test_columns_of_search_clusters(server: Server) -> None:
    header, row = server.table("searchclusters")
    assert header == ["NAME", "URL", "VERSION", "LICENSE", "READY", "REASON", "ACCESSES", "DRIFTED", "AGE"]
    assert row[:-1] == ["prod", "https://es", "8.19.0", "platinum", "True", "InSync", "7", "3"]


@pytest.mark.usefixtures("stored")
def test_wide_columns_of_search_clusters(server: Server) -> None:
    header, row = server.table("searchclusters", "-o", "wide")
    assert header[9:] == ["FOREIGN", "PROBE", "UUID", "LOGIN", "MESSAGE"]
    assert row[9:12] == ["1", "Active", "abc"]


@pytest.mark.usefixtures("stored")
@pytest.mark.parametrize("word", ["searchaccess", "searchaccesses", "sacc", "searchaccesses.searchaccess.dev"])
def test_every_name_of_the_kind_means_search_accesses_alone(word: str, server: Server) -> None:
    assert server.kubectl("get", word, "-o", "name")[0].split() == ["searchaccess.searchaccess.dev/orders"]
    assert server.kubectl("get", word, "orders", "-o", "name")[0].split() == ["searchaccess.searchaccess.dev/orders"]


@pytest.mark.usefixtures("stored")
@pytest.mark.parametrize("word", ["searchcluster", "searchclusters", "scl"])
def test_every_name_of_the_kind_means_search_clusters_alone(word: str, server: Server) -> None:
    assert server.kubectl("get", word, "-o", "name")[0].split() == ["searchcluster.searchaccess.dev/prod"]


@pytest.mark.usefixtures("stored")
def test_columns_of_search_access_policies(server: Server) -> None:
    header, row = server.table("searchaccesspolicies")
    assert header == ["NAME", "MODE", "ON-VIOLATION", "READY", "ACCESSES", "DENIED", "WOULD-DENY", "AGE"]
    assert row[:-1] == ["limits", "Enforce", "Revoke", "True", "9", "3", "0"]


@pytest.mark.usefixtures("stored")
@pytest.mark.parametrize("word", ["searchaccesspolicy", "searchaccesspolicies", "sap"])
def test_every_name_of_the_kind_means_search_access_policies_alone(word: str, server: Server) -> None:
    assert server.kubectl("get", word, "-o", "name")[0].split() == ["searchaccesspolicy.searchaccess.dev/limits"]


@pytest.mark.usefixtures("stored")
def test_columns_of_search_access_approvals(server: Server) -> None:
    header, row = server.table("searchaccessapprovals")
    assert header == ["NAME", "ACCESS", "GENERATION", "APPROVED-BY", "AGE"]
    assert row[:-1] == ["yes", "orders", "1", "jane"]


@pytest.mark.usefixtures("stored")
@pytest.mark.parametrize("word", ["searchaccessapproval", "searchaccessapprovals", "saa"])
def test_every_name_of_the_kind_means_search_access_approvals_alone(word: str, server: Server) -> None:
    assert server.kubectl("get", word, "-o", "name")[0].split() == ["searchaccessapproval.searchaccess.dev/yes"]


@pytest.mark.usefixtures("stored")
def test_the_category_means_all_kinds(server: Server) -> None:
    names = server.kubectl("get", CATEGORY, "-o", "name")[0].split()
    assert names == [
        "searchaccessapproval.searchaccess.dev/yes",
        "searchaccess.searchaccess.dev/orders",
        "searchaccesspolicy.searchaccess.dev/limits",
        "searchcluster.searchaccess.dev/prod",
    ]


@pytest.mark.usefixtures("stored")
def test_a_status_is_written_apart_from_the_spec(server: Server) -> None:
    before = get(server, "searchaccess", "orders")
    patch(server, "searchaccess", "orders", {"spec": {"suspend": True}, "status": {"access": "r orders"}})
    after = get(server, "searchaccess", "orders")
    assert (after["spec"], after["status"]["access"]) == (before["spec"], "r orders")
    assert after["metadata"]["generation"] == before["metadata"]["generation"] == 1

    server.kubectl("patch", "searchaccess", "orders", "--type=merge", "-p", '{"status": {"access": "M everything"}}')
    assert get(server, "searchaccess", "orders")["status"]["access"] == "r orders"
    patch(server, "searchaccess", "orders", {"status": {"access": "rw orders-* +1"}})


@pytest.mark.usefixtures("stored")
def test_a_status_may_hold_every_condition_and_reason(server: Server) -> None:
    for reason in Reason:
        conditions = [READY | {"type": kind.value, "reason": reason.value} for kind in ConditionType]
        body = {"status": {"conditions": conditions}}
        patch(server, "searchcluster", "prod", body, "--dry-run=server")


@pytest.mark.usefixtures("stored")
def test_a_newer_operator_may_write_conditions_that_this_crd_does_not_know(server: Server) -> None:
    body = {"status": {"conditions": [READY | {"type": "CredentialReady", "reason": "Rotated"}]}}
    patch(server, "searchaccess", "orders", body, "--dry-run=server")


@pytest.mark.usefixtures("stored")
@pytest.mark.parametrize(
    ("change", "says"),
    [
        pytest.param({"status": "Maybe"}, 'supported values: "True", "False", "Unknown"', id="an unknown status"),
        pytest.param({"reason": ""}, "at least 1 chars long", id="an empty reason"),
        pytest.param({"reason": "a" * 317}, "may not be more than 316", id="a reason of 317 characters"),
        pytest.param({"type": "a" * 317}, "may not be more than 316", id="a type of 317 characters"),
        pytest.param({"message": "a" * 32769}, "may not be more than 32768", id="a message of more than 32 KiB"),
        pytest.param({"lastTransitionTime": "now"}, "must be of type date-time", id="a time that is no RFC 3339"),
    ],
)
def test_refuses_a_condition_with(change: dict[str, str], says: str, server: Server) -> None:
    with pytest.raises(KubectlError, match=re.escape(says)):
        patch(server, "searchaccess", "orders", {"status": {"conditions": [READY | change]}}, "--dry-run=server")


@pytest.mark.usefixtures("stored")
def test_refuses_two_conditions_of_one_type_and_more_than_ten_differences(server: Server) -> None:
    item = {"object": "o", "path": "p", "want": "w", "have": "h", "firstSeen": NOW, "action": "Reported"}
    for status, says in (
        ({"conditions": [READY, READY]}, "Duplicate value"),
        ({"drift": {"open": 11, "items": [item] * 11}}, "at most 10 items"),
    ):
        with pytest.raises(KubectlError, match=says):
            patch(server, "searchaccess", "orders", {"status": status}, "--dry-run=server")


def test_kubectl_explain_shows_what_the_actions_are(server: Server) -> None:
    text = " ".join(server.kubectl("explain", "sacc.spec.grants.can")[0].split())
    for action in Action:
        assert f"`{action}`: {action.allows}." in text
