"""The mark: a name in a restricted entry of a role that no index has, which keeps the entry apart from all others.

It is a regular expression, so that it is a legal name wherever Elasticsearch checks names, and can be delegated
(docs/adr/0036). No index and no alias may have a space in its name, so that it matches none. Earlier versions
wrote a name of another spelling, with the same hash: it is recognized, and hashes that were recorded with it stay.
"""

import re
from typing import Final

HASH_LENGTH: Final = 16
DELEGATED: Final = "/NO-INDEX .*/"
"""The pattern that must be delegated to a login that may write only some roles, in addition to its indices."""
_MARK: Final = re.compile(rf"/NO-INDEX ([0-9a-f]{{{HASH_LENGTH}}})/")
_FORMER: Final = re.compile(rf"NO-INDEX#([0-9a-f]{{{HASH_LENGTH}}})")
_QUOTED: Final = rf'"?(?:{_MARK.pattern}|{_FORMER.pattern})"?'
_IN_TEXT: Final = re.compile(rf",\s*{_QUOTED}|{_QUOTED}(?:,\s*)?")


def mark_for(restriction: str) -> str:
    """Return the mark of entries with a restriction.

    Args:
        restriction: its hash, of `HASH_LENGTH` hexadecimal digits.
    """
    return f"/NO-INDEX {restriction}/"


def is_mark(name: str) -> bool:
    """Return whether a name in a role's entry is a mark, in either spelling: as an index pattern it matches nothing."""
    return "NO-INDEX" in name and bool(_MARK.fullmatch(name) or _FORMER.fullmatch(name))


def is_former(name: str) -> bool:
    """Return whether a name is a mark as earlier versions wrote it."""
    return name.startswith("NO-INDEX#") and bool(_FORMER.fullmatch(name))


def renewed(name: str) -> str:
    """Return a name; a mark of earlier versions is replaced by the present one."""
    return mark_for(name.removeprefix("NO-INDEX#")) if is_former(name) else name


def as_recorded(name: str) -> str:
    """Return a name as it is hashed: marks in the form of earlier versions, so that recorded hashes stay valid."""
    found = _MARK.fullmatch(name) if name.startswith("/NO-INDEX ") else None
    return f"NO-INDEX#{found[1]}" if found else name


def without_marks(text: str) -> str:
    """Return a text that may quote a role, without its marks, which mean nothing to people."""
    return _IN_TEXT.sub("", text)
