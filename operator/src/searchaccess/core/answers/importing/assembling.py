"""Assembles a SearchAccess from the parts of a role, and proves that it grants the same."""

import json
import re
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Final

from searchaccess.api.constants import API_VERSION, GROUP
from searchaccess.api.searchaccess import Mode
from searchaccess.core.answers.importing.fields import same_fields
from searchaccess.core.answers.importing.grants import Written
from searchaccess.core.answers.importing.subjects import Target
from searchaccess.core.model.access import Access
from searchaccess.core.model.canonical import Entry
from searchaccess.core.model.parsing import access_from_object
from searchaccess.core.model.restrictions.union import fields_of

IMPORTED_FROM: Final = f"{GROUP}/imported-from"
"""Annotation that names the role from which a SearchAccess was imported."""
_LONGEST: Final = 63
_NOT_IN_NAMES: Final = re.compile(r"[^a-z0-9]+")


@dataclass(frozen=True, slots=True)
class Piece:
    """An entry that is imported, with its position among the role's entries."""

    position: int
    entry: Entry
    written: Written


@dataclass(frozen=True, slots=True)
class Header:
    """What a SearchAccess says besides its rights."""

    name: str
    namespace: str
    cluster: str
    target: Target
    source: str
    """From what it was imported, such as ``role orders-writer``."""


def manifest(header: Header, pieces: Sequence[Piece], forms: Sequence[int], cluster: Sequence[str]) -> dict[str, Any]:
    """Return a SearchAccess as people write it.

    Args:
        header: what it says besides its rights.
        pieces: what it grants.
        forms: for each, which of its forms is used.
        cluster: cluster privileges.
    """
    grants, kibana = list[dict[str, Any]](), list[dict[str, Any]]()
    for piece, form in zip(pieces, forms, strict=True):
        (kibana if piece.written.kibana else grants).extend(piece.written.forms[form])
    spec: dict[str, Any] = {"cluster": header.cluster, "subject": json.loads(header.target.spec)}
    spec |= {"grants": grants} if grants else {}
    spec |= {"clusterCan": sorted(cluster)} if cluster else {}
    spec |= {"kibana": kibana} if kibana else {}
    return {
        "apiVersion": API_VERSION,
        "kind": "SearchAccess",
        "metadata": {
            "name": header.name,
            "namespace": header.namespace,
            "annotations": {IMPORTED_FROM: header.source},
        },
        "spec": spec | {"mode": Mode.OBSERVE.value},
    }


@dataclass(frozen=True, slots=True)
class Assembled:
    """A SearchAccess, and as the loop reads it; or why there is none."""

    manifest: dict[str, Any]
    access: Access
    problem: str = ""
    """Why the loop would refuse it; empty: it would not."""
    different: tuple[int, ...] = ()
    """Positions of entries that it would not grant exactly."""


def assemble(header: Header, pieces: Sequence[Piece], cluster: Sequence[str]) -> Assembled:
    """Return a SearchAccess that grants some entries exactly, as far as there is one.

    Each entry takes the best of its forms by which the loop's own reading grants what the entry does: ``write`` may
    stand for less beside a grant with ``where`` or ``fields`` (docs/adr/0028).
    """
    forms = [0] * len(pieces)
    while True:
        raw = manifest(header, pieces, forms, cluster)
        access = access_from_object(raw)
        if access.invalid or access.widens:
            return Assembled(raw, access, access.invalid or access.widens)
        wrong = [at for at, same in enumerate(_compared(access, pieces, forms)) if not same]
        more = [at for at in wrong if forms[at] + 1 < len(pieces[at].written.forms)]
        if not more:
            return Assembled(raw, access, different=tuple(pieces[at].position for at in wrong))
        for at in more:
            forms[at] += 1


def _compared(access: Access, pieces: Sequence[Piece], forms: Sequence[int]) -> Iterable[bool]:
    """Yield of each entry whether a SearchAccess grants exactly that."""
    made = iter([entry for entry in access.share.entries if not entry.application])
    in_kibana = iter([entry for entry in access.share.entries if entry.application])
    for piece, form in zip(pieces, forms, strict=True):
        source = in_kibana if piece.written.kibana else made
        yield grants_same(piece.entry, [next(source) for _ in piece.written.forms[form]])


def grants_same(entry: Entry, made: Sequence[Entry]) -> bool:
    """Return whether some entries together grant exactly what one entry does.

    Names may be divided among them, or privileges of Kibana. The marks that keep restricted entries apart mean nothing.
    """
    if entry.application:
        together = {name for one in made for name in one.privileges}
        return together == set(entry.privileges) and all(one.names == entry.names for one in made)
    names = {name for one in made for name in one.indices}
    return names == set(entry.indices) and all(
        one.privileges == entry.privileges
        and one.query == entry.query
        and one.clusters == entry.clusters
        and same_fields(fields_of(one), fields_of(entry))
        for one in made
    )


def name_for(text: str, taken: Collection[str]) -> str:
    """Return a name for an object, made of a text, that is not taken yet."""
    base = _NOT_IN_NAMES.sub("-", text.lower())[:_LONGEST].strip("-") or "imported"
    name, number = base, 1
    while name in taken:
        number += 1
        end = f"-{number}"
        name = f"{base[: _LONGEST - len(end)].rstrip('-')}{end}"
    return name
