"""Open, suppressed, fixed and reopened; and fixed only where a run would have seen it."""

import json
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from searchaccess.core.answers.exits import Exit
from searchaccess.core.answers.findings.audits import Logged
from searchaccess.core.answers.findings.baseline import BadBaseline, Baseline, read_baseline
from searchaccess.core.answers.findings.examined import Examined, examined
from searchaccess.core.answers.findings.kinds import Kind, Severity
from searchaccess.core.answers.findings.lifecycle import Followed, Result, follow
from searchaccess.core.answers.findings.model import About, Change, Finding, State
from searchaccess.core.answers.findings.suppressions import BadSuppressions, Effect, read_suppressions
from tests.support.runs.effort import examples
from tests.unit.answers.findings.material import AT, WRITTEN, access, cluster, looked, others_give
from tests.unit.answers.test_statuses import condition

OPS = access(status=others_give("ops"))
CLEAN = access()
LATER = AT + timedelta(days=1)


def run(
    *accesses: dict[str, Any],
    before: Result | None = None,
    decisions: list[dict[str, Any]] | None = None,
    now: Any = AT,
    **more: Any,
) -> Result:
    """Follow what is found, as if each earlier result had been a file."""
    found, seen = looked(*accesses, **more)
    baseline = None if before is None else again(before, now)
    return follow(found, seen, now=now, baseline=baseline, suppressions=read_suppressions(decisions, now))


def again(result: Result, now: Any = AT) -> Baseline:
    return read_baseline(json.loads(json.dumps(result.data(Exit.IN_SYNC))), now)


def shown(result: Result) -> list[tuple[str, str, str | None]]:
    return [(each.finding.what[1] if each.finding.what else "", each.state, each.change) for each in result.findings]


def a_decision(result: Result, **more: Any) -> dict[str, Any]:
    made = {"id": result.findings[0].finding.id, "reason": "a test", "by": "ada", "until": "2026-02-01"}
    return made | more


class TestAComparison:
    def test_without_an_earlier_run_nothing_is_new(self) -> None:
        result = run(OPS)
        assert shown(result) == [("ops", "Open", None)]
        assert result.findings[0].finding.first_seen == WRITTEN
        assert result.count() == "1 open (1 high)"

    def test_new_still_open_fixed_and_reopened(self) -> None:
        first = run(OPS)
        second = run(access(status=others_give("ops", "dev")), before=first, now=LATER)
        assert shown(second) == [("dev", "Open", "New"), ("ops", "Open", "Unchanged")]
        assert [each.finding.first_seen for each in second.findings] == ["2026-01-03T00:00:00Z", WRITTEN]
        third = run(CLEAN, before=second, now=LATER)
        assert {each[1:] for each in shown(third)} == {("Fixed", "Fixed")}
        assert third.findings[0].fixed_at == "2026-01-03T00:00:00Z"
        fourth = run(CLEAN, before=third, now=LATER + timedelta(days=1))
        assert {each[1:] for each in shown(fourth)} == {("Fixed", "Unchanged")}
        assert fourth.findings[0].fixed_at == "2026-01-03T00:00:00Z"
        fifth = run(OPS, before=fourth, now=LATER + timedelta(days=2))
        assert shown(fifth) == [("ops", "Open", "Reopened"), ("dev", "Fixed", "Unchanged")]
        assert fifth.findings[0].finding.first_seen == WRITTEN
        assert fifth.count() == "1 open (1 high), 0 new, 1 reopened, 0 fixed"

    def test_what_was_fixed_long_ago_is_forgotten(self) -> None:
        fixed = run(CLEAN, before=run(OPS))
        assert run(CLEAN, before=fixed, now=AT + timedelta(days=91)).findings == ()
        assert len(run(CLEAN, before=fixed, now=AT + timedelta(days=89)).findings) == 1

    def test_an_object_that_is_gone_is_fixed(self) -> None:
        assert shown(run(before=run(OPS))) == [("ops", "Fixed", "Fixed")]

    def test_an_object_that_files_do_not_have_is_not(self) -> None:
        assert shown(run(before=run(OPS), whole=False)) == [("ops", "Open", "NotExamined")]

    def test_what_cannot_be_seen_any_more_is_not_fixed(self) -> None:
        blind = access(status=others_give("ops", reason="CannotBeSeen"))
        found = {each.finding.kind: each for each in run(blind, before=run(OPS)).findings}
        assert found[Kind.BROADER].change is Change.NOT_EXAMINED
        assert found[Kind.UNSEEN].change is Change.NEW
        hidden = cluster(condition("OthersUnseen", "True", "CannotBeSeen", "no right"))
        assert ("ops", "Open", "NotExamined") in shown(run(CLEAN, before=run(OPS), clusters=[hidden]))
        lost = CLEAN | {"status": {}}
        assert ("ops", "Open", "NotExamined") in shown(run(lost, before=run(OPS)))

    def test_what_is_not_examined_stays_until_it_is(self) -> None:
        unseen = run(before=run(OPS), whole=False)
        assert shown(run(CLEAN, before=unseen)) == [("ops", "Fixed", "Fixed")]

    def test_another_namespace_is_not_asked_about(self) -> None:
        other = access("other", status=others_give("dev"), namespace="bank")
        before = run(OPS, other)
        assert shown(run(OPS, before=before, namespace="shop")) == [("ops", "Open", "Unchanged")]

    def test_logs_that_were_not_read_fix_nothing(self) -> None:
        unused = Finding(Kind.UNUSED, About("SearchAccess", "shop", "orders"), ("action", "write"), "t")
        unknown = Finding(Kind.UNEXPLAINED, About("Caller", "", "ada"), ("user",), "t")
        before = follow([unused, unknown], Examined(whole=True, clusters=True), now=AT)
        seen = looked(CLEAN)[1]

        def changes(logged: Logged | None) -> dict[str, str]:
            given = Examined(seen.objects, "", whole=True, clusters=True, logged=logged)
            result = follow([], given, now=AT, baseline=again(before))
            return {each.finding.kind: str(each.change) for each in result.findings}

        assert set(changes(None).values()) == {"NotExamined"}
        assert changes(Logged((), frozenset())) == {"unused": "NotExamined", "unexplained": "Fixed"}
        assert changes(Logged((), frozenset({"shop/orders"}))) == {"unused": "Fixed", "unexplained": "Fixed"}
        # Too many combinations to tell callers apart, as one of them may cause.
        merged = Logged((), frozenset({"shop/orders"}), merged=True)
        assert changes(merged) == {"unused": "Fixed", "unexplained": "NotExamined"}

    @given(st.lists(st.tuples(st.sets(st.sampled_from("abcde")), st.booleans()), max_size=6))
    @settings(max_examples=examples(50))
    def test_no_finding_is_lost_or_open_twice(self, history: list[tuple[set[str], bool]]) -> None:
        """Whatever happens, each problem that is there is open, and no other but what could not be examined."""
        before, known = run(CLEAN), set[str]()
        for names, whole in history:
            accesses = [access(name, status=others_give("ops")) for name in sorted(names)]
            before = run(*accesses, before=before, whole=whole)
            opened = [each.finding.about.name for each in before.of(State.OPEN)]
            assert len(opened) == len(set(opened))
            known = names if whole else known | names
            assert set(opened) == known


