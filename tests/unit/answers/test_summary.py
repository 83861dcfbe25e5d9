"""What a run says in the end, and with which exit code."""

from typing import Any

import pytest
import yaml
from rich.cells import cell_len

from searchaccess.api.conditions.docs import REASON_DOCS
from searchaccess.api.conditions.reasons import Reason
from searchaccess.api.status import SearchAccessStatus, SearchClusterStatus, Status
from searchaccess.cli.summaries import Output, show, table_of
from searchaccess.core.answers.audits import Audit
from searchaccess.core.answers.changes import Action, Change
from searchaccess.core.answers.summary import Exit, Line, Summary, line_of, sorted_lines
from searchaccess.core.rights.diff import Difference
from searchaccess.core.status.access import Failure

BEGAN = "2026-01-01T10:00:00Z"


def read(raw: dict[str, Any], kind: str = "SearchAccess") -> Status:
    return (SearchAccessStatus if kind == "SearchAccess" else SearchClusterStatus).read(raw)


def a_line(
    ready: str, reason: str, name: str = "shop/orders", kind: str = "SearchAccess", message: str = "", **more: Any
) -> Line:
    return line_of(
        kind,
        name,
        "prod",
        read({"conditions": [a_condition(ready, reason, message)]} | more, kind),
        BEGAN,
        generation=1,
    )


def a_condition(
    status: str, reason: str, message: str = "", kind: str = "Ready", generation: int | None = 1
) -> dict[str, Any]:
    made = {"type": kind, "status": status, "reason": reason, "message": message or f"about {reason}"}
    return made if generation is None else made | {"observedGeneration": generation}


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
    assert Summary((a_line("True", "InSync"),), unfinished="it was stopped").code == Exit.FAILED


def test_what_was_changed_since_it_began() -> None:
    assert a_line("True", "InSync", lastSyncTime="2026-01-01T10:00:00Z").changed
    assert not a_line("True", "InSync", lastSyncTime="2026-01-01T09:59:59Z").changed
    assert not a_line("True", "InSync").changed
    assert line_of("SearchAccess", "a", "prod", read({}), BEGAN, generation=1).code == Exit.FAILED, (
        "nothing is known of it"
    )


def test_what_went_wrong_comes_last_and_is_counted() -> None:
    lines = sorted_lines(
        [
            a_line("False", "InvalidSpec", "shop/a"),
            a_line("True", "InSync", "shop/c", lastSyncTime="2026-01-01T10:00:01Z"),
            a_line("False", "ChangesPending", "shop/b"),
        ]
    )
    summary = Summary(lines, elsewhere=2, unfinished="it was stopped")
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
    assert "2 SearchClusters belong to another replica." in text
    assert text.endswith("NOT FINISHED: it was stopped.\n")
    assert summary.to_json()["exitCode"] == 1
    assert [item["changed"] for item in summary.to_json()["items"]] == [True, False, False]


def test_what_failed_is_reported_in_full_once_for_all_with_the_next_step() -> None:
    long = "elasticsearch.yml needs " + "xpack.security.authc.realms.jwt.google.order: 1, " * 9 + "and so on"
    troubles = [a_line("False", "RealmMismatch", f"shop/{number}", message=long) for number in range(3)]
    cluster = a_line("False", "RealmMismatch", "prod", kind="SearchCluster", message=long)
    text = table_of(Summary((a_line("True", "InSync"), *troubles, cluster)))
    assert text.count(long) == 1
    reported = f"RealmMismatch (shop/0 and 3 more): {long}"
    assert f"\n\n{reported}\n  next: {REASON_DOCS[Reason.REALM_MISMATCH].next_step}\n\n" in text
    assert "3 failed; 1 SearchCluster failed." in text


def test_what_is_only_observed_is_no_trouble() -> None:
    text = table_of(Summary((a_line("False", "ChangesPending"), a_line("True", "InSync"))))
    assert text.count("\n\n") == 1
    assert "SearchCluster failed" not in text


def test_of_many_troubles_some_are_reported_and_the_others_counted() -> None:
    lines = [a_line("False", "InvalidSpec", f"shop/{number}", message=f"number {number}!") for number in range(12)]
    text = table_of(Summary((*lines, a_line("Unknown", ""))))
    assert "InvalidSpec (shop/9): number 9!" in text
    assert "(shop/10)" not in text
    assert "\n3 more failures: -o json shows all of them.\n" in text


