r"""Expands the fields of a restriction as Elasticsearch needs them: with their multi-fields and everything below them.

Elasticsearch takes a name in a role's ``field_security`` literally: ``customer.ssn`` is neither its multi-field
``customer.ssn.keyword`` nor anything in an object of that name. A pattern is a name with ``*`` and ``?``, with ``\``
before a literal character, or one of Lucene's regular expressions between slashes. See docs/adr/0028.
"""

from collections.abc import Iterable
from typing import Final

from searchaccess.api.searchaccess import FieldRules, Grant, SearchAccessSpec
from searchaccess.api.stores.credentials import Auth
from searchaccess.api.vocabulary.actions import Action
from searchaccess.core.patterns.lucene import PatternError, parse_expression
from searchaccess.core.patterns.namesets import has_all_of
from searchaccess.core.patterns.wildcards import is_prefix

ALL: Final = "*"
_BELOW: Final = ".*"
_REST_OF_EXPRESSION: Final = r"(\..*)?"
_READING: Final = frozenset({"all", "read"})


def with_all_below(names: Iterable[str]) -> tuple[str, ...]:
    """Return patterns that match the named fields, their multi-fields and everything below them.

    The result is sorted, and as short as can be seen from prefixes: what another pattern covers is left out.
    """
    patterns = {pattern for name in names for pattern in _patterns_of(name)}
    prefixes = {pattern[:-1] for pattern in patterns if is_prefix(pattern)}
    return tuple(sorted(pattern for pattern in patterns if not _is_covered(pattern, prefixes)))


def _patterns_of(name: str) -> tuple[str, ...]:
    if _is_expression(name):
        return (f"/({name[1:-1]}){_REST_OF_EXPRESSION}/",)
    escaped = _ends_in_escape(name)
    if name.endswith("*") and not _ends_in_escape(name[:-1]):
        return (name,)
    # A backslash at the end is literal; before more text it would escape that.
    return name, f"{name}\\{_BELOW}" if escaped else f"{name}{_BELOW}"


def _is_expression(name: str) -> bool:
    return len(name) > 1 and name[0] == name[-1] == "/"


def _ends_in_escape(text: str) -> bool:
    """Return whether a text ends in a backslash that escapes what follows it."""
    return (len(text) - len(text.rstrip("\\"))) % 2 == 1


def _is_covered(pattern: str, prefixes: set[str]) -> bool:
    """Return whether one of the prefixes, each of any rest, has all that another pattern matches."""
    if _is_expression(pattern):
        return "" in prefixes
    end = len(pattern) - 1 if is_prefix(pattern) else len(pattern)
    return any(pattern[:size] in prefixes for size in range(end))


def fields_problem(fields: FieldRules | None) -> str:
    """Return which of the names cannot be used, and why; empty: all can."""
    if fields is None:
        return ""
    for side, names in (("include", fields.include), ("exclude", fields.exclude)):
        for name in names:
            if problem := _problem(name):
                return f"{side}: {name!r}: {problem}"
    return ""


def _problem(name: str) -> str:
    if not name.startswith("/"):
        return ""
    if not _is_expression(name):
        return "a regular expression is enclosed in slashes, such as /customer_[0-9]+/"
    try:
        parse_expression(name[1:-1])
    except PatternError as error:
        return str(error)
    return ""


def where_limited(spec: SearchAccessSpec) -> tuple[str, ...]:
    """Return the indices that may be read only in part, so that a writer is not to get at the rest.

    None for an API key: it has at most the rights of the operator's login, which may hold privileges by name alone.
    """
    if spec.auth is Auth.API_KEY:
        return ()
    local = [grant for grant in spec.grants if not grant.remote_clusters]
    openly = tuple(sorted({name for grant in local if _reads_all(grant) for name in grant.indices}))
    partly = (grant for grant in local if _is_limited(grant) and not has_all_of(openly, tuple(grant.indices)))
    return tuple(sorted({name for grant in partly for name in grant.indices}))


def _is_limited(grant: Grant) -> bool:
    return grant.where is not None or bool(grant.fields and _hides(grant.fields))


def _reads_all(grant: Grant) -> bool:
    return not _is_limited(grant) and (Action.READ in grant.can or not _READING.isdisjoint(grant.privileges))


def _hides(fields: FieldRules) -> bool:
    return bool(fields.exclude) or with_all_below(fields.include) != (ALL,)