WRONG: dict[str, tuple[Any, str]] = {
    "no list": ({"id": "x"}, "write a list"),
    "no object": (["x"], "[0]: write id, reason, by and until"),
    "no reason": ([{"reason": None}], "[0].reason: Input should be a valid string"),
    "an empty reason": ([{"reason": " "}], "[0].reason: write something"),
    "nobody": ([{"by": ""}], "[0].by: write something"),
    "no id": ([{"id": "orders"}], "[0].id: String should match"),
    "no time": ([{"until": "soon"}], "[0].until: write a time with a time zone"),
    "without a zone": ([{"until": "2026-02-01T00:00:00"}], "[0].until: write a time with a time zone"),
    "forever": ([{"until": "2099-01-01"}], "[0].until: decide again within a year: write 2027-01-03 or an earlier"),
    "something else": ([{"forever": "true"}], "[0].forever: Extra inputs are not permitted"),
    "twice": ([{}, {}], "[1]: f-0123456789abcdef is in it twice"),
    "nested": ([{"reason": [[[[1]]]]}], "it has nested more than"),
}  # fmt: skip


class TestASuppression:
    def test_it_holds_until_its_time(self) -> None:
        first = run(OPS)
        held = run(OPS, before=first, decisions=[a_decision(first)])
        assert shown(held) == [("ops", "Suppressed", "Unchanged")]
        assert held.code(Severity.LOW) is Exit.IN_SYNC
        assert held.count() == "0 open, 1 suppressed, 0 new, 0 fixed"
        ended = run(OPS, decisions=[a_decision(first)], now=AT.replace(month=2, day=1))
        assert shown(ended) == [("ops", "Open", None)]
        assert [each.suppressed.effect for each in ended.lapsed if each.suppressed] == [Effect.EXPIRED]
        assert "1 with a suppression that ended" in ended.count()

    def test_it_is_about_one_finding(self) -> None:
        first = run(OPS)
        both = run(access(status=others_give("ops", "dev")), decisions=[a_decision(first)])
        assert shown(both) == [("dev", "Open", None), ("ops", "Suppressed", None)]

    def test_it_may_hold_as_long_as_the_evidence_is_the_same(self) -> None:
        first = run(OPS)
        decisions = [a_decision(first, content=first.findings[0].finding.content)]
        assert shown(run(OPS, decisions=decisions)) == [("ops", "Suppressed", None)]
        wider = run(access(status=others_give("ops", adds="even more")), decisions=decisions)
        assert shown(wider) == [("ops", "Open", None)]
        assert [each.suppressed.effect for each in wider.lapsed if each.suppressed] == [Effect.OTHER_CONTENT]

    def test_one_of_no_finding_is_stale(self) -> None:
        first = run(OPS)
        stale = run(CLEAN, before=first, decisions=[a_decision(first)])
        assert shown(stale) == [("ops", "Fixed", "Fixed")]
        assert [(each.suppression.by, each.effect) for each in stale.stale] == [("ada", Effect.STALE)]
        # A run that does not see all cannot tell.
        assert run(CLEAN, decisions=[a_decision(first)], namespace="shop").stale == ()
        assert run(CLEAN, decisions=[a_decision(first)], whole=False).stale == ()

    def test_what_is_not_examined_stays_suppressed(self) -> None:
        first = run(OPS)
        result = run(before=first, decisions=[a_decision(first)], whole=False)
        assert shown(result) == [("ops", "Suppressed", "NotExamined")]

    @pytest.mark.parametrize(("raw", "says"), WRONG.values(), ids=WRONG)
    def test_a_wrong_one_is_named_and_none_is_used(self, raw: Any, says: str) -> None:
        right = {"id": "f-0123456789abcdef", "reason": "r", "by": "b", "until": "2026-02-01"}
        given = [right | item if isinstance(item, dict) else item for item in raw] if isinstance(raw, list) else raw
        with pytest.raises(BadSuppressions) as caught:
            read_suppressions(given, AT)
        assert says in str(caught.value)

    def test_an_empty_file_has_none(self) -> None:
        assert read_suppressions(None, AT) == {}


