"""What answers of pods, of a gateway and of Elasticsearch mean."""

from typing import Any

import pytest

from searchaccess.core.credentials.sealed import Sealed
from searchaccess.core.gateway.facts import GRACE, PodAnswer, Pods, judge_pods
from searchaccess.core.gateway.proof import (
    REFUSED,
    Answer,
    Attempt,
    OldTokens,
    RunAsAnswers,
    answer_of,
    email_in,
    forged,
    is_refused,
    judge_gateway,
    judge_run_as,
)
from tests.support.memory.gateways import OWN_EMAIL, own_token

OWN = f"searchaccess.prod.{OWN_EMAIL}"
LOGIN = "searchaccess-gateway.prod.edge.a"
URL = "https://gw.example.com"
PASSED = Answer(403, error="security_exception")
"""Elasticsearch's: it knows who calls."""
OF_GATEWAY = Answer(403, error="gateway_authorization_exception")


@pytest.mark.parametrize(
    ("answers", "seconds", "expected"),
    [
        ((), 0, (False, "GatewayMissing")),
        ((PodAnswer("a", "1"),), 0, (True, "GatewayInSync")),
        ((PodAnswer("a", "1"), PodAnswer("b", "0")), GRACE - 1, (None, "GatewayUpdating")),
        ((PodAnswer("a", "1"), PodAnswer("b", "0")), GRACE, (False, "GatewayOutOfDate")),
        ((PodAnswer("a", "1"), PodAnswer("b", "")), GRACE, (False, "GatewayOutOfDate")),
        ((PodAnswer("a", "1"), PodAnswer("b", "", seconds=GRACE - 1)), GRACE, (None, "GatewayUpdating")),
        ((PodAnswer("a", "0"), PodAnswer("b", "", seconds=1)), GRACE, (False, "GatewayOutOfDate")),
        ((PodAnswer("a", "1"), PodAnswer("b", trouble="no route")), GRACE, (None, "GatewayNotAsked")),
        ((PodAnswer("a", "0"), PodAnswer("b", trouble="no route")), GRACE, (False, "GatewayOutOfDate")),
    ],
)
def test_pods_are_judged(answers: tuple[PodAnswer, ...], seconds: float, expected: tuple[bool | None, str]) -> None:
    truth, reason, _ = judge_pods(Pods(answers), "1", seconds, "gateways/edge")
    assert (truth, reason) == expected


@pytest.mark.parametrize(
    ("short", "expected"), [(0.0, (None, "GatewayUpdating")), (GRACE, (False, "GatewayIncomplete"))]
)
def test_fewer_pods_than_declared_are_reported_after_a_while(short: float, expected: tuple[bool | None, str]) -> None:
    pods = Pods((PodAnswer("a", "1"),), waiting=("b (ImagePullBackOff)",))
    truth, reason, message = judge_pods(pods, "1", 0, "gateways/edge", replicas=2, short=short)
    assert (truth, reason) == expected
    assert "1 of 1 pods have loaded version 1, but spec.identity.gateway.replicas is 2" in message
    assert "b (ImagePullBackOff)" in message
    assert judge_pods(pods, "0", GRACE, "gateways/edge", replicas=2, short=GRACE)[1] == "GatewayOutOfDate"
    assert judge_pods(pods, "1", 0, "gateways/edge", replicas=1)[0] is True


def test_pods_that_are_being_deleted_with_a_former_configuration_are_named() -> None:
    ending = (PodAnswer("b", "0"), PodAnswer("c", "1"), PodAnswer("d", trouble="no route"))
    truth, reason, message = judge_pods(Pods((PodAnswer("a", "1"),), ending=ending), "1", 0, "gateways/edge")
    assert (truth, reason) == (True, "GatewayInSync")
    assert message == "1 of 1 pods have loaded version 1; not so, and still there, although being deleted: b, d"


def test_a_gateway_of_which_no_pod_runs_says_why() -> None:
    truth, reason, message = judge_pods(Pods(waiting=("b (Unschedulable)",)), "1", 0, "gateways/edge", replicas=2)
    assert (truth, reason) == (False, "GatewayMissing")
    assert "b (Unschedulable)" in message


