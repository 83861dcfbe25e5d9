"""What a run says in the end, and with which exit code."""

from typing import Any

import pytest

from searchaccess.cli.summaries import table_of
from searchaccess.core.summary import Exit, Line, Summary, line_of, sorted_lines

BEGAN = "2026-01-01T10:00:00Z"


def a_line(ready: str, reason: str, name: str = "shop/orders", **more: Any) -> Line:
    ready_now = {"type": "Ready", "status": ready, "reason": reason, "message": f"about {reason}"}
    return line_of("SearchAccess", name, "prod", {"conditions": [ready_now]} | more, BEGAN)


@pytest.mark.parametrize(
    ("lines", "code"),
    [
        ([("True", "InSync")], Exit.IN_SYNC),
        ([], Exit.IN_SYNC),
        ([("False", "Suspended"), ("True", "InSync")], Exit.IN_SYNC),
        ([("True", "InSync"), ("False", "ChangesPending")], Exit.PENDING),
        ([("False", "DriftDetected")], Exit.PENDING),
        ([("False", "ChangesPending"), ("False", "InvalidSpec"), ("True", "InSync")], Exit.FAILED),
        ([("Unknown", "ClusterUnreachable")], Exit.FAILED),
        ([("Unknown", "")], Exit.FAILED),
    ],
)
def test_exit_codes(lines: list[tuple[str, str]], code: Exit) -> None:
    assert Summary(tuple(a_line(*line) for line in lines)).code == code


def test_what_did_not_come_to_its_end_failed() -> None:
    assert Summary((a_line("True", "InSync"),), unfinished="it was told to stop").code == Exit.FAILED


def test_what_was_changed_since_it_began() -> None:
    assert a_line("True", "InSync", lastSyncTime="2026-01-01T10:00:00Z").changed
    assert not a_line("True", "InSync", lastSyncTime="2026-01-01T09:59:59Z").changed
    assert not a_line("True", "InSync").changed
    assert line_of("SearchAccess", "a", "prod", {}, BEGAN).code == Exit.FAILED, "nothing is known of it"


def test_what_went_wrong_comes_last_and_is_counted() -> None:
    lines = sorted_lines(
        [
            a_line("False", "InvalidSpec", "shop/a"),
            a_line("True", "InSync", "shop/c", lastSyncTime="2026-01-01T10:00:01Z"),
            a_line("False", "ChangesPending", "shop/b"),
        ]
    )
    summary = Summary(lines, elsewhere=2, unfinished="it was told to stop")
    assert [line.name for line in lines] == ["shop/c", "shop/b", "shop/a"]
    text = table_of(summary)
    assert text.splitlines()[0].split() == ["KIND", "NAME", "CLUSTER", "REASON", "CHANGED", "MESSAGE"]
    assert text.splitlines()[1].split() == ["ok", "SearchAccess", "shop/c", "prod", "InSync", "yes"]
    assert text.splitlines()[3].split() == [
        "FAILED",
        "SearchAccess",
        "shop/a",
        "prod",
        "InvalidSpec",
        "about",
        "InvalidSpec",
    ]
    assert "1 of 3 SearchAccesses as declared; 1 changed; 1 with changes pending; 1 failed; " in text
    assert "2 SearchClusters are another replica's." in text
    assert text.endswith("NOT FINISHED: it was told to stop.\n")
    assert summary.to_json()["exitCode"] == 1
    assert [item["changed"] for item in summary.to_json()["items"]] == [True, False, False]
