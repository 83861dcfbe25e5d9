"""Reads roles and role bindings of the OpenSearch operator.

https://github.com/opensearch-project/opensearch-k8s-operator (``OpensearchRole``, ``OpensearchUserRoleBinding``).
OpenSearch has no privileges but groups of actions. They are translated to the nearest privileges of Elasticsearch that
allow no more. See https://docs.opensearch.org/docs/latest/security/access-control/default-action-groups/.
"""

import re
from collections.abc import Iterable, Mapping
from typing import Any, Final

from searchaccess.core.answers.importing.material import FoundRole, Material
from searchaccess.core.answers.importing.reasons import Leftover, Why
from searchaccess.core.model.canonical import MappingBody, canonical_json, role_from_json
from searchaccess.core.model.intake.metadata import metadata_of, part
from searchaccess.core.model.intake.reading import objects, texts
from searchaccess.core.rights.mapping import RoleMapping

NOTE: Final = (
    "OpenSearch's groups of actions were translated to privileges of Elasticsearch that allow no more: compare what "
    "each workload does with it"
)
_ON_INDICES: Final[Mapping[str, tuple[str, ...]]] = {
    "indices_all": ("all",),
    "unlimited": ("all",),
    "*": ("all",),
    "indices:*": ("all",),
    "crud": ("read", "write"),
    "data_access": ("read", "write"),
    "read": ("read",),
    "get": ("indices:data/read/get*", "indices:data/read/mget*"),
    "search": ("indices:data/read/msearch*", "indices:data/read/search*"),
    "write": ("write",),
    "index": ("index",),
    "delete": ("delete",),
    "create_index": ("create_index",),
    "indices_monitor": ("monitor",),
    "manage": ("manage",),
}
_ON_CLUSTER: Final[Mapping[str, tuple[str, ...]]] = {
    "cluster_monitor": ("monitor",),
    # In Elasticsearch, requests for several indices need rights on these alone.
    "cluster_composite_ops": (),
    "cluster_composite_ops_ro": (),
    "cluster_manage_index_templates": ("manage_index_templates",),
    "cluster_manage_pipelines": ("manage_ingest_pipelines",),
}
_ACTIONS: Final = re.compile(r"indices:[a-z_/*]+\*")
_SINGLE: Final = frozenset(f"indices:{name}" for name in (
    "admin/aliases", "admin/aliases/get", "admin/analyze", "admin/cache/clear", "admin/close", "admin/create",
    "admin/data_stream/create", "admin/data_stream/delete", "admin/data_stream/get", "admin/delete", "admin/flush",
    "admin/forcemerge", "admin/get", "admin/mapping/auto_put", "admin/mapping/put", "admin/mappings/fields/get",
    "admin/mappings/get", "admin/open", "admin/refresh", "admin/resize", "admin/resolve/index", "admin/rollover",
    "admin/settings/update", "admin/shards/search_shards", "admin/validate/query", "data/read/explain",
    "data/read/field_caps", "data/read/get", "data/read/mget", "data/read/msearch", "data/read/msearch/template",
    "data/read/mtv", "data/read/scroll", "data/read/scroll/clear", "data/read/search", "data/read/search/template",
    "data/read/tv", "data/write/bulk", "data/write/delete", "data/write/delete/byquery", "data/write/index",
    "data/write/reindex", "data/write/update", "data/write/update/byquery", "monitor/data_stream/stats",
    "monitor/recovery", "monitor/segments", "monitor/settings/get", "monitor/shard_stores", "monitor/stats",
))  # fmt: skip
"""Actions that both have. To Elasticsearch each name is a prefix, so that any other could allow more: in OpenSearch
``indices:data/write`` is nothing, and in Elasticsearch every write."""
_USER: Final = "${"
"""Begins what OpenSearch replaces with an attribute of the caller."""


def opensearch_object(raw: Mapping[str, Any]) -> Material:
    """Read one object; of other kinds nothing."""
    name, spec = metadata_of(raw).name, part(raw, "spec")
    match raw.get("kind"):
        case "OpensearchRole":
            return _role(name, spec)
        case "OpensearchUserRoleBinding":
            return _binding(name, spec)
    return Material()


def _role(name: str, spec: Mapping[str, Any]) -> Material:
    left, entries, cluster = list[Leftover](), list[dict[str, Any]](), set[str]()

    def leave(part_: str, why: Why, text: str) -> None:
        left.append(Leftover(f"role {name}", part_, why, text, roles=(name,)))

    for action in texts(spec.get("clusterPermissions")):
        if action in _ON_CLUSTER:
            cluster.update(_ON_CLUSTER[action])
        else:
            leave(f"clusterPermissions ({action})", Why.UNTRANSLATED, "Elasticsearch has no such cluster privilege")
    for position, rule in enumerate(objects(spec.get("indexPermissions"))):
        place, patterns, query = f"indexPermissions[{position}]", texts(rule.get("indexPatterns")), rule.get("dls")
        if rule.get("maskedFields"):
            leave(place, Why.MASKED_FIELDS, f"it masks {', '.join(texts(rule.get('maskedFields')))}")
            continue
        if any(_USER in one for one in (*patterns, str(query or ""))):
            leave(place, Why.UNTRANSLATED, "it depends on attributes of the caller")
            continue
        privileges, unknown = _privileges(texts(rule.get("allowedActions")))
        for action in unknown:
            leave(f"{place}.allowedActions ({action})", Why.UNTRANSLATED, "it is not a known group of actions")
        if privileges:
            entries.append(_entry(patterns, privileges, query, texts(rule.get("fls"))))
    if spec.get("tenantPermissions"):
        leave("tenantPermissions", Why.TENANT, "only OpenSearch Dashboards has tenants")
    body = role_from_json({"cluster": sorted(cluster), "indices": entries})
    return Material(roles={name: FoundRole(name, body)}, leftovers=tuple(left), notes=(NOTE,))


def _privileges(actions: Iterable[str]) -> tuple[list[str], list[str]]:
    known, unknown = set[str](), list[str]()
    for action in actions:
        if action in _ON_INDICES:
            known.update(_ON_INDICES[action])
        elif action in _SINGLE or _ACTIONS.fullmatch(action):
            known.add(action)
        else:
            unknown.append(action)
    return sorted(known), unknown


def _entry(patterns: Iterable[str], privileges: list[str], query: Any, fields: Iterable[str]) -> dict[str, Any]:
    """Return an entry as Elasticsearch has it. OpenSearch writes ``~`` before a field that is hidden."""
    entry: dict[str, Any] = {"names": list(patterns), "privileges": privileges}
    shown = [name for name in fields if not name.startswith("~")]
    hidden = [name.removeprefix("~") for name in fields if name.startswith("~")]
    if shown or hidden:
        entry["field_security"] = {"grant": shown or ["*"], **({"except": hidden} if hidden else {})}
    return entry | ({"query": query} if query else {})


def _binding(name: str, spec: Mapping[str, Any]) -> Material:
    roles, users, groups = (texts(spec.get(key)) for key in ("roles", "users", "backendRoles"))
    named = [{"field": {"username": list(users)}}] if users else []
    grouped = [{"field": {"groups": list(groups)}}] if groups else []
    rules = canonical_json({"any": [*named, *grouped]})
    mapping = RoleMapping(name, MappingBody(enabled=True, rules=rules, roles=tuple(sorted(roles))), {})
    return Material(mappings=(mapping,))
