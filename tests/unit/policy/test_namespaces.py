"""Whose SearchAccesses a SearchCluster takes."""

from collections.abc import Mapping
from typing import Any

import pytest

from searchaccess.api.clusters.namespaces import AllowedNamespaces, LabelSelector
from searchaccess.core.model.admission import Admission
from searchaccess.core.policy.namespaces import admit, needs_labels, selects

ALLOWED, REFUSED, UNKNOWN = Admission.ALLOWED, Admission.REFUSED, Admission.UNKNOWN
SHOP = {"team": "shop", "env": "prod"}


def allowed(**changes: Any) -> AllowedNamespaces:
    return AllowedNamespaces.model_validate(changes)


LABELED = {"selector": {"matchLabels": {"team": "shop"}}}
ADMISSIONS: list[tuple[str, AllowedNamespaces | None, Mapping[str, str] | None, Admission]] = [
    ("everybody", None, None, ALLOWED),
    ("by name", allowed(names=["a", "shop"]), None, ALLOWED),
    ("another name", allowed(names=["shop-2", "sho"]), SHOP, REFUSED),
    ("by label", allowed(**LABELED), SHOP, ALLOWED),
    ("another label", allowed(**LABELED), {"team": "billing"}, REFUSED),
    ("no label", allowed(**LABELED), {}, REFUSED),
    ("labels that are not known", allowed(**LABELED), None, UNKNOWN),
    ("by name, whatever its labels", allowed(names=["shop"], **LABELED), None, ALLOWED),
    ("by label, whatever its name", allowed(names=["other"], **LABELED), SHOP, ALLOWED),
    ("by neither", allowed(names=["other"], **LABELED), {}, REFUSED),
]


@pytest.mark.parametrize(
    ("what", "labels", "admission"), [case[1:] for case in ADMISSIONS], ids=[case[0] for case in ADMISSIONS]
)
def test_a_namespace_is(what: AllowedNamespaces | None, labels: Mapping[str, str] | None, admission: Admission) -> None:
    assert admit(what, "shop", labels) is admission


def test_labels_are_needed_only_for_a_selector() -> None:
    assert [needs_labels(what) for what in (None, allowed(names=["a"]), allowed(**LABELED))] == [False, False, True]


def _by(key: str, operator: str, *values: str) -> dict[str, Any]:
    requirement: dict[str, Any] = {"key": key, "operator": operator}
    return {"matchExpressions": [requirement | ({"values": list(values)} if values else {})]}


SELECTIONS: list[tuple[dict[str, Any], bool]] = [
    ({"matchLabels": {"team": "shop", "env": "prod"}}, True),
    ({"matchLabels": {"team": "shop", "env": "test"}}, False),
    (_by("team", "In", "billing", "shop"), True),
    (_by("team", "In", "billing"), False),
    (_by("size", "In", ""), False),
    (_by("team", "NotIn", "billing"), True),
    (_by("team", "NotIn", "shop"), False),
    (_by("size", "NotIn", "large"), True),
    (_by("team", "Exists"), True),
    (_by("size", "Exists"), False),
    (_by("team", "DoesNotExist"), False),
    (_by("size", "DoesNotExist"), True),
    ({"matchLabels": {"team": "shop"}, **_by("env", "In", "test")}, False),
    ({"matchLabels": {"team": "shop"}, **_by("env", "In", "prod")}, True),
]


@pytest.mark.parametrize(("selector", "chosen"), SELECTIONS, ids=[str(case[0]) for case in SELECTIONS])
def test_a_selector_means_what_it_means_in_kubernetes(selector: dict[str, Any], *, chosen: bool) -> None:
    assert selects(LabelSelector.model_validate(selector), SHOP) is chosen


@pytest.mark.parametrize(
    "what",
    [
        {},
        {"selector": {}},
        {"selector": {"matchLabels": {}}},
        {"selector": _by("team", "In")},
        {"selector": _by("team", "Exists", "x")},
    ],
)
def test_what_does_not_say_which_is_refused(what: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r"set names, selector|empty selector|values|at least 1 item"):
        AllowedNamespaces.model_validate(what)
