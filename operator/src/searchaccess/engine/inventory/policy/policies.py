"""The SearchAccessPolicies as last seen, and what they say of a SearchAccess."""

import asyncio
from collections.abc import Callable, Mapping
from contextlib import suppress
from datetime import UTC, datetime
from functools import cache
from typing import Any, Final

import structlog

from searchaccess.core.model.access import Access
from searchaccess.core.model.intake.metadata import metadata_of
from searchaccess.core.model.verdict import PolicyVerdict
from searchaccess.core.policy.consent.decision import Demand
from searchaccess.core.policy.guardrails.aliases import Aliases
from searchaccess.core.policy.guardrails.applies import may_apply_in
from searchaccess.core.policy.guardrails.memory import Memory
from searchaccess.core.policy.guardrails.policy import Policy, policy_from_object
from searchaccess.core.policy.guardrails.verdicts import Guardrails, Question
from searchaccess.core.work import Tally, Work, counted
from searchaccess.engine.barrier import caught
from searchaccess.engine.inventory.intake import read_status
from searchaccess.engine.inventory.policy.judgments.judgments import Judgments, Key
from searchaccess.engine.inventory.policy.newest import Latest, Newest
from searchaccess.ports.clock import Clock
from searchaccess.ports.meter import Meter

_NEVER: Final = datetime(9999, 1, 1, tzinfo=UTC)
_CHECK_EVERY: Final = 60.0
"""Seconds after which the clock is read again while an exception is in force: timers stand still while a machine is
suspended, and do not follow a clock that is set."""
_STEPS_OF_A_USUAL_ONE: Final = 100
"""Steps that take as long as to judge a SearchAccess that all policies accept: a tenth of a millisecond or two."""

log = structlog.get_logger(__name__)


