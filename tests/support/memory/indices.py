"""Indices of an Elasticsearch in memory: their names, and whether queries can be run on them."""

import asyncio
import json
from collections.abc import Iterator, Mapping, Sequence
from fnmatch import fnmatchcase
from typing import Any, Final

from searchaccess.core.policy.guardrails.aliases import IndexNames
from searchaccess.core.policy.proofs import Tried
from searchaccess.core.usage.uses import Use, Uses, UsesWanted
from searchaccess.ports.errors import NotFound, PermissionDenied
from tests.support.failures.faults import Call, Faults

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
        self.audit_index = "audit"
        """Index with the audit events; empty: there is none."""
        self.allowed: list[Use] = []
        """The allowed requests that it has."""
        self.may_audit = True
        self.names_keys = True
        """Whether events name API keys."""
        self.audit_takes = 0.0
        """Seconds that it takes to aggregate them."""

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

    async def last_uses(self, wanted: UsesWanted) -> Uses:
        if self.audit_takes:
            await asyncio.sleep(self.audit_takes)

        def read() -> Uses:
            if not self.may_audit:
                raise PermissionDenied(
                    f"this login may not read {wanted.index}: give its role the privilege read on it"
                )
            if wanted.index != self.audit_index:
                raise NotFound(f"no index or data stream matches {wanted.index}")
            found: dict[tuple[str, str, str], float] = {}
            for use in self.allowed:
                who = use.user, use.key_id, use.key_name
                ours = wanted.prefix and (use.user.startswith(wanted.prefix) or use.key_name.startswith(wanted.prefix))
                if (use.user in wanted.users or ours) and wanted.since <= use.at < wanted.until:
                    found[who] = max(use.at, found.get(who, use.at))
            times = [use.at for use in self.allowed if use.at < wanted.until]
            first = min(times, default=None) if wanted.from_the_first else None
            uses = tuple(Use(*who, at) for who, at in sorted(found.items()))
            return Uses(uses, first, max(times, default=None), keys=self.names_keys)

        return await self._faults.perform(Call(ELASTICSEARCH, "last_uses", (wanted.index, str(wanted.since))), read)

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
