"""Builds the messages about a SearchCluster that does not exist, or that does not allow a namespace."""

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


def not_allowed(name: str, namespace: str, usable: Sequence[str]) -> str:
    """Return the message that a SearchCluster does not allow a namespace, with the next step.

    Args:
        name: of the SearchCluster.
        namespace: of the SearchAccess.
        usable: names of the SearchClusters that allow this namespace; of others nothing is reported.
    """
    text = f"SearchCluster {name} does not allow the namespace {namespace}"
    ask = f"the platform team adds the namespace to spec.allowedNamespaces of {name}"
    if not usable:
        return f"{text}, and no other does; {ask}"
    return f"{text}; name one in spec.cluster that does ({some_of(sorted(usable), NAMED)}), or {ask}"
