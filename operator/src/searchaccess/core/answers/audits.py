"""What policies that only report would refuse."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from searchaccess.core.model.access import Access
from searchaccess.core.model.verdict import Outcome


@dataclass(frozen=True, slots=True, order=True)
class Audit:
    """A SearchAccess that a policy with ``mode: Audit`` would refuse."""

    policy: str
    access: str
    """``namespace/name``."""
    cluster: str
    reasons: tuple[str, ...]

    def to_json(self) -> dict[str, Any]:
        """Return it for scripts."""
        return {"policy": self.policy, "access": self.access, "cluster": self.cluster, "reasons": list(self.reasons)}


def audits_of(access: Access) -> Iterator[Audit]:
    """Yield what policies would refuse of a SearchAccess."""
    for outcome in access.verdict.outcomes:
        if outcome.outcome is Outcome.WOULD_DENY:
            yield Audit(outcome.policy, access.ref, access.cluster, tuple(outcome.reasons))
