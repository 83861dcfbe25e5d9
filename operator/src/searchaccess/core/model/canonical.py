"""The canonical form of roles and role mappings: one shape for the desired state and for what Elasticsearch returns.

What the server adds, drops or reorders was measured; the contract tests write generated roles to a real server and
read them back. Without a canonical form, every sweep would report false differences.
"""

import hashlib
import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from functools import lru_cache
from typing import Any, Final

from searchaccess.core.model.intake.reading import mapping, within
from searchaccess.core.patterns.marks import HASH_LENGTH, as_recorded, is_former, is_mark, renewed

_ROLE_KEYS: Final = frozenset(
    {"cluster", "indices", "remote_indices", "applications", "description", "metadata", "transient_metadata"}
)
KIBANA: Final = "kibana-.kibana"
"""Kibana's name as an application, unless its setting ``kibana.index`` says otherwise."""
_APPLICATION_KEYS: Final = frozenset({"application", "privileges", "resources"})
_LOCAL: Final = "indices"
_REMOTE: Final = "remote_indices"
_APPLICATIONS: Final = "applications"
_ENTRY_KEYS: Final = frozenset({"names", "privileges", "field_security", "query", "allow_restricted_indices"})
_CLUSTERS: Final = "clusters"
_ALL_FIELDS: Final = ("*",)
NAMES_HASH_LENGTH: Final = 8
_HASH_ENDS: Final = {_REMOTE: "-remote", _APPLICATIONS: "-application"}
_COMPACT: Final = json.JSONEncoder(sort_keys=True, separators=(",", ":"), ensure_ascii=False)
"""``json.dumps`` would make one for each call."""
HASHES_KEPT: Final = 64
"""Hashes of entries and shares that are remembered: while a role is planned, each is read several times."""


def canonical_json(value: Any) -> str:
    """Return compact JSON with sorted keys; numbers of equal value are written alike."""
    return plain_json(_plain(value))


def plain_json(value: Any) -> str:
    """Return what ``canonical_json`` does, several times faster, of texts, lists and objects with texts as keys.

    Other values must be in their canonical form already, as what ``json.loads`` reads of canonical JSON is.
    """
    text = _COMPACT.encode(value)
    try:
        text.encode()
    except UnicodeEncodeError:  # Half a character, such as the escape \ud800 in a query, has no bytes.
        return json.dumps(value, sort_keys=True, separators=(",", ":"))
    return text


def stable_json(value: Any) -> str:
    """Return compact JSON with sorted keys, of values without fractions: several times faster."""
    return _COMPACT.encode(value)


def _plain(value: Any) -> Any:
    kind = type(value)
    if kind is str:
        return value
    if kind is list or kind is tuple:
        return [item if type(item) is str else _plain(item) for item in value]
    if kind is float and value.is_integer():
        return int(value)
    if isinstance(value, Mapping):
        return {str(key): item if type(item) is str else _plain(item) for key, item in value.items()}
    return [_plain(item) for item in value] if isinstance(value, list | tuple) else value


def digest(text: str) -> str:
    """Return a short stable hash: the first 16 hexadecimal digits of SHA-256."""
    return hashlib.sha256(text.encode()).hexdigest()[:HASH_LENGTH]


@dataclass(frozen=True, slots=True, order=True)
class Entry:
    """One entry of a role's ``indices``, its ``remote_indices``, or its ``applications``."""

    names: tuple[str, ...]
    """Of indices; resources of an application."""
    privileges: tuple[str, ...]
    include: tuple[str, ...] = _ALL_FIELDS
    exclude: tuple[str, ...] = ()
    query: str = ""
    """Canonical JSON of the document-level query; a query that is not JSON is kept as it is; empty: all documents."""
    restricted: bool = False
    """``allow_restricted_indices``. We never set it."""
    other: str = ""
    """Canonical JSON of keys that we do not know."""
    clusters: tuple[str, ...] = ()
    """Names and beginnings of names of remote clusters; empty: the indices are this cluster's own."""
    application: str = ""
    """Of which the privileges are; empty: Elasticsearch's own, on indices."""

    def to_json(self) -> dict[str, Any]:
        """Return the entry as the role API takes it."""
        if self.application:
            privileges, resources = list(self.privileges), list(self.names)
            return {"application": self.application, "privileges": privileges, "resources": resources}
        body: dict[str, Any] = {"names": list(self.names), "privileges": list(self.privileges)}
        if self.hides_fields:
            body["field_security"] = {"grant": list(self.include)}
            if self.exclude:
                body["field_security"]["except"] = list(self.exclude)
        if self.query:
            body["query"] = self.query
        if self.restricted:
            body["allow_restricted_indices"] = True
        if self.clusters:
            body[_CLUSTERS] = list(self.clusters)
        if self.other:
            body |= json.loads(self.other)
        return body

    @property
    def kind(self) -> str:
        """The role's list that has the entry."""
        return _APPLICATIONS if self.application else _REMOTE if self.clusters else _LOCAL

    @property
    def hides_fields(self) -> bool:
        """Whether it has field-level security."""
        return bool(self.exclude) or self.include != _ALL_FIELDS

    @property
    def indices(self) -> tuple[str, ...]:
        """The names without our mark."""
        return tuple(name for name in self.names if not is_mark(name))

    @property
    def as_recorded(self) -> "Entry":
        """The entry as it is hashed, whatever the spelling of marks."""
        names = tuple(sorted(map(as_recorded, self.names)))
        return self if names == self.names else replace(self, names=names)

    @property
    def names_hash(self) -> str:
        """Identify its index names, with the remote clusters that have them; or its resources."""
        return _names_hash(self.as_recorded)

    @property
    def hash(self) -> str:
        """Identify the entry: its index names first, so that it is recognized when somebody changed the rest.

        One that is not of ``indices`` says so at the end: a role has these in lists of their own.
        """
        return _entry_hash(self)


