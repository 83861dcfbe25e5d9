"""Lists indices and tests queries on them, with the official asynchronous client."""

import json
import re
from collections.abc import Iterable, Sequence
from typing import Any, Final

from searchaccess.adapters.elasticsearch.errors import mapped
from searchaccess.adapters.elasticsearch.part import ClientPart
from searchaccess.adapters.longanswers import decoded
from searchaccess.core.model.intake.reading import mapping, objects, shortened, text, whole_number
from searchaccess.core.policy.proofs import CAUSE_LIMIT, Tried
from searchaccess.ports.errors import PermissionDenied, Unexpected, Unreachable

PRIVILEGE: Final = "view_index_metadata"
"""The smallest of Elasticsearch's privileges that allows all of this."""
_NAME: Final = 256
_MOST_FAILURES: Final = 1_000
_NAMES: Final = "indices.name,aliases.name,data_streams.name"
_OUTCOME: Final = "_shards,valid,error,explanations.index,explanations.valid,explanations.error"
_INDEX: Final = re.compile(r"^\[[^\]]*\]\s*")
_CLASS: Final = re.compile(r"(?:[a-z]\w*\.)+[A-Z][\w$]*: ")
_NEXT_CAUSE: Final = re.compile(r"; (?:java|org|co)\.")


class IndicesClient(ClientPart):
    """The part of the client that is about indices."""

    async def hidden(self, patterns: Sequence[str]) -> frozenset[str]:
        """Return of which indices the login may not see names and mappings, nor try queries on them."""
        with mapped():
            api = await self._api()
            answer = await api.security.has_privileges(index=[{"names": list(patterns), "privileges": [PRIVILEGE]}])
        return hidden_in(answer.body, patterns)

    async def index_names(self) -> Sequence[str] | None:
        """Read the names of all indices, aliases and data streams that the login may see."""
        try:
            with mapped():
                api = await self._api()
                answer = await api.indices.resolve_index(name="*", expand_wildcards="all", filter_path=_NAMES)
        except PermissionDenied:
            return None
        return names_of(await decoded(answer.body))

    async def try_query(self, names: Sequence[str], query: str) -> Tried:
        """Try whether a query can be run on indices."""
        with mapped():
            api = await self._api()
            answer = await api.indices.validate_query(
                index=list(names),
                query=json.loads(query),
                explain=True,
                rewrite=True,
                ignore_unavailable=True,
                allow_no_indices=True,
                expand_wildcards=["open", "hidden"],
                filter_path=_OUTCOME,
            )
        return tried_of(await decoded(answer.body))


def hidden_in(answer: Any, patterns: Iterable[str]) -> frozenset[str]:
    """Return which indices the login may not see, as an answer about privileges says.

    Raises:
        Unexpected: it does not say it of each of them.
    """
    found = mapping(mapping(answer).get("index"))
    has = {pattern: mapping(found.get(pattern)).get(PRIVILEGE) for pattern in patterns}
    if not all(isinstance(value, bool) for value in has.values()):
        raise Unexpected("Elasticsearch: its response does not say which privileges are missing")
    return frozenset(pattern for pattern, value in has.items() if value is not True)


def names_of(answer: Any) -> tuple[str, ...]:
    """Return the names of indices, aliases and data streams."""
    found = (item.get("name") for kind in mapping(answer).values() for item in objects(kind))
    return tuple(sorted({name for item in found if (name := text(item, _NAME)) is not None}))


def tried_of(answer: Any) -> Tried:
    """Return the result of trying a query.

    Raises:
        Unreachable: some indices did not answer.
        Unexpected: the response lacks the result.
    """
    body = mapping(answer)
    shards = mapping(body.get("_shards"))
    total, failed = whole_number(shards.get("total")), whole_number(shards.get("failed"))
    refused = [item for item in objects(body.get("explanations")) if item.get("valid") is not True]
    failures = [(text(item.get("index"), _NAME) or "", cause_in(item.get("error"))) for item in refused]
    if body.get("valid") is False and not (failures or failed):
        failures = [("", cause_in(body.get("error")))]
    if failures:
        return Tried(total or 0, tuple(failures[:_MOST_FAILURES]))
    if failed:
        raise Unreachable(f"Elasticsearch: {failed} of the indices did not answer")
    if body.get("valid") is not True or total is None:
        raise Unexpected("Elasticsearch: its response does not say whether the query can be run")
    return Tried(total)


def cause_in(error: Any) -> str:
    """Return the first cause in an error for messages: without class names, and with few of the quoted values."""
    text_of_error = _INDEX.sub("", error) if isinstance(error, str) else ""
    first = _CLASS.sub("", _NEXT_CAUSE.split(text_of_error, maxsplit=1)[0]).removeprefix("failed to create query: ")
    return shortened(first or "no reason given", CAUSE_LIMIT)
