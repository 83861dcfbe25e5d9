"""How the demo looks, and that it is a check."""

import io
from pathlib import Path

import pytest
from rich.console import Console

from tests.demo import __main__ as demo
from tests.demo.calls import Call
from tests.demo.screen import Screen, fold_columns
from tests.demo.stage import DemoError, Stage
from tests.stack.running.processes import ServerStartError
from tests.stack.stack import Stack

LISTING = [
    "NAMESPACE   NAME     SERVICE             ACCESS           READY",
    "shop        reader   web@example.com     r orders-*       True",
    "shop        writer   index@example.com   rw orders-* +1   False",
]


class TestFoldColumns:
    def test_what_fits_is_left_as_it_is(self) -> None:
        assert fold_columns(LISTING, 80) == LISTING

    def test_what_is_too_wide_goes_into_blocks_that_each_have_the_names(self) -> None:
        assert fold_columns(LISTING, 44) == [
            "NAMESPACE  NAME    SERVICE",
            "shop       reader  web@example.com",
            "shop       writer  index@example.com",
            "NAME    ACCESS          READY",
            "reader  r orders-*      True",
            "writer  rw orders-* +1  False",
        ]

    @pytest.mark.parametrize("width", range(20, 70))
    def test_no_line_is_too_wide_and_no_value_is_lost(self, width: int) -> None:
        folded = fold_columns(LISTING, width)
        assert max(map(len, folded)) <= max(width, len("writer  index@example.com"))
        for line in LISTING:
            assert all(value in " ".join(folded) for value in line.split())


def shown(*steps: object, monkeypatch: pytest.MonkeyPatch) -> tuple[int, str]:
    """Show steps; return the exit code and what was printed."""
    monkeypatch.setattr(demo, "STEPS", steps)
    monkeypatch.setattr(demo, "ensure_kubernetes_binaries", lambda _: Path())
    monkeypatch.setattr(demo, "ensure_elasticsearch_home", lambda **_: Path())
    output = io.StringIO()
    code = demo.show(Stage(Screen(Console(file=output, width=100)), Stack()), keep=False)
    return code, output.getvalue()


def expect(expected: str, got: str) -> object:
    def step(stage: Stage) -> None:
        with stage.screen.step("Ask") as page:
            table = stage.new_checks_table()
            stage.checks.add_row(table, str(Call("GET", "/orders/_search", expected)), expected, got)
            page.show(table)

    return step


def test_the_demo_succeeds_when_every_expectation_holds(monkeypatch: pytest.MonkeyPatch) -> None:
    code, output = shown(expect("200 ok", "200 ok"), expect("403 refused", "403 refused"), monkeypatch=monkeypatch)
    assert code == 0
    assert "All 2 expectations held" in output


def test_the_demo_fails_when_an_expectation_does_not_hold(monkeypatch: pytest.MonkeyPatch) -> None:
    code, output = shown(expect("200 ok", "200 ok"), expect("403 refused", "200 ok"), monkeypatch=monkeypatch)
    assert code == 1
    assert "1 of 2 expectations did not hold" in output


def test_what_stops_the_demo_is_said_in_a_line(monkeypatch: pytest.MonkeyPatch) -> None:
    def step(stage: Stage) -> None:
        with stage.screen.step("Start") as page:
            page.say("so far")
            raise DemoError("the operator is gone")

    code, output = shown(step, monkeypatch=monkeypatch)
    assert code == 1
    assert "so far" in output
    assert "✗ the operator is gone" in output
    assert "Traceback" not in output


def test_a_server_that_does_not_start_is_reported_without_its_stack_trace(monkeypatch: pytest.MonkeyPatch) -> None:
    def step(_: Stage) -> None:
        log = ["The end of es.log:", "up", "org.BindException: Address already in use", "  at java.base/sun.nio"]
        raise ServerStartError("\n".join(["elasticsearch ended with 1.", *log]))

    code, output = shown(step, monkeypatch=monkeypatch)
    assert code == 1
    assert "✗ elasticsearch ended with 1. org.BindException: Address already in use\n" in output
    assert "at java" not in output