def test_what_has_no_status_yet_says_so() -> None:
    text = table_of(Summary((line_of("SearchAccess", "shop/new", "prod", read({}), BEGAN, generation=1),)))
    assert "\nno status yet (shop/new)\n" in text


def test_what_would_be_changed_is_not_as_declared_yet() -> None:
    difference = Difference(
        "role/searchaccess.default.shop-web", "indices[orders-*].privileges", want='["read"]', have='["all"]' * 40
    )
    change = Change("prod", "role/searchaccess.default.shop-web", Action.CHANGE, (difference,), ("shop/b",))
    lines = (a_line("True", "InSync"), a_line("True", "InSync", "shop/b", lastSyncTime="2026-01-01T10:00:01Z"))
    text = table_of(Summary(lines, changes=(change,)))
    assert text.splitlines()[0].split() == ["KIND", "NAME", "CLUSTER", "REASON", "WOULD", "CHANGE", "MESSAGE"]
    assert [line.split()[0] for line in text.splitlines()[1:3]] == ["ok", "would"]
    assert f"  ~ {difference.path}: {difference.have} -> {difference.want}\n" in text
    assert "1 of 2 SearchAccesses as declared; 1 would change; 0 with changes pending; 0 failed." in text
    assert "2 of 2 SearchAccesses as declared; 1 changed;" in table_of(Summary(lines))


KINDS = ["SearchAccess", "SearchCluster"]


@pytest.mark.parametrize("kind", KINDS)
def test_what_has_no_status_failed(kind: str) -> None:
    statuses: list[dict[str, Any]] = [
        {}, {"conditions": []}, {"conditions": [a_condition("True", "InSync", kind="Synced")]}
    ]  # fmt: skip
    for status in statuses:
        line = line_of(kind, "a", "prod", read(status, kind), BEGAN, generation=1)
        assert (line.ready, line.code) == ("Unknown", Exit.FAILED)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("reason", ["InSync", "ChangesPending"])
@pytest.mark.parametrize("generation", [None, 1, 2])
def test_what_was_changed_since_its_status_failed(kind: str, reason: str, generation: int | None) -> None:
    status = {"observedGeneration": 3, "conditions": [a_condition("True", reason, generation=generation)]}
    line = line_of(kind, "a", "prod", read(status, kind), BEGAN, generation=3)
    assert (line.ready, line.reason, line.code) == ("Unknown", "Pending", Exit.FAILED)
    assert line.message == "it was changed and has not been reconciled since"


@pytest.mark.parametrize(("seen", "code"), [(2, Exit.IN_SYNC), (1, Exit.FAILED)])
def test_what_is_suspended_keeps_what_was_said_of_it_before(seen: int, code: Exit) -> None:
    paused = a_condition("Unknown", "Suspended", kind="Synced", generation=seen)
    status = {"conditions": [a_condition("True", "InSync", generation=1), paused]}
    assert line_of("SearchAccess", "a", "prod", read(status), BEGAN, generation=2).code is code


def test_what_could_not_be_written_failed_though_its_status_would_say_that_it_is_as_declared() -> None:
    status = {"conditions": [a_condition("True", "InSync")]}
    refused = Failure(Reason.PERMISSION_DENIED, "its status cannot be written: 403")
    line = line_of("SearchAccess", "a", "prod", read(status), BEGAN, generation=1, unwritten=refused)
    assert (line.code, line.reason, line.message) == (Exit.FAILED, "PermissionDenied", refused.message)