def test_pods_that_cannot_be_listed_are_not_missing() -> None:
    truth, reason, message = judge_pods(Pods(trouble="forbidden"), "1", GRACE, "gateways/edge")
    assert (truth, reason) == (None, "GatewayNotAsked")
    assert "forbidden" in message


def judged(own: Answer | None, **others: Answer) -> tuple[bool | None, str]:
    answers = {kind: others.get(kind.name, Answer(401)) for kind in REFUSED}
    if own is None:
        del answers[Attempt.OTHER_AUDIENCE]
    else:
        answers[Attempt.OWN] = own
    truth, reason, message = judge_gateway(answers, OWN, URL)
    assert URL in message
    return truth, str(reason)


@pytest.mark.parametrize(
    ("answer", "says"),
    [
        (Answer(trouble="no route"), "could not be tested with no token: no route"),
        (Answer(503), "could not be tested with no token: it answered 503"),
        (Answer(302), "answers 302 to no token: something else than a gateway answers"),
    ],
)
def test_what_does_not_answer_like_a_gateway_is_said(answer: Answer, says: str) -> None:
    answers = {kind: Answer(401) for kind in REFUSED} | {Attempt.NO_TOKEN: answer, Attempt.OWN: Answer(200, OWN)}
    truth, reason, message = judge_gateway(answers, OWN, URL)
    assert (truth, reason) == (None, "GatewayNotVerified")
    assert message.endswith(says)


@pytest.mark.parametrize("kind", [kind.name for kind in REFUSED])
def test_each_bad_token_that_is_accepted_is_found(kind: str) -> None:
    for username in ("", OWN, "elastic"):
        assert judged(Answer(200, OWN), **{kind: Answer(200, username)}) == (False, "GatewayAcceptsOthers")


@pytest.mark.parametrize(
    ("own", "expected"),
    [
        (Answer(200, OWN), (True, "GatewayVerified")),
        (PASSED, (True, "GatewayVerified")),
        (OF_GATEWAY, (False, "GatewayRefuses")),
        (Answer(403), (None, "GatewayNotVerified")),
        (Answer(200, "elastic"), (False, "GatewayAcceptsOthers")),
        (Answer(200, LOGIN), (False, "GatewayAcceptsOthers")),
        (Answer(200, ""), (False, "GatewayAcceptsOthers")),
        (Answer(403, names_other=True), (False, "GatewayAcceptsOthers")),
        (Answer(401, names_other=True), (False, "GatewayAcceptsOthers")),
        (Answer(401), (False, "GatewayRefuses")),
        (Answer(503), (None, "GatewayNotVerified")),
        (Answer(302), (None, "GatewayNotVerified")),
        (Answer(trouble="no route"), (None, "GatewayNotVerified")),
        (None, (None, "GatewayPartlyVerified")),
    ],
)
def test_the_own_token_is_judged(own: Answer | None, expected: tuple[bool | None, str]) -> None:
    assert judged(own) == expected


@pytest.mark.parametrize("kind", [kind.name for kind in REFUSED])
def test_a_bad_token_that_reaches_elasticsearch_was_accepted_whatever_rights_it_has(kind: str) -> None:
    assert judged(PASSED, **{kind: PASSED}) == (False, "GatewayAcceptsOthers")


def test_a_token_for_another_audience_may_be_refused_as_one_that_is_good_elsewhere() -> None:
    assert judged(PASSED, OTHER_AUDIENCE=OF_GATEWAY) == (True, "GatewayVerified")


@pytest.mark.parametrize(
    "odd",
    [Answer(403), Answer(403, error="forbidden"), Answer(404), Answer(301), Answer(503), Answer(trouble="no route")],
)
def test_an_odd_answer_to_a_bad_token_verifies_nothing(odd: Answer) -> None:
    assert judged(Answer(200, OWN), GARBAGE=odd) == (None, "GatewayNotVerified")
    assert judged(None, GARBAGE=odd) == (None, "GatewayNotVerified")


def test_a_silent_gateway_does_not_hide_one_that_accepts_others() -> None:
    assert judged(Answer(trouble="x"), NO_TOKEN=Answer(200, "elastic")) == (False, "GatewayAcceptsOthers")


