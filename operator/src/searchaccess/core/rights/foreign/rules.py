"""Evaluates the rules of role mappings as Elasticsearch does, as far as the user is known.

https://www.elastic.co/guide/en/elasticsearch/reference/8.19/role-mapping-resources.html
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any, Final, TypeAlias

from searchaccess.core.patterns.parsed import Pattern, PatternError, parse_index_pattern
from searchaccess.core.patterns.parsed import matches as matches_pattern
from searchaccess.core.patterns.wildcards import matches

Value: TypeAlias = str | int | float | bool | tuple["Value", ...] | None
"""Of a field of a user; None: the user has no such field."""

REALM: Final = "realm.name"
USERNAME: Final = "username"
GROUPS: Final = "groups"
DN: Final = "dn"
METADATA: Final = "metadata."
EMAIL: Final = "metadata.jwt_claim_email"
_OF_TOKENS: Final = "metadata.jwt_"
"""What a JWT realm puts into a user's metadata begins so, and nothing else is there."""
NOBODY: Final = "\0"
"""Stands for every name that no rule names literally: whether a pattern matches it is not known."""
_STEPS: Final = 5_000
"""Of the comparison of one name with one regular expression."""
_KEPT: Final = 1 << 10
_EXPRESSION: Final = 300
"""Steps for which a regular expression counts, when rules are measured."""


@dataclass(frozen=True, slots=True)
class User:
    """What is known about a user of the JWT realm.

    Args:
        fields: by name, as rules have it. One that is missing here is not known.
    """

    fields: Mapping[str, Value]

    def knows(self, field: str) -> bool:
        """Return whether it is known what the user has in a field."""
        return field in self.fields or (field.startswith(METADATA) and not field.startswith(_OF_TOKENS))

    def get(self, field: str) -> Value:
        """Return what the user has in a known field."""
        return self.fields.get(field)

    def like(self, named: Sequence[str], value: Value) -> "User":
        """Return a user with another value in some fields."""
        return replace(self, fields={**self.fields, **dict.fromkeys(named, value)})


def applies(rule: Any, user: User) -> bool | None:
    """Return whether a rule applies to a user; None: that depends on what is not known, or it cannot be read.

    Args:
        rule: of any type, within the bounds of ``foreign_mapping``.
        user: what is known of the user.
    """
    if not isinstance(rule, Mapping) or len(rule) != 1:
        return None
    [(kind, inner)] = rule.items()
    match kind:
        case "field":
            return _field(inner, user)
        case "except":
            found = applies(inner, user)
            return None if found is None else not found
        case "any" | "all" if isinstance(inner, list):
            # One decisive part decides; without one, an unknown part leaves the result open.
            decisive: bool = kind == "any"
            parts = [applies(part, user) for part in inner]
            if decisive in parts:
                return decisive
            return None if None in parts else not decisive
    return None


def steps_of(rule: Any) -> int:
    """Return about how much work it is to evaluate a rule, or part of one, within the bounds of ``foreign_mapping``."""
    if isinstance(rule, Mapping):
        return 1 + sum(map(steps_of, rule.values()))
    if isinstance(rule, list):
        return sum(map(steps_of, rule))
    return _EXPRESSION if isinstance(rule, str) and rule.startswith("/") and is_pattern(rule) else 1


def _field(inner: Any, user: User) -> bool | None:
    if not isinstance(inner, Mapping) or len(inner) != 1:
        return None
    [(name, wanted)] = inner.items()
    if not user.knows(name):
        return None
    value = user.get(name)
    found = [_equals(one, value) for one in (wanted if isinstance(wanted, list) else [wanted])]
    return True if True in found else (None if None in found else False)


def _equals(wanted: Any, value: Value) -> bool | None:
    """Return whether a value of a rule matches what a user has; of several values, any may match."""
    if isinstance(value, tuple):
        found = [_equals(wanted, one) for one in value]
        return True if True in found else (None if None in found else False)
    if not isinstance(value, str):
        # For Python, True is 1.
        return bool(wanted == value) and isinstance(wanted, bool) == isinstance(value, bool)
    if not isinstance(wanted, str) or not is_pattern(wanted):
        return bool(wanted == value)
    if value == NOBODY:
        return True if wanted == "*" else None
    return matches(wanted, value) if not wanted.startswith("/") else _matches_expression(wanted, value)


def _matches_expression(wanted: str, value: str) -> bool | None:
    pattern = _expression(wanted)
    try:
        return None if pattern is None else matches_pattern(pattern, value, _STEPS)
    except PatternError:
        return None


def is_pattern(wanted: str) -> bool:
    """Return whether a text in a rule is a wildcard or regular expression. Without a star, all else is literal."""
    return "*" in wanted or (len(wanted) > 1 and wanted.startswith("/") and wanted.endswith("/"))


@lru_cache(_KEPT)
def _expression(wanted: str) -> Pattern | None:
    """Return a parsed regular expression, the same as one for index names; None: it cannot be read."""
    try:
        return parse_index_pattern(wanted)
    except PatternError:
        return None


def literals(rule: Any, named: Sequence[str]) -> Iterator[str]:
    """Yield the texts without wildcards that a rule compares with some fields."""
    if isinstance(rule, list):
        for part in rule:
            yield from literals(part, named)
    elif isinstance(rule, Mapping):
        for kind, inner in rule.items():
            if kind != "field":
                yield from literals(inner, named)
                continue
            for name, wanted in inner.items() if isinstance(inner, Mapping) else ():
                values = wanted if isinstance(wanted, list) else [wanted]
                yield from (one for one in values if name in named and isinstance(one, str) and not is_pattern(one))
