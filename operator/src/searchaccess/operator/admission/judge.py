"""Judges what the API server asks about, from the inventory: no request is made."""

from collections.abc import Mapping
from typing import Any

from searchaccess.core.model.intake.metadata import part
from searchaccess.core.model.parsing import access_outline
from searchaccess.core.webhook.review import Review
from searchaccess.core.webhook.ruling import ALLOWED, Judged, Ruling, Stored, ruling_on
from searchaccess.core.work import Work
from searchaccess.engine.concurrency.allowance import Allowance
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

    @property
    def edition(self) -> int:
        """How often a policy changed: a ruling of before does not count."""
        return self._inventory.policies.edition

    @property
    def allowance(self) -> Allowance:
        """How much may be judged in a turn of the event loop, by all who judge."""
        return self._inventory.policies.judgments.allowance

    def rule(self, review: Review) -> Work[Ruling]:
        """Decide, in parts, about a request of the API server.

        Raises:
            Undecided: an internal error prevents it.
        """
        if not review.new:
            return ALLOWED
        old = review.old
        stored = Stored(access_outline(old), part(old, "spec"), lambda: self.judged(old)) if old else None
        return (yield from ruling_on((yield from self.judged(review.new)), stored))

    def judged(self, raw: Mapping[str, Any]) -> Work[Judged]:
        """Find out the ruling on a SearchAccess."""
        access = yield from preview(self._inventory, raw, self._meter)
        return Judged(access, open_gate(self._inventory, access.cluster), part(raw, "spec"))
