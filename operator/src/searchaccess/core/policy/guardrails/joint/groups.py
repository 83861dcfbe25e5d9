"""Policies that say the same in a part of their specs: they are asked once."""

from collections.abc import Iterable
from typing import Generic, NamedTuple, TypeVar

from searchaccess.api.base import ApiModel

Part = TypeVar("Part", bound=ApiModel)


class Group(NamedTuple, Generic[Part]):
    """Some policies with an equal part of their specs, and which they are."""

    part: Part
    policies: int


def grouped(parts: Iterable[tuple[int, Part]], leaving: set[str] | None = None) -> tuple[Group[Part], ...]:
    """Return policies that say the same in a part of their specs, without some fields of it."""
    found = dict[str, Group[Part]]()
    for bit, part in parts:
        key = part.model_dump_json(exclude=leaving, exclude_none=True)
        if key != "{}":
            found[key] = Group(part, bit | (found[key].policies if key in found else 0))
    return tuple(found.values())
