r"""Renders role templates, as far as they are simple: text with ``{{fields}}`` of the user.

https://www.elastic.co/guide/en/elasticsearch/reference/8.19/security-api-put-role-mapping.html (role templates)
"""

import json
import re
from collections.abc import Mapping
from functools import lru_cache
from typing import Any, Final

from searchaccess.core.model.intake.reading import mapping, texts
from searchaccess.core.rights.foreign.rules import User, Value

_TAG: Final = re.compile(
    r"\{\{#tojson\}\}(?P<json>[\w.]+)\{\{/tojson\}\}|\{\{\{\s*(?P<raw>[\w.]+)\s*\}\}\}|\{\{&?\s*(?P<plain>[\w.]+)\s*\}\}"
)
_PLAIN: Final = re.compile(r"[A-Za-z0-9@._+~-]*")
"""Characters that Elasticsearch never escapes in a template."""
_LONGEST: Final = 2000
_KEPT: Final = 1 << 8


def rendered(template: Any, user: User) -> tuple[str, ...] | None:
    """Return the names of roles that a template gives a user; None: that cannot be seen.

    Args:
        template: in its object form, as ``MappingBody`` has it.
        user: what is known of the user.
    """
    parts = mapping(template)
    script, kind = mapping(parts.get("template")), str(parts.get("format", "string")).lower()
    source = script.get("source")
    if script.keys() != {"source"} or not isinstance(source, str) or len(source) > _LONGEST:
        return None
    text = _filled(source, user)
    if text is None or kind == "string":
        return None if text is None else (text,)
    try:
        names = json.loads(text)
    except (ValueError, RecursionError):
        return None
    if isinstance(names, str):
        return (names,)
    found = texts(names)
    return found if isinstance(names, list) and len(found) == len(names) else None


def prefix_of(template: Any) -> str:
    """Return what the names of all roles of a template begin with; empty: that is not known."""
    source = mapping(mapping(template).get("template")).get("source")
    is_name = str(mapping(template).get("format", "string")).lower() == "string"
    return source.split("{{", 1)[0] if is_name and isinstance(source, str) else ""


def _filled(source: str, user: User) -> str | None:
    parts = []
    for before, name, is_json in _tags_of(source):
        parts.append(before)
        if not name:
            break
        if not user.knows(name):
            return None
        value = _as_json(user.get(name)) if is_json else _as_text(user.get(name))
        if value is None:
            return None
        parts.append(value)
    text = "".join(parts)
    # What is left of a brace belongs to a tag that is not understood.
    return None if "{{" in text or "}}" in text else text


@lru_cache(_KEPT)
def _tags_of(source: str) -> tuple[tuple[str, str, bool], ...]:
    """Return each text before a field, the name of the field, and whether it becomes JSON; last, the rest alone."""
    found, at = [], 0
    for tag in _TAG.finditer(source):
        found.append((source[at : tag.start()], tag["json"] or tag["raw"] or tag["plain"], bool(tag["json"])))
        at = tag.end()
    return (*found, (source[at:], "", False))


def _as_text(value: Value) -> str | None:
    if value is None:
        return ""
    return value if isinstance(value, str) and _PLAIN.fullmatch(value) else None


def _as_json(value: Value) -> str | None:
    if isinstance(value, tuple):
        parts = [_as_json(one) for one in value]
        return None if None in parts else f"[{','.join(part for part in parts if part)}]"
    return json.dumps(value) if isinstance(value, str) and _PLAIN.fullmatch(value) else None


def source_of(template: Mapping[str, Any]) -> str:
    """Return the text of a template, for messages."""
    return str(mapping(template.get("template")).get("source", "a stored script"))
