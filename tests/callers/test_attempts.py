"""When the client for workloads sends a request again, as a table; no server."""

from itertools import product

import pytest
import urllib3.exceptions
from elastic_transport import ConnectionError as Disconnected
from elastic_transport import ConnectionTimeout

from searchaccess_client.attempts import Attempt, Before, Failure, Rules, is_read
from searchaccess_client.failures import failure_of

STATUSES = (429, 502, 503, 504)
READ = Rules(read=True, retries=3, statuses=STATUSES, on_timeout=False)
WRITE = Rules(read=False, retries=3, statuses=STATUSES, on_timeout=False)
PATIENT_READ = Rules(read=True, retries=3, statuses=STATUSES, on_timeout=True)
PATIENT_WRITE = Rules(read=False, retries=3, statuses=STATUSES, on_timeout=True)
OTHER_LOGIN = Rules(read=True, retries=3, statuses=STATUSES, on_timeout=False, renewable=False)

FINAL = None


def before(attempt: Attempt | None) -> Before | None:
    return attempt.before if attempt else FINAL


@pytest.mark.parametrize(
    ("status", "rules", "expected"),
    [
        (200, READ, FINAL),
        (401, READ, Before.OTHER_TOKEN),
        (401, WRITE, Before.OTHER_TOKEN),
        (401, OTHER_LOGIN, FINAL),
        (403, READ, FINAL),
        (404, READ, FINAL),
        (409, WRITE, FINAL),
        (429, READ, Before.PAUSE),
        (429, WRITE, Before.PAUSE),
        (429, OTHER_LOGIN, Before.PAUSE),
        (500, READ, FINAL),
        (502, READ, Before.PAUSE),
        (502, WRITE, FINAL),
        (503, READ, Before.PAUSE),
        (503, WRITE, Before.PAUSE),
        (504, READ, Before.PAUSE),
        (504, WRITE, FINAL),
    ],
)
def test_after_a_status(status: int, rules: Rules, expected: Before | None) -> None:
    assert before(Attempt(rules).after_status(status)) is expected


@pytest.mark.parametrize(
    ("failure", "read", "write", "patient_read", "patient_write"),
    [
        (Failure.UNREACHABLE, True, True, True, True),
        (Failure.UNREACHABLE_IN_TIME, False, False, True, True),
        (Failure.CUT, True, False, True, False),
        (Failure.UNANSWERED_IN_TIME, False, False, True, False),
        (Failure.UNTRUSTED, False, False, False, False),
    ],
)
def test_after_a_failure(failure: Failure, *, read: bool, write: bool, patient_read: bool, patient_write: bool) -> None:
    kinds = (READ, WRITE, PATIENT_READ, PATIENT_WRITE)
    went_on = [Attempt(rules).after_failure(failure) is not None for rules in kinds]
    assert went_on == [read, write, patient_read, patient_write]


@pytest.mark.parametrize("rules", [WRITE, PATIENT_WRITE])
def test_a_write_that_may_have_arrived_is_never_sent_again(rules: Rules) -> None:
    everything = Rules(
        read=False, retries=9, statuses=range(600), on_timeout=rules.on_timeout, other_nodes=rules.other_nodes
    )
    arrived = {Failure.CUT, Failure.UNANSWERED_IN_TIME}
    assert all(Attempt(everything).after_failure(failure) is None for failure in arrived)
    again = {status for status in range(600) if Attempt(everything).after_status(status)}
    assert again == {401, 429, 503}


def test_retries_are_bounded_whatever_happens() -> None:
    happenings: list[int | Failure] = [429, 401, Failure.UNREACHABLE, Failure.CUT]
    for course in product(happenings, repeat=6):
        attempt: Attempt | None = Attempt(READ)
        sent = 0
        for happening in course:
            if attempt is None:
                break
            sent += 1
            attempt = (
                attempt.after_status(happening) if isinstance(happening, int) else attempt.after_failure(happening)
            )
        assert sent <= 1 + READ.retries + 1, "three retries, and another token once"


def test_another_token_is_tried_once_and_costs_no_retry() -> None:
    renewed = Attempt(READ).after_status(401)
    assert renewed is not None
    assert renewed.retries == 0
    assert renewed.after_status(401) is FINAL
    retried = renewed.after_status(503)
    assert retried is not None
    assert retried.after_status(401) is FINAL


def test_without_retries_only_another_token_is_tried() -> None:
    rules = Rules(read=True, retries=0, statuses=STATUSES, on_timeout=True)
    assert Attempt(rules).after_status(503) is FINAL
    assert all(Attempt(rules).after_failure(failure) is FINAL for failure in Failure)
    assert before(Attempt(rules).after_status(401)) is Before.OTHER_TOKEN


def test_other_nodes_are_tried_at_once_and_then_there_are_pauses() -> None:
    attempt: Attempt | None = Attempt(Rules(read=True, retries=3, statuses=STATUSES, on_timeout=False, other_nodes=2))
    pauses = []
    while attempt := attempt.after_failure(Failure.UNREACHABLE) if attempt else None:
        pauses.append(attempt.before)
    assert pauses == [Before.NOTHING, Before.NOTHING, Before.PAUSE]


@pytest.mark.parametrize(
    ("method", "target", "read"),
    [
        ("GET", "/orders/_doc/1", True),
        ("GET", "/_cluster/health", True),
        ("HEAD", "/orders", True),
        ("POST", "/orders-*/_search?size=1&scroll=1m", True),
        ("POST", "/_all/_search", True),
        ("POST", "/_search", True),
        ("POST", "/_msearch", True),
        ("POST", "/orders/_count", True),
        ("POST", "/_mget", True),
        ("POST", "/orders/_search/template", True),
        # What an answer of these had is not in the next one.
        ("POST", "/_search/scroll", False),
        ("GET", "/_search/scroll?scroll_id=x", False),
        ("POST", "/orders/_doc", False),
        ("POST", "/orders/_update/1", False),
        ("POST", "/_bulk", False),
        ("POST", "/orders/_update_by_query", False),
        ("POST", "/orders/_async_search", False),
        ("POST", "/orders/_pit", False),
        ("POST", "/orders", False),
        ("PUT", "/orders/_doc/1", False),
        ("DELETE", "/orders/_doc/1", False),
        # Here `_search` is the id of a document.
        ("POST", "/orders/_doc/_search", False),
        ("PUT", "/orders/_search", False),
    ],
)
def test_what_is_a_read(method: str, target: str, *, read: bool) -> None:
    assert is_read(method, target) is read


def as_elastics_library_does(cause: Exception) -> None:
    try:
        raise cause
    except OSError:
        raise Disconnected("as configured") from None


def test_an_error_that_the_caller_is_handling_says_nothing_about_the_request() -> None:
    refused = urllib3.exceptions.NewConnectionError(None, "refused")  # type: ignore[arg-type]
    try:
        raise refused
    except urllib3.exceptions.NewConnectionError:
        with pytest.raises(Disconnected) as caught:
            as_elastics_library_does(OSError("reset while the answer was read"))
    assert failure_of(caught.value) is Failure.CUT


def test_an_error_without_a_cause_may_have_come_after_the_request_arrived() -> None:
    assert failure_of(Disconnected("as configured")) is Failure.CUT
    assert failure_of(ConnectionTimeout("as configured")) is Failure.UNANSWERED_IN_TIME
