"""Generates role mappings and roles of others, and what is declared, all of which a real Elasticsearch accepts."""

from collections.abc import Mapping
from random import Random
from typing import Any, Final

from searchaccess.core.model.access import Access
from tests.support.worlds.world import account
from tests.unit.builders import a_grant, an_access

INDICES: Final = ("excl-a1", "excl-a2", "excl-b1")
DOCUMENTS: Final[list[dict[str, Any]]] = [
    {"region": "eu", "tier": "gold", "customer": {"name": "ada", "ssn": "s-1"}},
    {"region": "us", "tier": "iron", "customer": {"name": "bob", "ssn": "s-2"}},
    # Of this one, no query of a grant shows anything.
    {"region": "asia", "tier": "iron", "customer": {"name": "cyd", "ssn": "s-3"}},
]
_KEYWORD: Final = {"type": "keyword"}
FIELDS: Final = {
    "region": _KEYWORD,
    "tier": _KEYWORD,
    "customer": {"properties": {"name": _KEYWORD, "ssn": _KEYWORD}},
}
_PATTERNS: Final = ("excl-*", "excl-a*", "excl-a1", "excl-?1", "/excl-[ab]1/", "/excl-~(a.*)/", "excl-b1")
_WHERE: Final[tuple[dict[str, Any], ...]] = (
    {},
    {},
    {"where": {"term": {"region": "eu"}}},
    {"where": {"term": {"region": "us"}}},
)
_SHOWN: Final[tuple[dict[str, Any], ...]] = (
    {},
    {},
    {"fields": {"include": ["region"]}},
    {"fields": {"include": ["region", "customer.*"]}},
    {"fields": {"exclude": ["customer.ssn"]}},
)
_CAN: Final = (("write",), ("append",), ("delete",), ("monitor",), ("manage",), ("monitor", "write"))
_CLUSTER: Final = ((), (), ("monitor",), ("read_ilm",))
_ONLY_FOREIGN: Final = ((), (), ("monitor",), ("monitor_ml",), ("manage_own_api_key",))
CLUSTER_PRIVILEGES: Final = ("manage_own_api_key", "monitor", "monitor_ml", "read_ilm")

ASKED: Final[tuple[dict[str, Any], ...]] = (
    {
        # One of each kind that the patterns above distinguish; patterns would take Elasticsearch seconds.
        "names": ["excl-a1", "excl-a2", "excl-b1", "excl-b2", "excl-c1", "logs-1"],
        "privileges": [
            "create", "create_doc", "delete", "index", "maintenance", "manage", "monitor", "read",
            "view_index_metadata", "write",
        ],
    },
    {"names": [".security"], "privileges": ["monitor"], "allow_restricted_indices": True},
)  # fmt: skip
"""Which rights each caller is asked about."""


def principal(number: int) -> str:
    """Return the name of a caller."""
    return account(f"svc-{number:03}")


def declared(random: Random) -> Access:
    """Return a SearchAccess whose grants do not widen each other."""
    while True:
        grants = [_grant(random) for _ in range(random.randint(1, 3))]
        access = an_access(grants=grants, clusterCan=list(random.choice(_CLUSTER)))
        if not access.widens and not access.invalid:
            return access


def role(random: Random) -> dict[str, Any]:
    """Return a role as a PUT takes it: like a SearchAccess's, what none declares, or little of what many declare."""
    if random.random() < 0.3:
        little = a_grant("excl-a1", where={"term": {"region": "eu"}}, fields={"include": ["region"]})
        return an_access(grants=[little]).share.body.to_json()
    share = an_access(grants=[_grant(random) for _ in range(random.randint(1, 2))]).share
    body = share.body.to_json()
    if random.random() < 0.2:
        body["indices"].append({"names": ["*"], "privileges": ["monitor"], "allow_restricted_indices": True})
    return {**body, "cluster": list(random.choice(_ONLY_FOREIGN))}


def _grant(random: Random) -> dict[str, Any]:
    names = random.sample(_PATTERNS, random.randint(1, 2))
    if random.random() < 0.4:
        return a_grant(*names, can=random.choice(_CAN))
    return a_grant(*names, **random.choice(_WHERE), **random.choice(_SHOWN))


def rules(random: Random, numbers: int) -> dict[str, Any]:
    """Return rules of a role mapping, often about some of the callers.

    Args:
        random: decides.
        numbers: how many callers there are.
    """
    about = _names(random, numbers)
    kind = random.randint(0, 5)
    if kind == 0:
        return about
    if kind == 1:
        return {"any": [about, _names(random, numbers), _rarely(random)]}
    if kind == 2:
        return {"all": [about, {"except": _names(random, numbers)}]}
    if kind == 3:
        return {"all": [about, _often(random), {"except": _rarely(random)}]}
    if kind == 4:
        return {"all": [{"any": [about, _rarely(random)]}, _often(random)]}
    return {"all": [about, {"except": {"any": [_rarely(random), {"all": [_often(random), _names(random, numbers)]}]}}]}


def _names(random: Random, numbers: int) -> dict[str, Any]:
    one, two = principal(random.randrange(numbers)), principal(random.randrange(numbers))
    tens = f"{random.randrange(numbers // 10):02}"
    wanted: Any = random.choice(
        (
            one,
            [one, two, 7, None],
            one.upper(),
            f"svc-{tens}?@*",
            f"*-{tens}*",
            one.replace("svc", "sv?"),
            f"/svc-{tens}[0-4]@.*/",
            f"/svc-{tens}(1|3)@[a-z.\\-]+/",
            [f"/svc-{tens}<1-3>@.*/", two],
            f"/~((svc-[0-9]+|exclusive.*)@.*)|svc-{tens}5.*/",
            "/svc/",
        )
    )
    return {"field": {random.choice(("username", "metadata.jwt_claim_email")): wanted}}


def _often(random: Random) -> dict[str, Any]:
    return random.choice(
        (
            {"field": {"realm.name": "google"}},
            {"field": {"realm.name": ["ldap1", "goo*"]}},
            {"field": {"dn": None}},
            {"field": {"metadata.department": None}},
            {"field": {"metadata.jwt_claim_iss": "https://accounts.*"}},
            {"field": {"metadata.jwt_claim_azp": "1*"}},
        )
    )


def _rarely(random: Random) -> dict[str, Any]:
    return random.choice(
        (
            {"field": {"realm.name": "ldap1"}},
            {"field": {"groups": ["*", None]}},
            {"field": {"dn": "*,dc=acme"}},
            {"field": {"metadata.department": ["sales", 7, True]}},
            {"field": {"metadata.jwt_claim_iss": False}},
        )
    )


def given(random: Random, roles: Mapping[str, Any]) -> dict[str, Any]:
    """Return which roles a role mapping gives: by name, or by templates."""
    names = random.sample(sorted(roles), random.randint(1, 2))
    if random.random() < 0.8:
        return {"roles": names}
    templates = [
        {"template": {"source": "excl-of-{{username}}"}},
        {"format": "json", "template": {"source": f'["{names[0]}", "excl-{{{{realm.name}}}}"]'}},
    ]
    return {"role_templates": templates}
