"""What the bench of the webhook calculates."""

import asyncio

from tests.bench.instruments import durations, is_quiet
from tests.bench.pacing import due, paced

NAME = "apiserver_admission_webhook_admission_duration_seconds"


def test_each_client_acts_at_its_own_moments() -> None:
    assert due([0.75, 0.25], every=2.0, times=2) == [0.5, 1.5, 2.5, 3.5]


async def test_an_act_begins_whether_or_not_those_before_it_ended() -> None:
    began = asyncio.Barrier(3)
    times = await paced(began.wait, [0.0, 0.0, 0.0])
    assert len(times) == 3


def test_only_reviews_of_this_webhook_are_counted() -> None:
    ours, other = 'name="accesses.searchaccess.dev"', 'name="other.example.com"'
    lines = [
        f'{NAME}_bucket{{{ours},operation="CREATE",le="0.1"}} 3',
        f'{NAME}_sum{{{ours},operation="CREATE",rejected="false"}} 0.25',
        f'{NAME}_sum{{{ours},operation="UPDATE",rejected="true"}} 0.5',
        f'{NAME}_sum{{{other},operation="CREATE",rejected="false"}} 8',
        f'{NAME}_count{{{ours},operation="CREATE",rejected="false"}} 3',
        f'{NAME}_count{{{ours},operation="UPDATE",rejected="true"}} 1',
        f"# HELP {NAME} how long {ours} took",
    ]
    assert durations("\n".join(lines)) == {"sum": 0.75, "count": 4.0}


def test_times_on_a_busy_machine_are_not_compared_with_a_goal() -> None:
    assert is_quiet(0.9, cores=2)
    assert not is_quiet(1.1, cores=2)
