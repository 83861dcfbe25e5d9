"""What follows from what Google says, and from what a status says."""

from dataclasses import replace
from typing import Any

import pytest

from searchaccess.api.searchcluster import PrincipalClaim
from searchaccess.api.status import SearchAccessStatus
from searchaccess.core.model.identity import UNTRIED, Identity, State, is_settled, missing, recall, unknown, users_of
from searchaccess.core.model.workload import Account, Found, Place, Serving, Workload, WorkloadKind

WORKLOAD = Workload(Place("acme-shop", "europe-west1", WorkloadKind.SERVICE), "orders")
ORDERS = "orders@acme-shop.iam.gserviceaccount.com"
OTHER = "other@acme-shop.iam.gserviceaccount.com"
ID = "1" * 21
KNOWN = Identity((Account(ORDERS, ID),), State.RESOLVED, confirmed=True)
STATUS: dict[str, Any] = {"workload": WORKLOAD.path, "serviceAccount": ORDERS, "uniqueId": ID}


def test_principals_by_either_claim() -> None:
    identity = Identity((Account(ORDERS, ID), Account(OTHER)))
    assert identity.principals(PrincipalClaim.EMAIL) == (ORDERS, OTHER)
    assert identity.principals(PrincipalClaim.SUB) == (ID,), "whose id is not known is left out"


def test_the_grace_period_begins_when_it_was_first_missing() -> None:
    first = missing(KNOWN, "2026-01-01T10:00:00Z", 60)
    assert (first.accounts, first.missing_since) == (KNOWN.accounts, "2026-01-01T10:00:00Z")
    away = unknown(first, "away")
    assert missing(away, "2026-01-01T10:00:59Z", 60).accounts == KNOWN.accounts
    assert missing(away, "2026-01-01T10:01:00Z", 60).accounts == ()


def test_without_a_grace_period_rights_go_at_once() -> None:
    assert missing(KNOWN, "2026-01-01T10:00:00Z", 0).accounts == ()


SETTLED = Found(WORKLOAD, "uid", ORDERS, latest_created="b", latest_ready="b", serving=(Serving("b", 100),))


@pytest.mark.parametrize(
    ("found", "settled"),
    [
        pytest.param(SETTLED, True, id="the newest serves"),
        pytest.param(replace(SETTLED, reconciling=True), False, id="a newer template is under way"),
        pytest.param(replace(SETTLED, latest_created="c"), False, id="a newer revision does not serve"),
        pytest.param(
            replace(SETTLED, serving=(Serving("a", 1), Serving("b", 99))), False, id="an older one serves too"
        ),
        pytest.param(replace(SETTLED, serving=(Serving("a", tag="x"), Serving("b", 100))), False, id="by a tag"),
        pytest.param(replace(SETTLED, serving=()), True, id="nothing serves"),
    ],
)
def test_whether_all_runs_as_the_template_says(found: Found, *, settled: bool) -> None:
    assert is_settled(found) is settled


def test_a_status_is_recalled_and_is_not_confirmed() -> None:
    status = {"identity": STATUS | {"outgoing": [{"serviceAccount": OTHER}], "missingSince": "2026-01-01T10:00:00Z"}}
    identity = recall(SearchAccessStatus.read(status), WORKLOAD)
    assert identity.accounts == (Account(ORDERS, ID), Account(OTHER))
    assert identity.missing_since == "2026-01-01T10:00:00Z"
    assert (identity.state, identity.confirmed) == (State.RECALLED, False)
    account = SearchAccessStatus.read({"identity": {"serviceAccount": ORDERS, "uniqueId": ID}})
    assert recall(account, ORDERS).accounts == (Account(ORDERS, ID),)


@pytest.mark.parametrize(
    "identity",
    [
        None,
        "text",
        {},
        STATUS | {"workload": "projects/acme-shop/locations/europe-west1/services/else"},
        STATUS | {"serviceAccount": "jane@example.com"},
        STATUS | {"serviceAccount": ["x"]},
    ],
    ids=repr,
)
def test_a_status_of_something_else_says_nothing(identity: Any) -> None:
    assert recall(SearchAccessStatus.read({"identity": identity}), WORKLOAD).accounts == UNTRIED.accounts


@pytest.mark.parametrize(
    "damage",
    [{"uniqueId": "{{evil}}"}, {"uniqueId": 5}, {"outgoing": "x"}, {"outgoing": [1]}, {"missingSince": "soon"}],
)
def test_damaged_parts_of_a_status_are_left_out(damage: dict[str, Any]) -> None:
    identity = recall(SearchAccessStatus.read({"identity": STATUS | damage}), WORKLOAD)
    assert [account.email for account in identity.accounts] == [ORDERS]
    assert identity.accounts[0].unique_id in {"", ID}
    assert identity.missing_since == ""


def test_who_runs_as_an_account() -> None:
    other = replace(WORKLOAD, name="invoices")
    assert users_of({WORKLOAD: ORDERS, other: ORDERS, replace(WORKLOAD, name="x"): ""}) == {
        ORDERS: (other.path, WORKLOAD.path)
    }
