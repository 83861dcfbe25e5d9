"""Parts of a SearchAccessPolicy's status."""

from searchaccess.api.base import ApiModel, Count


class PolicyCounts(ApiModel):
    """Numbers of SearchAccesses that the policy applies to. Those that cannot be judged yet are not counted."""

    accesses: Count = 0
    """All of them."""
    accepted: Count = 0
    """Those that it accepts."""
    denied: Count = 0
    """Those that it refuses."""
    pending_approval: Count = 0
    """Those that it accepts but for an approval, which is missing."""
    would_deny: Count = 0
    """Those that it would refuse (`mode: Audit`)."""
    exempt: Count = 0
    """Those that have an exception."""

    @property
    def violations(self) -> int:
        """How many do not satisfy the policy."""
        return self.denied + self.would_deny
