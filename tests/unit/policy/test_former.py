"""What is done about rights in a place where their SearchAccess does not declare them any more."""

from dataclasses import replace
from typing import Any

import pytest

from searchaccess.core.model.access import Access
from searchaccess.core.model.admission import Admission
from searchaccess.core.model.identities.identity import Identity, State
from searchaccess.core.model.timeboxes.timebox import Term, TimeBox, Validity
from searchaccess.core.policy.decision import Do, Gate
from searchaccess.core.policy.former import Former, RightsPlace, decide_former
from tests.unit.builders import NOW, an_access

HERE, ELSEWHERE = RightsPlace("uuid-1", "searchaccess.default.orders"), RightsPlace("uuid-2", "")
KEYS = RightsPlace("uuid-1", "")
WITH_KEY: dict[str, Any] = {"auth": "ApiKey", "credential": {"store": "main", "name": "orders-key"}}
NOBODY = Identity(state=State.MISSING)


def an(**spec: Any) -> Access:
    return an_access(**spec)


def over() -> Access:
    return replace(an(), time_box=TimeBox(ends=5), validity=Validity(Term.EXPIRED))


def without_account() -> Access:
    return replace(an(), principals=(), identity=NOBODY)


@pytest.mark.parametrize(
    ("former", "do"),
    [
        pytest.param(Former(an(), HERE, HERE), Do.HOLD, id="it was last complete here"),
        pytest.param(Former(an(), HERE, None), Do.HOLD, id="it is not known where it was last complete"),
        pytest.param(Former(an(), HERE, ELSEWHERE), Do.REMOVE, id="it is complete elsewhere"),
        pytest.param(Former(an(), HERE, KEYS), Do.REMOVE, id="a key replaces the role"),
        pytest.param(Former(an(), KEYS, HERE), Do.REMOVE, id="a role replaces the key"),
        pytest.param(Former(an(), HERE, HERE, Admission.REFUSED), Do.REMOVE, id="its namespace is not admitted here"),
        pytest.param(Former(an(), HERE, HERE, Admission.UNKNOWN), Do.HOLD, id="whether it is, is not known"),
        pytest.param(Former(an(suspend=True), HERE, HERE), Do.HOLD, id="suspended"),
        pytest.param(Former(over(), HERE, HERE), Do.REMOVE, id="its time is over"),
        pytest.param(Former(replace(over(), invalid="no"), HERE, HERE), Do.REMOVE, id="it is over, and invalid"),
        pytest.param(Former(an(deleted_at=NOW), HERE, HERE), Do.REMOVE, id="deleted"),
        pytest.param(Former(an(deleted_at=NOW), HERE, None), Do.REMOVE, id="deleted, and nothing is known"),
        pytest.param(
            Former(an(deleted_at=NOW, deletionPolicy="Orphan"), HERE, HERE), Do.RELEASE, id="deleted, and to stay"
        ),
        pytest.param(
            Former(an(deleted_at=NOW, deletionPolicy="Orphan"), HERE, HERE, gate=Gate(orphans=False)),
            Do.REMOVE,
            id="deleted, and not allowed to stay here",
        ),
        pytest.param(
            Former(an(deleted_at=NOW, deletionPolicy="Orphan"), HERE, ELSEWHERE), Do.REMOVE, id="it stays elsewhere"
        ),
        pytest.param(Former(an(deleted_at=NOW, **WITH_KEY), KEYS, KEYS), Do.REMOVE, id="a key is never left"),
        pytest.param(Former(without_account(), HERE, HERE), Do.HOLD, id="the new subject is nobody"),
        pytest.param(Former(without_account(), HERE, HERE, ended=True), Do.REMOVE, id="its own account ended"),
        pytest.param(Former(without_account(), HERE, None), Do.REMOVE, id="nobody, and nothing is known"),
    ],
)
def test_what_is_done(former: Former, do: Do) -> None:
    assert decide_former(former).do is do
