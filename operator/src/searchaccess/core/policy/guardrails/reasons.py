"""Reasons of a policy, which are looked for in parts."""

from collections.abc import Iterator
from typing import TypeAlias

from searchaccess.core.work import Work

Reasons: TypeAlias = Iterator[str | int]
"""Yields each reason as a text and, in between, the steps that each comparison took: others may run then."""


def any_in(reasons: Reasons) -> Work[bool]:
    """Return whether there is any reason: no more are looked for."""
    for each in reasons:
        if isinstance(each, str):
            return True
        yield each
    return False
