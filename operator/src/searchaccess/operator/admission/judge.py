"""Judges what the API server asks about, from the inventory: no request is made."""

from collections.abc import Mapping
from typing import Any

from searchaccess.core.model.access import access_outline
from searchaccess.core.model.intake.metadata import part
from searchaccess.core.webhook.review import Review
from searchaccess.core.webhook.ruling import ALLOWED, Judged, Ruling, Stored, ruling_on
from searchaccess.engine.inventory.inventory import Inventory
from searchaccess.engine.inventory.preview import open_gate, preview
from searchaccess.ports.meter import Meter


class Judge:
    """Judges SearchAccesses by what the inventory knows.

    Args:
        inventory: the declared objects.
        meter: counts internal errors.
    """

    def __init__(self, inventory: Inventory, meter: Meter) -> None:
        self._inventory = inventory
        self._meter = meter

    def rule(self, review: Review) -> Ruling:
        """Decide about a request of the API server.

        Raises:
            Undecided: an internal error prevents it.
        """
        if not review.new:
            return ALLOWED
        old = review.old
        stored = Stored(access_outline(old), part(old, "spec"), lambda: self.judged(old)) if old else None
        return ruling_on(self.judged(review.new), stored)

    def judged(self, raw: Mapping[str, Any]) -> Judged:
        """Return a SearchAccess with what is said of it."""
        access = preview(self._inventory, raw, self._meter)
        return Judged(access, open_gate(self._inventory, access.cluster), part(raw, "spec"))
