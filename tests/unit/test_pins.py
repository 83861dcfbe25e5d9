"""Which versions of a secret are in use by number."""

import pytest

from searchaccess.core.pins import Pins, User, pins_of
from searchaccess.core.workload import SecretUse

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
    assert found == Pins({number: "revision orders-1"} if number else {})


def test_a_name_alone_is_of_the_workloads_project() -> None:
    user = User("revision orders-1", "acme-shop", (SecretUse("orders", "3"),))
    assert pins_of([user], NAMES, {}).holder(3) == ""


def test_the_first_that_has_it_is_named() -> None:
    users = [User(name, "acme-secrets", (SecretUse("orders", "3"),)) for name in ("revision a", "the template of b")]
    assert pins_of(users, NAMES, {}).holder(3) == "revision a"


def test_what_is_not_known_may_be_in_use() -> None:
    assert Pins({}, "no answer").holder(3) == "not known who uses it (no answer)"