@lru_cache(HASHES_KEPT)
def _entry_hash(entry: Entry) -> str:
    known = f"{entry.names_hash}-{digest(plain_json(entry.as_recorded.to_json()))}"
    return known + _HASH_ENDS.get(entry.kind, "")


def place_of(entry_hash: str) -> int:
    """Return which of a role's lists, in the order in which they are read, has an entry, by its hash."""
    ends = enumerate(_HASH_ENDS.values(), start=1)
    return next((place for place, end in ends if entry_hash.endswith(end)), 0)


def _names_hash(entry: Entry) -> str:
    named = [entry.clusters or entry.application, entry.names] if entry.kind != _LOCAL else entry.names
    return digest(plain_json(named))[:NAMES_HASH_LENGTH]


@dataclass(frozen=True, slots=True)
class RoleBody:
    """What a role grants, without metadata."""

    cluster: tuple[str, ...] = ()
    entries: tuple[Entry, ...] = ()
    """In the server's order, list by list; to Elasticsearch it means nothing, see ``same_as``."""
    description: str = ""
    other: str = ""
    """Canonical JSON of what we never write: other applications, run_as, remote_cluster, global, …"""
    former: bool = field(default=False, compare=False)
    """It has marks of earlier versions, so it is rewritten although its meaning is the same."""

    def to_json(self) -> dict[str, Any]:
        """Return the role as the role API takes it, without metadata."""
        body: dict[str, Any] = {
            "cluster": list(self.cluster),
            _LOCAL: [entry.to_json() for entry in self.entries if entry.kind == _LOCAL],
        }
        if self.description:
            body["description"] = self.description
        if self.other:
            body |= json.loads(self.other)
        for kind in _HASH_ENDS:
            if entries := [entry.to_json() for entry in self.entries if entry.kind == kind]:
                body[kind] = entries + body.get(kind, [])
        return body

    def same_as(self, another: "RoleBody") -> bool:
        """Return whether both mean the same to Elasticsearch."""
        return self.sorted() == another.sorted()

    def sorted(self) -> "RoleBody":
        """Return the same role with its entries in one order."""
        return replace(self, entries=tuple(sorted(self.entries)))

    @property
    def hash(self) -> str:
        """Identify the role's content, whatever the order of its entries."""
        return digest(canonical_json(self.sorted().to_json()))


def canonical_query(query: Any) -> str:
    """Return one form of a document-level query: canonical JSON, or the text itself when it is not JSON.

    Elasticsearch returns a query that was sent as an object as a compact JSON string, one sent as a string verbatim.
    """
    if query is None or query == "":
        return ""
    if not isinstance(query, str):
        return canonical_json(query)
    try:
        parsed = json.loads(query)
    except (ValueError, RecursionError):
        return query
    return canonical_json(parsed) if within(parsed) else query


def _names(values: Any) -> tuple[str, ...]:
    """Read a list of names. An item that is not a name becomes JSON, so that it differs from every declared name."""
    if values is None:
        return ()
    items = values if isinstance(values, list | tuple) else [values]
    return tuple(sorted({item if isinstance(item, str) else canonical_json(item) for item in items}))


def _list(values: Any) -> Iterable[Any]:
    return values if isinstance(values, list | tuple) else [values] if values else ()


def _others(raw: Mapping[str, Any], known: frozenset[str]) -> dict[str, Any]:
    return {key: value for key, value in raw.items() if key not in known and value not in (None, [], {}, "")}


