"""Answers about indices are read as they are, or an error of ours comes of them, whatever they are."""

from contextlib import suppress

import pytest
from hypothesis import given

from searchaccess.adapters.elasticsearch.indices import cause_in, hidden_in, names_of, tried_of
from searchaccess.core.policy.proofs import CAUSE_LIMIT, Tried
from searchaccess.ports.errors import ExternalError, Unexpected, Unreachable
from tests.unit.adapters.anything import VALUES, damaged

SHARDS = {"total": 2, "successful": 2, "failed": 0}
ERROR = (
    "[orders-1/vFAyA0-2RcqdjALPvIyVcw] org.elasticsearch.index.query.QueryShardException: failed to create query: "
    'For input string: "abc"; java.lang.NumberFormatException: For input string: "abc"'
)
FAILED = {
    "_shards": SHARDS,
    "valid": False,
    "explanations": [{"index": "orders-1", "valid": False, "error": ERROR}, {"index": "orders-2", "valid": True}],
}


def test_a_failure_is_reported_without_names_of_classes() -> None:
    assert tried_of(FAILED) == Tried(2, (("orders-1", 'For input string: "abc"'),))
    assert cause_in("org.elasticsearch.common.ParsingException: unknown query [a]; org.x.Y: z") == "unknown query [a]"
    assert len(cause_in("org.a.B: " + "x" * 5_000)) == CAUSE_LIMIT
    assert cause_in(None) == "no reason given"


def test_a_query_that_cannot_be_read_fails_on_no_index_in_particular() -> None:
    assert tried_of({"valid": False, "error": "org.a.B: no"}) == Tried(0, (("", "no"),))


def test_what_did_not_answer_is_not_taken_for_valid() -> None:
    with pytest.raises(Unreachable):
        tried_of({"_shards": {"total": 2, "successful": 1, "failed": 1}, "valid": True})
    with pytest.raises(Unreachable):
        tried_of({"_shards": {"total": 2, "successful": 1, "failed": 1}, "valid": False})
    with pytest.raises(Unexpected):
        tried_of({"_shards": SHARDS})
    assert tried_of({"_shards": {"total": 0, "successful": 0, "failed": 0}, "valid": True}) == Tried(0)


@given(damaged(FAILED) | VALUES)
def test_whatever_comes_is_read_or_refused(answer: object) -> None:
    with suppress(ExternalError):
        tried_of(answer)
    names_of(answer)
    with suppress(ExternalError):
        hidden_in(answer, ["orders-*"])


def test_names_of_all_kinds_are_read() -> None:
    answer = {"indices": [{"name": "b"}], "aliases": [{"name": "a"}, {}], "data_streams": [{"name": "c"}]}
    assert names_of(answer).names == ("a", "b", "c")


def test_what_is_behind_aliases_and_data_streams_is_read() -> None:
    backing = [".ds-logs-2026.01.01-000001", "partial-.ds-logs-2026.01.01-000001", "bank"]
    answer = {
        "aliases": [{"name": "a", "indices": ["orders-2", "orders-1"]}, {"name": 1, "indices": ["x"]}, {"name": "b"}],
        "data_streams": [
            {"name": "logs", "backing_indices": backing},
            {"name": "own", "backing_indices": [".ds-own-1"]},
        ],
    }
    assert names_of(answer).behind == (("a", ("orders-1", "orders-2")), ("b", ()), ("logs", ("bank",)))


def test_what_is_not_said_to_be_hidden_is_not_taken_for_visible() -> None:
    answer = {"index": {"a": {"view_index_metadata": True}, "b": {"view_index_metadata": False}}}
    assert hidden_in(answer, ["a", "b"]) == {"b"}
    with pytest.raises(Unexpected):
        hidden_in(answer, ["a", "c"])
