"""Parts of the page of actions: what to know about writing, new indices, names, patterns and restrictions."""

from typing import Final

from searchaccess.core.model.restrictions.where import MOST_BYTES, QUERY_DEPTH

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
    "A grant applies to the name in the request, not to what is behind that name. So do its `where` and `fields`. "
    "Tests prove each row on each release:"
)
NAMES_HEAD: Final = ("In the request", "Needs a grant on", "Reaches")
NAMES_TABLE: Final = (
    ("an index", "its name", "the index"),
    (
        "an alias",
        "the alias' name; one on its indices is not enough",
        "what the alias shows at that moment, by its filter; also other indices, if somebody points the alias there",
    ),
    (
        "a data stream",
        "the stream's name; one on its backing indices (`.ds-…`) is not enough",
        "all of it, also what later rollovers add",
    ),
    (
        "a backing index",
        "its name, or the stream's; a pattern such as `.ds-logs-*` also covers indices that later rollovers add",
        "that index; documents can be added only through the stream",
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
            "the write index, or the stream's newest index; after a rollover the next one. An alias on several indices "
            "without a write index accepts no documents"
        ),
    ),
    (
        "a name that does not exist, to write",
        "that name, with `create`",
        ("what the template creates, a data stream or an index. An alias of that name can then no longer be created"),
    ),
)
WRITING: Final = (
    (
        "- `write` includes Elasticsearch's update and overwrite. Both replace the previous content of a document. To "
        "keep history, grant `append`."
    ),
    (
        "- `write` shows a document to a caller that knows its id, because Elasticsearch's update (`_update`) returns "
        "the document that it found. `append` allows no updates. Neither does `write` in a SearchAccess whose `where` "
        "or `fields` restrict reading of the same indices, unless it has `auth: ApiKey`: replace the whole document "
        "there, or grant `privileges: [index]` and accept `Bypassable`."
    ),
    (
        "- A scripted update may set `ctx.op: delete`, which deletes the document. Elasticsearch's privilege `index`, "
        "and so `write`, allows that. Tests do not cover it, because the test server has no scripting."
    ),
    (
        "- `append` and `write` can add new fields to an index: Elasticsearch adds them to its mapping. With these "
        "privileges it also accepts explicit changes of the mapping, except with `write` in a SearchAccess that has "
        "`where` or `fields` on the same indices (without `auth: ApiKey`). `dynamic: strict` in the mapping prevents "
        "new fields."
    ),
    "- None of `append`, `write` and `delete` creates an index. Grant `create` too, or create it first.",
)
NEW_INDICES: Final = (
    (
        "- With `create` beside `append` or `write`, the first write to a name that the grant covers creates it: a "
        "data stream if a template with `data_stream` matches, otherwise an index. Settings, mappings and aliases "
        "come from the template ([why it is an action of its own](adr/0033-vocabulary.md))."
    ),
    (
        "- Elasticsearch creates the index before it checks each document. If it then refuses the document, such as an "
        "overwrite with `append`, an empty index stays behind."
    ),
    "- New fields: in an index, `append` and `write` add them; in a data stream, only together with `create`.",
    (
        "- `?refresh=true` and `?refresh=wait_for` on a write need no other right. The refresh API needs "
        "`privileges: [maintenance]`."
    ),
    (
        "- If a lifecycle policy or somebody else rolls over, the writer needs no other right: the next write goes to "
        "the new index. A policy rolls over with the rights of its author. To roll over itself, a caller needs "
        "`monitor` and the privilege `indices:admin/rollover`. With it, the caller can give the new index an alias of "
        "any name, and those who may read that name then read what is written here."
    ),
    (
        "- `manage` creates aliases with names that it covers. `privileges: [create_index]` creates none, but allows "
        "any settings and mappings."
    ),
    (
        "- After a rollover, a field that the data stream's template lacks is new again. `append` and `write` without "
        "`create` are then refused (403) until somebody else adds the field. Put the fields into the template, or "
        "grant `create`."
    ),
    "- The test servers have no lifecycle policies. A policy uses the same rollover API as the tests.",
    (
        "- A grant on Elasticsearch's own indices, such as `.security*` or `.kibana*`, gives nothing on them. The "
        "condition `Ineffective` says so."
    ),
    (
        "- The same condition names a pattern that matches no index, alias or data stream now, such as one with a "
        "typo (`NoIndexYet`), if the operator's login has `view_index_metadata` on it. The hint appears within two "
        "minutes, and goes away when something matches."
    ),
)
PATTERNS: Final = (
    (
        "- Hundreds of names, prefixes (`orders-*`) and patterns such as `team-*-prod-*` cost Elasticsearch little. "
        "Patterns that begin with `*` and have another one inside, such as `*a*0`, `*b*1`, `*c*2`, …, are expensive: "
        "each more of them doubles the work, in one grant or in several. Elasticsearch would store them, and then "
        "answer every request of the caller with an error. So they are refused: as `InvalidSpec` if one SearchAccess "
        "is too complicated by itself, or as `PatternsTooComplicated` if it is so together with others of its service "
        "account, which keep their rights ([how](adr/0030-strict-roles.md))."
    ),
)
RESTRICTIONS: Final = (
    "- They limit reading. With `write` in the same grant, a caller can still overwrite a document that `where` hides.",
    (
        "- A name in `fields` means the field, its multi-fields (`customer.ssn.keyword`) and everything below it, in "
        "`include` and in `exclude`. A name that ends in `.*` means only what is below. So in Elasticsearch's role, "
        "`x` becomes `x` and `x.*`. Everything in `exclude` must be among the fields of `include`: Elasticsearch "
        "refuses anything else. Metadata such as `_id` can be read unless `exclude` names it. Elasticsearch 8.19.0 "
        "and 9.1.0 treat a field of yours whose name begins with `_` as metadata: exclude it by name."
    ),
    (
        "- Hidden fields are closed to every kind of search, aggregation and lookup in the tests. Elasticsearch "
        "itself leaves two ways open: a value that the mapping copies to another field (`copy_to`) can be read there, "
        "and a key in a `flattened` field cannot be hidden without the whole field. Exclude the target of the copy, "
        "or the whole field. If the operator's login has `view_index_metadata` on the indices, each sweep finds such "
        "copies, and `FieldsReachable` reports them."
    ),
    (
        "- Some rights bypass `where` and `fields`. `append`, and `write` of another SearchAccess or of an API key, "
        "can change mappings: they can have hidden fields copied, or make others' documents match a `where`. Such a "
        "`write` also shows documents by their id (`_update`). `manage` changes mappings, and can create an index in "
        "advance with an alias that another grant may read. The condition `Bypassable` of the SearchAccess says which "
        "of these it has ([why](adr/0028-fields.md))."
    ),
    (
        "- What is absent restricts nothing, so a template that renders nothing must not pass. The API server refuses "
        "`where: {}`, `fields: {}` and empty lists in it. `where` or `fields` without a value (null) is an "
        "`InvalidSpec`. The same holds for files (`-f`). `kubectl apply` without `--server-side` drops nulls before "
        "it sends them, but keeps what it was given in an annotation, where the operator finds them. Another tool "
        "that drops nulls looks the same as a person who removes the line."
    ),
    (
        f"- A `where` has at most {QUERY_DEPTH} nested queries and {MOST_BYTES:,} bytes as JSON, because Elasticsearch "
        "accepts no more. A larger one is an `InvalidSpec`."
    ),
    (
        "- Two grants that read the same indices show exactly what each of them shows, also if they are in two "
        "SearchAccesses of one service account. Elasticsearch can do that if both have the same `where`, or the same "
        "`fields`, or if one of them allows at least the documents (no `where`, or the same) and at least the fields "
        "of the other. Otherwise the newer SearchAccess is refused (`RestrictionsWouldWiden`), or the one that has "
        "both grants. Write one of these forms, or use indices that cannot have the same names, or `auth: ApiKey` for "
        "one of them, which then has separate rights ([why](adr/0029-exact-unions.md))."
    ),
    (
        "- Patterns are compared with each other, not with aliases. If an index and its alias are restricted by "
        "different grants, a request that names both (or `*`) gets the union. A pattern for a data stream overlaps "
        "with one for its backing indices (`.ds-…`)."
    ),
    "- A grant that does not read widens nothing that can be searched.",
    (
        "- Elasticsearch only parses a `where` when the role is written. So the operator refuses (`InvalidSpec`) what "
        "matches nothing in a role: `multi_match`, `query_string`, `simple_query_string` and similar queries without "
        "fields or with a wildcard in them. It refuses what matches everything: `bool` without a query, `range` "
        "without a bound, nulls. It refuses what needs another request: terms lookups, indexed shapes, a model's "
        "vectors. It refuses `range` with `now`. And it refuses what nobody can review: `wrapper`, stored scripts and "
        "stored templates."
    ),
    (
        "- Some errors show only on an index: text where the mapping has a number, a query that the field's type does "
        "not support, a nested path that does not exist, a pattern or list that is too large. If the operator's login "
        "has `view_index_metadata` on the indices ([which role](clusters.md#which-role-it-needs)), Elasticsearch "
        "tries each `where` on one shard of each open index that the grant names, without running it. The condition "
        "`QueriesProven` has the result. With `QueryFails` the SearchAccess is not Ready. The role is written "
        "regardless, because its caller then sees nothing. A new `where` is tried at once, and again within minutes "
        "after the cluster's state has changed, at most ten a minute ([how](adr/0038-proven-queries.md))."
    ),
    (
        "- A try does not find what depends on the documents or on the caller: a script that fails on a document, a "
        "template, the present time in a query other than `range` (`{term: {day: now}}`), or a `where` on a field "
        "that no index has, which matches nothing."
    ),
    (
        "- A [template](https://www.elastic.co/docs/deploy-manage/users-roles/cluster-or-deployment-auth/controlling-"
        "access-at-document-field-level#templating-role-query) such as "
        '`{template: {source: {term: {owner: "{{_user.username}}"}}}}` is filled in at each request. With '
        "`auth: IdentityToken` the name is the principal that the status shows. With `ApiKey` and `Password` it would "
        "be a name that the operator chose, so it is refused there. Elasticsearch parses a template only when it is "
        "used: a wrong one makes every search of the caller fail."
    ),
    (
        "- In Elasticsearch a restricted entry has one more name, `/NO-INDEX …/`, which no index has. Without it, "
        "Elasticsearch would merge the entry with an unrestricted one on the same indices and drop the restriction "
        "([why](adr/0011-restrictions-kept-apart.md))."
    ),
)
