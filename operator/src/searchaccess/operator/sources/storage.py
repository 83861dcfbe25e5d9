"""kopf storages that store nothing.

kopf keeps its own state in objects' annotations, and computes it for each event. We only use ``on.event``, which needs
none of it; leaving it out saves half of kopf's work for an event (docs/adr/0003).
"""

from typing import Any, cast

import kopf


class NoDiffBase(kopf.DiffBaseStorage):
    """Has no last-handled state."""

    def build(self, **_: Any) -> kopf.BodyEssence:
        """Return an empty essence."""
        return cast("kopf.BodyEssence", {})

    def fetch(self, **_: Any) -> None:
        """Return None."""

    def store(self, **_: Any) -> None:
        """Store nothing."""


class NoProgress(kopf.ProgressStorage):
    """Has no handler's progress."""

    def fetch(self, **_: Any) -> None:
        """Return None."""

    def store(self, **_: Any) -> None:
        """Store nothing."""

    def purge(self, **_: Any) -> None:
        """Purge nothing."""

    def touch(self, **_: Any) -> None:
        """Touch nothing."""

    def clear(self, *, essence: kopf.BodyEssence) -> kopf.BodyEssence:
        """Return the essence as it is."""
        return essence
