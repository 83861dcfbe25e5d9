"""Finds the ``fields`` of a grant that let the same fields be read as an entry of a role does.

A SearchAccess names fields with all that is below them (docs/adr/0028), Elasticsearch without. A role with ``title``
alone lets ``title`` be read and not ``title.keyword``: the grant excludes ``title.*`` then. A role that hides ``ssn``
alone shows ``ssn.keyword``. No grant says that, and nobody means it.
"""

import re
from collections.abc import Iterable, Iterator
from typing import Any, Final

from searchaccess.core.model.canonical import Entry
from searchaccess.core.model.restrictions.fields import ALL, with_all_below
from searchaccess.core.model.restrictions.union import Fields, allows_fields, fields_of

_BELOW: Final = ".*"
_EXPRESSION: Final = re.compile(r"/\((?P<own>.*)\)\(\\\.\.\*\)\?/")
"""A regular expression with all that is below, as ``with_all_below`` writes it."""


def declared_fields(entry: Entry) -> tuple[dict[str, Any] | None, str]:
    """Return the ``fields`` of a grant, and why there are none that fit.

    Args:
        entry: of a role.

    Returns:
        The fields (None: all), and the problem (empty: there is none).
    """
    if not entry.hides_fields:
        return None, ""
    if not entry.include:
        return None, "it lets no field be read, only metadata"
    include, exclude = _short(entry.include), _short(entry.exclude)
    exact = tuple(sorted({*exclude, *_only_below(entry.include)}))
    for hidden in (exclude, exact):
        if _means(include, hidden, entry):
            return _rules(include, hidden), ""
    missing = [name for name in entry.exclude if name not in with_all_below(exclude) or _is_alone(name, entry.exclude)]
    if missing:
        name = missing[0]
        return (
            None,
            f"it hides {name} and shows what is below it, such as {name}.keyword, which a SearchAccess hides too",
        )
    return None, "a SearchAccess would let other fields be read than this role does"


def same_fields(one: Fields, another: Fields) -> bool:
    """Return whether two restrictions let the same fields be read; no also when that cannot be seen."""
    return one == another or (allows_fields(one, another).yes and allows_fields(another, one).yes)


def _means(include: tuple[str, ...], exclude: tuple[str, ...], entry: Entry) -> bool:
    return same_fields((with_all_below(include), with_all_below(exclude)), fields_of(entry))


def _rules(include: tuple[str, ...], exclude: tuple[str, ...]) -> dict[str, Any]:
    rules: dict[str, Any] = {} if include == (ALL,) and exclude else {"include": list(include)}
    return rules | ({"exclude": list(exclude)} if exclude else {})


def _short(patterns: Iterable[str]) -> tuple[str, ...]:
    """Return names that stand for some patterns: without what is below a name that is there too."""
    there = set(patterns)
    found = {
        f"/{match['own']}/" if (match := _EXPRESSION.fullmatch(pattern)) else pattern
        for pattern in there
        if not (pattern.endswith(_BELOW) and pattern.removesuffix(_BELOW) in there)
    }
    return tuple(sorted(found))


def _only_below(patterns: Iterable[str]) -> Iterator[str]:
    """Yield what is below each name that is there without it."""
    there = set(patterns)
    for name in there:
        if _is_alone(name, there) and not any(other.startswith(f"{name}.") for other in there):
            yield f"{name}{_BELOW}"


def _is_alone(name: str, there: Iterable[str]) -> bool:
    return not name.endswith("*") and not name.startswith("/") and f"{name}{_BELOW}" not in set(there)
