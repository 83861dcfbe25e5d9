"""Rules of role mappings, documents and fields in words, for people."""

import json
from collections.abc import Mapping
from typing import Any, Final

from searchaccess.core.answers.access.groups import Rights
from searchaccess.core.messages import some_of
from searchaccess.core.model.canonical import canonical_json
from searchaccess.core.model.intake.bounds import excess
from searchaccess.core.model.intake.metadata import bounded_text
from searchaccess.core.model.intake.reading import DEPTH

_LONGEST: Final = 200
_QUERY: Final = 120
_PARTS: Final = 200
_SHOWN: Final = 4


def rules_in_words(rules: str) -> str:
    """Return the rules of a role mapping in words.

    Args:
        rules: canonical JSON.
    """
    parsed = json.loads(rules)
    if excess(parsed, depth=DEPTH, nodes=_PARTS):
        return "rules that are too long to show"
    return bounded_text(_rule(parsed), _LONGEST)


def _rule(rule: Any) -> str:
    if not isinstance(rule, Mapping) or len(rule) != 1:
        return bounded_text(canonical_json(rule), _QUERY)
    [(kind, inner)] = rule.items()
    if kind in {"all", "any"} and isinstance(inner, list):
        parts = [_rule(part) for part in inner]
        joined = f" {'and' if kind == 'all' else 'or'} ".join(parts)
        return joined if len(parts) == 1 else f"({joined})"
    if kind == "except":
        return f"not {_rule(inner)}"
    if kind == "field" and isinstance(inner, Mapping) and len(inner) == 1:
        [(name, wanted)] = inner.items()
        values = wanted if isinstance(wanted, list) else [wanted]
        return f"{name} is {' or '.join(value if isinstance(value, str) else json.dumps(value) for value in values)}"
    return bounded_text(canonical_json(rule), _QUERY)


def documents_in_words(rights: Rights) -> str:
    """Return which documents are shown."""
    if not rights.documents:
        return "all"
    return "; and ".join(
        " or ".join(bounded_text(query, _QUERY) for query in sorted(some)[:_SHOWN])
        + (f" or {len(some) - _SHOWN} more queries" if len(some) > _SHOWN else "")
        for some in rights.documents
    )


def fields_in_words(rights: Rights) -> str:
    """Return which fields are shown."""
    if not rights.fields:
        return "all"
    return "; and ".join(
        " or ".join(_fields(include, exclude) for include, exclude in sorted(some)) for some in rights.fields
    )


def _fields(include: tuple[str, ...], exclude: tuple[str, ...]) -> str:
    shown = some_of(include, _SHOWN) if include != ("*",) else "all"
    return f"{shown} except {some_of(exclude, _SHOWN)}" if exclude else shown
