"""Writes entries of a role as grants of a SearchAccess."""

import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final

from searchaccess.api.vocabulary.actions import Action
from searchaccess.core.answers.importing.fields import declared_fields
from searchaccess.core.answers.importing.reasons import Why
from searchaccess.core.model.canonical import KIBANA, Entry
from searchaccess.core.model.grants.actions import CONFINED_WRITE
from searchaccess.core.model.grants.kibana import is_kibana_entry
from searchaccess.core.model.grants.remote import REMOTELY
from searchaccess.core.model.intake.metadata import bounded_text
from searchaccess.core.patterns.wildcards import without_runs

_REMOTE: Final = frozenset((*Action.READ.privileges, *REMOTELY))
_MOST_NAMES: Final = 50
"""Of indices in one grant, as the kind allows."""
_EVERY_SPACE: Final = "*"
_SPACE: Final = "space:"
_IN_SPACES: Final = "space_"
_FEATURE: Final = "feature_"
_LABEL: Final = 60
"""Characters of the name of a part in messages."""


@dataclass(frozen=True, slots=True)
class Problem:
    """Why an entry cannot be written as a grant."""

    why: Why
    message: str


@dataclass(frozen=True, slots=True)
class Written:
    """An entry as grants: each of several forms may mean it, depending on the others of its SearchAccess.

    Args:
        forms: the best first; each is what the entry becomes, one grant or several.
        kibana: whether these are grants of ``kibana``.
    """

    forms: tuple[tuple[dict[str, Any], ...], ...]
    kibana: bool = False


def label_of(entry: Entry, position: int) -> str:
    """Return the name of an entry for messages: where it is, and its first index."""
    where = {"indices": "indices", "remote_indices": "remote_indices"}.get(entry.kind, "applications")
    names = entry.indices or ("nothing",)
    more = f" and {len(names) - 1} more" if len(names) > 1 else ""
    return f"{where}[{position}] ({bounded_text(names[0], _LABEL)}{more})"


def written(entry: Entry) -> Written | Problem:
    """Return an entry as grants, or why it cannot be one."""
    if problem := _problem_of(entry):
        return problem
    if entry.application:
        return Written((tuple(_kibana(entry)),), kibana=True)
    fields, problem_of_fields = declared_fields(entry)
    if problem_of_fields:
        return Problem(Why.FIELDS, problem_of_fields)
    rest: dict[str, Any] = {"fields": fields} if fields else {}
    if entry.query:
        query = _query(entry.query)
        if query is None:
            return Problem(Why.QUERY, "its query is not one query as a JSON object")
        rest["where"] = query
    if entry.clusters:
        rest = {"remoteClusters": list(entry.clusters), "can": [Action.READ.value], **rest}
        return Written((tuple({"indices": part} | rest for part in _parts(entry.indices)),))
    forms = [
        tuple({"indices": part} | allowed | rest for part in _parts(entry.indices))
        for allowed in _allowed(entry.privileges, restricted=bool(rest))
    ]
    return Written(tuple(forms))


def _problem_of(entry: Entry) -> Problem | None:
    """Return why an entry cannot be written as a grant, whatever its restrictions are."""
    if entry.restricted:
        return Problem(Why.RESTRICTED_INDICES, "allow_restricted_indices is set")
    if entry.other:
        return Problem(Why.UNKNOWN_FIELD, f"it has {', '.join(sorted(json.loads(entry.other)))}")
    if not entry.indices or not entry.privileges:
        return Problem(Why.NOTHING_GRANTED, "it names no index, or no privilege")
    return _problem_of_application(entry) if entry.application else _problem_of_indices(entry)


def _problem_of_application(entry: Entry) -> Problem | None:
    if entry.application == KIBANA and is_kibana_entry(entry) and _is_whole(entry):
        return None
    return Problem(Why.APPLICATION, "its privileges or resources are not features in spaces as Kibana writes them")


def _problem_of_indices(entry: Entry) -> Problem | None:
    if any(without_runs(name) != name for name in entry.indices):
        text = "beside another wildcard Elasticsearch reads ** as nothing, and a SearchAccess as *"
        return Problem(Why.INVALID, text)
    if entry.clusters and set(entry.privileges) != _REMOTE:
        has = ", ".join(entry.privileges)
        return Problem(Why.REMOTE, f"on remote clusters a SearchAccess grants {', '.join(sorted(_REMOTE))}, not {has}")
    return None


def _is_whole(entry: Entry) -> bool:
    """Return whether privileges of Kibana fit their resources: some are of all spaces, some of single ones."""
    everywhere = _EVERY_SPACE in entry.names
    if everywhere and len(entry.names) > 1:
        return False
    bases = [name for name in entry.privileges if not name.startswith(_FEATURE)]
    return all(name.startswith(_IN_SPACES) is not everywhere for name in bases)


def _kibana(entry: Entry) -> Iterator[dict[str, Any]]:
    spaces = [name.removeprefix(_SPACE) for name in entry.names]
    features: list[dict[str, str]] = [{}]
    for name in entry.privileges:
        if not name.startswith(_FEATURE):
            yield {"spaces": spaces, "base": name.removeprefix(_IN_SPACES)}
            continue
        feature, _, level = name.removeprefix(_FEATURE).rpartition(".")
        place = next((one for one in features if feature not in one), None)
        if place is None:
            features.append(place := {})
        place[feature] = level
    yield from ({"spaces": spaces, "features": some} for some in features if some)


def _query(text: str) -> dict[str, Any] | None:
    try:
        query = json.loads(text)
    except ValueError:
        return None
    return query if isinstance(query, dict) and len(query) == 1 else None


def _parts(names: Sequence[str]) -> list[list[str]]:
    return [list(names[start : start + _MOST_NAMES]) for start in range(0, len(names), _MOST_NAMES)]


def _allowed(privileges: Iterable[str], *, restricted: bool) -> Iterator[dict[str, Any]]:
    """Yield ``can`` and ``privileges`` that together are exactly some privileges, with the most actions first."""
    whole = set(privileges)
    if whole.issuperset(CONFINED_WRITE):
        actions, raw = _actions(whole.difference(CONFINED_WRITE))
        yield _said([*actions, Action.WRITE], raw)
    actions, raw = _actions(whole)
    # What limits reading belongs to an action that reads, or to raw privileges.
    if not restricted or Action.READ in actions or raw:
        yield _said(actions, raw)
    if Action.WRITE in actions:
        others = [action for action in actions if action is not Action.WRITE]
        yield _said(others, [*raw, *Action.WRITE.privileges])
    yield _said([], sorted(whole))


def _actions(whole: set[str]) -> tuple[list[Action], list[str]]:
    found, rest = list[Action](), set(whole)
    for action in sorted(Action, key=lambda one: len(one.privileges), reverse=True):
        if whole.issuperset(action.privileges) and not rest.isdisjoint(action.privileges):
            found.append(action)
            rest.difference_update(action.privileges)
    return found, sorted(rest)


def _said(actions: Sequence[Action], raw: Sequence[str]) -> dict[str, Any]:
    can = {"can": [action.value for action in Action if action in actions]} if actions else {}
    return can | ({"privileges": sorted(raw)} if raw else {})
