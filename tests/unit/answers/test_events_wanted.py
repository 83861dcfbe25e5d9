"""What servers are asked to leave out, and the filter for Cloud Logging."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from searchaccess.core.answers.audit.known import KnownAccess
from searchaccess.core.answers.audit.loggingfilter import LONGEST, filter_of
from searchaccess.core.answers.audit.wanted import CallersWanted, EventsWanted, callers_of, wildcard_of
from tests.support.servers.loggingserver import is_well_formed, literals

KINDS = ["access_denied", "access_granted", "anonymous_access_denied", "authentication_failed",
         "realm_authentication_failed"]  # fmt: skip


def test_the_filter_of_everything() -> None:
    found = list[str]()
    rest = literals(filter_of("acme", EventsWanted()), found.append)
    # A field's name with a dot in it is quoted, too.
    assert found == ["event.action", *KINDS, *KINDS]
    assert rest == ("(jsonPayload.§=(§ OR § OR § OR § OR §) OR jsonPayload.event.action=(§ OR § OR § OR § OR §))")


def test_the_filter_of_some() -> None:
    ask = EventsWanted(since=7200.0, until=10_800.0, denied=True, callers=callers_of("orders", ()))
    assert filter_of("acme", ask, "a/b").split(" AND ") == [
        (
            '(jsonPayload."event.action"=("access_denied" OR "anonymous_access_denied" OR "authentication_failed" OR '
            '"realm_authentication_failed") OR jsonPayload.event.action=("access_denied" OR '
            '"anonymous_access_denied" OR "authentication_failed" OR "realm_authentication_failed"))'
        ),
        'logName="projects/acme/logs/a%2Fb"',
        'timestamp>="1970-01-01T01:59:00Z"',
        'timestamp<"1970-01-01T04:00:00Z"',
        (
            '((jsonPayload."user.name"=("orders") OR jsonPayload.user.name=("orders")) OR '
            '(jsonPayload."user.name":("orders@") OR jsonPayload.user.name:("orders@")) OR '
            '(jsonPayload."opaque_id":("orders/") OR jsonPayload.opaque_id:("orders/")))'
        ),
    ]


SHAPE = literals(
    filter_of(
        "acme", EventsWanted(callers=CallersWanted(frozenset({"a"}), ("b",), ("c",), frozenset({"d"}), ("e",))), "log"
    )
)


@given(st.text(), st.text(min_size=1), st.text(max_size=30))
def test_whatever_values_are_each_is_one_quoted_text(user: str, log_name: str, key: str) -> None:
    callers = CallersWanted(frozenset({user}), (user,), (user,), frozenset({key}), (f"searchaccess.*.{key}.*",))
    text = filter_of("acme", EventsWanted(callers=callers), log_name)
    found = list[str]()
    assert literals(text, found.append) == SHAPE
    assert user in found
    assert key in found
    assert is_well_formed(text)
    assert text.isprintable() or not (user + log_name + key).isprintable()


@given(st.integers(0, 2**40), st.integers(0, 2**40))
def test_any_time_gives_a_filter(since: int, until: int) -> None:
    assert is_well_formed(filter_of("acme", EventsWanted(since=float(since), until=float(until))))


def test_too_many_callers_are_not_filtered() -> None:
    callers = CallersWanted(frozenset(f"caller-{number}@acme-shop" for number in range(1000)))
    text = filter_of("acme", EventsWanted(callers=callers))
    assert "caller" not in text
    assert len(text) < LONGEST


KEYED = KnownAccess("shop", "keyed", principals=frozenset({"p@x"}), key_id="id-7", user="u")


@pytest.mark.parametrize(
    ("service", "expected"),
    [
        ("", None),
        ("orders", CallersWanted(frozenset({"orders"}), ("orders@",), ("orders/",))),
        ("o@x.iam", CallersWanted(frozenset({"o@x.iam"}), ("o@x.iam@",), ("o@x.iam/",))),
        ("shop/keyed", CallersWanted(frozenset({"p@x", "u"}), (), (), frozenset({"id-7"}),
                                     ("searchaccess.*.shop/keyed.*",))),
        ("shop/unknown", None),
        ("a*", None),
    ],
)  # fmt: skip
def test_whose_events_are_asked_for(service: str, expected: CallersWanted | None) -> None:
    assert callers_of(service, [KEYED]) == expected


@pytest.mark.parametrize(("pattern", "sent"), [("orders-*", "orders-*"), ("/a|b/", ""), (r"a\*", ""), ("", "")])
def test_which_patterns_a_server_searches_for(pattern: str, sent: str) -> None:
    assert wildcard_of(pattern) == sent
