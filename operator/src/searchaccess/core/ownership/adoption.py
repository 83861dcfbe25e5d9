"""Adoption of a foreign role or role mapping: once, with known content, if the platform team agrees (docs/adr/0035)."""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from searchaccess.api.clusters.ownership import HASH_PATTERN, Adoption
from searchaccess.api.clusters.status import ADOPTED_LIMIT, AdoptedStatus
from searchaccess.api.conditions.reasons import Reason
from searchaccess.api.constants import ANNOTATION_ADOPT, MANAGED_BY
from searchaccess.core.model.canonical import canonical_json, digest
from searchaccess.core.ownership.installations import installation_of

_HASH: Final = re.compile(HASH_PATTERN)


@dataclass(frozen=True, slots=True)
class Seen:
    """A foreign object, as it was read."""

    kind: str
    """``role`` or ``role mapping``."""
    name: str
    hash: str
    metadata: Mapping[str, Any] = field(default_factory=dict)


def seen_as(kind: str, name: str, body: Mapping[str, Any], metadata: Mapping[str, Any]) -> Seen:
    """Identify a foreign object by its whole content.

    Args:
        kind: ``role`` or ``role mapping``.
        name: its name.
        body: its content in canonical form.
        metadata: its metadata.
    """
    return Seen(kind, name, digest(canonical_json({"body": body, "metadata": metadata})), metadata)


@dataclass(frozen=True, slots=True)
class Request:
    """An annotation that requests an adoption."""

    text: str
    namespace: str = ""
    """Namespace of the SearchAccess; empty: the SearchCluster has the annotation."""
    counts: bool = True
    """Whether the SearchCluster accepts it from there."""


