"""Narrows grants to what was used: never below it, and never to something invalid."""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any, Final

from searchaccess.api.vocabulary.actions import Action
from searchaccess.core.answers.audit.naming import (
    APPEND,
    BULK,
    CLUSTER,
    CREATE,
    DELETE,
    MANAGE,
    METADATA,
    MONITOR,
    OTHER,
    READ,
    WRITE,
)
from searchaccess.core.answers.audit.tally import ELASTICSEARCH, ELSEWHERE, GATEWAY
from searchaccess.core.patterns.containment import contained
from searchaccess.core.patterns.meeting import can_meet

_ALLOWED_BY: Final[Mapping[str, tuple[Action, ...]]] = {
    READ: (Action.READ,),
    METADATA: (Action.READ, Action.MONITOR, Action.MANAGE),
    WRITE: (Action.WRITE,),
    APPEND: (Action.APPEND, Action.WRITE),
    DELETE: (Action.DELETE,),
    CREATE: (Action.CREATE, Action.MANAGE),
    MONITOR: (Action.MONITOR, Action.MANAGE),
    MANAGE: (Action.MANAGE,),
}
"""Which actions of a grant allow a kind of use; the narrowest first."""
_IN_BULK: Final = (WRITE, APPEND, DELETE)
_WRITING: Final = frozenset({BULK, WRITE, APPEND})
_BY_BULK_PATH: Final = (*_IN_BULK, READ)
"""The gateway's log does not tell a bulk request from one that changes what a query finds."""
_WITH_OTHER_INDICES: Final = frozenset({READ, BULK, WRITE, APPEND, OTHER})
"""Requests that may use other indices than their path names: a body or an ingest pipeline may name them."""
_BEYOND_THE_PATH: Final = (
    "the gateway's log does not show which indices a body or an ingest pipeline names: an action that a request needed "
    "stays in all grants"
)
_NEEDED_BY_QUERIES: Final = frozenset({"monitor", "monitor_enrich", "monitor_esql", "monitor_inference"})
"""Cluster privileges that a query may need: for ENRICH, for inference, and to see running ES|QL queries.

Elasticsearch's log has an event of such a use; the gateway's has only the query's path."""


@dataclass(frozen=True, slots=True)
class Used:
    """A kind of use of one index that was allowed.

    Attributes:
        kind: of the action, as the audit has it.
        index: empty: the event names none.
        number: of requests.
        last: when.
        through: whose log it is from.
    """

    kind: str
    index: str
    number: int
    last: datetime
    through: str = ELASTICSEARCH


@dataclass(frozen=True, slots=True)
class Removal:
    """Something that was not used.

    Attributes:
        path: where it is in the manifest, such as ``spec.grants[0].can[1]``.
        what: the value.
        why: a sentence.
        key: names that no other has, wherever it is in the manifest.
    """

    path: str
    what: str
    why: str
    key: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Narrowed:
    """What is enough.

    Attributes:
        spec: the narrower spec; None: nothing was used, so that no grant would remain.
        removals: what it lacks.
        notes: what could not be judged.
    """

    spec: Mapping[str, Any] | None
    removals: tuple[Removal, ...] = ()
    notes: tuple[str, ...] = ()


def narrow(spec: Mapping[str, Any], used: Iterable[Used], *, splitting: bool = True) -> Narrowed:
    """Narrow a SearchAccess to what was used.

    Args:
        spec: of the SearchAccess, valid.
        used: all allowed uses by its principals and keys in some time.
        splitting: whether a grant may become several, where its indices need different actions.

    Returns:
        A spec that still allows each use: where it is not certain which grant a use needs, all of them stay.
    """
    grants: Sequence[Mapping[str, Any]] = spec.get("grants") or ()
    uses = list(_understood(list(used), grants))
    if not uses:
        return Narrowed(None, notes=("nothing was used in this time: delete it if this time is long enough",))
    narrowing = _Narrowing(uses, _everywhere(grants, uses), splitting)
    removals, notes = narrowing.removals, narrowing.notes
    if any(_may_use_others(use) for use in uses):
        notes.append(_BEYOND_THE_PATH)
    kept = [new for number, grant in enumerate(grants) for new in narrowing.grants_for(grant, f"spec.grants[{number}]")]
    made = dict(spec)
    if kept:
        made["grants"] = kept
    else:
        made.pop("grants", None)
    if unneeded := [value for value in spec.get("clusterCan") or () if not _may_be_needed(str(value), uses)]:
        why = "no request for the cluster was seen"
        removals += [Removal("spec.clusterCan", str(value), why, ("cluster", str(value))) for value in unneeded]
        made["clusterCan"] = [value for value in spec["clusterCan"] if value not in unneeded]
        if not made["clusterCan"]:
            del made["clusterCan"]
    if not made.get("grants") and not made.get("clusterCan") and not made.get("kibana") and not made.get("remote"):
        return Narrowed(
            None, tuple(removals), (*notes, "no grant was used in this time: delete it if this time is long enough")
        )
    return Narrowed(made, tuple(removals), tuple(dict.fromkeys(notes)))


