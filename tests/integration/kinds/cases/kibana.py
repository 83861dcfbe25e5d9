"""What the API server takes and refuses of rights in Kibana."""

from typing import Any

from tests.integration.kinds.cases.common import Cases, numbered

_EITHER = "set either base, for every feature, or features"
_FEATURE = "write a feature's ID as GET /api/features of Kibana shows it"


def _kibana(**changes: Any) -> dict[str, Any]:
    grant = {"spaces": ["default"], "features": {"discover": "read"}} | changes
    return {"kibana": [{key: value for key, value in grant.items() if value is not None}]}


def reject_kibana(cases: Cases) -> None:
    cases.access("rights in Kibana without a space", _kibana(spaces=None), "Required value")
    cases.access("rights in Kibana in no space", _kibana(spaces=[]), "should have at least 1 items")
    cases.access("rights in Kibana in 51 spaces", _kibana(spaces=numbered(51)), "at most 50 items")
    cases.access("rights in Kibana in a space twice", _kibana(spaces=["a", "a"]), 'Duplicate value: "a"')
    cases.access("a space without a name", _kibana(spaces=[""]), "should be at least 1 chars long")
    cases.access("a space of 101 characters", _kibana(spaces=["a" * 101]), "may not be more than 100")
    for space in ("Sales", "sales-*", "space:sales", "a b", "**"):
        cases.access(f"the space {space}", _kibana(spaces=[space]), "write the space's ID as in Kibana's address")
    cases.access("every space and one", _kibana(spaces=["*", "sales"]), "* matches every space: write it alone")
    cases.access("neither base nor features", _kibana(features=None), _EITHER)
    cases.access("empty features", _kibana(features={}), _EITHER)
    cases.access("base and features", _kibana(base="read"), _EITHER)
    cases.access("another base", _kibana(base="write", features=None), 'supported values: "read", "all"')
    cases.access("another level", _kibana(features={"discover": "write"}), 'supported values: "read", "all"')
    for name in ("feature_discover.read", "*", "a b", "größe", "a" * 101):
        cases.access(f"the feature {name}", _kibana(features={name: "read"}), _FEATURE)
    many = dict.fromkeys(numbered(101), "read")
    cases.access("101 features", _kibana(features=many), "must have at most 100 items")
    cases.access("21 grants in Kibana", {"kibana": _kibana()["kibana"] * 21}, "at most 20 items")


def accept_kibana(cases: Cases) -> None:
    cases.access("rights in Kibana", _kibana(spaces=["default", "sales_eu-1"]))
    cases.access("rights in every space of Kibana", _kibana(spaces=["*"], base="all", features=None))
    cases.access("rights in Kibana alone", {"grants": None} | _kibana())
    full = {"spaces": numbered(50, 100), "features": dict.fromkeys(numbered(100, 100), "all")}
    cases.access("20 grants of 100 features in 50 spaces", {"kibana": [full] * 20})
