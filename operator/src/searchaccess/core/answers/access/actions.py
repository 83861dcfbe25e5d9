"""What is asked about an index, and whether privileges of a role allow it.

Elasticsearch authorizes by the names of its actions. A privilege stands for some of them, and a role may also have
patterns of names. So a question is asked about names, and roles that somebody wrote by hand are judged like ours.
The table was read from Elasticsearch; a contract test compares each answer with a real one.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

from searchaccess.api.vocabulary.actions import Action
from searchaccess.api.vocabulary.privileges import INDEX_PRIVILEGES
from searchaccess.core.patterns.containment import contained, covers
from searchaccess.core.patterns.meeting import can_meet

_KEPT: Final = 1 << 14
_BULK: Final = "indices:data/write/bulk"
_UPDATE: Final = "indices:data/write/update"
_INDEX: Final = "indices:data/write/index"
_PSEUDO: Final = "privilege:"
"""Before the name of a privilege that is not about actions on the index itself."""

ACTIONS_OF: Final[dict[str, tuple[str, ...]]] = {
    "all": ("indices:*", f"{_PSEUDO}*"),
    "auto_configure": ("indices:admin/mapping/auto_put", "indices:admin/auto_create"),
    "create": (f"{_INDEX}*", f"{_BULK}*"),
    "create_doc": (_INDEX, f"{_INDEX}[*", f"{_INDEX}:op_type/create", f"{_BULK}*"),
    "create_index": ("indices:admin/create", "indices:admin/auto_create", "indices:admin/data_stream/create"),
    "cross_cluster_replication": (
        "indices:data/read/xpack/ccr/shard_changes*", "indices:monitor/stats*",
        "indices:admin/seq_no/add_retention_lease*", "indices:admin/seq_no/remove_retention_lease*",
        "indices:admin/seq_no/renew_retention_lease*",
    ),
    "delete": ("indices:data/write/delete*", f"{_BULK}*"),
    "delete_index": ("indices:admin/delete", "indices:admin/data_stream/delete"),
    "index": (f"{_INDEX}*", f"{_BULK}*", f"{_UPDATE}*"),
    "maintenance": ("indices:admin/refresh*", "indices:admin/flush*", "indices:admin/forcemerge*"),
    "manage": ("indices:admin/*", "indices:monitor/*", "indices:data/read/field_caps*"),
    "manage_data_stream_lifecycle": ("indices:admin/data_stream/lifecycle/*",),
    "manage_follow_index": (
        "indices:admin/xpack/ccr/put_follow", "indices:admin/xpack/ccr/unfollow", "indices:admin/close*",
    ),
    "manage_ilm": ("indices:admin/ilm/*",),
    "manage_leader_index": ("indices:admin/xpack/ccr/forget_follower*",),
    "monitor": ("indices:monitor/*",),
    "none": (),
    "read": ("indices:data/read/*",),
    "view_index_metadata": (
        "indices:admin/aliases/get", "indices:admin/get", "indices:admin/mappings/get",
        "indices:admin/mappings/fields/get*", "indices:monitor/settings/get", "indices:admin/validate/query*",
        "indices:data/read/field_caps*",
    ),
    "write": ("indices:data/write/*", "indices:admin/mapping/auto_put"),
}  # fmt: skip
"""By privilege, patterns of the actions that it allows, as far as questions are about them."""

_SHOW_NO_DOCUMENTS: Final = (
    "indices:data/read/field_caps*",
    "indices:data/read/xpack/rollup/get/index/caps*",
    "indices:data/read/search/resolve*",
)
_READING: Final = "indices:data/read/*"


@dataclass(frozen=True, slots=True)
class Way:
    """One way to do what is asked about.

    Args:
        needs: names of actions that it takes, all of them; with a star at the end: all that begin so.
        how: what is special about it, for messages; empty: it is the usual way.
        only_open: it does not work where documents or fields are restricted.
        some: one action is enough that shows documents, whichever it is.
    """

    needs: tuple[str, ...]
    how: str = ""
    only_open: bool = False
    some: bool = False


@dataclass(frozen=True, slots=True)
class Question:
    """What is asked about an index.

    Args:
        action: its name: of an action of a grant, or of a privilege.
        ways: how it can be done, the usual one first.
        reads: whether documents are shown, so that restrictions matter.
        probes: what Elasticsearch is asked to confirm it: lists of privileges, of which it takes all of any.
    """

    action: str
    ways: tuple[Way, ...]
    reads: bool
    probes: tuple[tuple[str, ...], ...]


_INDEXING: Final = (_INDEX, _BULK)
_WAYS: Final[dict[Action, tuple[Way, ...]]] = {
    Action.READ: (
        Way(("indices:data/read/search",)),
        Way(("indices:data/read/get",), "by id, not by search"),
        Way((_READING,), "by some requests only", some=True),
        Way((_UPDATE,), "by updates, which return the document", only_open=True),
        Way((f"{_PSEUDO}read_failure_store",), "only what a data stream could not ingest (::failures)"),
    ),
    Action.APPEND: (Way((*_INDEXING, f"{_INDEX}:op_type/create")),),
    Action.WRITE: (
        Way((*_INDEXING, f"{_INDEX}:op_type/index")),
        Way((_UPDATE, _BULK), "by updates of documents that exist"),
    ),
    Action.CREATE: (
        Way(("indices:admin/auto_create",)),
        Way(("indices:admin/create",), "by an explicit request, not by a write"),
    ),
    Action.DELETE: (
        Way(("indices:data/write/delete", _BULK)),
        Way(("indices:admin/delete",), "the whole index, not single documents"),
    ),
    Action.MONITOR: (Way(("indices:monitor/stats",)),),
    Action.MANAGE: (
        Way(("indices:admin/*",)),
        Way(("indices:admin/delete",), "deletes the index only"),
        Way(("indices:admin/settings/update",), "changes settings only"),
        Way(("indices:admin/aliases",), "changes aliases only"),
        Way((f"{_PSEUDO}manage_failure_store",), "the failure store of a data stream only"),
    ),
}
_PROBES: Final[dict[Action, tuple[tuple[str, ...], ...]]] = {
    Action.READ: (("indices:data/read/search",),),
    # With a name of an action alone, Elasticsearch takes all that begin so: more than create_doc has.
    Action.APPEND: (("create_doc",), _INDEXING),
    Action.WRITE: ((f"{_INDEX}:op_type/index", _BULK),),
    Action.CREATE: (("indices:admin/auto_create",),),
    Action.DELETE: (("delete",), ("indices:data/write/delete", _BULK)),
    Action.MONITOR: (("indices:monitor/stats",),),
    Action.MANAGE: (("manage",),),
}


def probed(question: Question) -> tuple[str, ...]:
    """Return all privileges about which Elasticsearch is asked."""
    return tuple(dict.fromkeys(each for some in question.probes for each in some))


def is_confirmed(question: Question, has: Mapping[str, bool]) -> bool:
    """Return whether Elasticsearch's answer confirms that it is allowed.

    Args:
        question: what was asked about.
        has: by each of ``probed``, whether there is this privilege.
    """
    return any(all(has[each] for each in some) for some in question.probes)


class NoSuchActionError(ValueError):
    """What is asked about is neither an action nor a privilege; the message says what to write instead."""


def question_of(text: str) -> Question:
    """Return the question about an action.

    Args:
        text: an action of a grant (``read``), an index privilege (``view_index_metadata``), or the name of an action of
            Elasticsearch (``indices:data/read/get``).

    Raises:
        NoSuchActionError: it is none of them.
    """
    name = text.lower()
    if name in set(Action):
        action = next(each for each in Action if each == name)
        return Question(name, _WAYS[action], action is Action.READ, _PROBES[action])
    if name.startswith("indices:") and len(name) > len("indices:"):
        return Question(name, (Way((name,)),), name.startswith(_READING[:-1]), ((name,),))
    if name in INDEX_PRIVILEGES and name != "none":
        needs = ACTIONS_OF.get(name) or (_PSEUDO + name,)
        return Question(name, (Way(needs),), name == "read_failure_store" or shows_some(needs), ((name,),))
    known = ", ".join(Action)
    message = f"{text!r} is not an action: write one of {known}, or an index privilege such as create_index"
    raise NoSuchActionError(message)


@lru_cache(_KEPT)
def patterns_of(privileges: tuple[str, ...]) -> tuple[str, ...]:
    """Return patterns of the actions that privileges of an entry allow.

    Args:
        privileges: names and patterns of actions, as a role has them. To a pattern, Elasticsearch adds a star.
    """
    found = dict[str, None]()
    for name in map(str.lower, privileges):
        if ":" in name:
            found[name if name.endswith("*") else f"{name}*"] = None
        else:
            found |= dict.fromkeys(ACTIONS_OF.get(name, (_PSEUDO + name,)))
    return tuple(sorted(found))


@lru_cache(_KEPT)
def allows(patterns: tuple[str, ...], need: str) -> bool:
    """Return whether patterns of actions, together, include an action; with a star at its end, all that begin so."""
    return contained(need, patterns).contained


@lru_cache(_KEPT)
def shows_some(patterns: tuple[str, ...]) -> bool:
    """Return whether any action that shows documents is among patterns of actions."""
    return any(can_meet(each, _READING).yes for each in patterns if not _is_harmless(each))


def _is_harmless(pattern: str) -> bool:
    return any(covers(each, pattern) for each in _SHOW_NO_DOCUMENTS)


def is_allowed(way: Way, need: str, patterns: tuple[str, ...]) -> bool:
    """Return whether patterns of actions allow what one need of a way is about."""
    return shows_some(patterns) if way.some else allows(patterns, need)


def allows_anywhere(privileges: tuple[str, ...], question: Question) -> bool:
    """Return whether privileges of an entry allow what is asked about, on whatever indices."""
    patterns = patterns_of(privileges)
    return any(all(is_allowed(way, need, patterns) for need in way.needs) for way in question.ways)


def all_patterns(privileges: Iterable[str]) -> tuple[str, ...]:
    """Return patterns of actions for privileges in any order."""
    return patterns_of(tuple(sorted(set(privileges))))
