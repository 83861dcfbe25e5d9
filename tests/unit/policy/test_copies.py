"""Hidden fields that a mapping copies to readable ones are found; what cannot be read costs nothing."""

from typing import Any

import pytest

from searchaccess.core.model.access import Share
from searchaccess.core.policy.bypass import bypasses
from searchaccess.core.policy.copies import MOST_COPIES, MOST_GROUPS, copied_in, indices_to_read, reaching
from tests.unit.builders import a_grant, an_access


def share(*indices: str, **fields: list[str]) -> Share:
    return an_access(grants=[a_grant(*indices, **({"fields": fields} if fields else {}))]).share  # type: ignore[arg-type]


def index(properties: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {"mappings": {"properties": properties}} | more


def copying(target: Any = "everything") -> dict[str, Any]:
    return {"customer": {"properties": {"ssn": {"copy_to": target}}}}


ORDERS = {"orders-1": index(copying(), aliases={"latest": {}}, data_stream="stream")}
SAID = "customer.ssn of latest, orders-1, stream is copied to everything"
REACHES: dict[str, tuple[Share, list[str]]] = {
    "a copy": (share("orders-*", exclude=["customer.ssn"]), [SAID]),
    "of an object": (share("orders-*", exclude=["customer"]), [SAID]),
    "not included": (share("orders-*", include=["region", "every*"]), [SAID]),
    "by an alias": (share("latest", exclude=["customer"]), [SAID]),
    "by a data stream": (share("stream", exclude=["customer"]), [SAID]),
    "the target is hidden too": (share("orders-*", exclude=["customer", "everything"]), []),
    "the target is not included": (share("orders-*", include=["region"]), []),
    "both may be read": (share("orders-*", exclude=["other"]), []),
    "no fields": (share("orders-*"), []),
    "other indices": (share("invoices-*", exclude=["customer"]), []),
}


@pytest.mark.parametrize(("own", "said"), REACHES.values(), ids=REACHES)
def test_copies(own: Share, said: list[str]) -> None:
    found = reaching(own, copied_in(ORDERS))
    assert list(found) == said
    assert [(bypass.reason, bypass.message) for bypass in bypasses(own, [], found)] == [
        ("FieldsReachable", text) for text in said
    ]


def test_a_field_may_be_copied_to_several() -> None:
    found = copied_in({"a": index(copying(["x", "y"])), "b": index(copying("x"))})
    own = share("*", exclude=["customer", "x"])
    assert reaching(own, found) == ("customer.ssn of a is copied to y",)


def test_indices_with_the_same_mapping_are_one() -> None:
    found = copied_in({f"orders-{number}": index(copying()) for number in range(9)})
    (said,) = reaching(share("orders-*", exclude=["customer"]), found)
    assert said == "customer.ssn of orders-0, orders-1, orders-2 and 6 more is copied to everything"


def test_what_is_read_is_bounded() -> None:
    many = {f"f{number}": {"copy_to": ["a", "b"]} for number in range(1_000)}
    (one,) = copied_in({"a": index(many)})
    assert len(one.copies) == MOST_COPIES
    assert (
        len(copied_in({f"i{number}": index({f"f{number}": {"copy_to": "a"}}) for number in range(999)})) == MOST_GROUPS
    )


@pytest.mark.parametrize(
    "raw",
    [
        None,
        5,
        [],
        {"mappings": 5},
        index({"a": 5}),
        index({"a": {"copy_to": {"a": 1}}}),
        index({"a": {"properties": 1}}),
    ],
)
def test_whatever_it_is_it_can_be_read(raw: Any) -> None:
    assert copied_in({"a": raw}) == ()


def test_a_field_that_is_named_copy_to() -> None:
    assert copied_in({"a": index({"copy_to": {"copy_to": "x"}})})[0].copies == (("copy_to", "x"),)


def test_only_what_is_hidden_from_somebody_is_read() -> None:
    assert indices_to_read([share("a"), share("b", "c-*", exclude=["x"])]) == {"b", "c-*"}
