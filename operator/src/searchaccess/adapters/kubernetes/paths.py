"""Paths of the API server, made of names that cannot lead anywhere else."""

import re
from typing import Final
from urllib.parse import quote

from searchaccess.ports.errors import Rejected

_SEGMENT: Final = re.compile(r"[A-Za-z0-9]([-A-Za-z0-9._:]{0,251}[A-Za-z0-9])?")
"""What a segment may be: wider than any rule for names in Kubernetes, and never ``..`` nor anything with a slash.

https://kubernetes.io/docs/concepts/overview/working-with-objects/names/#path-segment-names
"""


def path_of(root: str, *segments: str) -> str:
    """Return a path.

    Args:
        root: its fixed beginning.
        segments: what follows; each name is checked here, wherever it came from.

    Raises:
        Rejected: one of them is no name of an object of Kubernetes.
    """
    for segment in segments:
        if not _SEGMENT.fullmatch(segment):
            raise Rejected(f"not the name of a Kubernetes object: {segment[:253]!r}")
    return "/".join((root, *segments))


def parameter(value: str) -> str:
    """Return a value as a query has it."""
    return quote(value, safe="")
