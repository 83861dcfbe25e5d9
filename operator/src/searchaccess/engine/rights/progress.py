"""The state of each principal's role between reconciles: settled, failing, due again, or not yet isolated."""

from collections.abc import Collection, Iterable
from typing import Final

from searchaccess.api.conditions.reasons import Reason
from searchaccess.core.policy.decision import OPEN, Gate
from searchaccess.core.status.access import Failure
from searchaccess.engine.pacing.agenda import Agenda
from searchaccess.engine.pacing.backoff import CAP, FIRST
from searchaccess.engine.rights.rejections import Rejections
from searchaccess.engine.rights.work import Work
from searchaccess.ports.clock import Clock

SLICE_EVERY: Final = 1.0
"""Seconds after which the isolation of refused rights continues."""
REFUSED_CAP: Final = 300.0
"""Longest back-off in seconds for a role that Elasticsearch refuses: only another declaration or login changes that,
and either triggers a reconcile at once."""


class Progress:
    """What the reconciler remembers of principals.

    Args:
        clock: gives the time.
    """

    def __init__(self, clock: Clock) -> None:
        self.agenda = Agenda(clock, FIRST, CAP)
        """Principals that could not be completed."""
        self.failures: dict[str, Failure] = {}
        """By principal, the last failure."""
        self.settled: dict[str, int] = {}
        """By unchanged principal, the fingerprint of its role when nothing remained to be done or reported."""
        self.rejections = Rejections()
        self._gate: Gate = OPEN
        """The gate for which they are settled."""
        self._number = 0
        """Number of the current reconcile."""

    @property
    def unfinished(self) -> frozenset[str]:
        """The principals that are due again soon."""
        return self.agenda.failing() | frozenset(self.rejections.waiting)

    @property
    def failure(self) -> Failure | None:
        """Why some principals could not be completed; None: all were."""
        return next(iter(self.failures.values()), None)

    def begin(self, changed: Iterable[str]) -> None:
        """Begin a reconcile.

        Args:
            changed: principals that stay unsettled until a reconcile completes them.
        """
        self._number += 1
        self.unsettle(changed)

    def unsettle(self, principals: Iterable[str]) -> None:
        """Have principals reconciled again by the next full reconcile, even if their roles do not change."""
        for principal in principals:
            self.settled.pop(principal, None)

    def apply_gate(self, gate: Gate) -> None:
        """Unsettle all principals if the gate changed; retry what was refused if the login did."""
        if self._gate == gate:
            return
        if self._gate.login != gate.login:
            # The login may be allowed more now.
            self.rejections.retry()
        self.settled.clear()
        self._gate = gate

    def keep(self, principals: Collection[str], uids: Collection[str]) -> None:
        """Forget all other principals and SearchAccesses."""
        self.agenda.keep(principals)
        self.failures = {key: failure for key, failure in self.failures.items() if key in principals}
        self.rejections.keep(uids, principals)

    def fail_due(self, principals: Iterable[str]) -> None:
        """Back off with principals that were due and are still due: the reconcile did not complete them."""
        for principal in frozenset(principals) & self.agenda.due():
            self.agenda.fail(principal)

    def conclude(self, work: Work, *, settles: bool, reported: bool) -> None:
        """Record the result for a principal, once it is reported.

        Args:
            work: the principal's work.
            settles: whether a role without changes counts as settled.
            reported: whether all statuses could be computed.
        """
        principal = work.principal
        self.settled.pop(principal, None)
        self.failures.pop(principal, None)
        self.rejections.waiting.pop(principal, None)
        if work.isolation and work.undecided:
            self.rejections.wait(principal, work.members, work.isolation, self._number)
        denied = (member.decision for member in work.members if member.decision.reason is Reason.PERMISSION_DENIED)
        if decision := next(denied, None):
            self.failures[principal] = Failure(Reason.PERMISSION_DENIED, decision.message)
        if work.failure is not None:
            self.failures[principal] = work.failure
            self.agenda.fail(principal, REFUSED_CAP if work.failure.reason is Reason.REJECTED else None)
        elif not reported:
            self.agenda.fail(principal)
        elif work.undecided or (work.isolation and work.refused):
            # Those held back because they would widen a refused one's rights may get theirs now.
            self.agenda.plan(principal, SLICE_EVERY)
        elif work.retained or work.plan.waits:
            self.agenda.fail(principal)
        elif work.plan.releasing.revoked and work.members:
            # A conflicting role may be gone.
            self.agenda.plan(principal, SLICE_EVERY)
        elif self._is_delegated and work.applied and not work.isolation and self.rejections.retry(_uids(work)):
            # A role is refused because of its whole content, which has changed.
            self.agenda.plan(principal, SLICE_EVERY)
        else:
            self.agenda.forget(principal)
            if settles and work.fingerprint is not None and work.is_as_declared:
                self.settled[principal] = work.fingerprint

    @property
    def _is_delegated(self) -> bool:
        """Whether the login may write only some roles, as known when roles were last written."""
        login = self._gate.login
        return login is not None and bool(login.delegated)


def _uids(work: Work) -> frozenset[str]:
    return frozenset(member.access.uid for member in work.members)
