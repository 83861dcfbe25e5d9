"""Patterns that name indices which Elasticsearch keeps from roles."""

import pytest

from searchaccess.core.patterns.restricted import RESTRICTED, restricted_among, restricted_name

NAMED = {
    ".security": ".security", ".security*": ".security", ".security-7": ".security-7", ".kibana": ".kibana",
    ".kibana*": ".kibana", ".kibana_task_manager": ".kibana_task_manager", ".*": ".security", r"/\.sec.*/": ".security",
    "/[.].*-.*/": ".security-7", r"/\.(security|orders).*/": ".security", ".fleet-agents-7": ".fleet-agents-7",
}  # fmt: skip


@pytest.mark.parametrize(("pattern", "name"), NAMED.items(), ids=NAMED)
def test_one_that_names_a_restricted_index(pattern: str, name: str) -> None:
    assert restricted_name(pattern) == name


@pytest.mark.parametrize(
    "pattern",
    [
        "orders", "orders-*", "*", "*security", "security", ".orders", ".orders-*", ".ds-logs-*", ".internal.alerts-*",
        ".kibana-event-log-*", ".security-orders", "/~(([.]|ilm-history-).*)/", "/.*/", "/.security/", r"/\.orders.*/",
        "/[/", "NO-INDEX#0123456789abcdef", "/NO-INDEX 0123456789abcdef/",
    ],
)  # fmt: skip
def test_one_that_does_not_or_matches_much_else(pattern: str) -> None:
    assert restricted_name(pattern) == ""


@pytest.mark.parametrize("pattern", RESTRICTED)
def test_every_name_in_the_list_is_found(pattern: str) -> None:
    assert restricted_name(pattern)


def test_of_several_those_are_reported_once_and_in_order() -> None:
    assert restricted_among([".tasks", "orders-*", ".security", ".tasks"]) == [
        (".security", ".security"), (".tasks", ".tasks"),
    ]  # fmt: skip


@pytest.mark.parametrize(
    "pattern", ["." + "*a" + "?" * 253, r"/\.(.*a.{9})(b|c|d)*.*/", "." + "*-" * 120, "/[.]" + "(.*a){9}" * 30 + "/"]
)
def test_one_that_is_hard_to_decide_is_given_up(pattern: str) -> None:
    assert isinstance(restricted_name(pattern), str)
