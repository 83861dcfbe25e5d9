"""Texts that Envoy reads: JSON, which is YAML too, always the same for the same content."""

import json
import re
from collections.abc import Mapping
from typing import Any, Final

Json = dict[str, Any]
"""An object as Envoy's configuration has it."""

_WIDTH: Final = 110
_TYPES: Final = "type.googleapis.com/envoy."
_BEYOND_ASCII: Final = re.compile("[\x7f-\uffff]")
_SURROGATES: Final = range(0xD800, 0xE000)


def typed(kind: str, **fields: Any) -> Json:
    """Return a message whose type is named in it.

    Args:
        kind: its type without ``envoy.``, such as ``config.cluster.v3.Cluster``.
        fields: its fields.
    """
    return {"@type": _TYPES + kind, **fields}


def extension(name: str, kind: str, **fields: Any) -> Json:
    """Return an extension, such as a filter: its name and its configuration."""
    return {"name": name, "typed_config": typed(kind, **fields)}


def socket_address(address: str, port: int) -> Json:
    """Return where to listen, or what to connect to."""
    return {"socket_address": {"address": address, "port_value": port}}


def formatted(text: str) -> str:
    """Return a text as a part of one of Envoy's format strings, where ``%`` begins a command."""
    return text.replace("%", "%%")


def to_text(document: Mapping[str, Any]) -> str:
    """Return a document as text. What fits into a line is on one line."""
    return _escaped(_lines(document, "")) + "\n"


def _lines(value: Any, indent: str) -> str:
    flat = json.dumps(value, ensure_ascii=False)
    if len(flat) + len(indent) <= _WIDTH or not isinstance(value, Mapping | list | tuple):
        return flat
    inner = indent + " "
    if isinstance(value, Mapping):
        parts = [f"{json.dumps(name, ensure_ascii=False)}: {_lines(part, inner)}" for name, part in value.items()]
        return "{\n" + ",\n".join(inner + part for part in parts) + "\n" + indent + "}"
    return "[\n" + ",\n".join(inner + _lines(part, inner) for part in value) + "\n" + indent + "]"


def _escaped(text: str) -> str:
    """YAML takes some characters beyond ASCII for the end of a line, and knows no pairs of surrogates."""
    return _BEYOND_ASCII.sub(_escape, text)


def _escape(match: re.Match[str]) -> str:
    code = ord(match[0])
    return f"\\u{0xFFFD if code in _SURROGATES else code:04x}"
