"""What SearchAccessPolicies say of a SearchAccess."""

from dataclasses import dataclass
from enum import StrEnum


class Outcome(StrEnum):
    """What one policy says."""

    ACCEPTED = "Accepted"
    DENIED = "Denied"
    WOULD_DENY = "WouldDeny"
    """It is refused by a policy that only reports."""
    PENDING_APPROVAL = "PendingApproval"
    """It is accepted but for an approval, which is missing."""
    EXEMPT = "Exempt"
    """It is named in an exception that did not end yet."""


@dataclass(frozen=True, slots=True)
class PolicyOutcome:
    """What one policy that applies says, and why.

    Args:
        policy: name of the SearchAccessPolicy.
        outcome: what it says.
        reasons: the violations, or the reason of the exception.
        keeps: whether rights that were granted before stay.
        of_subject: whether it refuses the subject itself, or may do so.
    """

    policy: str
    outcome: Outcome
    reasons: tuple[str, ...] = ()
    keeps: bool = False
    of_subject: bool = False


@dataclass(frozen=True, slots=True)
class PolicyVerdict:
    """What all policies together say.

    Args:
        outcomes: of each policy that applies, by name.
        unmatched: no policy applies, and the SearchCluster wants one.
        unknown: why it cannot be decided yet; empty: it can.
        revoked: rights that it has are revoked although it cannot be decided yet.
        by_name: patterns that were compared with what is denied by name alone: it cannot be read where aliases lead.
    """

    outcomes: tuple[PolicyOutcome, ...] = ()
    unmatched: bool = False
    unknown: str = ""
    revoked: bool = False
    by_name: tuple[str, ...] = ()

    @property
    def denied_by(self) -> tuple[PolicyOutcome, ...]:
        """What refuses it: one denial is enough."""
        return tuple([each for each in self.outcomes if each.outcome is Outcome.DENIED])

    @property
    def refused(self) -> bool:
        """Whether it gets no rights."""
        return self.unmatched or bool(self.denied_by)

    @property
    def refuses_subject(self) -> bool:
        """Whether it is refused, and no policy says that its namespace may name the subject."""
        return self.unmatched or any(each.of_subject for each in self.denied_by)

    @property
    def ends(self) -> bool:
        """Whether it gets no rights, or none until it can be decided."""
        return self.refused or self.revoked

    @property
    def revokes(self) -> bool:
        """Whether rights that it has are revoked: if it is refused, unless all that refuse it let them stay."""
        return self.revoked or self.unmatched or not all(each.keeps for each in self.denied_by)


ACCEPTED = PolicyVerdict()
"""Nothing applies."""