def test_what_is_about_one_namespace() -> None:
    lines = (
        a_line("True", "InSync", "shop/a"),
        a_line("False", "InvalidSpec", "other/b"),
        a_line("False", "ClusterUnreachable", "away", kind="SearchCluster"),
        a_line("True", "InSync", "prod", kind="SearchCluster"),
    )
    changes = (
        Change("prod", "role/a", Action.CHANGE, owners=("other/b", "shop/a")),
        Change("prod", "role/b", Action.CHANGE, owners=("other/b",)),
        Change("prod", "role/c", Action.CHANGE, owners=("shopping/c",)),
        Change("prod", "role_mapping/x", Action.CREATE),
        Change("away", "role_mapping/x", Action.CREATE),
    )
    whole = Summary(lines, changes=changes)
    found = whole.of_namespace("shop")
    assert (whole.code, found.code) == (Exit.FAILED, Exit.PENDING)
    assert [line.name for line in found.lines] == ["shop/a", "prod"]
    assert [(change.cluster, change.object) for change in found.changes or ()] == [
        ("prod", "role/a"), ("prod", "role_mapping/x")
    ]  # fmt: skip
    assert Summary(lines, unfinished="it was stopped").of_namespace("shop").code is Exit.FAILED
    nothing = Summary(lines, changes=()).of_namespace("nobody")
    assert (nothing.code, nothing.lines, nothing.changes) == (Exit.IN_SYNC, (), ())
    assert Summary(lines).of_namespace("shop").changes is None
    # What a SearchCluster in the same pull request does to others must not pass unseen.
    found = whole.of_namespace("shop", {"prod"})
    assert [line.name for line in found.lines] == ["shop/a", "prod"]
    assert [change.object for change in found.changes or ()] == ["role/a", "role/b", "role/c", "role_mapping/x"]
    found = whole.of_namespace("nobody", {"away"})
    assert ([line.name for line in found.lines], found.code) == (["away"], Exit.FAILED)


@pytest.mark.parametrize("output", Output)
def test_formats(output: Output) -> None:
    summary = Summary((a_line("True", "InSync", message="ü: {}"),))
    text = show(summary, output)
    assert text.endswith("\n")
    assert not text.endswith("\n\n")
    if output is not Output.TABLE:
        assert yaml.safe_load(text) == summary.to_json(), "JSON is YAML"


WHY = "why " * 20 + "so"


def test_a_message_of_wide_characters_is_cut_by_what_it_takes_on_the_terminal() -> None:
    line = a_line("False", "RejectedByElasticsearch", "shop/b", message="索引" * 40)
    table = table_of(Summary((line,)), 140).partition("\n\n")[0].splitlines()
    assert table[1].endswith("…")
    assert 130 <= max(map(cell_len, table)) <= 140


def wide_lines() -> tuple[Line, ...]:
    name = "shop-of-the-region/orders-reader-of-the-warehouse"
    return (
        a_line("True", "InSync", name),
        a_line("False", "RejectedByElasticsearch", "shop/b", message=f"x_content_parse_exception: {WHY}"),
    )


@pytest.mark.parametrize(
    ("width", "heads"),
    [
        (None, ["KIND", "NAME", "CLUSTER", "REASON", "CHANGED", "MESSAGE"]),
        (200, ["KIND", "NAME", "CLUSTER", "REASON", "CHANGED", "MESSAGE"]),
        (140, ["KIND", "NAME", "CLUSTER", "REASON", "CHANGED", "MESSAGE"]),
        (120, ["KIND", "NAME", "CLUSTER", "REASON", "CHANGED"]),
        (105, ["KIND", "NAME", "REASON", "CHANGED"]),
        (40, ["KIND", "NAME", "REASON", "CHANGED"]),
    ],
)
def test_a_table_fits_the_terminal_and_cuts_no_name(width: int | None, heads: list[str]) -> None:
    text = table_of(Summary(wide_lines()), width)
    table = text.partition("\n\n")[0].splitlines()
    assert table[0].split() == heads
    assert "shop-of-the-region/orders-reader-of-the-warehouse" in table[1]
    assert "RejectedByElasticsearch" in table[2]
    if width and width > 100:
        assert max(map(len, table)) <= width
    assert text.count(WHY) == 1, "below the table it is in full"


def test_what_policies_only_report_is_shown_and_fails_nothing() -> None:
    audits = tuple(Audit("own", f"{name}/orders", "prod", ("grants[0]: no", "and more")) for name in ("shop", "bank"))
    summary = Summary((a_line("True", "InSync"),), changes=(), audits=audits)
    assert summary.code is Exit.IN_SYNC
    text = table_of(summary)
    said = "SearchAccessPolicy own (Audit) would refuse shop/orders (cluster prod)\n  grants[0]: no\n  and more\n"
    assert said in text
    assert "bank/orders" in text
    alone = summary.of_namespace("shop")
    assert [audit["access"] for audit in alone.to_json()["audits"]] == ["shop/orders"]
    assert "audits" not in Summary((a_line("True", "InSync"),)).to_json()
