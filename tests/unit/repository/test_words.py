"""What people read has one spelling, and the words of the field."""

import re
from pathlib import Path
from typing import Final

import pytest

ROOT = Path(__file__).parents[3]
PAGES = sorted(
    [page for page in (ROOT / "docs").rglob("*.md") if page.parent.name != "adr"]
    + [ROOT / name for name in ("README.md", "SECURITY.md", "CONTRIBUTING.md", "CHANGELOG.md", "client/README.md")]
    + [page for page in (ROOT / "charts").rglob("*") if page.name in {"README.md", "NOTES.txt", "values.yaml"}]
)
"""Help, descriptions of fields, meanings of reasons and metrics are in generated pages of these."""
INSTEAD: Final = {
    r"behaviour|colour|honour|favour|labour": "write -or, as in American English",
    r"licence": "license",
    r"cancelled|labelled|modelled|travelling": "canceled, labeled, modeled, traveling",
    r"centre": "center",
    r"judgement": "judgment",
    r"whilst|amongst": "while, among",
    r"learnt|spelt": "learned, spelled",
    r"(?:author|normal|organ|recogn|serial|synchron|summar|initial)is(?:e|ed|es|ing|ation)\b": "write -ize",
    r"back-off": "backoff",
    r"take-over": "takeover",
    r"for ever\b": "forever",
    r"anew": "again",
    r"(?<!self-)(?:heals?\b|healed|healing)": "correct, corrected",
    r"to the letter": "exactly",
    r"is loud|are loud": "say how it is reported",
}


def found(text: str) -> list[str]:
    """Return the words of a text that are not used here, each with what to write instead."""
    prose = re.sub(r"`[^`\n]*`|\]\([^)\s]*\)", "", text)
    return [
        f"{match[0]}: {instead}"
        for words, instead in INSTEAD.items()
        for match in re.finditer(rf"\b(?:{words})", prose, re.IGNORECASE)
    ]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_a_page_has_the_words_of_the_field(page: Path) -> None:
    assert found(page.read_text(encoding="utf-8")) == []


@pytest.mark.parametrize(
    "text", ["The behaviour", "it is loud.", "Authorised callers", "with back-off", "drift is healed"]
)
def test_other_words_are_found(text: str) -> None:
    assert len(found(text)) == 1


def test_code_and_links_may_have_any_words() -> None:
    assert found("`colour` and [why](adr/0035-take-over.md)") == []