def entry_from_json(raw: Any, clusters: tuple[str, ...] = ()) -> Entry:
    """Read one entry as the role API gives it.

    Args:
        raw: the entry.
        clusters: the remote clusters that it names; empty: it is one of ``indices``.
    """
    if not isinstance(raw, Mapping):
        return Entry((), (), other=canonical_json({"unreadable": raw}))
    given = raw.get("field_security")
    fields, other = mapping(given), _others(raw, _ENTRY_KEYS | {_CLUSTERS} if clusters else _ENTRY_KEYS)
    if given and not fields:
        other["field_security"] = given
    return Entry(
        names=tuple(sorted(set(map(renewed, _names(raw.get("names")))))),
        privileges=_names(raw.get("privileges")),
        include=_names(fields["grant"]) if "grant" in fields else _ALL_FIELDS,
        exclude=_names(fields.get("except")),
        query=canonical_query(raw.get("query")),
        restricted=bool(raw.get("allow_restricted_indices", False)),
        other=canonical_json(other) if other else "",
        clusters=clusters,
    )


def _remote_from_json(raw: Any) -> Entry | None:
    """Read one entry of ``remote_indices``; None: it names no cluster, so it is invalid."""
    clusters = _names(mapping(raw).get(_CLUSTERS))
    return entry_from_json(raw, clusters) if clusters else None


def _application_from_json(raw: Any) -> Entry | None:
    """Read one entry of ``applications``; None: it is not in the form that we write."""
    given = mapping(raw)
    names, privileges = (given.get(key) for key in ("resources", "privileges"))
    ours = given.keys() == _APPLICATION_KEYS and given["application"] == KIBANA and names and privileges
    return Entry(_names(names), _names(privileges), application=KIBANA) if ours else None


def _read_list(given: Any, read: Callable[[Any], Entry | None]) -> tuple[list[Entry], list[Any]]:
    """Read the entries of one of a role's lists, and the items that are not entries."""
    entries, strange = list[Entry](), list[Any]()
    for raw in _list(given):
        entry = read(raw)
        if entry is None:
            strange.append(raw)
        else:
            entries.append(entry)
    return entries, strange


def role_from_json(raw: Mapping[str, Any]) -> RoleBody:
    """Read a role as the role API gives it (metadata is read elsewhere).

    Args:
        raw: the role, as deep as ``reading.readable`` lets pass; any of its parts may be of any type.
    """
    other = _others(raw, _ROLE_KEYS)
    more = list[Entry]()
    for kind, read in ((_REMOTE, _remote_from_json), (_APPLICATIONS, _application_from_json)):
        entries, strange = _read_list(raw.get(kind), read)
        more += entries
        if strange:
            other[kind] = strange
    local = tuple(_list(raw.get(_LOCAL)))
    return RoleBody(
        cluster=_names(raw.get("cluster")),
        entries=(*map(entry_from_json, local), *more),
        description=str(raw.get("description") or ""),
        other=canonical_json(other) if other else "",
        former=any(map(is_former, (name for entry in local for name in _names(mapping(entry).get("names"))))),
    )


@dataclass(frozen=True, slots=True)
class MappingBody:
    """What a role mapping does, without metadata."""

    enabled: bool
    rules: str
    """Canonical JSON."""
    roles: tuple[str, ...] = ()
    templates: str = "[]"
    """Canonical JSON of ``role_templates``, each template in its object form."""

    def to_json(self) -> dict[str, Any]:
        """Return the mapping as the role mapping API takes it, without metadata."""
        body: dict[str, Any] = {"enabled": self.enabled, "rules": json.loads(self.rules)}
        if self.roles:
            body["roles"] = list(self.roles)
        else:
            body["role_templates"] = json.loads(self.templates)
        return body


def _template(raw: Any) -> dict[str, Any]:
    if not isinstance(raw, Mapping):
        return {"unreadable": raw}
    template = raw.get("template")
    if isinstance(template, str):
        # The server keeps a template that was sent as an object as its JSON text.
        try:
            parsed = json.loads(template)
        except (ValueError, RecursionError):
            parsed = None
        template = parsed if parsed is not None and within(parsed) else {"source": template}
    return {"format": raw.get("format", "string"), "template": template}


def mapping_from_json(raw: Mapping[str, Any]) -> MappingBody:
    """Read a role mapping as the API gives it (metadata is read elsewhere).

    Args:
        raw: the mapping, as deep as ``reading.readable`` lets pass; any of its parts may be of any type.
    """
    return MappingBody(
        enabled=bool(raw.get("enabled", False)),
        rules=canonical_json(raw.get("rules") or {}),
        roles=_names(raw.get("roles")),
        templates=canonical_json([_template(item) for item in _list(raw.get("role_templates"))]),
    )
