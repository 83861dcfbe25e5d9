"""What SearchAccessPolicies say of a SearchAccess."""

from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Generic, TypeVar, overload

S = TypeVar("S", bound=Hashable)


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


class Explanation(Sequence[str], Generic[S]):
    """Reasons that are put into words when somebody reads them.

    Args:
        source: all that they follow from: of equal ones they are equal.
        explain: finds the reasons.
    """

    __slots__ = ("_explain", "_found", "_source")

    def __init__(self, source: S, explain: Callable[[S], tuple[str, ...]]) -> None:
        self._source = source
        self._explain = explain
        self._found: tuple[str, ...] | None = None

    @property
    def reasons(self) -> tuple[str, ...]:
        """The reasons."""
        if self._found is None:
            self._found = self._explain(self._source)
        return self._found

    @overload
    def __getitem__(self, index: int) -> str: ...

    @overload
    def __getitem__(self, index: slice) -> tuple[str, ...]: ...

    def __getitem__(self, index: int | slice) -> str | tuple[str, ...]:
        return self.reasons[index]

    def __len__(self) -> int:
        return len(self.reasons)

    def __eq__(self, other: object) -> bool:
        if isinstance(other, Explanation):
            return self._source == other._source or self.reasons == other.reasons
        return self.reasons == other if isinstance(other, tuple) else NotImplemented

    def __hash__(self) -> int:
        return hash(self.reasons)

    def __repr__(self) -> str:
        return repr(self.reasons)


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
    reasons: Sequence[str] = ()
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
        return self.unmatched or any(each.outcome is Outcome.DENIED for each in self.outcomes)

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
        denied = Outcome.DENIED
        # Asked of each verdict, which may have hundreds of outcomes: a list takes less than a generator.
        keeping = [each.keeps for each in self.outcomes if each.outcome is denied]
        return self.revoked or self.unmatched or not all(keeping)


ACCEPTED = PolicyVerdict()
"""Nothing applies."""
