"""Fields of a status that the API server dropped, because its CRD is older than the operator and lacks them."""

from collections.abc import Iterator, Mapping
from typing import Any


def lost_fields(sent: Mapping[str, Any], stored: Mapping[str, Any]) -> frozenset[str] | None:
    """Return which fields of a status were dropped, such as ``drift.items[].action``.

    Args:
        sent: the status as it was sent.
        stored: the status as the API server stored it.

    Returns:
        The fields; None: other differences exist, so the CRD is not the cause.
    """
    try:
        return frozenset(_lost(sent, stored, ""))
    except _OtherwiseError:
        return None


class _OtherwiseError(Exception):
    """Not only missing fields differ."""


def _lost(sent: Any, stored: Any, path: str) -> Iterator[str]:
    if isinstance(sent, Mapping) and isinstance(stored, Mapping):
        if stored.keys() - sent.keys():
            raise _OtherwiseError
        for key, value in sent.items():
            field = f"{path}.{key}".removeprefix(".")
            if key in stored:
                yield from _lost(value, stored[key], field)
            else:
                yield field
    elif isinstance(sent, list) and isinstance(stored, list) and len(sent) == len(stored):
        for one, other in zip(sent, stored, strict=True):
            yield from _lost(one, other, f"{path}[]")
    elif sent != stored:
        raise _OtherwiseError


def without_fields(value: Any, fields: frozenset[str], path: str = "") -> Any:
    """Return a status without some fields.

    Args:
        value: the status, or a part of it.
        fields: as ``lost_fields`` gives them.
        path: of the part.
    """
    if isinstance(value, Mapping):
        named = {key: f"{path}.{key}".removeprefix(".") for key in value}
        return {
            key: without_fields(item, fields, named[key]) for key, item in value.items() if named[key] not in fields
        }
    if isinstance(value, list):
        return [without_fields(item, fields, f"{path}[]") for item in value]
    return value
