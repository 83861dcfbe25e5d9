"""When the webhook's certificate is renewed, and which authorities are published meanwhile."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from searchaccess.core.webhook.certificates import (
    Certificate,
    Kept,
    Observed,
    Pace,
    Step,
    next_step,
    prepared,
    promoted,
    retired,
)
from searchaccess.operator.admission.options import LIFETIME

NAMES = ("searchaccess-admission.searchaccess-system.svc",)
PACE = Pace(LIFETIME)
BEGINS = datetime(2026, 1, 1, tzinfo=UTC)
DAY = timedelta(days=1)


def certificate(name: str = "one", *, begins: datetime = BEGINS, names: tuple[str, ...] = NAMES) -> Certificate:
    return Certificate(f"ca-{name}", name, "key", names, begins, begins + timedelta(seconds=PACE.lifetime))


ONE, TWO = certificate(), certificate("two", begins=BEGINS + 60 * DAY)
FRESH = Observed(Kept(ONE), ("ca-one",), NAMES, BEGINS + DAY)
ROTATING = replace(FRESH, kept=Kept(ONE, TWO), published=("ca-one", "ca-two"), now=BEGINS + 60 * DAY)
ROTATED = replace(ROTATING, kept=Kept(TWO, None, "ca-one"))

# Each: what is observed, and what is done.
CASES: dict[str, tuple[Observed, Step]] = {
    "there is none": (replace(FRESH, kept=Kept()), Step.ISSUE),
    "there is none, but one that follows": (replace(FRESH, kept=Kept(None, TWO)), Step.ISSUE),
    "nobody trusts it": (replace(FRESH, published=()), Step.PUBLISH),
    "another is trusted": (replace(FRESH, published=("ca-zero",)), Step.PUBLISH),
    "another is trusted too": (replace(FRESH, published=("ca-one", "ca-zero")), Step.PUBLISH),
    "all is well": (FRESH, Step.NOTHING),
    "just before two thirds": (replace(FRESH, now=BEGINS + 60 * DAY - timedelta(seconds=1)), Step.NOTHING),
    "after two thirds": (replace(FRESH, now=BEGINS + 60 * DAY), Step.PREPARE),
    "it is over": (replace(FRESH, now=BEGINS + 91 * DAY), Step.PREPARE),
    "the clock was set back": (replace(FRESH, now=BEGINS - DAY), Step.NOTHING),
    "the Service has another name": (replace(FRESH, names=("other.ns.svc",)), Step.PREPARE),
    "the next one is not trusted yet": (replace(ROTATING, published=("ca-one",)), Step.PUBLISH),
    "API servers may not know yet": (replace(ROTATING, published_for=PACE.spread - 1), Step.NOTHING),
    "API servers know": (replace(ROTATING, published_for=PACE.spread), Step.PROMOTE),
    "the current one is over meanwhile": (replace(ROTATING, now=ONE.ends), Step.PROMOTE),
    "the next one became old, too": (replace(ROTATING, now=TWO.begins + 61 * DAY), Step.PREPARE),
    "the next one was made by a clock that was ahead": (
        replace(ROTATING, kept=Kept(ONE, certificate("two", begins=BEGINS + 61 * DAY)), published_for=PACE.spread),
        Step.PREPARE,
    ),
    "replicas may serve the former one": (replace(ROTATED, current_for=PACE.settle - 1), Step.NOTHING),
    "no replica serves the former one": (replace(ROTATED, current_for=PACE.settle), Step.RETIRE),
    "the former one is not trusted any more": (replace(ROTATED, published=("ca-two",)), Step.PUBLISH),
}


# The same for a replica that does not lead.
OTHERS: dict[str, tuple[Observed, Step]] = {
    "there is none": (replace(FRESH, kept=Kept()), Step.ISSUE),
    "nobody trusts it": (replace(FRESH, published=()), Step.PUBLISH),
    "it is over": (replace(FRESH, now=ONE.ends), Step.PREPARE),
    "it is over and another was made": (replace(ROTATING, now=ONE.ends), Step.PROMOTE),
    "another is trusted too": (replace(FRESH, published=("ca-one", "ca-zero")), Step.NOTHING),
    "after two thirds": (replace(FRESH, now=BEGINS + 60 * DAY), Step.NOTHING),
    "the next one is not trusted yet": (replace(ROTATING, published=("ca-one",)), Step.NOTHING),
    "API servers know": (replace(ROTATING, published_for=PACE.spread), Step.NOTHING),
    "no replica serves the former one": (replace(ROTATED, current_for=PACE.settle), Step.NOTHING),
}


@pytest.mark.parametrize(("observed", "step"), OTHERS.values(), ids=OTHERS)
def test_a_replica_that_does_not_lead_only_does_what_cannot_wait(observed: Observed, step: Step) -> None:
    assert next_step(replace(observed, leads=False), PACE) is step


@pytest.mark.parametrize(("observed", "step"), CASES.values(), ids=CASES)
def test_the_next_step(observed: Observed, step: Step) -> None:
    assert next_step(observed, PACE) is step


def test_what_is_kept_after_each_step() -> None:
    assert prepared(Kept(ONE, None, "x"), TWO) == Kept(ONE, TWO, "x")
    assert promoted(Kept(ONE, TWO)) == Kept(TWO, None, "ca-one")
    assert retired(Kept(TWO, None, "ca-one")) == Kept(TWO)
    assert Kept(TWO, ONE, "ca-one").trusted == ("ca-one", "ca-two")
    assert Kept().trusted == ()


def test_the_key_is_not_shown() -> None:
    assert "key" not in repr(Kept(certificate()))


@pytest.mark.parametrize("lifetime", [10.0, 60.0, 3600.0, PACE.lifetime])
def test_a_rotation_is_over_well_before_the_certificate_is(lifetime: float) -> None:
    pace = Pace(lifetime)
    assert pace.read_every * 3 < pace.settle
    assert pace.spread + pace.settle + 6 * pace.read_every < lifetime / 3 + pace.read_every * 2
