"""Reads values from outside, whatever they are.

Elasticsearch, Secrets, Leases, Google and Vault also contain what others wrote. No function here raises or recurses. An
invalid value counts as absent, so that one odd object affects only itself.
"""

import re
from collections.abc import Iterable, Mapping
from typing import Any, Final

DEPTH: Final = 64
"""Levels of objects and lists that an object may have. Elasticsearch accepts 1,000 of them in metadata (measured), with
which Python's own json, ``==`` and ``repr`` raise RecursionError; ours have five."""
LONGEST: Final = 4096
"""Characters that a text in metadata may have."""
ANNOTATIONS: Final = 262_144
"""Characters that all annotations of a Kubernetes object may have together, and so the limit of each."""
SHOWN: Final = 1000
"""Characters of another's text that a message shows."""
LARGEST: Final = 10**12
"""Largest number of a generation, a key or a version. One more still fits everywhere (63 bits, and what JavaScript
keeps), so that the next number after any that was read can be written."""
LATEST: Final = 253_402_300_800_000
"""The end of the year 9999 in milliseconds, the latest time that can be shown."""

_LABEL: Final = re.compile(r"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?")
_NAME: Final = re.compile(r"(?=.{1,253}\Z)[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*")
_UID: Final = re.compile(r"[A-Za-z0-9]([-A-Za-z0-9]{0,126}[A-Za-z0-9])?")


def within(value: Any, depth: int = DEPTH) -> bool:
    """Return whether a value of JSON has at most so many levels of objects and lists."""
    level = [value] if isinstance(value, dict | list) else []
    for _ in range(depth):
        if not level:
            return True
        inner = (item for outer in level for item in (outer.values() if type(outer) is dict else outer))
        level = [item for item in inner if type(item) is dict or type(item) is list]
    return not level


def mapping(value: Any) -> Mapping[str, Any]:
    """Return an object; of anything else an empty one."""
    return value if isinstance(value, Mapping) else {}


def objects(value: Any) -> list[dict[str, Any]]:
    """Return the objects in a list; of anything else none."""
    return [item for item in value if isinstance(item, dict)] if isinstance(value, list) else []


def text(value: Any, most: int = LONGEST) -> str | None:
    """Return a text of limited length that can be encoded; None: it is none."""
    if not isinstance(value, str) or len(value) > most:
        return None
    try:
        value.encode()
    except UnicodeEncodeError:  # Half a character, which Elasticsearch keeps and gives as \ud800.
        return None
    return value


def shortened(value: str, most: int = SHOWN) -> str:
    """Return a text for people, cut if it is too long, and without characters that cannot be encoded."""
    whole = value[: most + 1].encode(errors="replace").decode()
    return whole if len(whole) <= most else f"{whole[: most - 1]}…"


def texts(values: Any, most: int = LONGEST) -> tuple[str, ...]:
    """Return the texts in a list; of anything else none."""
    if not isinstance(values, list | tuple):
        return ()
    return tuple(found for item in values if (found := text(item, most)) is not None)


def whole_number(value: Any, most: int = LARGEST) -> int | None:
    """Return a whole number from 0 on; None: it is none, or larger than allowed."""
    return value if isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= most else None


def digits(value: Any, most: int = LARGEST) -> int | None:
    """Parse a text of decimal digits as a whole number; None: it is none, or larger than allowed."""
    if not isinstance(value, str) or not value.isascii() or not value.isdecimal() or len(value) > len(str(most)):
        return None
    return whole_number(int(value), most)


def is_label(value: Any) -> bool:
    """Return whether a value is a DNS label of RFC 1123, as each name of a namespace is."""
    return isinstance(value, str) and _LABEL.fullmatch(value) is not None


def is_name(value: Any) -> bool:
    """Return whether a value is a DNS subdomain of RFC 1123, as names of most objects of Kubernetes are.

    https://kubernetes.io/docs/concepts/overview/working-with-objects/names/#dns-subdomain-names
    """
    return isinstance(value, str) and _NAME.fullmatch(value) is not None


def is_uid(value: Any) -> bool:
    """Return whether a value may be the uid of an object of Kubernetes."""
    return isinstance(value, str) and _UID.fullmatch(value) is not None


UNREADABLE: Final[Mapping[str, Any]] = {
    "description": "(it cannot be read: it is nested too deeply, or is no object)",
    "metadata": {"unreadable": True},
}
"""Represents a role or role mapping that cannot be read. Nothing shows that it is ours, so it is not touched."""


def readable(items: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    """Return objects by name, with ``UNREADABLE`` for each that is too deep or no object, or has odd metadata."""
    if all(_is_object(item) for item in items.values()) and within(items, DEPTH + 1):
        return dict(items)
    return {name: item if _is_object(item) and within(item) else dict(UNREADABLE) for name, item in items.items()}


def readable_list(items: Any) -> list[dict[str, Any]]:
    """Return the objects of a list, without those that are too deep or have odd metadata."""
    found: Iterable[dict[str, Any]] = (item for item in objects(items) if _is_object(item))
    return [item for item in found if within(item)]


def _is_object(item: Any) -> bool:
    return isinstance(item, dict) and isinstance(item.get("metadata"), dict | None)
