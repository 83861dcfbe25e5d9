"""What the API server takes and refuses of a SearchAccessPolicy, as sentences."""

from collections.abc import Callable, Iterator
from copy import deepcopy
from typing import Any

from searchaccess.api.crd import custom_resource_definitions
from searchaccess.api.vocabulary.actions import Action
from searchaccess.api.vocabulary.privileges import DECLARABLE_ON_CLUSTER, REFUSED_ON_INDICES
from tests.integration.kinds.cases.common import Cases, numbered

_SUBJECT = {
    "projects": ["acme-{namespace}"],
    "locations": ["europe-*"],
    "serviceAccounts": ["*@acme-{namespace}.iam.gserviceaccount.com"],
}
_SELECTOR = {
    "matchLabels": {"team": "shop"},
    "matchExpressions": [{"key": "tier", "operator": "In", "values": ["production"]}],
}

EVERYTHING: dict[str, Any] = {
    "match": {
        "namespaces": {"names": ["shop"], "selector": _SELECTOR},
        "clusters": ["prod"],
        "subjects": [_SUBJECT],
        "labels": _SELECTOR,
    },
    "mode": "Audit",
    "onViolation": "Keep",
    "allow": [{"indices": ["{namespace}-*"], "can": ["read"], "privileges": ["read"]}],
    "deny": [{"indices": ["{namespace}-secret"], "can": ["read"]}],
    "subjects": [_SUBJECT],
    "require": {
        "fields": True,
        "hiddenFields": ["customer.email"],
        "where": True,
        "auth": ["IdentityToken"],
        "rotateEvery": "720h",
        "annotations": ["example.com/ticket"],
        "mode": "Enforce",
        "validUntil": "8h",
        "approval": {
            "by": {"users": ["jane@example.com"], "groups": ["leads"]},
            "within": "1h",
            "for": "8h",
            "breakGlass": {"for": "1h"},
        },
        "limits": {"requestsPerSecond": 10, "burst": 20, "maxBody": "1Mi", "apis": ["Search"]},
    },
    "limits": {
        "grants": 10,
        "patterns": 20,
        "literalPrefix": 4,
        "regularExpressions": False,
        "privileges": False,
        "clusterCan": ["monitor"],
        "remoteClusters": ["eu-*"],
        "kibana": False,
        "deletionPolicies": ["Delete"],
        "adopt": False,
        "secretStores": ["main"],
        "secretNames": ["{namespace}-*"],
    },
    "exceptions": [
        {"namespace": "shop", "name": "orders", "reason": "migration", "until": "2027-01-31T00:00:00Z"},
    ],
}
"""A valid spec with all fields, and one item in each list."""

APPROVAL: dict[str, Any] = {
    "name": "orders",
    "uid": "4c3f5d2e-7a51-4b0e-9d0a-2f6f5f0c1b7e",
    "generation": 1,
    "approvedBy": {"username": "jane@example.com", "groups": ["leads"]},
    "reason": "CHG-1234",
}
"""The same of a SearchAccessApproval."""

Steps = tuple[str | int, ...]


def reject_policies(cases: Cases) -> None:
    """Every CEL rule and every limit of the schema, broken."""
    kind = custom_resource_definitions()["searchaccesspolicies"]
    schema = kind["spec"]["versions"][0]["schema"]["openAPIV3Schema"]["properties"]["spec"]
    for path, wrong in _beyond_limits(schema, EVERYTHING, ()):
        cases.policy(f"{'.'.join(map(str, path))}: {str(wrong)[:40]}", _with(path, wrong), "spec")
    _reject_parts(cases)
    _reject_texts(cases)
    cases.cluster(
        "a misspelt word for what no policy applies to",
        {"policies": {"unmatched": "Refuse"}},
        'supported values: "Allow", "Deny"',
    )


