"""Values that nobody should write, and that somebody will."""

from collections.abc import Callable
from typing import Any, Final

from hypothesis import strategies as st

from searchaccess.adapters.answers import CUT

HUGE: Final = 10**5000
"""A number that Python refuses to write."""


def nested(levels: int, around: Callable[[Any], Any], inner: Any = None) -> Any:
    """Return a value within as many others."""
    for _ in range(levels):
        inner = around(inner)
    return inner


def cut_json(value: Any) -> Any:
    """Replace what is nested deeper than the operator's client reads, in place; return the value."""
    todo = [(value, 1)] if isinstance(value, dict | list) else []
    while todo:
        item, level = todo.pop()
        for key, inner in list(item.items() if isinstance(item, dict) else enumerate(item)):
            if not isinstance(inner, dict | list):
                continue
            if level >= CUT:
                item[key] = None
            else:
                todo.append((inner, level + 1))
    return value


def depth_of(value: Any) -> int:
    """Return how deep the objects and lists of a JSON value are nested."""
    deepest, todo = 0, [(value, 1)]
    while todo:
        item, level = todo.pop()
        if isinstance(item, dict | list):
            deepest = max(deepest, level)
            todo.extend((one, level + 1) for one in (item.values() if isinstance(item, dict) else item))
    return deepest


def queries(count: int) -> dict[str, Any]:
    """Return as many queries within each other."""
    innermost = {"term": {"region": "eu"}}
    return dict(nested(count - 1, lambda inner: {"bool": {"must": [inner]}}, innermost))


_ODD: Final[dict[str, Any]] = {
    "<huge>": HUGE,
    "<minus huge>": -HUGE,
    "<digits>": "9" * 4301,
    "<long>": "x" * 250_000,
    "<half a character>": "\ud800",
    **{f"<{levels} deep>": nested(levels, lambda inner: {"a": [inner]}) for levels in (40, 170, 480, 1500)},
}
"""What a report of a failed test could not show, by what it shows in place of it."""


def real(value: Any) -> Any:
    """Put odd values in their places."""
    if isinstance(value, dict):
        return {_ODD[key] if key in {"<long>", "<digits>"} else key: real(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [real(inner) for inner in value]
    return _ODD.get(value, value) if isinstance(value, str) else value


json_values: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers(-1000, 1000) | st.text("abc", max_size=3),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text("abc", max_size=2), inner, max_size=3),
    max_leaves=10,
)
"""Any JSON, and all of it within bounds."""
odd_values: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5) | st.sampled_from(sorted(_ODD)),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.text(max_size=3) | st.sampled_from(["<long>", "<digits>"]), inner, max_size=3)
    ),
    max_leaves=6,
)
"""Any JSON, and what no reader likes; ``real`` makes it of them."""
