"""Parts of expressions in CEL, as the API server evaluates them.

https://kubernetes.io/docs/reference/using-api/cel/
"""

import json
import re
from collections.abc import Iterable, Sequence
from typing import Final

from searchaccess.api.clusters.namespaces import LabelSelector, SelectorOperator
from searchaccess.api.policies.match import NAMESPACE
from searchaccess.core.model.intake.metadata import MOST_LABELS
from searchaccess.core.patterns.wildcards import SPECIAL

ON_REQUEST: Final = "request.namespace"
_META: Final = frozenset("\\.+*?()|[]{}^$")
_PLAIN_TEXT: Final = re.compile("[a-z0-9*][a-z0-9_.*?-]{0,99}")
PLAIN: Final = f"^{_PLAIN_TEXT.pattern}$"
"""Patterns from which a name can be made that they match: with a letter in place of each wildcard."""
_SOME: Final = "a"
_LONGEST_LIST: Final = 8_000
"""Characters of a regular expression."""


def literal(value: str) -> str:
    """Return a text as a literal."""
    return json.dumps(value)


def literals(values: Iterable[str]) -> str:
    """Return a list of literals."""
    return f"[{', '.join(map(literal, values))}]"


def text(value: str) -> str:
    """Return an expression for a text in which ``{namespace}`` stands for the namespace."""
    parts = map(literal, value.split(NAMESPACE))
    return f" + {ON_REQUEST} + ".join(parts)


def texts(values: Iterable[str]) -> str:
    """Return a list of texts in which ``{namespace}`` stands for the namespace."""
    return f"[{', '.join(map(text, values))}]"


def any_of(expressions: Iterable[str]) -> str:
    """Return whether one of some expressions holds."""
    return " || ".join(f"({each})" for each in expressions) or "false"


def all_of(expressions: Iterable[str]) -> str:
    """Return whether all of some expressions hold."""
    return " && ".join(f"({each})" for each in expressions) or "true"


def is_expressible(patterns: Sequence[str]) -> bool:
    """Return whether names and wildcards can be written as one regular expression of RE2."""
    return (
        all(_is_wildcard(pattern) for pattern in patterns) and sum(len(pattern) for pattern in patterns) < _LONGEST_LIST
    )


def _is_wildcard(pattern: str) -> bool:
    return not pattern.startswith("/") and "\\" not in pattern and all(ord(one) <= _LAST_OF_PLANE for one in pattern)


_LAST_OF_PLANE: Final = 0xFFFF


def matching(patterns: Iterable[str], before: str = "", after: str = "") -> str:
    """Return a regular expression, as a text of CEL, that matches what one of some wildcards does.

    Args:
        patterns: names with ``*`` and ``?``.
        before: what a text has before that, as a regular expression.
        after: what it has after that.
    """
    inner = "|".join(map(_as_expression, patterns))
    return text(f"^{before}(?:{inner}){after}$")


def _as_expression(pattern: str) -> str:
    """Return a wildcard as RE2 has it; the name of a namespace has no special characters."""
    return NAMESPACE.join("".join(map(_as_sign, part)) for part in pattern.split(NAMESPACE))


def _as_sign(sign: str) -> str:
    return _WILDCARDS.get(sign) or (f"\\{sign}" if sign in _META else sign)


_WILDCARDS: Final = {"*": ".*", "?": "."}


def is_plain(pattern: str) -> bool:
    """Return whether an example of what a pattern of a policy matches can be made."""
    return _PLAIN_TEXT.fullmatch(pattern.replace(NAMESPACE, "n")) is not None


def has_wildcard(pattern: str) -> bool:
    """Return whether a pattern is no name."""
    return not SPECIAL.isdisjoint(pattern)


def example_of(pattern: str) -> str:
    """Return a name that a pattern of a policy matches."""
    return pattern.replace("*", _SOME).replace("?", _SOME)


def example(variable: str) -> str:
    """Return an expression for a name that the pattern in a variable matches, if the pattern is plain."""
    return f'{variable}.replace("*", "{_SOME}").replace("?", "{_SOME}")'


def expression_of(variable: str) -> str:
    """Return an expression for the plain pattern in a variable as a regular expression."""
    return f'"^" + {variable}.replace(".", "\\\\.").replace("*", ".*").replace("?", ".") + "$"'


def selected(selector: LabelSelector, labels: str) -> str:
    """Return whether a selector selects labels.

    Args:
        selector: the selector.
        labels: an expression for the labels.
    """
    parts = [
        f"{literal(key)} in {labels} && {labels}[{literal(key)}] == {literal(value)}"
        for key, value in (selector.match_labels or {}).items()
    ]
    for each in selector.match_expressions or ():
        key, values = literal(each.key), literals(each.values or ())
        is_there, is_one = f"{key} in {labels}", f"{key} in {labels} && {labels}[{key}] in {values}"
        parts.append(
            {
                SelectorOperator.IN: is_one,
                SelectorOperator.NOT_IN: f"!({is_one})",
                SelectorOperator.EXISTS: is_there,
                SelectorOperator.DOES_NOT_EXIST: f"!({is_there})",
            }[each.operator]
        )
    # The operator reads no more labels of an object.
    return all_of([f"size({labels}) <= {MOST_LABELS}", *parts])
