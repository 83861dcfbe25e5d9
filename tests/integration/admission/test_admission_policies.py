"""ValidatingAdmissionPolicies that are generated from SearchAccessPolicies, on a real API server.

They may let pass what the operator refuses. They never refuse what it accepts.
"""

import json
from collections.abc import Iterator, Mapping
from copy import deepcopy
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from random import Random
from typing import Any, Final

import pytest

from searchaccess.api.constants import ANNOTATION_ADOPT
from searchaccess.core.answers.admission.objects import generated
from searchaccess.core.model.parsing import access_from_object
from searchaccess.core.model.verdict import PolicyVerdict
from searchaccess.core.policy.guardrails.policy import Policy, policy_from_object
from searchaccess.core.policy.guardrails.verdicts import Guardrails, Question
from tests.stack.kubernetes import KubernetesServers
from tests.support.operatorprocess import ROOT
from tests.support.waiting import eventually
from tests.support.worlds.world import access, grant, json_list

POLICIES: Final = 24
ACCESSES: Final = 20
"""Of each policy."""
LABELS: Final = {"team": "shop", "example.com/tier": "production"}
AT_LEAST: Final = 100
"""Refusals, and accepted ones, without which the comparison would say little."""

INDICES: Final = (
    "orders", "orders-1", "orders-*", "orders*", "ord*", "o?ders-*", "*", "*-pii", "orders-pii", "orders-*-pii",
    "logs-?", "logs-eu", "/orders-.*/", ".ds-orders-1", "vap-*", "a.b", "a*b", "größe", "x+y",
)  # fmt: skip
RULED: Final = (*INDICES, "{namespace}-*", "*-{namespace}", "/[^.].*/", "/{namespace}-[0-9]+/", ".*")
ACCOUNTS: Final = (
    "orders@acme-shop.iam.gserviceaccount.com", "orders@acme-bank.iam.gserviceaccount.com",
    "acme-shop@appspot.gserviceaccount.com",
)  # fmt: skip
SUBJECTS: Final[tuple[dict[str, Any], ...]] = (
    {"projects": ["acme-shop"]}, {"projects": ["acme-*"]}, {"locations": ["europe-*"]},
    {"serviceAccounts": ["*@acme-shop.iam.gserviceaccount.com"]}, {"projects": ["{namespace}", "*-bank"]},
    {"projects": ["acme-*"], "locations": ["europe-west1"]}, {"locations": ["us-*"], "serviceAccounts": ["*"]},
)  # fmt: skip
SELECTORS: Final[tuple[dict[str, Any], ...]] = (
    {"matchLabels": {"team": "shop"}}, {"matchLabels": {"team": "bank"}},
    {"matchExpressions": [{"key": "team", "operator": "In", "values": ["shop", "bank"]}]},
    {"matchExpressions": [{"key": "team", "operator": "NotIn", "values": ["bank"]}]},
    {"matchExpressions": [{"key": "example.com/tier", "operator": "Exists"}]},
    {"matchExpressions": [{"key": "example.com/tier", "operator": "DoesNotExist"}]},
)  # fmt: skip
ACTIONS: Final = ("read", "write", "append", "create", "delete", "monitor", "manage")


