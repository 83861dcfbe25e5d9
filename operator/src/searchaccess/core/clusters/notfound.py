"""Builds the message about a SearchCluster that does not exist."""

from collections.abc import Sequence
from difflib import get_close_matches
from typing import Final

from searchaccess.core.messages import some_of

NAMED: Final = 3
"""SearchClusters that the message names."""


def not_found(name: str, namespace: str, usable: Sequence[str]) -> str:
    """Return the message that a SearchCluster does not exist, with those that may be meant.

    Args:
        name: the name in ``spec.cluster``.
        namespace: of the SearchAccess.
        usable: names of the SearchClusters that allow this namespace; others are not mentioned.
    """
    text = f"there is no SearchCluster named {name!r}"
    if near := get_close_matches(name, usable, NAMED):
        return f"{text}; did you mean {some_of(near, NAMED)}?"
    if usable:
        return f"{text}; the namespace {namespace} may use {some_of(sorted(usable), NAMED)}"
    return f"{text}, and the namespace {namespace} may use no other"
