"""Parts of the page of actions: what grants beyond the cluster's own indices come to."""

from typing import Final

ON_REMOTE_CLUSTERS: Final = (
    "With `remoteClusters` a grant is for indices of clusters that are connected to this one, and takes `can: [read]` "
    "alone: `read`, `view_index_metadata` and `read_cross_cluster`. The column ACCESS shows `r eu:logs-*`. [Remote "
    "clusters](remote-clusters.md) has what that needs, and what `where` takes there."
)
IN_KIBANA: Final = (
    "Features in spaces, by `read` or `all` each, for those who call Kibana with the same token or key: "
    "[Kibana](kibana.md). They allow nothing in Elasticsearch itself."
)
NAMES: Final = (
    "What a grant gives follows from the name in the request, not from what is behind it; its `where` and `fields` "
    "too are of that name. Each line is a test on each release:"
)
NAMES_HEAD: Final = ("In the request", "Needs a grant on", "Reaches")
NAMES_TABLE: Final = (
    ("an index", "its name", "the index"),
    (
        "an alias",
        "the alias' name; one on its indices is not enough",
        "what the alias shows at that moment, by its filter: also other indices, when somebody points it there",
    ),
    (
        "a data stream",
        "the stream's name; one on its backing indices (`.ds-…`) is not enough",
        "all of it, also what later rollovers add",
    ),
    (
        "a backing index",
        "its name, by a pattern such as `.ds-logs-*` also of those that later rollovers add; or the stream's",
        "that index; documents are added through the stream alone",
    ),
    (
        "a pattern",
        "any name that it matches",
        "indices, aliases and streams that it matches and that are granted; the others are left out, without an error",
    ),
    (
        "an alias or a data stream, to write",
        "that name",
        (
            "the write index, or the stream's newest; after a rollover the next one. An alias without a write index on "
            "several indices takes no document"
        ),
    ),
    (
        "a name that does not exist, to write",
        "that name, with `create`",
        (
            "what the template makes of it, a data stream or an index; also where an alias of that name was to come, "
            "which then cannot be made any more"
        ),
    ),
)
AFTER_ROLLOVER: Final = (
    "- After a rollover, a field that the data stream's template does not have is new again: `append` and `write` "
    "without `create` are then refused (403) until somebody who may adds the field. Put the fields into the template, "
    "or grant `create`."
)
NO_POLICIES: Final = (
    "- The test servers have no lifecycle policies. A policy rolls over by the same API as somebody who asks for it, "
    "which the tests do."
)