class Made:
    """Random policies and SearchAccesses, from a seed.

    Args:
        seed: of the random numbers.
    """

    def __init__(self, seed: int) -> None:
        self._random = Random(seed)  # noqa: S311 - no secrets

    def some(self, among: tuple[Any, ...], most: int = 3) -> list[Any]:
        return self._random.sample(among, self._random.randint(1, min(most, len(among))))

    def one(self, *among: Any) -> Any:
        return deepcopy(self._random.choice(among))

    def maybe(self, chance: float = 0.3) -> bool:
        return self._random.random() < chance

    def _parts(self, parts: Mapping[str, Any], chance: float) -> dict[str, Any]:
        return {name: make() for name, make in parts.items() if self.maybe(chance)}

    def policy(self, number: int) -> Policy:
        # Each refuses what asks to adopt, by which it is seen to be active.
        spec: dict[str, Any] = {"limits": {"adopt": False} | self._parts(self._limits(), 0.1)}
        spec |= self._parts(
            {
                "allow": lambda: [self._allowed() for _ in range(self.one(1, 2))],
                "deny": lambda: [self._denied()],
                "subjects": lambda: self.some(SUBJECTS, 3),
                "match": lambda: self._match(number),
            },
            0.25,
        )
        if require := self._parts(self._required(), 0.08):
            spec["require"] = require
        metadata = {"name": f"vap-{number}", "uid": f"uid-{number}", "generation": 1, "resourceVersion": "1"}
        return policy_from_object({"metadata": metadata, "spec": spec})

    def _allowed(self) -> dict[str, Any]:
        rule: dict[str, Any] = {"indices": self.some(RULED), "can": self.some(ACTIONS, 4)}
        return rule | ({"privileges": ["read"]} if self.maybe() else {})

    def _denied(self) -> dict[str, Any]:
        return {"indices": self.some(RULED, 2)} | ({"can": self.some(ACTIONS)} if self.maybe() else {})

    def _match(self, number: int) -> dict[str, Any]:
        # What would leave it out is in SearchAccesses only: its namespace tells whether it is active.
        return self._parts(
            {
                "labels": lambda: self.one(*SELECTORS),
                "clusters": lambda: ["prod"],
                "subjects": lambda: self.some(SUBJECTS, 2),
                "namespaces": lambda: self.one(
                    {"names": [f"vap-{number}"]},
                    {"selector": {"matchLabels": {"team": "shop"}}},
                    {"selector": SELECTORS[3]},
                ),
            },
            0.4,
        ) or {"clusters": ["prod"]}

    def _required(self) -> dict[str, Any]:
        return {
            "fields": lambda: True,
            "where": lambda: True,
            "hiddenFields": lambda: ["customer.email"],
            "auth": lambda: self.some(("IdentityToken", "ApiKey")),
            "rotateEvery": lambda: "48h",
            "annotations": lambda: ["example.com/ticket"],
            "mode": lambda: self.one("Enforce", "Observe"),
            "validUntil": lambda: self.one("8h", "720h"),
            "limits": lambda: self.some_limits(apis=["Search", "Sql"]),
        }

    def some_limits(self, apis: list[str]) -> dict[str, Any]:
        found = self._parts(
            {
                "requestsPerSecond": lambda: self.one(5, 10),
                "burst": lambda: self.one(10, 20),
                "maxBody": lambda: self.one("1Mi", "1024Ki", "1025Ki", "512Ki", "1Gi"),
                "apis": lambda: apis,
            },
            0.6,
        )
        return found or {"maxBody": "1Mi"}

    def _limits(self) -> dict[str, Any]:
        return {
            "grants": lambda: self.one(0, 1),
            "patterns": lambda: self.one(1, 2),
            "literalPrefix": lambda: self.one(1, 4, 6),
            "regularExpressions": lambda: False,
            "privileges": lambda: False,
            "clusterCan": lambda: self.one([], ["monitor"]),
            "remoteClusters": lambda: self.one([], ["eu-*"], ["eu", "us-*"]),
            "kibana": lambda: False,
            "deletionPolicies": lambda: self.one(["Delete"], ["Delete", "Disable"]),
            "secretStores": lambda: self.one([], ["main"]),
            "secretNames": lambda: self.one(["{namespace}-*"], ["orders*", "a.b"]),
        }

    def access(self, namespace: str, name: str) -> dict[str, Any]:
        metadata: dict[str, Any] = {"namespace": namespace, "name": name}
        if self.maybe():
            metadata["labels"] = self.one({"team": "shop"}, {"team": "bank", "example.com/tier": "x"})
        if self.maybe():
            metadata["annotations"] = self.one(
                {"example.com/ticket": "1"}, {"example.com/ticket": " "}, {ANNOTATION_ADOPT: "role@0"}
            )
        spec: dict[str, Any] = {"cluster": self.one("prod", "prod", "other"), "subject": self._subject()}
        spec["grants"] = [self._grant() for _ in range(self.one(1, 1, 2))]
        spec |= self._parts(
            {
                "clusterCan": lambda: ["monitor"],
                "kibana": lambda: [{"spaces": ["*"], "base": "all"}],
                "mode": lambda: "Observe",
                "deletionPolicy": lambda: "Disable",
                "validUntil": lambda: self.one("2030-01-01T08:00:00Z", "2030-01-01T08:00:01.5Z"),
            },
            0.15,
        )
        if "validUntil" in spec and self.maybe(0.7):
            spec["validFrom"] = "2030-01-01T00:00:00Z"
        if self.maybe(0.5):
            spec["limits"] = self.some_limits(apis=self.some(("Search", "Sql", "Bulk")))
            if "requestsPerSecond" not in spec["limits"]:
                spec["limits"].pop("burst", None)
                spec["limits"] = spec["limits"] or {"requestsPerSecond": 10}
        elif self.maybe():
            spec["auth"] = "ApiKey"
            name = self.one("orders", f"{namespace}-key", "a.b")
            spec["credential"] = {"store": self.one("main", "other"), "name": name}
            spec["credential"] |= {"rotateEvery": "48h"} if self.maybe(0.5) else {}
        return {"apiVersion": "searchaccess.dev/v1alpha1", "kind": "SearchAccess", "metadata": metadata, "spec": spec}

    def _subject(self) -> dict[str, Any]:
        if self.maybe(0.6):
            return {"serviceAccount": self.one(*ACCOUNTS)}
        place = {"project": self.one("acme-shop", "acme-bank"), "location": self.one("europe-west1", "us-east1")}
        return {self.one("cloudRunService", "cloudRunJob"): place | {"name": "orders"}}

    def _grant(self) -> dict[str, Any]:
        grant: dict[str, Any] = {"indices": self.some(INDICES, 2)}
        if self.maybe(0.15):
            return grant | {"can": ["read"], "remoteClusters": self.some(("eu", "eu-*", "us-1", "*"), 2)}
        grant["can"] = self.some(ACTIONS, 2)
        if self.maybe(0.2):
            grant["privileges"] = self.some(("read", "view_index_metadata"))
        if "read" in grant["can"] or "privileges" in grant:
            grant |= self._parts(
                {"fields": lambda: self.one({"exclude": ["customer"]}, {"include": ["*"]}),
                 "where": lambda: {"term": {"region": "eu"}}},
                0.4,
            )  # fmt: skip
        return grant