class Policies:
    """All SearchAccessPolicies.

    Args:
        meter: counts policies at which an internal error occurred.
        clock: by which exceptions end; None: none is in force.
    """

    def __init__(self, meter: Meter, clock: Clock | None) -> None:
        self._meter = meter
        self._clock = clock
        self._newest: Newest[Policy] = Newest()
        self._statuses: dict[str, str] = {}
        """By uid, the status as JSON."""
        self._listed = False
        self.memory = Memory()
        """What is known of policies and of their earlier evaluations."""
        self.judgments = Judgments(meter)
        """Those that take long."""
        self.edition = 0
        """How often a policy changed."""
        self._guardrails = Guardrails(None, self.memory)
        self._judged_since = datetime.min.replace(tzinfo=UTC)
        """When every SearchAccess was last due: exceptions that ended before that are over for all."""
        self.changed = asyncio.Event()
        """Set when SearchAccesses are to be judged again."""
        self._changed_ones: list[Policy] = []
        """Policies, as they were and as they are, that changed since SearchAccesses were last judged."""
        self._all_due = False
        """Whether every SearchAccess is to be judged again."""
        self.recount = asyncio.Event()
        """Set when a policy changed, or what policies say of some SearchAccess."""
        self.approvals_wanted = asyncio.Event()
        """Set when it is to be read whether approvals count."""

    def uids(self) -> frozenset[str]:
        """Return the uids of the policies that are known."""
        return self._newest.uids()

    def latest(self) -> Latest:
        """Return which versions are known now."""
        return self._newest.latest()

    def begin_anew(self) -> None:
        """Take the next version of each, whichever it is: the API server's history went back."""
        self._newest.begin_anew()

    def known(self) -> tuple[Policy, ...]:
        """Return all policies by name; none while they were not listed."""
        return tuple(sorted(self._newest, key=lambda policy: policy.name)) if self._listed else ()

    def stored_status(self, uid: str) -> str:
        """Return the status of a policy as JSON, as last seen; empty: it has none."""
        return self._statuses.get(uid, "")

    @property
    def needs_labels(self) -> bool:
        """Whether labels of namespaces must be known."""
        return self._guardrails.needs_labels

    @property
    def deny(self) -> bool:
        """Whether any policy denies indices, so that it matters where aliases lead."""
        return self._guardrails.deny

    @property
    def effort(self) -> int:
        """How much was compared until now beyond what usual SearchAccesses take, in numbers of those."""
        return self.judgments.allowance.taken // _STEPS_OF_A_USUAL_ONE

    @property
    def needs_approvals(self) -> bool:
        """Whether any policy requires an approval."""
        return self._guardrails.needs_approvals

    def see(self, raw: Mapping[str, Any]) -> None:
        """Take in a policy from an event or a list; an older version than the known one is ignored. Never raises."""
        meta = metadata_of(raw)
        if not self._newest.expects(meta):
            return
        known = self._newest.get(meta.uid)
        try:
            policy = policy_from_object(raw)
        except Exception as error:  # noqa: BLE001 - the barrier between one policy and all others
            invalid = caught(self._meter, "", "intake", error).message
            policy = Policy(meta.uid, meta.name, meta.generation, meta.resource_version, None, invalid)
        if policy.invalid:
            log.warning("a policy cannot be read: it refuses everything", policy=policy.name, error=policy.invalid)
        self._newest.put(meta.uid, policy)
        self._statuses[meta.uid] = read_status(raw)
        if known is None or (known.generation, known.spec) != (policy.generation, policy.spec):
            self._renew(known, policy)

    def forget(self, uid: str) -> None:
        """Take in that a policy is gone."""
        self._statuses.pop(uid, None)
        if known := self._newest.remove(uid):
            self._renew(known)

    def keep(self, present: set[str], known_before: frozenset[str]) -> None:
        """Take in the end of a full list: what was known before it was asked for and is not in it is gone.

        Args:
            present: the uids that are in the list.
            known_before: the uids that were known when it started.
        """
        for uid in known_before - present:
            self.forget(uid)
        self._newest.forget_gone(present)
        if not self._listed:
            self._listed = self._all_due = True
            self._renew()

    def judge(
        self, access: Access, labels: Mapping[str, str] | None, aliases: Aliases | None, *, wanted: bool
    ) -> PolicyVerdict:
        """Decide about a SearchAccess, see ``Guardrails.judge``, or say what ``Judgments`` says meanwhile."""
        question = Question(access, labels, self._now(), aliases, wanted)
        return self.judgments.ask(
            Key(access.uid, access.cluster, access.namespace, access.name),
            lambda: self._guardrails.basis(question),
            lambda tally: self._judging_one(question, tally),
            lambda: self._guardrails.may_revoke(access, wanted=wanted),
        )

    def _judging_one(self, question: Question, tally: Tally) -> Work[PolicyVerdict]:
        """Decide about a SearchAccess, and count the steps that no other one needs."""
        if (shared := self._guardrails.preparing(question.access)) is not None:
            yield from shared
        return (yield from counted(self._guardrails.judging(question), tally))

    def judging(
        self, access: Access, labels: Mapping[str, str] | None, aliases: Aliases | None, *, wanted: bool
    ) -> Work[PolicyVerdict]:
        """Decide about a SearchAccess, in parts, and remember nothing of it."""
        return self._guardrails.judging(Question(access, labels, self._now(), aliases, wanted))

    def demands(self, access: Access, labels: Mapping[str, str] | None) -> tuple[Demand, ...]:
        """Return which policies require an approval of a SearchAccess, see ``Guardrails.demands``."""
        return self._guardrails.demands(access, labels, self._now()) if self.needs_approvals else ()

    async def due(self) -> None:
        """Wait until SearchAccesses are to be judged again: a policy changed, or an exception ended."""
        # An exception may have ended while all were judged, after those that it concerns.
        end = self._guardrails.next_end(self._judged_since)
        while not self.changed.is_set() and (end is None or self._now() < end):
            wait = min((end - self._now()).total_seconds(), _CHECK_EVERY) if end else None
            with suppress(TimeoutError):
                async with asyncio.timeout(wait):
                    await self.changed.wait()
        # Also one that ended just as a policy changed.
        self._all_due = self._all_due or (end is not None and self._now() >= end)
        self.changed.clear()
        self._judged_since = self._now()

    def judge_all(self) -> None:
        """Have every SearchAccess judged again."""
        self._all_due = True
        self.changed.set()

    def take_due(self) -> Callable[[Access], bool]:
        """Return which SearchAccesses are due, and begin anew: those to which a changed policy may apply."""
        changed, all_due = tuple(self._changed_ones), self._all_due
        self._changed_ones, self._all_due = [], False
        may_apply = cache(lambda namespace, cluster: any(may_apply_in(each, namespace, cluster) for each in changed))
        return lambda access: all_due or may_apply(access.namespace, access.cluster)

    def _renew(self, *changed: Policy | None) -> None:
        self.edition += 1
        self._changed_ones += [policy for policy in changed if policy is not None]
        needed = self.needs_approvals
        self._guardrails = Guardrails(self._newest if self._listed else None, self.memory)
        if self.needs_approvals or needed:
            self.approvals_wanted.set()
        self.changed.set()
        self.recount.set()

    def _now(self) -> datetime:
        return datetime.fromisoformat(self._clock.now()) if self._clock else _NEVER