@pytest.mark.parametrize(
    ("unknown", "other", "expected"),
    [
        (Answer(403), Answer(403), (True, "RunAsEnabled")),
        (Answer(200, LOGIN), Answer(200, LOGIN), (False, "RunAsDisabled")),
        (Answer(403), Answer(200, "elastic"), (False, "RunAsTooWide")),
        (Answer(200, "searchaccess.prod.x"), Answer(403), (False, "RunAsTooWide")),
        (Answer(401), Answer(401), (False, "GatewayLoginRefused")),
        (Answer(503), Answer(403), (None, "RunAsUnknown")),
        (Answer(403), Answer(trouble="no route"), (None, "RunAsUnknown")),
    ],
)
def test_run_as_is_judged(unknown: Answer, other: Answer, expected: tuple[bool | None, str]) -> None:
    good = RunAsAnswers("https://one", Answer(403), Answer(403))
    for answers in ([RunAsAnswers(URL, unknown, other)], [good, RunAsAnswers(URL, unknown, other)]):
        truth, reason, _ = judge_run_as(answers, LOGIN, [])
        assert (truth, reason) == expected


def test_a_node_whose_settings_switch_it_off_is_named() -> None:
    good = RunAsAnswers(URL, Answer(403), Answer(403))
    assert judge_run_as([good], LOGIN, None)[0]
    truth, reason, message = judge_run_as([good], LOGIN, ["node-3"])
    assert (truth, reason) == (False, "RunAsDisabled")
    assert "node-3" in message


def test_a_login_is_refused_only_if_every_address_that_answers_refuses_it() -> None:
    refused, fine = (RunAsAnswers(URL, Answer(status), Answer(status)) for status in (401, 403))
    silent = RunAsAnswers(URL, Answer(trouble="x"), Answer(trouble="x"))
    assert is_refused([refused, silent])
    assert not is_refused([refused, fine])
    assert not is_refused([silent])
    assert not is_refused([])


def test_answers_are_read() -> None:
    assert answer_of(200, {"username": "x"}, "") == Answer(200, "x")
    assert answer_of(403, {"username": "x"}, "user [elastic] is") == Answer(403, "", names_other=True)
    assert answer_of(403, {"error": {"type": "security_exception"}}, "") == PASSED
    assert answer_of(502, {"error": "a text"}, "") == Answer(502)
    assert answer_of(200, ["x"], "") == Answer(200)


def test_a_forged_token_has_the_claims_and_not_the_signature() -> None:
    token = own_token("https://es")
    assert email_in(token) == email_in(forged(token)) == OWN_EMAIL
    assert forged(token) != token
    assert forged().count(".") == 2
    for odd in ("", "a.b", "a.!.c", "a.W10.c"):
        assert email_in(odd) == ""


def aged(**claims: Any) -> Sealed:
    return Sealed(own_token("https://es", **claims))


def test_a_token_counts_as_expired_minutes_after_its_end_by_a_clock_that_nobody_sets() -> None:
    first, second, third = (aged(iat=number, exp=number + 3600) for number in (1, 2, 3))
    kept = OldTokens().after(first, "https://es", 100)
    assert kept.after(second, "https://es", 100 + 3899).expired is None
    later = kept.after(second, "https://es", 100 + 3900)
    assert (later.expired, later.aging) == (first, second)
    assert later.after(third, "https://es", 100 + 3900 + 3899).expired is first
    assert later.after(third, "https://es", 100 + 2 * 3900).expired is second, "keys change"


def test_without_an_identity_or_for_another_audience_it_begins_anew() -> None:
    kept = OldTokens().after(aged(iat=1, exp=3601), "https://es", 0).after(aged(iat=1, exp=3601), "https://es", 4000)
    assert kept.expired
    assert kept.after(None, "https://es", 4001) == OldTokens()
    assert kept.after(aged(iat=1, exp=3601), "https://other", 4001).expired is None


@pytest.mark.parametrize(
    "claims",
    [{}, {"exp": 1}, {"iat": 5, "exp": 5}, {"iat": 1, "exp": 10**9}, {"iat": "1", "exp": "2"}, {"iat": 1.5, "exp": 2}],
)
def test_a_token_that_does_not_say_how_long_it_is_good_is_never_taken_for_expired(claims: dict[str, Any]) -> None:
    kept = OldTokens().after(aged(**claims), "https://es", 0)
    assert kept.after(aged(), "https://es", 10**9).expired is None
