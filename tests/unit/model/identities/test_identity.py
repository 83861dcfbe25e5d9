"""What follows from what Google says, and from what a status says."""

from dataclasses import replace
from typing import Any

import pytest

from searchaccess.api.searchcluster import PrincipalClaim
from searchaccess.api.status import SearchAccessStatus
from searchaccess.core.model.identities.identity import (
    UNTRIED,
    Identity,
    State,
    grace_left,
    is_settled,
    missing,
    missing_for,
    recall,
    unknown,
)
from searchaccess.core.model.identities.workload import Account, Found, Place, Serving, Workload, WorkloadKind

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
    first = missing(KNOWN, "2026-01-01T10:00:00Z", over=False)
    assert (first.accounts, first.missing_since) == (KNOWN.accounts, "2026-01-01T10:00:00Z")
    away = unknown(first, "away")
    later = missing(away, "2026-01-01T10:00:59Z", over=False)
    assert (later.accounts, later.missing_since) == (KNOWN.accounts, "2026-01-01T10:00:00Z")
    assert missing(away, "2026-01-01T10:01:00Z", over=True).accounts == ()


@pytest.mark.parametrize(
    ("since", "seconds"),
    [
        pytest.param("", 0, id="it was not missing"),
        pytest.param("2026-01-01T09:00:00Z", 3600, id="for an hour"),
        pytest.param("2026-01-01T12:00:00Z", 0, id="the clock was ahead then"),
    ],
)
def test_for_how_long_it_is_missing_by_a_status(since: str, seconds: float) -> None:
    assert missing_for(replace(KNOWN, missing_since=since), "2026-01-01T10:00:00Z") == seconds


@pytest.mark.parametrize(
    ("seen", "credit", "left"),
    [
        pytest.param(0, 0, 900, id="the whole grace period from when it is first seen"),
        pytest.param(899, 0, 1, id="the time that it was seen"),
        pytest.param(900, 0, 0, id="over"),
        pytest.param(0, 500, 400, id="what the status says shortens it"),
        pytest.param(0, 1e9, 300, id="down to the least"),
        pytest.param(300, 1e9, 0, id="over when it was seen that long"),
    ],
)
def test_what_is_left_of_the_grace_period(seen: float, credit: float, left: float) -> None:
    assert grace_left(seen, credit, grace=900, least=300) == left


def test_a_grace_period_shorter_than_the_least_counts_as_it_is() -> None:
    assert grace_left(0, 0, grace=60, least=300) == 60
    assert grace_left(0, 0, grace=0, least=300) == 0


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