def _may_be_needed(privilege: str, uses: Iterable[Used]) -> bool:
    """Return whether any use may need a cluster privilege."""
    is_for_queries = privilege in _NEEDED_BY_QUERIES
    return any(
        use.kind == CLUSTER
        or (use.kind == OTHER and not use.index)
        or (is_for_queries and use.through == GATEWAY and use.kind in {READ, OTHER})
        for use in uses
    )


def _may_use_others(use: Used) -> bool:
    return use.through == GATEWAY and use.kind in _WITH_OTHER_INDICES


def _understood(uses: Sequence[Used], grants: Sequence[Mapping[str, Any]]) -> Iterator[Used]:
    """Yield the uses as kinds that a grant allows; ``other``, which keeps everything, where that cannot be said."""
    # A filter may leave out which indices a bulk request writes to.
    has_items = any(use.kind in _IN_BULK and use.through == ELASTICSEARCH for use in uses)
    for use in uses:
        kinds: tuple[str, ...] = (use.kind,)
        if use.kind == BULK:
            if has_items and use.through == ELASTICSEARCH:
                continue
            kinds = _IN_BULK if use.through == ELASTICSEARCH else _BY_BULK_PATH
        if use.through == GATEWAY and use.kind in _WRITING:
            # Only Elasticsearch's log tells whether it created the index.
            kinds = (*kinds, CREATE)
        made = [replace(use, kind=kind) for kind in kinds]
        explained = [item for item in made if _is_explained(item, grants)]
        yield from explained
        is_allowed = any(item.kind != CREATE or use.kind == CREATE for item in explained)
        if not is_allowed:
            yield replace(use, kind=OTHER)
        if not is_allowed or _may_use_others(use):
            # A grant that does not name the index may allow it by an alias, or another index that the request uses.
            yield from (replace(item, index="") for item in made if _is_explained(replace(item, index=""), grants))


def _is_explained(use: Used, grants: Sequence[Mapping[str, Any]]) -> bool:
    """Return whether a grant has an action for a use."""
    if use.kind in (CLUSTER, OTHER):
        return True
    if use.kind not in _ALLOWED_BY:
        return False
    naming = [grant for grant in grants if use.index and _names(grant, use.index)]
    # An index that no pattern matches is used through an alias, or was allowed by a former grant.
    return any(
        grant.get("privileges") or any(action in (grant.get("can") or ()) for action in _ALLOWED_BY[use.kind])
        for grant in naming or grants
        if not grant.get("remoteClusters")
    )


def _names(grant: Mapping[str, Any], index: str) -> bool:
    patterns = map(str, grant.get("indices") or ())
    return not grant.get("remoteClusters") and any(_meets(index, pattern) for pattern in patterns)


def _meets(index: str, pattern: str) -> bool:
    """Return whether a pattern matches an index, or any of those that a pattern in a request stands for."""
    if "*" not in index and index != ELSEWHERE:
        return _matches(index, (pattern,))
    meeting = can_meet("*" if index == ELSEWHERE else index, pattern)
    return meeting.yes


def _everywhere(grants: Sequence[Mapping[str, Any]], uses: Sequence[Used]) -> frozenset[str]:
    """Return the kinds of uses of which no grant can be said to be the one that they need.

    Their index is unknown, or no pattern matches it: an alias leads there, or a former grant allowed it.
    """
    patterns = tuple(str(pattern) for grant in grants for pattern in grant.get("indices") or ())
    return frozenset(
        use.kind for use in uses if use.kind != CLUSTER and not (use.index and _matches(use.index, patterns))
    )


