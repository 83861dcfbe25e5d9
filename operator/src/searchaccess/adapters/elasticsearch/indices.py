"""Lists indices and tests queries on them, with the official asynchronous client."""

import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, Final

from searchaccess.adapters.elasticsearch.errors import mapped
from searchaccess.adapters.elasticsearch.part import ClientPart
from searchaccess.adapters.longanswers import decoded
from searchaccess.core.model.intake.reading import mapping, objects, shortened, text, texts, whole_number
from searchaccess.core.policy.guardrails.aliases import IndexNames, is_own
from searchaccess.core.policy.proofs import CAUSE_LIMIT, Tried
from searchaccess.ports.errors import PermissionDenied, Unexpected, Unreachable

PRIVILEGE: Final = "view_index_metadata"
"""The smallest of Elasticsearch's privileges that allows all of this."""
_NAME: Final = 256
_MOST_FAILURES: Final = 1_000
_NAMES: Final = "indices.name,aliases.name,aliases.indices,data_streams.name,data_streams.backing_indices"
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

    async def index_names(self) -> IndexNames | None:
        """Read the names of all indices, aliases and data streams that the login may see, and what is behind them."""
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


def names_of(answer: Any) -> IndexNames:
    """Return the names of indices, aliases and data streams, and what is behind aliases and data streams."""
    found = (item.get("name") for kind in mapping(answer).values() for item in objects(kind))
    names = tuple(sorted({name for item in found if (name := text(item, _NAME)) is not None}))
    return IndexNames(names, tuple(sorted(_behind(mapping(answer)))))


def _behind(answer: Mapping[str, Any]) -> Iterator[tuple[str, tuple[str, ...]]]:
    for item in objects(answer.get("aliases")):
        if name := text(item.get("name"), _NAME):
            yield name, tuple(sorted(texts(item.get("indices"))))
    for item in objects(answer.get("data_streams")):
        if name := text(item.get("name"), _NAME):
            added = sorted(each for each in texts(item.get("backing_indices")) if not is_own(each, name))
            if added:
                yield name, tuple(added)


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