def verdict_of(policy: Policy, raw: Mapping[str, Any]) -> PolicyVerdict:
    now = datetime.now(UTC)
    access = replace(access_from_object(raw), created_at=now.strftime("%Y-%m-%dT%H:%M:%SZ"))
    labels = LABELS | {"kubernetes.io/metadata.name": access.namespace}
    return Guardrails([policy]).judge(Question(access, labels, now))


def namespace_of(name: str) -> dict[str, Any]:
    return {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name, "labels": LABELS}}


def a_stored(name: str, *indices: str, finalizers: tuple[str, ...] = ()) -> dict[str, Any]:
    raw = access(name, grant(*indices), namespace="vap-stored")
    raw["metadata"]["finalizers"] = list(finalizers)
    return raw


STORED: Final = (
    a_stored("good", "orders-1"),
    a_stored("bad", "logs-1"),
    a_stored("ending", "logs-1", finalizers=("example.com/hold",)),
)
"""Stored before the policies are active."""
ONLY_ORDERS: Final = policy_from_object(
    {
        "metadata": {"name": "vap-stored", "uid": "uid-stored"},
        "spec": {
            "allow": [{"indices": ["orders-*"], "can": ["read"]}],
            "limits": {"adopt": False},
            "require": {"validUntil": "8h"},
        },
    }
)


class Site:
    """An API server with a policy in each of some namespaces.

    Args:
        servers: the API server.
        policies: the policies, each for the namespace of its name.
    """

    def __init__(self, servers: KubernetesServers, policies: list[Policy]) -> None:
        self.kubectl = servers.run_kubectl
        self.policies = {policy.name: policy for policy in policies}

    def apply(self) -> None:
        objects = [namespace_of(name) for name in self.policies]
        self.kubectl("create", "-f", "-", input=json_list([*objects, *STORED]))
        objects = []
        for name, policy in self.policies.items():
            definition, binding = generated(policy).objects
            selector = {"matchLabels": {"kubernetes.io/metadata.name": name}}
            # Otherwise an expression that cannot be evaluated would not be seen.
            definition["spec"]["failurePolicy"] = "Fail"
            binding["spec"]["matchResources"] = {"namespaceSelector": selector}
            objects += [definition, binding]
        self.kubectl("create", "-f", "-", input=json_list(objects))

    def delete(self) -> None:
        labels = "app.kubernetes.io/managed-by=searchaccess"
        self.kubectl(
            "delete", "validatingadmissionpolicies,validatingadmissionpolicybindings", "-l", labels, "--wait=false"
        )
        self.kubectl("delete", "searchaccess", "--all", "-n", "vap-stored", "--wait=false")
        self.kubectl("delete", "namespace", *self.policies, "--wait=false")

    def refused(self, *objects: dict[str, Any]) -> dict[str, str]:
        """Return what is said of those that a policy refuses, by name; any other error is a fault of the test."""
        done = self.kubectl("create", "--dry-run=server", "-f", "-", input=json_list(list(objects)), check=False)
        found = {}
        for line in filter(None, done.stderr.splitlines()):
            if line.startswith("Warning"):
                continue
            assert "denied request: SearchAccessPolicy" in line, line
            found[line.split('searchaccesses.searchaccess.dev "')[1].split('"')[0]] = line
        assert done.stdout.count("created") + len(found) == len(objects)
        return found