def _reject_parts(cases: Cases) -> None:
    nothing = {"match": EVERYTHING["match"], "limits": None}
    cases.policy("a policy that says nothing", nothing, "at least one of allow, deny, subjects, require and limits")
    cases.policy("a match of nothing", {"match": {}}, "say which SearchAccesses: at least one of namespaces, clusters")
    cases.policy("namespaces that name none", {"match": {"namespaces": {}}}, "set names, selector or")
    for selector in ({}, {"matchExpressions": None}):
        cases.policy(f"labels: {selector}", {"match": {"labels": selector}}, "an empty selector would")
    exists = {"matchExpressions": [{"key": "a", "operator": "Exists", "values": ["b"]}]}
    cases.policy("a value that exists", {"match": {"labels": exists}}, "In and NotIn need values")
    nobody: tuple[dict[str, Any], ...] = ({"subjects": [{}]}, {"match": {"subjects": [{}]}})
    for place in nobody:
        cases.policy(f"nobody: {place}", place, "say who: at least one of projects, locations and serviceAccounts")
    _reject_approvals(cases)
    rule = {"allow": [{"indices": ["a"]}]}
    cases.policy("indices on which nothing is allowed", rule, "say what is allowed: can: [read]")


def _reject_approvals(cases: Cases) -> None:
    nobody = _with(("require", "approval", "by"), {})
    cases.policy("an approval by nobody", nobody, "say who may approve: at least one of users and groups")
    for field, time, says in (
        ("within", "59s", "between 1m and 8760h"), ("within", "1d", "between 1m and 8760h"),
        ("for", "59s", "between 1m and 8760h"), ("for", "8761h", "between 1m and 8760h"),
    ):  # fmt: skip
        cases.policy(f"an approval {field} {time}", _with(("require", "approval", field), time), says)
    for time in ("59s", "25h"):
        place = ("require", "approval", "breakGlass", "for")
        cases.policy(f"break-glass for {time}", _with(place, time), "between 1m and 24h")
    kind = custom_resource_definitions()["searchaccessapprovals"]
    schema = kind["spec"]["versions"][0]["schema"]["openAPIV3Schema"]["properties"]["spec"]
    for path, wrong in _beyond_limits(schema, APPROVAL, ()):
        sentence = f"approval: {'.'.join(map(str, path))}: {str(wrong)[:40]}"
        cases.approval(sentence, _with(path, wrong, APPROVAL), "spec")


def _reject_texts(cases: Cases) -> None:
    names = "write a name, or a wildcard such as acme-*"
    for field in _SUBJECT:
        for text in ("Acme", "a b", "a,b", "a\n", "größe", "/a/"):
            cases.policy(f"{field}: {text!r}", {"subjects": [{field: [text]}]}, names)
    cases.policy("the secret name a/b", {"limits": {"secretNames": ["a/b"]}}, names)
    for store in ("Main", "-main", "a b"):
        cases.policy(f"the store {store}", {"limits": {"secretStores": [store]}}, "one of the SearchCluster's")
    cases.policy("remote clusters e*u", {"limits": {"remoteClusters": ["e*u"]}}, "write the name of a remote cluster")
    for time in ("9m", "8761h", "1d", "720"):
        cases.policy(f"rotateEvery: {time}", {"require": {"rotateEvery": time}}, "write a duration between 10m and")
    for time in ("30s", "8761h", "1d", "8"):
        cases.policy(f"validUntil: {time}", {"require": {"validUntil": time}}, "write a duration between 1m and")
    cases.policy("an end that is no time", _with(("exceptions", 0, "until"), "tomorrow"), "must be of type date-time")
    for pattern, says in (
        ("Orders-*", "index names are lower case"), ("a,b", "an index name cannot contain"),
        ("-orders", "an index name cannot start with"), ("..", "an index cannot be named . or .."),
        ("/orders", "a regular expression is enclosed in slashes"), ("a\\*", "an index name cannot contain"),
    ):  # fmt: skip
        for part in ("allow", "deny"):
            rule = {"indices": [pattern], "can": ["read"]}
            cases.policy(f"{part} on {pattern}", {part: [rule]}, says)
    for privilege in ("Read", "*", *REFUSED_ON_INDICES):
        says = (
            "for API keys of other clusters" if privilege in REFUSED_ON_INDICES else "write the name of an index priv"
        )
        cases.policy(f"the privilege {privilege}", {"allow": [{"indices": ["a"], "privileges": [privilege]}]}, says)


