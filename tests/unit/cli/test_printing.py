"""How answers are printed: nothing in them moves a cursor or pretends to be another line."""

import io
import json
import re
import sys

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from searchaccess.cli.printing import Format, emit, fitting, plain, table, verbatim, warn

ODD = "a\x1b[2Jb\x9bc\u202ed\r\ne\ud800f"


@pytest.mark.parametrize("output", Format)
def test_no_format_passes_control_characters_on(output: Format, capsys: pytest.CaptureFixture[str]) -> None:
    emit(output, {"text": ODD}, lambda: [ODD, table(["HEAD"], [[ODD]])])
    shown = capsys.readouterr().out
    assert not set("\x1b\x9b\u202e\r\ud800") & set(shown)
    if output is not Format.TABLE:
        assert (json.loads if output is Format.JSON else yaml.safe_load)(shown) == {"text": ODD}


def test_a_warning_is_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    warn("one\ntwo\x1b")
    assert capsys.readouterr().err == "searchaccess: one two\N{REPLACEMENT CHARACTER}\n"


def test_what_people_write_stays() -> None:
    assert plain("für 東京\t\n") == "für 東京\t\n"


def test_a_table_in_a_file_has_no_spaces_at_the_end_and_does_not_wrap(capsys: pytest.CaptureFixture[str]) -> None:
    emit(Format.TABLE, None, lambda: [table(["NAME", "TEXT"], [["a", "x " * 200], ["b", ""]])])
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 3
    assert lines == [line.rstrip() for line in lines]


def test_a_configuration_is_never_broken_into_lines(monkeypatch: pytest.MonkeyPatch) -> None:
    terminal = io.StringIO()
    monkeypatch.setattr(terminal, "isatty", lambda: True)
    monkeypatch.setattr(sys, "stdout", terminal)
    monkeypatch.setenv("COLUMNS", "40")
    line = "xpack.security.authc.realms.jwt.google.pkc_jwkset_path: https://www.googleapis.com/oauth2/v3/certs"
    emit(Format.TABLE, {}, lambda: [verbatim(f"{line}\nxpack: 1"), "a sentence that does not fit into forty columns"])
    lines = [each.rstrip() for each in re.sub(r"\x1b\[[0-9;]*m", "", terminal.getvalue()).splitlines()]
    assert lines[:2] == [line, "xpack: 1"]
    assert max(map(len, lines[2:])) <= 40


@given(st.lists(st.text("ab-/@", min_size=1, max_size=60), min_size=1, max_size=9), st.integers(0, 4))
def test_names_stay_whole_on_a_terminal(words: list[str], indent: int) -> None:
    """Otherwise nobody could copy them."""
    text = " " * indent + " ".join(words)
    lines = list(fitting(text, 30))
    assert " ".join(lines).split() == words
    assert all(len(line) <= 30 or " " not in line.strip() for line in lines)
    assert all(line.startswith(" " * (indent + 2)) for line in lines[1:])
    assert list(fitting("", 30)) == [""]
    assert list(fitting("a\n\nb", 30)) == ["a", "", "b"]