def probe(namespace: str) -> dict[str, Any]:
    """Return a SearchAccess that each policy refuses wherever it applies."""
    raw = Made(0).access(namespace, f"{namespace}-probe")
    raw["metadata"] |= {"annotations": {ANNOTATION_ADOPT: "role@0"}, "labels": LABELS}
    return raw


def refuses_for_certain(policy: Policy, raw: Mapping[str, Any]) -> bool:
    by_subject = policy.spec is not None and policy.spec.match is not None and policy.spec.match.subjects
    return not by_subject and verdict_of(policy, raw).refused


@pytest.fixture(scope="module")
def site(kubernetes_servers: KubernetesServers) -> Iterator[Site]:
    kubernetes_servers.install_kinds(ROOT / "crds")
    made = Made(53)
    site = Site(kubernetes_servers, [*(made.policy(number) for number in range(POLICIES)), ONLY_ORDERS])
    assert not [policy.invalid for policy in site.policies.values() if policy.invalid]
    site.apply()
    certain = [probe(name) for name, policy in site.policies.items() if refuses_for_certain(policy, probe(name))]
    assert len(certain) > POLICIES / 3
    eventually(
        lambda: len(site.refused(*certain)) == len(certain), within=60, every=0.5, what="all policies are active"
    )
    yield site
    site.delete()


def test_nothing_is_refused_that_the_operator_accepts(site: Site) -> None:
    made = Made(54)
    accesses = {
        raw["metadata"]["name"]: raw
        for name in site.policies
        for raw in (made.access(name, f"{name}-{number}") for number in range(ACCESSES))
    }
    by_operator = {
        name: verdict
        for name, raw in accesses.items()
        if (verdict := verdict_of(site.policies[raw["metadata"]["namespace"]], raw)).refused or verdict.unknown
    }
    valid = [raw for raw in accesses.values() if not access_from_object(raw).invalid]
    by_server = site.refused(*valid)
    false = {name: (said, json.dumps(accesses[name])) for name, said in by_server.items() if name not in by_operator}
    assert false == {}
    assert len(by_server) >= AT_LEAST
    assert len(valid) - len(by_operator) >= AT_LEAST


def patched(site: Site, name: str, patch: Mapping[str, Any]) -> str:
    """Return why a change of a stored SearchAccess is refused; empty: it is not."""
    where = ("searchaccess", name, "-n", "vap-stored", "--type=merge", "--dry-run=server", "-p", json.dumps(patch))
    done = site.kubectl("patch", *where, check=False)
    assert not done.returncode or "denied request: SearchAccessPolicy vap-stored: " in done.stderr, done.stderr
    return done.stderr


def reads(*indices: str) -> dict[str, Any]:
    return {"spec": {"grants": [grant(*indices)]}}


def test_what_violates_a_policy_already_can_still_be_changed_and_deleted(site: Site) -> None:
    for patch in (
        {"metadata": {"labels": {"a": "b"}, "annotations": {"a": "b"}, "finalizers": ["example.com/hold"]}},
        {"spec": {"suspend": True}},
        reads("logs-2"),
    ):
        assert not patched(site, "bad", patch)
    assert "adopt is not accepted" in patched(site, "bad", {"metadata": {"annotations": {ANNOTATION_ADOPT: "role@0"}}})
    site.kubectl("delete", "searchaccess", "ending", "-n", "vap-stored", "--wait=false")
    assert not patched(site, "ending", {"metadata": {"finalizers": []}})


def test_what_satisfies_a_rule_may_not_violate_it(site: Site) -> None:
    assert "only orders-* are allowed" in patched(site, "good", reads("logs-1"))
    assert not patched(site, "good", reads("orders-2"))
    # Without an end it violates that rule already.
    assert not patched(site, "good", {"spec": {"validUntil": "2099-01-01T00:00:00Z"}})


def test_an_end_counts_from_the_creation_that_the_api_server_sets(site: Site) -> None:
    soon = datetime.now(UTC) + timedelta(hours=7)
    for name, until, says in (
        ("a", soon, ""),
        ("b", soon + timedelta(hours=2), "at most 8h after"),
        ("c", None, "required"),
    ):
        raw = a_stored(name, "orders-1")
        raw["spec"] |= {"validUntil": until.strftime("%Y-%m-%dT%H:%M:%SZ")} if until else {}
        assert says in (said := site.refused(raw).get(name, ""))
        assert bool(said) is bool(says)