def accept_policies(cases: Cases) -> None:
    """What must be taken: the usual, and everything at its limit."""
    cases.policy("the smallest", {})
    cases.policy("everything set", EVERYTHING)
    cases.policy("no cluster privilege, store and remote cluster at all",
                 {"limits": {"clusterCan": [], "secretStores": [], "remoteClusters": []}})  # fmt: skip
    rule = {"indices": numbered(100, 255), "can": [action.value for action in Action]}
    rule |= {"privileges": [f"a{'b' * number}" for number in range(30)]}
    cases.policy("50 lists of 100 patterns of 255 characters", {"allow": [rule] * 50})
    denied = {"indices": numbered(100, 255), "can": rule["can"]}
    cases.policy("50 lists of 100 patterns of 255 characters denied", {"deny": [denied] * 50})
    who = {field: numbered(50, 254) for field in _SUBJECT}
    cases.policy("50 subjects of 50 names", {"subjects": [who] * 50})
    cases.policy("a match of 20 subjects of 50 names", {"match": {"subjects": [who] * 20}})
    until = EVERYTHING["exceptions"][0]["until"]
    exceptions = [{"namespace": "a" * 63, "name": "a" * 253, "reason": "a" * 500, "until": until} for _ in range(100)]
    cases.policy("100 exceptions", {"exceptions": exceptions})
    cases.policy("every cluster privilege", {"limits": {"clusterCan": list(DECLARABLE_ON_CLUSTER)}})
    cases.policy("regular expressions", {"allow": [{"indices": ["/{namespace}-[0-9]+/"], "can": ["read"]}]})
    cases.approval("an approval", {})
    groups = {"username": "a" * 256, "groups": numbered(100, 256)}
    cases.approval("an approval at its limits", {"name": "a" * 253, "approvedBy": groups, "reason": "a" * 500})
    for word in ("Allow", "Deny"):
        cases.cluster(f"unmatched: {word}", {"policies": {"unmatched": word}})


def _with(path: Steps, value: Any, spec: dict[str, Any] = EVERYTHING) -> dict[str, Any]:
    """Return the changed top-level field of a spec in which something is replaced; `...` takes it away."""
    changed = deepcopy(spec)
    place: Any = changed
    for step in path[:-1]:
        place = place[step]
    if value is ...:
        del place[path[-1]]
    else:
        place[path[-1]] = value
    top = str(path[0])
    return {top: changed.get(top)}


def _beyond_limits(schema: dict[str, Any], value: Any, path: Steps) -> Iterator[tuple[Steps, Any]]:
    """Yield where to write what instead so that one limit of a schema is broken, for each limit.

    Args:
        schema: of the value.
        value: what a valid spec has there, with all fields and an item in each list.
        path: where that is.
    """
    wrong: dict[str, Callable[[Any], Any]] = {
        "minLength": lambda least: "a" * (least - 1),
        "maxLength": lambda most: "a" * (most + 1),
        "minItems": lambda least: value[: least - 1],
        "maxItems": lambda most: value * (most + 1),
        "minProperties": lambda least: dict.fromkeys(numbered(least - 1), "x"),
        "maxProperties": lambda most: dict.fromkeys(numbered(most + 1), "x"),
        "minimum": lambda least: least - 1,
        "maximum": lambda most: most + 1,
        "enum": lambda _: "Other",
    }
    yield from ((path, make(schema[keyword])) for keyword, make in wrong.items() if keyword in schema)
    if schema.get("x-kubernetes-list-type") == "set":
        yield path, value * 2
    yield from (((*path, name), ...) for name in schema.get("required", ()))
    for name, part in schema.get("properties", {}).items():
        yield from _beyond_limits(part, value[name], (*path, name))
    if "items" in schema:
        yield from _beyond_limits(schema["items"], value[0], (*path, 0))
