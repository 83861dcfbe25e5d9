"""Narrows grants to what was used: never below it, and never to something invalid."""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
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
        key: names by which it is told from others, wherever it is in the manifest.
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
    everywhere = _everywhere(grants, uses)
    kept: list[dict[str, Any]] = []
    removals: list[Removal] = []
    notes: list[str] = []
    for number, grant in enumerate(grants):
        kept += _narrowed_grant(grant, f"spec.grants[{number}]", uses, everywhere, removals, notes, splitting=splitting)
    made = dict(spec)
    if kept:
        made["grants"] = kept
    else:
        made.pop("grants", None)
    if spec.get("clusterCan") and not any(_may_be_for_the_cluster(use) for use in uses):
        why = "no request for the cluster was seen"
        removals += [
            Removal("spec.clusterCan", str(value), why, ("cluster", str(value))) for value in spec["clusterCan"]
        ]
        del made["clusterCan"]
    if not made.get("grants") and not made.get("clusterCan") and not made.get("kibana") and not made.get("remote"):
        return Narrowed(
            None, tuple(removals), (*notes, "no grant was used in this time: delete it if this time is long enough")
        )
    return Narrowed(made, tuple(removals), tuple(dict.fromkeys(notes)))


def _may_be_for_the_cluster(use: Used) -> bool:
    return use.kind == CLUSTER or (use.kind == OTHER and not use.index)


def _understood(uses: Sequence[Used], grants: Sequence[Mapping[str, Any]]) -> Iterator[Used]:
    """Give the uses as kinds that a grant allows; ``other``, which keeps everything, where that cannot be said."""
    # A filter may leave out which indices a bulk request writes to.
    told = any(use.kind in _IN_BULK and use.through == ELASTICSEARCH for use in uses)
    for use in uses:
        kinds: tuple[str, ...] = (use.kind,)
        if use.kind == BULK:
            if told and use.through == ELASTICSEARCH:
                continue
            kinds = _IN_BULK if use.through == ELASTICSEARCH else _BY_BULK_PATH
        if use.through == GATEWAY and use.kind in _WRITING:
            # Only Elasticsearch's log tells whether it created the index.
            kinds = (*kinds, CREATE)
        made = [replace(use, kind=kind) for kind in kinds]
        explained = [item for item in made if _is_explained(item, grants)]
        yield from explained
        if not [item for item in explained if item.kind != CREATE or use.kind == CREATE]:
            yield replace(use, kind=OTHER)
            # A grant that does not name the index may allow it by an alias.
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


def _narrowed_grant(
    grant: Mapping[str, Any],
    path: str,
    uses: Sequence[Used],
    everywhere: frozenset[str],
    removals: list[Removal],
    notes: list[str],
    *,
    splitting: bool,
) -> list[dict[str, Any]]:
    if grant.get("remoteClusters"):
        notes.append(f"{path} stays: what it allows is used on other clusters")
        return [dict(grant)]
    patterns = [str(pattern) for pattern in grant.get("indices") or ()]
    actions = [action for action in Action if action in (grant.get("can") or ())]
    raw = list(grant.get("privileges") or ())
    by_pattern = {
        pattern: everywhere | {use.kind for use in uses if use.index and _meets(use.index, pattern)}
        for pattern in patterns
    }
    needed = {pattern: frozenset(_needed(actions, kinds)) for pattern, kinds in by_pattern.items()}
    keeps_raw = {pattern: bool(raw and kinds) for pattern, kinds in by_pattern.items()}
    if raw and any(keeps_raw.values()):
        notes.append(f"{path}.privileges stay: the audit does not tell which raw privileges a request needs")
    for number, pattern in enumerate(patterns):
        if not needed[pattern] and not keeps_raw[pattern]:
            why = "no index that it matches was used"
            removals.append(Removal(f"{path}.indices[{number}]", pattern, why, ("index", pattern)))
    for number, action in enumerate(grant.get("can") or ()):
        if any(needed.values()) and not any(action in found for found in needed.values()):
            key = ("action", str(action), *sorted(patterns))
            removals.append(Removal(f"{path}.can[{number}]", action, "no request needed it", key))
    if not splitting:
        all_needed = frozenset[Action]().union(*needed.values())
        used = {pattern for pattern in patterns if needed[pattern] or keeps_raw[pattern]}
        needed = {pattern: all_needed if pattern in used else frozenset() for pattern in patterns}
        keeps_raw = {pattern: bool(raw) and pattern in used for pattern in patterns}
    return _grouped(grant, path, actions, patterns, needed, keeps_raw, removals)


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


def _grouped(
    grant: Mapping[str, Any],
    path: str,
    actions: Sequence[Action],
    patterns: Sequence[str],
    needed: Mapping[str, frozenset[Action]],
    keeps_raw: Mapping[str, bool],
    removals: list[Removal],
) -> list[dict[str, Any]]:
    """Return a grant for each set of patterns that need the same."""
    groups: dict[tuple[frozenset[Action], bool], list[str]] = {}
    for pattern in patterns:
        if needed[pattern] or keeps_raw[pattern]:
            groups.setdefault((needed[pattern], keeps_raw[pattern]), []).append(pattern)
    everyone = frozenset[Action]().union(*needed.values())
    made = []
    for (found, keeps), names in groups.items():
        if len(groups) > 1:
            removals += [
                Removal(
                    f"{path}.can",
                    f"{action} on {', '.join(names)}",
                    "only other indices of the grant needed it",
                    ("action", str(action), *sorted(names)),
                )
                for action in actions
                if action in everyone and action not in found
            ]
        new = {**grant, "indices": names}
        new.pop("can", None)
        new.pop("privileges", None)
        if found:
            new["can"] = [action for action in grant["can"] if action in found]
        if keeps:
            new["privileges"] = list(grant["privileges"])
        made.append({name: new[name] for name in (*(key for key in grant if key in new), *new) if name in new})
    return made
