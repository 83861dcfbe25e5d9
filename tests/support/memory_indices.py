"""Indices of an Elasticsearch in memory: their names, and whether queries can be run on them."""

import asyncio
import json
from collections.abc import Iterator, Mapping, Sequence
from fnmatch import fnmatchcase
from typing import Any, Final

from searchaccess.core.policy.guardrails.aliases import IndexNames
from searchaccess.core.policy.proofs import Tried
from tests.support.faults import Call, Faults

ELASTICSEARCH: Final = "elasticsearch"


class MemoryIndices:
    """The part of the cluster that has indices.

    Of queries it knows ``term`` and ``bool``, and of mappings that a number is no text.
    """

    _faults: Faults

    def __init__(self) -> None:
        self.indices: dict[str, dict[str, str]] = {}
        """By name, the types of its fields."""
        self.aliases: dict[str, set[str]] = {}
        """By name, the indices that it leads to."""
        self.closed: set[str] = set()
        self.may_see: tuple[str, ...] = ()
        """Patterns of indices of which the operator's login has ``view_index_metadata``."""
        self.lists_names = True
        self.try_takes = 0.0
        """Seconds that it takes to try a query."""

    async def hidden(self, patterns: Sequence[str]) -> frozenset[str]:
        return await self._faults.perform(
            Call(ELASTICSEARCH, "hidden", tuple(patterns)),
            lambda: frozenset(pattern for pattern in patterns if not self._sees(pattern)),
        )

    def _sees(self, name: str) -> bool:
        return any(fnmatchcase(name, pattern) for pattern in self.may_see)

    async def index_names(self) -> IndexNames | None:
        def read() -> IndexNames | None:
            if not self.may_see or not self.lists_names:
                return None
            behind = {name: tuple(sorted(to)) for name, to in self.aliases.items() if self._sees(name)}
            names = {*filter(self._sees, self.indices), *behind}
            return IndexNames(tuple(sorted(names)), tuple(sorted(behind.items())))

        return await self._faults.perform(Call(ELASTICSEARCH, "index_names"), read)

    async def try_query(self, names: Sequence[str], query: str) -> Tried:
        if self.try_takes:
            await asyncio.sleep(self.try_takes)
        return await self._faults.perform(
            Call(ELASTICSEARCH, "try_query", (*names, query)), lambda: self._try(names, json.loads(query))
        )

    def _try(self, names: Sequence[str], query: Mapping[str, Any]) -> Tried:
        found = [
            name
            for name in self.indices
            if name not in self.closed and self._sees(name) and any(fnmatchcase(name, one) for one in names)
        ]
        failures = [
            (name, f'For input string: "{value}"')
            for name in found
            for field, value in _terms(query)
            if self.indices[name].get(field) == "long" and not str(value).isdecimal()
        ]
        return Tried(len(found), tuple(failures))


def _terms(query: Any) -> Iterator[tuple[str, Any]]:
    if isinstance(query, list):
        for item in query:
            yield from _terms(item)
    elif isinstance(query, dict):
        yield from query.get("term", {}).items()
        for name, inner in query.items():
            if name != "term":
                yield from _terms(inner)