def _matches(index: str, patterns: tuple[str, ...]) -> bool:
    verdict = contained(index, patterns)
    return verdict.contained or verdict.undecided


@dataclass(frozen=True, slots=True)
class _Need:
    """What of a grant one of its patterns needs."""

    actions: frozenset[Action] = frozenset()
    raw: bool = False
    """Its raw privileges, too."""

    def __bool__(self) -> bool:
        """Return whether it needs any."""
        return bool(self.actions) or self.raw


@dataclass(frozen=True, slots=True)
class _Narrowing:
    """Narrows the grants of one SearchAccess.

    Attributes:
        uses: what was used.
        everywhere: the kinds of uses that any grant may have allowed.
        splitting: whether a grant may become several.
        removals: gets what is not needed.
        notes: gets what could not be judged.
    """

    uses: Sequence[Used]
    everywhere: frozenset[str]
    splitting: bool
    removals: list[Removal] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    def grants_for(self, grant: Mapping[str, Any], path: str) -> list[dict[str, Any]]:
        """Return the grants that are enough in place of one."""
        if grant.get("remoteClusters"):
            self.notes.append(f"{path} stays: what it allows is used on other clusters")
            return [dict(grant)]
        needs = self._needs(grant)
        if any(need.raw for need in needs.values()):
            self.notes.append(f"{path}.privileges stay: the audit does not show which raw privileges a request needs")
        for number, (pattern, need) in enumerate(needs.items()):
            if not need:
                why = "no index that it matches was used"
                self.removals.append(Removal(f"{path}.indices[{number}]", pattern, why, ("index", pattern)))
        needed = frozenset[Action]().union(*(need.actions for need in needs.values()))
        for number, action in enumerate(grant.get("can") or ()):
            if needed and action not in needed:
                key = ("action", str(action), *sorted(needs))
                self.removals.append(Removal(f"{path}.can[{number}]", action, "no request needed it", key))
        if not self.splitting:
            whole = _Need(needed, bool(grant.get("privileges")))
            needs = {pattern: whole for pattern, need in needs.items() if need}
        return self._grouped(grant, path, needs)

    def _needs(self, grant: Mapping[str, Any]) -> dict[str, _Need]:
        """Return what each pattern of a grant needs."""
        actions = [action for action in Action if action in (grant.get("can") or ())]
        found = dict[str, _Need]()
        for pattern in map(str, grant.get("indices") or ()):
            kinds = self.everywhere | {use.kind for use in self.uses if use.index and _meets(use.index, pattern)}
            found[pattern] = _Need(frozenset(_needed(actions, kinds)), bool(grant.get("privileges") and kinds))
        return found

    def _grouped(self, grant: Mapping[str, Any], path: str, needs: Mapping[str, _Need]) -> list[dict[str, Any]]:
        """Return a grant for each set of patterns that need the same."""
        groups: dict[_Need, list[str]] = {}
        for pattern, need in needs.items():
            if need:
                groups.setdefault(need, []).append(pattern)
        needed = frozenset[Action]().union(*(need.actions for need in groups))
        made = []
        for need, names in groups.items():
            self.removals.extend(
                Removal(
                    f"{path}.can",
                    f"{action} on {', '.join(names)}",
                    "only other indices of the grant needed it",
                    ("action", str(action), *sorted(names)),
                )
                for action in Action
                if action in needed - need.actions
            )
            new = {**grant, "indices": names}
            new.pop("can", None)
            new.pop("privileges", None)
            if need.actions:
                new["can"] = [action for action in grant["can"] if action in need.actions]
            if need.raw:
                new["privileges"] = list(grant["privileges"])
            made.append({name: new[name] for name in (*(key for key in grant if key in new), *new) if name in new})
        return made


def _needed(actions: Sequence[Action], kinds: Collection[str]) -> set[Action]:
    if OTHER in kinds:
        return set(actions)
    needed: set[Action] = set()
    # What a broader kind of use needs may allow the others, too: metadata come last.
    for kind in sorted(kinds, key=lambda kind: len(_ALLOWED_BY.get(kind, ()))):
        given = [action for action in _ALLOWED_BY.get(kind, ()) if action in actions]
        if given and not needed & set(given):
            needed.add(given[0])
    return needed