class TestAnEarlierResult:
    @pytest.mark.parametrize("raw", [None, [], {}, {"format": "other"}, {"format": "searchaccess.dev/findings/v1"}])
    def test_something_else_is_refused(self, raw: Any) -> None:
        with pytest.raises(BadBaseline, match="it is no result of searchaccess findings -o json"):
            read_baseline(raw, AT)

    @pytest.mark.parametrize(
        "change",
        [{"what": ["RoleMapping", "other", "superuser"]}, {"id": "f-0"}, {"state": "Gone"}, {"state": "Fixed"}],
        ids=str,
    )
    def test_an_edited_one_is_refused(self, change: dict[str, Any]) -> None:
        data = run(OPS).data(Exit.IN_SYNC)
        data["findings"][0] |= change
        with pytest.raises(BadBaseline, match=r"findings\[0\]: "):
            read_baseline(data, AT)

    def test_kinds_of_another_version_are_counted(self) -> None:
        data = run(OPS).data(Exit.IN_SYNC)
        data["findings"].append({"kind": "later"})
        assert (len(read_baseline(data, AT).findings), read_baseline(data, AT).unknown) == (1, 1)

    def test_it_says_all_that_the_result_says(self) -> None:
        result = run(OPS, access("b", status=others_give("x")))
        assert {each.finding for each in again(result).findings.values()} == {each.finding for each in result.findings}


class TestTheExitCode:
    @pytest.mark.parametrize(
        ("severities", "fail_on", "gaps", "code"),
        [
            ((), Severity.LOW, (), 0),
            ((), Severity.LOW, ("no right",), 4),
            ((Kind.EXPIRED,), Severity.HIGH, (), 0),
            ((Kind.EXPIRED,), Severity.HIGH, ("no right",), 4),
            ((Kind.EXPIRED,), Severity.LOW, (), 3),
            ((Kind.EXPIRED, Kind.DRIFT), Severity.HIGH, ("no right",), 3),
            ((Kind.DRIFT,), Severity.CRITICAL, (), 0),
            ((Kind.ACCEPTS_OTHERS,), Severity.CRITICAL, (), 3),
            ((Kind.ACCEPTS_OTHERS,), None, ("no right",), 0),
        ],
    )
    def test_it_says_whether_there_is_something_as_bad(
        self, severities: tuple[Kind, ...], fail_on: Severity | None, gaps: tuple[str, ...], code: int
    ) -> None:
        found = [Finding(kind, About("SearchAccess", "shop", "a"), (), "t") for kind in severities]
        assert follow(found, examined((), namespace="", whole=True, clusters=True)[1], now=AT, gaps=gaps).code(
            fail_on
        ) == Exit(code)

    def test_what_is_fixed_or_suppressed_does_not_count(self) -> None:
        finding = looked(OPS)[0][0]
        for state in (State.FIXED, State.SUPPRESSED):
            assert Result((Followed(finding, state),)).code(Severity.LOW) is Exit.IN_SYNC


def test_the_documentation_has_each_kind_with_its_severity() -> None:
    page = (Path(__file__).parents[4] / "docs" / "findings.md").read_text()
    for kind in Kind:
        assert f"| `{kind}` | {kind.doc.severity} |" in page
