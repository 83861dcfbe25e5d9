"""What logs hold, and what they must not."""

import json
import logging
from collections.abc import Iterator

import pytest
import structlog

from searchaccess.cli.options.common import configure_logging

SECRET = "the-value-of-a-secret"


@pytest.fixture(autouse=True)
def _as_before() -> Iterator[None]:
    root = logging.getLogger()
    handlers, level = list(root.handlers), root.level
    yield
    root.handlers[:] = handlers
    root.setLevel(level)
    structlog.reset_defaults()


def fail() -> None:
    password = SECRET
    raise ValueError(f"{len(password)} characters")


@pytest.mark.parametrize("as_json", [True, False])
def test_no_local_variable_is_in_a_traceback(capsys: pytest.CaptureFixture[str], *, as_json: bool) -> None:
    configure_logging(as_json=as_json, verbose=False)
    for log in (structlog.get_logger("searchaccess.test"), logging.getLogger("somebody.elses")):
        try:
            fail()
        except ValueError:
            log.exception("it failed")
    said = capsys.readouterr().err
    assert said.count("21 characters") >= 2
    assert "test_logging.py" in said, "where it happened is logged"
    assert SECRET not in said
    if as_json:
        assert [json.loads(line)["event"] for line in said.splitlines()] == ["it failed", "it failed"]


@pytest.mark.parametrize(
    ("terminal", "no_color", "colored"), [(True, "", True), (True, "1", False), (False, "", False)]
)
def test_a_log_has_colors_only_on_a_terminal_that_may_show_them(
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    *,
    terminal: bool,
    no_color: str,
    colored: bool,
) -> None:
    monkeypatch.setattr("sys.stderr.isatty", lambda: terminal)
    monkeypatch.setenv("NO_COLOR", no_color)
    configure_logging(as_json=False, verbose=False)
    structlog.get_logger("searchaccess.test").warning("it happened", cluster="prod")
    said = capsys.readouterr().err
    assert ("\x1b[" in said) is colored
    assert "it happened" in said
