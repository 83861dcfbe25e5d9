"""The result of a plan: what changes for each caller, what is loosened, and what policies say."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Any, Final

from searchaccess.core.answers.plan.cover import Gain
from searchaccess.core.answers.summary import Exit
from searchaccess.core.messages import number_of, some_of
from searchaccess.core.model.grants.actions import CONFINED_WRITE, in_short
from searchaccess.core.model.verdict import Outcome, PolicyOutcome

FORMAT: Final = "searchaccess.dev/plan/v1"
"""Says in the JSON which fields it has; they stay within one version."""


class Kind(StrEnum):
    """How the rights of a caller change."""

    ADDED = "added"
    WIDENED = "widened"
    NARROWED = "narrowed"
    MIXED = "widened-and-narrowed"
    REMOVED = "removed"
    SAME = "rewritten"
    """They are written in another way, and allow the same."""

    @property
    def opens(self) -> bool:
        """Whether something is newly allowed."""
        return self in {Kind.ADDED, Kind.WIDENED, Kind.MIXED}


class Object(StrEnum):
    """What happens to a manifest."""

    ADDED = "added"
    CHANGED = "changed"
    REMOVED = "removed"
    SAME = "unchanged"
    """It stays as it is, but something else is reported about it."""


@dataclass(frozen=True, slots=True)
class RoleChange:
    """What changes for one caller.

    Args:
        cluster: the SearchCluster.
        caller: the principal, the workload whose account is not known, or ``credential namespace/name``.
        kind: how its rights change.
        gains: what is newly allowed.
        losses: what is no longer allowed.
        accesses: the SearchAccesses that it is due to, as ``namespace/name``.
        diff: the rights before and after as a unified diff, in lines.
    """

    cluster: str
    caller: str
    kind: Kind
    gains: tuple[Gain, ...] = ()
    losses: tuple[Gain, ...] = ()
    accesses: tuple[str, ...] = ()
    diff: tuple[str, ...] = ()

    def to_json(self) -> dict[str, Any]:
        """Return it for scripts."""
        return {
            "cluster": self.cluster, "caller": self.caller, "change": str(self.kind), "widens": self.kind.opens,
            "opens": [gain_json(each) for each in self.gains], "closes": [gain_json(each) for each in self.losses],
            "for": list(self.accesses), "diff": list(self.diff),
        }  # fmt: skip


@dataclass(frozen=True, slots=True)
class Loosened:
    """A part of a manifest that restricts less than before.

    Args:
        path: of the field.
        before: what it was, in short.
        after: what it is.
        why: what that means.
    """

    path: str
    before: str
    after: str
    why: str

    def to_json(self) -> dict[str, Any]:
        """Return it for scripts."""
        return {"path": self.path, "before": self.before, "after": self.after, "why": self.why}


@dataclass(frozen=True, slots=True)
class ObjectChange:
    """What happens to a manifest, and what is reported about it.

    Args:
        kind: of the object, such as ``SearchAccess``.
        name: ``namespace/name``, or the name of an object without namespace.
        change: what happens to it.
        loosened: what restricts less than before.
        verdicts: what policies say that did not accept it before, or do not now.
        problem: why it gets no rights, or cannot be applied; empty: it does.
        note: what else to know, such as that rights stay.
        failed: whether the problem is one that somebody must fix.
    """

    kind: str
    name: str
    change: Object
    loosened: tuple[Loosened, ...] = ()
    verdicts: tuple[PolicyOutcome, ...] = ()
    problem: str = ""
    note: str = ""
    failed: bool = False

    @property
    def says_something(self) -> bool:
        """Whether it changes, or there is something to say of it."""
        return self.change is not Object.SAME or bool(self.loosened or self.verdicts or self.problem or self.note)

    @property
    def is_refused(self) -> bool:
        """Whether a policy refuses it."""
        return any(each.outcome is Outcome.DENIED for each in self.verdicts)

    def to_json(self) -> dict[str, Any]:
        """Return it for scripts."""
        verdicts = [
            {"policy": each.policy, "outcome": str(each.outcome), "reasons": list(each.reasons)}
            for each in self.verdicts
        ]
        return {
            "kind": self.kind, "name": self.name, "change": str(self.change), "widens": bool(self.loosened),
            "loosened": [each.to_json() for each in self.loosened], "policies": verdicts, "problem": self.problem,
            "note": self.note,
        }  # fmt: skip


@dataclass(frozen=True, slots=True)
class Trouble:
    """A problem that several objects have, such as all those of a SearchCluster that cannot be reached.

    Args:
        problem: as each of them has it.
        failed: whether somebody must fix it.
        names: of the objects; ``SearchCluster prod`` comes before ``shop/orders``.
    """

    problem: str
    failed: bool
    names: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Plan:
    """What manifests would change.

    Args:
        against: what they were compared with: ``live``, ``elasticsearch`` or the revision.
        roles: what changes for callers.
        objects: the manifests that change, or about which something is to be reported.
        others: further changes in Elasticsearch, such as ``create role_mapping/searchaccess.default``.
        unfinished: why the plan is not complete; empty: it is.
    """

    against: str
    roles: tuple[RoleChange, ...] = ()
    objects: tuple[ObjectChange, ...] = ()
    others: tuple[str, ...] = ()
    unfinished: str = ""

    @property
    def widens(self) -> bool:
        """Whether anything is newly allowed, or restricts less."""
        return any(each.kind.opens for each in self.roles) or any(each.loosened for each in self.objects)

    @property
    def code(self) -> Exit:
        """The exit code: see docs/adr/0042."""
        if self.unfinished or any(each.failed for each in self.objects):
            return Exit.FAILED
        changed = self.roles or self.others or any(each.change is not Object.SAME for each in self.objects)
        return Exit.PENDING if changed else Exit.IN_SYNC

    def troubles(self) -> tuple[tuple[Trouble, ...], tuple[ObjectChange, ...]]:
        """Return each problem that several objects have once, and the objects without what that says of them."""
        having: dict[tuple[str, bool], list[ObjectChange]] = {}
        for each in self.objects:
            if each.problem:
                having.setdefault((each.problem, each.failed), []).append(each)
        several = {key: found for key, found in having.items() if len(found) > 1}
        troubles = tuple(Trouble(*key, _names(found)) for key, found in several.items())
        rest = [replace(each, problem="") if (each.problem, each.failed) in several else each for each in self.objects]
        return troubles, tuple(each for each in rest if each.says_something)

    def count(self) -> str:
        """Return it as a sentence."""
        kinds = [
            (sum(each.kind is kind for each in self.roles), word)
            for kind, word in (
                (Kind.ADDED, "gets rights for the first time"),
                (Kind.WIDENED, "gets more rights"),
                (Kind.MIXED, "gets other rights, some of them new"),
                (Kind.NARROWED, "gets fewer rights"),
                (Kind.REMOVED, "loses all rights"),
                (Kind.SAME, "has the same rights, written in another way"),
            )
        ]
        parts = [_counted(number, "caller", word) for number, word in kinds if number]
        if loosened := sum(bool(each.loosened) for each in self.objects):
            parts.append(_counted(loosened, "manifest", "restricts less"))
        if refused := sum(each.is_refused for each in self.objects):
            parts.append(_counted(refused, "manifest", "is refused by policies"))
        if self.others:
            parts.append(f"{number_of(len(self.others), 'other change')} in Elasticsearch")
        return "; ".join(parts) or "nothing changes for any caller"

    def to_json(self) -> dict[str, Any]:
        """Return it for scripts."""
        return {
            "format": FORMAT, "against": self.against, "exitCode": int(self.code), "widens": self.widens,
            "summary": self.count(), "callers": [each.to_json() for each in self.roles],
            "manifests": [each.to_json() for each in self.objects], "others": list(self.others),
            "unfinished": self.unfinished,
        }  # fmt: skip


def _names(objects: Iterable[ObjectChange]) -> tuple[str, ...]:
    ordered = sorted(objects, key=lambda each: (each.kind == "SearchAccess", each.kind, each.name))
    return tuple(each.name if each.kind == "SearchAccess" else f"{each.kind} {each.name}" for each in ordered)


def _counted(number: int, noun: str, does: str) -> str:
    if number == 1:
        return f"1 {noun} {does}"
    verb, _, rest = does.partition(" ")
    plural = {"gets": "get", "loses": "lose", "has": "have", "restricts": "restrict", "is": "are"}[verb]
    return f"{number} {noun}s {plural} {rest}"


def gain_json(gain: Gain) -> dict[str, Any]:
    """Return a gain, or a loss, for scripts."""
    return {
        "indices": gain.indices, "privileges": list(gain.can), "remoteClusters": list(gain.clusters),
        "because": gain.more, "where": gain.query, "fields": list(gain.fields), "hidden": list(gain.hidden),
        "example": gain.example, "certain": gain.certain,
    }  # fmt: skip


def in_words(gain: Gain) -> str:
    """Return a gain, or a loss, in words."""
    if gain.more == "cluster":
        return f"{', '.join(gain.can)} on the whole cluster"
    if gain.more == "other":
        return f"rights that are not declared: {', '.join(gain.can)}"
    place = f"{','.join(gain.clusters)}:{gain.indices}" if gain.clusters else gain.indices
    if gain.more not in {"indices", "actions", "documents", "fields"}:
        return f"{', '.join(gain.can)} in {gain.more}, {place}"
    words = [f"{_actions(gain.can)} on {place}"]
    if gain.query:
        words.append(f"only where {gain.query}")
    if gain.fields and gain.fields != ("*",):
        words.append(f"only fields {', '.join(gain.fields)}")
    if gain.hidden:
        words.append(f"without fields {', '.join(gain.hidden)}")
    if gain.more in {"documents", "fields"}:
        words.append(f"more {gain.more} than before")
    if gain.example:
        words.append(f"such as {gain.example}")
    if not gain.certain:
        words.append("not compared in full")
    return ", ".join(words)


def _actions(privileges: tuple[str, ...]) -> str:
    """Return privileges in short, with ``write`` for what it stands for beside ``where`` or ``fields``."""
    if not set(CONFINED_WRITE) <= set(privileges):
        return in_short(privileges)
    rest = [name for name in privileges if name not in CONFINED_WRITE]
    return some_of(["write", *([in_short(rest)] if rest else [])])


def sorted_roles(changes: Iterable[RoleChange]) -> tuple[RoleChange, ...]:
    """Return changes with those first that open something."""
    order = [Kind.MIXED, Kind.WIDENED, Kind.ADDED, Kind.NARROWED, Kind.REMOVED, Kind.SAME]
    return tuple(sorted(changes, key=lambda one: (order.index(one.kind), one.cluster, one.caller)))


def sorted_objects(changes: Iterable[ObjectChange]) -> tuple[ObjectChange, ...]:
    """Return manifests with those first that restrict less, or that somebody must fix."""
    return tuple(sorted(changes, key=lambda one: (not one.failed, not one.loosened, one.kind, one.name)))
