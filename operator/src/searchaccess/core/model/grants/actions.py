"""Translates declared actions and privileges into Elasticsearch privileges."""

from collections.abc import Iterable
from functools import lru_cache
from typing import Final

from searchaccess.api.vocabulary.actions import Action
from searchaccess.api.vocabulary.privileges import CLUSTER_PRIVILEGES, INDEX_PRIVILEGES
from searchaccess.core.messages import some_of

PRIVILEGE_LETTER: Final = "*"
"""Shown in the ACCESS column for raw ``privileges``."""
_KEPT: Final = 256
"""Lists of actions whose order is remembered: most SearchAccesses have one of a few."""


def privileges_of(actions: tuple[Action, ...], raw: tuple[str, ...]) -> tuple[str, ...]:
    """Return the index privileges for declared actions and raw names, sorted and without duplicates.

    Elasticsearch refuses duplicate privileges in one entry (400).
    """
    names = set(raw)
    for action in actions:
        names.update(action.privileges)
    return tuple(sorted(names))


CONFINED_WRITE: Final = (
    "indices:admin/mapping/auto_put",
    "indices:data/write/bulk*",
    "indices:data/write/index*",
    "indices:data/write/simulate/bulk*",
)
"""What `write` stands for together with `where` or `fields`: the actions of its privileges, not their names.

With the names, Elasticsearch would also accept explicit changes of the mapping, which can copy a hidden field to a
visible one, or make a document match. An update (`_update`) returns the existing document.
"""

FORMER_WRITE: Final = (*CONFINED_WRITE, "indices:data/write/update*")
"""The form that earlier versions wrote."""


def confined_privileges(actions: tuple[Action, ...], raw: tuple[str, ...]) -> tuple[str, ...]:
    """Return the privileges for actions and raw names as ``privileges_of``, without those by which `write` reads more.

    `append` alone and raw names stay as they are: they have no such form.
    """
    if Action.WRITE not in actions:
        return privileges_of(actions, raw)
    # `write` includes all that `append` may do.
    others = tuple(action for action in actions if action not in {Action.WRITE, Action.APPEND})
    return tuple(sorted({*privileges_of(others, raw), *CONFINED_WRITE}))


@lru_cache(_KEPT)
def in_order(actions: tuple[Action, ...]) -> tuple[Action, ...]:
    """Return declared actions in the order of the vocabulary, without duplicates."""
    return tuple(action for action in Action if action in actions)


def letters_of(actions: tuple[Action, ...], *, raw: bool) -> str:
    """Return the short form of the ACCESS column, such as ``rw``."""
    letters = "".join(action.letter for action in in_order(actions))
    return letters + (PRIVILEGE_LETTER if raw else "")


def in_short(privileges: Iterable[str]) -> str:
    """Return index privileges for messages: whole actions first, then some of the remaining privileges.

    Args:
        privileges: names, as an entry of a role has them.
    """
    rest, words = set(privileges), list[str]()
    # The widest first: what an action includes is not repeated.
    for action in sorted(Action, key=lambda one: len(one.privileges), reverse=True):
        if rest.issuperset(action.privileges):
            words.append(str(action))
            rest.difference_update(action.privileges)
    return some_of([*words, *sorted(rest)])


def refusal_of(name: str) -> str:
    """Return why an index privilege may not be declared by its name; empty: it may."""
    known = INDEX_PRIVILEGES.get(name)
    return f"{name!r} cannot be declared: {known.says}" if known and known.refused else ""


def missing_in(version: tuple[int, int], on_indices: Iterable[str], on_cluster: Iterable[str]) -> str:
    """Return the message about a privilege that an Elasticsearch release lacks; empty: it has all of them.

    A privilege that is not in our tables is left to Elasticsearch.
    """
    for kind, table, names in (("index", INDEX_PRIVILEGES, on_indices), ("cluster", CLUSTER_PRIVILEGES, on_cluster)):
        for name in sorted(names):
            known = table.get(name)
            if known and not known.is_in(version):
                major, minor = version
                return (
                    f"Elasticsearch {major}.{minor} has no {kind} privilege {name}, which came with {known.releases}: "
                    "remove it, or upgrade Elasticsearch"
                )
    return ""
