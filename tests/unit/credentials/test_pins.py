"""Which versions of a secret are in use by number."""

import pytest

from searchaccess.core.credentials.pins import Pins, User, pins_of
from searchaccess.core.model.identities.workload import SecretUse

NAMES = ("projects/acme-secrets/secrets/orders", "projects/123456789012/secrets/orders")


@pytest.mark.parametrize(
    ("secret", "version", "number"),
    [
        ("projects/acme-secrets/secrets/orders", "3", 3),
        ("projects/123456789012/secrets/orders", "3", 3),
        ("orders", "3", 3),
        ("orders", "live", 2),
        ("orders", "latest", 0),
        ("orders", "nothing", 0),
        ("another", "3", 0),
        ("projects/acme-shop/secrets/orders", "3", 0),
    ],
)
def test_what_pins_a_version(secret: str, version: str, number: int) -> None:
    user = User("revision orders-1", "acme-secrets", (SecretUse(secret, version),))
    found = pins_of([user], NAMES, {"live": 2})
    assert found.by_number == ({number: "revision orders-1"} if number else {})


def test_a_name_alone_is_of_the_workloads_project() -> None:
    user = User("revision orders-1", "acme-shop", (SecretUse("orders", "3"),))
    assert pins_of([user], NAMES, {}).holder(3) == ""


@pytest.mark.parametrize(("version", "number"), [("3", 3), ("latest", 0), ("nothing", 0)])
def test_what_a_template_has_is_distinguished(version: str, number: int) -> None:
    uses = (SecretUse("orders", version),)
    users = [
        User("revision a", "acme-secrets", uses),
        User("the template of b", "acme-secrets", uses, is_template=True),
    ]
    found = pins_of(users, NAMES, {}, "it does not start")
    assert found.template == {number}
    assert found.floating == ("" if number else "revision a")
    assert found.failed == "it does not start"
    assert pins_of(users[1:], NAMES, {}).floating == "", "a template serves nobody"


def test_the_first_that_has_it_is_named() -> None:
    users = [User(name, "acme-secrets", (SecretUse("orders", "3"),)) for name in ("revision a", "the template of b")]
    assert pins_of(users, NAMES, {}).holder(3) == "revision a"


def test_what_is_not_known_may_be_in_use() -> None:
    assert Pins({}, "no answer").holder(3) == "it is not known who uses it (no answer)"
