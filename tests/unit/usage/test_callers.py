"""Whose use an event is about."""

import pytest

from searchaccess.core.usage.callers import Callers
from searchaccess.core.usage.uses import Use
from tests.unit.builders import OPERATOR, PRINCIPAL, an_access

CREDENTIAL = {"store": "main", "name": "keyed"}
PREFIX = OPERATOR.role_name("")
LOGIN = "searchaccess-operator"


def callers(*, gateway: bool = False, login: str = LOGIN) -> Callers:
    made = Callers(OPERATOR, gateway=gateway, login=login)
    assert made.add(an_access("orders"))
    assert made.add(an_access("stock"))
    assert made.add(an_access("keyed", auth="ApiKey", credential=CREDENTIAL), "id-7")
    return made


@pytest.mark.parametrize(
    ("use", "names"),
    [
        (Use(PRINCIPAL, "", "", 5.0), {"uid-orders", "uid-stock"}),
        (Use(PRINCIPAL, "own", "mine", 5.0), set()),
        (Use("ada", "", "", 5.0), set()),
        (Use("anybody", "id-7", "whatever", 5.0), {"uid-keyed"}),
        (Use(LOGIN, "id-6", f"{PREFIX}shop/keyed.6", 5.0), {"uid-keyed"}),
        (Use("mallory", "id-6", f"{PREFIX}shop/keyed.6", 5.0), set()),
        (Use(LOGIN, "id-6", f"{PREFIX}shop/other.6", 5.0), set()),
        (Use(LOGIN, "id-6", "searchaccess.another.shop/keyed.6", 5.0), set()),
        (Use(f"{PREFIX}shop/keyed.2.0123abcd", "", "", 5.0), {"uid-keyed"}),
        (Use(f"{PREFIX}shop/keyed.2", "", "", 5.0), set()),
    ],
)
def test_a_use_belongs_to_whoever_the_event_proves(use: Use, names: set[str]) -> None:
    assert callers().latest([use]) == dict.fromkeys(names, 5.0)


def test_the_latest_counts() -> None:
    uses = [Use(PRINCIPAL, "", "", 5.0), Use(LOGIN, "id-7", "", 9.0), Use(LOGIN, "id-6", f"{PREFIX}shop/keyed.6", 7.0)]
    assert callers().latest(uses) == {"uid-orders": 5.0, "uid-stock": 5.0, "uid-keyed": 9.0}


def test_behind_a_gateway_callers_are_users_named_as_their_roles() -> None:
    made = callers(gateway=True)
    assert made.users == ()
    assert made.prefix == PREFIX
    assert made.latest([Use(f"{PREFIX}{PRINCIPAL}", "", "", 5.0)]) == {"uid-orders": 5.0, "uid-stock": 5.0}
    assert made.latest([Use(PRINCIPAL, "", "", 5.0)]) == {}


def test_without_the_name_of_the_login_only_the_id_counts() -> None:
    made = callers(login="")
    assert made.latest([Use("", "id-6", f"{PREFIX}shop/keyed.6", 5.0)]) == {}
    assert made.latest([Use("", "id-7", "", 5.0)]) == {"uid-keyed": 5.0}


def test_only_what_is_needed_is_asked_for() -> None:
    made = Callers(OPERATOR, gateway=False, login=LOGIN)
    made.add(an_access("orders"))
    assert (made.users, made.prefix) == ((PRINCIPAL,), "")
    assert callers().prefix == PREFIX
