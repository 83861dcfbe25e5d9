"""Copies of what a server has."""

from typing import TypeVar

Json = TypeVar("Json")


def copied(value: Json) -> Json:
    """Return a copy of a JSON value, as ``copy.deepcopy`` does in five times the time."""
    if isinstance(value, dict):
        return {key: copied(item) for key, item in value.items()}  # type: ignore[return-value]
    if isinstance(value, list):
        return [copied(item) for item in value]  # type: ignore[return-value]
    return value
