"""The parts of Elasticsearch's API that a gateway can tell apart.

Each part is one enum member. The CRDs and ``docs/api-groups.md`` are derived from it;
``core/gateway/apis.py`` says which paths belong to it.
"""

from enum import StrEnum
from typing import Self


class ApiGroup(StrEnum):
    """A part of Elasticsearch's API that a caller may be limited to."""

    contains: str
    """What it contains."""
    examples: tuple[str, ...]
    """Paths of it."""

    def __new__(cls, name: str, contains: str, examples: tuple[str, ...]) -> Self:  # noqa: D102 - see the attributes
        group = str.__new__(cls, name)
        group._value_ = name
        group.contains, group.examples = contains, examples
        return group

    # In the order in which they are shown.
    DOCUMENTS = (
        "Documents",
        "single documents, and several by their ids",
        (
            "/{index}/_doc/{id}",
            "/{index}/_create/{id}",
            "/{index}/_update/{id}",
            "/{index}/_source/{id}",
            "/{index}/_mget",
            "/{index}/_termvectors/{id}",
        ),
    )
    SEARCH = (
        "Search",
        "searches that end with their response",
        (
            "/{index}/_search",
            "/{index}/_msearch",
            "/{index}/_count",
            "/{index}/_field_caps",
            "/{index}/_explain/{id}",
            "/{index}/_validate/query",
            "/{index}/_terms_enum",
        ),
    )
    BULK = (
        "Bulk",
        "changes of many documents in one request",
        ("/{index}/_bulk", "/{index}/_delete_by_query", "/{index}/_update_by_query", "/_reindex"),
    )
    STATEFUL = (
        "Stateful",
        "searches that keep a state in Elasticsearch",
        ("/_search/scroll", "/{index}/_search?scroll=1m", "/{index}/_pit", "/{index}/_async_search"),
    )
    SQL = (
        "Sql",
        "other query languages",
        ("/_sql", "/_query", "/{index}/_eql/search"),
    )
    SCRIPTS = (
        "Scripts",
        "stored scripts and search templates; not scripts within a search or an update",
        ("/_scripts/{id}", "/_scripts/painless/_execute", "/{index}/_search/template", "/_render/template"),
    )
    INDICES = (
        "Indices",
        "metadata and management of indices, aliases, data streams and templates",
        (
            "/{index}",
            "/{index}/_mapping",
            "/{index}/_settings",
            "/_aliases",
            "/{index}/_refresh",
            "/_data_stream/{name}",
            "/_index_template/{name}",
            "/_resolve/index/{name}",
        ),
    )
    CLUSTER = (
        "Cluster",
        "everything else, known or unknown",
        ("/", "/_cluster/health", "/_cat/indices", "/_nodes", "/_ingest/pipeline/{id}", "/_tasks"),
    )