@dataclass(frozen=True, slots=True)
class Agreed:
    """The adoptions that the platform team agreed to, and their state."""

    cluster: str = ""
    """Name of the SearchCluster."""
    objects: Mapping[str, str] = field(default_factory=dict)
    """By name, the hash of the content that may be replaced."""
    namespaces: frozenset[str] = frozenset()
    """Namespaces whose annotations count."""
    adopted: Mapping[tuple[str, str], str] = field(default_factory=dict)
    """By name and hash, when it was adopted; empty: the adoption is recorded but not done yet."""
    kinds: Mapping[tuple[str, str], str] = field(default_factory=dict)
    """By name and hash, the kind of the adopted object, if known."""
    at_once: bool = False
    """A dry run: nothing is written, so nothing has to be recorded before."""

    def last(self, seen: Seen) -> str:
        """Return when an object of a name and kind was adopted last; empty: never."""
        found = (at for key, at in self.adopted.items() if key[0] == seen.name and self._may_be(key, seen))
        return max(found, default="")

    def _may_be(self, key: tuple[str, str], seen: Seen) -> bool:
        return self.kinds.get(key, seen.kind) == seen.kind


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why a foreign object is not changed, for messages."""

    reason: Reason
    message: str


@dataclass(frozen=True, slots=True)
class Judgment:
    """What is done about a foreign object."""

    adopts: bool = False
    """It is replaced now."""
    asks: bool = False
    """It is replaced as soon as the adoption is recorded."""
    refusal: Refusal | None = None


def agreed_by(adoption: Adoption | None, cluster: str, adopted: Iterable[AdoptedStatus]) -> Agreed:
    """Return the adoptions that a SearchCluster agrees to.

    Args:
        adoption: from its spec; None: it has none.
        cluster: its name.
        adopted: the recorded adoptions in its status.
    """
    known = list(adopted)
    return Agreed(
        cluster,
        {item.name: item.hash for item in adoption.objects} if adoption else {},
        adopted={(item.name, item.hash): item.at or "" for item in known},
        kinds={(item.name, item.hash): item.kind for item in known if item.kind},
    )


def judge(seen: Seen, agreed: Agreed, requests: Sequence[Request] = ()) -> Judgment:
    """Decide what is done about a foreign object with a name of ours.

    Args:
        seen: the object.
        agreed: what the platform agreed to.
        requests: annotations of those whose rights it would hold.
    """
    wanted = {agreed.objects[seen.name]} if seen.name in agreed.objects else set()
    wanted |= {hash_ for request in requests if request.counts and (hash_ := _hash_for(seen.name, request.text))}
    at = agreed.adopted.get((seen.name, seen.hash))
    if at:
        return Judgment(refusal=_again(seen, at))
    if seen.hash in wanted:
        is_recorded = at is not None or agreed.at_once
        return Judgment(adopts=True) if is_recorded else Judgment(asks=True, refusal=_recording(seen))
    decided = any((seen.name, hash_) not in agreed.adopted for hash_ in wanted)
    if (last := agreed.last(seen)) and not decided and not _is_released(seen):
        return Judgment(refusal=_again(seen, last))
    return Judgment(refusal=Refusal(Reason.OWNERSHIP_CONFLICT, _message(seen, agreed, requests, sorted(wanted))))


def _hash_for(name: str, text: str) -> str:
    """Return the hash in an annotation for this object; empty: the annotation is for another one."""
    head, _, tail = text.rpartition("@")
    return tail if head == name and _HASH.fullmatch(tail) else ""


def written_again(seen: Seen) -> Refusal:
    """Return why a role of a former installation is not taken over again: that installation has written it since."""
    writer = installation_of(seen.metadata)
    controller = writer.controller if writer else ""
    text = (
        f"{seen.kind} {seen.name} was taken over (spec.takeOver), and controller {controller} has "
        f"written it again since: it still runs. The {seen.kind} is not touched any more. Stop that controller, then "
        f"delete the {seen.kind}, or agree to replace its present content: {_line(seen)}"
    )
    return Refusal(Reason.CONTROLLERS_FIGHT, text)


def _line(seen: Seen) -> str:
    return f"spec.adoption.objects: [{{name: {seen.name}, hash: {seen.hash}}}]"


def _recording(seen: Seen) -> Refusal:
    return Refusal(
        Reason.PENDING, f"{seen.kind} {seen.name} is adopted as soon as that is recorded in the SearchCluster"
    )


def _is_released(seen: Seen) -> bool:
    return seen.metadata.get("released_by") == MANAGED_BY


def _again(seen: Seen, at: str) -> Refusal:
    if _is_released(seen):
        text = (
            f"{seen.kind} {seen.name} was adopted with this very content at {at}, and released since; the same content "
            "is adopted only once. Delete it, or change its description and agree to its new hash"
        )
        return Refusal(Reason.OWNERSHIP_CONFLICT, text)
    text = (
        f"{seen.kind} {seen.name} was adopted at {at}, and somebody has written it again since: two controllers manage "
        "it. It is not touched any more. Stop what writes it, then delete it"
    )
    return Refusal(Reason.CONTROLLERS_FIGHT, text)


def _message(seen: Seen, agreed: Agreed, requests: Sequence[Request], wanted: Sequence[str]) -> str:
    name, where = seen.name, f"SearchCluster {agreed.cluster}".strip()
    line = _line(seen)
    text = f"{seen.kind} {name} exists and is not managed by this operator; it is not touched. "
    installation = installation_of(seen.metadata)
    if installation is not None:
        text += (
            f"It belongs to instance {installation.instance} of controller {installation.controller}; if that "
            f"Kubernetes cluster is gone, use spec.takeOver of {where} to take over everything that it left. "
        )
    if wanted:
        return text + f"It has changed since its hash was {', '.join(wanted)}; its present content: {where}, {line}"
    for request in requests:
        if request.text and not request.counts:
            return text + (
                f"The annotation {ANNOTATION_ADOPT} does not count in namespace {request.namespace}: the platform team "
                f"decides. It can add {line} to {where}, or add the namespace to spec.adoption.namespaces"
            )
        if request.text == name:
            return text + f"A name alone is no longer enough; write {ANNOTATION_ADOPT}: {name}@{seen.hash}"
    return text + f"Delete it, or agree to replace its present content: {where}, {line}"


def recorded(adopted: Iterable[AdoptedStatus], one: AdoptedStatus) -> list[AdoptedStatus]:
    """Return the recorded adoptions, with one more.

    Args:
        adopted: those recorded so far.
        one: the new one, done or in progress.
    """
    others = [item for item in adopted if (item.name, item.hash) != (one.name, one.hash)]
    return [*others, one][-ADOPTED_LIMIT:]
