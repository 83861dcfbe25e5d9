"""Whatever may come from outside: any JSON, and true answers with one part of them replaced by anything."""

import copy
from collections.abc import Iterator
from typing import Any

from hypothesis import strategies as st

SCALARS = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.integers(min_value=10**18, max_value=10**40)
    | st.floats()
    | st.text(max_size=6)
    | st.sampled_from(["", "..", "../../x", "a/b", "\ud800", "\x00", "9" * 4301, "9" * 19, "٣", "x" * 100_000, "-1"])
)
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3),
    max_leaves=8,
)


def nested(levels: int, *, lists: bool = False) -> Any:
    """Return an object, or a list, of so many levels."""
    value: Any = 1
    for _ in range(levels):
        value = [value] if lists else {"a": value}
    return value


def _places(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    yield path
    pairs = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, item in pairs:
        yield from _places(item, (*path, key))


def _put(value: Any, path: tuple[Any, ...], new: Any) -> Any:
    if not path:
        return new
    changed = copy.deepcopy(value)
    inner = changed
    for key in path[:-1]:
        inner = inner[key]
    inner[path[-1]] = new
    return changed


def damaged(answer: Any) -> st.SearchStrategy[Any]:
    """Return true answers with one part replaced by anything, and anything instead of them."""
    places = list(_places(answer))
    return VALUES | st.tuples(st.sampled_from(places), VALUES).map(lambda pair: _put(answer, *pair))
