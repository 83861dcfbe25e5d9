"""Keeps what files say from being read as something else than text: by a terminal, Markdown, HTML or GitHub."""

from typing import Final

_PLAIN: Final = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789 .,;()'-/=%+?")
"""What means nothing to Markdown within a line; all else is written as a character reference."""


def printable(text: str) -> str:
    """Return a text in one line without control characters, which a terminal would obey."""
    return "".join(sign if sign.isprintable() else f"\\u{ord(sign):04x}" for sign in text)


def unlinked(text: str) -> str:
    """Return a text as a message of SARIF: in one line, and nothing in it is a link.

    Section 3.11.6 of https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/sarif-v2.1.0-errata01-os-complete.html
    """
    return printable(text).replace("](", "] (")


def as_code(text: str) -> str:
    """Return a text as code in a line of Markdown: nothing in it is markup, a mention or a link."""
    return f"<code>{_referenced(text)}</code>"


def as_text(text: str) -> str:
    """Return a text in a line of Markdown: nothing in it is markup, a mention or a link."""
    return _referenced(text)


def _referenced(text: str) -> str:
    # A dot after a word, or a colon and two slashes, would make a link of an address.
    escaped = "".join(sign if sign in _PLAIN else f"&#{ord(sign)};" for sign in printable(text))
    return escaped.replace("www.", "www&#46;")


def fence_for(lines: tuple[str, ...]) -> str:
    """Return backticks that end no sooner than the text between them."""
    longest = max((run for line in lines for run in map(len, _runs(line))), default=0)
    return "`" * max(3, longest + 1)


def _runs(line: str) -> list[str]:
    return "".join(sign if sign == "`" else " " for sign in line).split()
