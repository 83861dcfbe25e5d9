"""How answers are printed: nothing in them moves a cursor or pretends to be another line."""

import io
import json
import re
import sys
from itertools import pairwise

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len

from searchaccess.cli.printing import Format, emit, fits, fitting, plain, table, verbatim, warn

ODD = "a\x1b[2Jb\x9bc\u202ed\r\ne\ud800f\u2028g\u061ch"


@pytest.mark.parametrize("output", Format)
def test_no_format_passes_control_characters_on(output: Format, capsys: pytest.CaptureFixture[str]) -> None:
    emit(output, {"text": ODD}, lambda: [ODD, table(["HEAD"], [[ODD]])])
    shown = capsys.readouterr().out
    assert not set("\x1b\x9b\u202e\r\ud800\u2028\u061c") & set(shown)
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


def test_a_table_in_a_file_is_aligned_as_on_a_terminal_without_being_one(capsys: pytest.CaptureFixture[str]) -> None:
    """Rich needs some 10 KB a row."""
    made = table(["NAME", "東京"], [["索引", "a\tb"], ["two\nlines", 3], ["", "end"]])
    assert isinstance(made, str)
    emit(Format.TABLE, None, lambda: [made])
    assert capsys.readouterr().out.splitlines() == [
        "NAME   東京",
        "索引   a       b",
        "two    3",
        "lines",
        "       end",
    ]


def test_a_table_fits_where_its_names_stay_whole_and_its_texts_wrap_between_words(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    heads, row = ["NAME", "WHY"], ["a-name-of-20-letters", "some words, and more of them"]
    for columns, wraps in ((50, True), (49, True), (28, True), (27, False)):
        monkeypatch.setattr("searchaccess.cli.printing.width", lambda columns=columns: columns)
        assert fits(heads, [row]) is (columns >= 50)
        assert fits(heads, [row], {"WHY"}) is wraps
        assert fits(heads, [row], {"WHY"}, 24) is (columns >= 46)
        assert fits(["INDEX"], [["索引" * 10]]) is (columns >= 40), "each takes two columns"


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


@given(st.lists(st.text("ab-/@索́\xa0", min_size=1, max_size=60), min_size=1, max_size=9), st.integers(0, 4))
def test_names_stay_whole_on_a_terminal(words: list[str], indent: int) -> None:
    """Otherwise nobody could copy them. Some characters take two cells of the terminal, and some none."""
    text = " " * indent + " ".join(words)
    lines = list(fitting(text, 30))
    assert " ".join(line.strip(" ") for line in lines).split(" ") == words
    assert all(cell_len(line) <= 30 or " " not in line.strip(" ") for line in lines)
    assert all(line.startswith(" " * (indent + 2)) for line in lines[1:])
    for line, following in pairwise(lines):
        assert cell_len(line) + 1 + cell_len(following.lstrip(" ").partition(" ")[0]) > 30, "a word more had room"
    assert list(fitting("", 30)) == [""]
    assert list(fitting("a\n\nb", 30)) == ["a", "", "b"]


@pytest.mark.timeout(60)
def test_spaces_at_the_end_take_no_time() -> None:
    """A message is somebody else's: as many as this would take ten minutes if each were looked at from each."""
    assert list(fitting("a name" + " " * 400_000, 30)) == ["a name"]
