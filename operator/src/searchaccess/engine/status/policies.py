"""Publishes the statuses of SearchAccessPolicies: bursts of changes are counted once, and only changes are written."""

import asyncio
from collections.abc import Mapping
from contextlib import suppress
from typing import Final

import structlog

from searchaccess.api.policies.status import PolicyCounts
from searchaccess.api.status import SearchAccessPolicyStatus
from searchaccess.core.model.canonical import stable_json
from searchaccess.core.policy.guardrails.policy import Policy
from searchaccess.core.status.policies import Tally, build_policy_status
from searchaccess.engine.state import Context
from searchaccess.ports.errors import ExternalError, NotFound
from searchaccess.ports.kubernetes import ObjectRef, Plural

SETTLE: Final = 5.0
"""Seconds in which changes are awaited before they are counted: no status is written more often."""
BRIEFLY: Final = 0.2
"""The same in a process that ends by itself."""
RETRY_AFTER: Final = 60.0
"""Seconds after which a write that failed is repeated if nothing changes."""

log = structlog.get_logger(__name__)


class PolicyStatuses:
    """The statuses of all policies. The replica with the common Lease writes them.

    Args:
        context: what all reconcilers share.
        settle: seconds in which changes are awaited.
    """

    def __init__(self, context: Context, settle: float = SETTLE) -> None:
        self._context = context
        self._settle = settle
        self._written: dict[str, str] = {}
        """By uid, the status that was last written or found. Another installation may write another one: it stays."""
        self._trouble = ""
        """Why writes fail, as logged; empty: they do not."""
        self._working = False
        self._history = 0
        """Number of the API server's history in which they were written."""
        self._since: float | None = None
        """When this replica acquired the common Lease."""
        self.found: tuple[tuple[Policy, PolicyCounts], ...] = ()
        """Each policy, and its outcomes by number of SearchAccesses when they were last counted."""

    @property
    def is_due(self) -> bool:
        """Whether something may have changed that was not published."""
        policies = self._context.inventory.policies
        return (self._working or policies.recount.is_set()) and bool(policies.known())

    def own_since(self, since: float) -> None:
        """Take in that this replica owns the common Lease: the former owner may not have written what changed last."""
        if since != self._since:
            self._since = since
            # The former owner may have written another status since.
            self._written.clear()
            self._context.inventory.policies.recount.set()

    async def run(self) -> None:
        """Publish until cancelled."""
        recount = self._context.inventory.policies.recount
        while True:
            with suppress(TimeoutError):
                async with asyncio.timeout(RETRY_AFTER if self._trouble else None):
                    await recount.wait()
            self._working = True
            try:
                await asyncio.sleep(self._settle)
                recount.clear()
                await self.publish()
            finally:
                self._working = False

    async def publish(self) -> None:
        """Count, and write each status that changed."""
        if not self._context.ownership.holds_common():
            self.found = ()
            return
        inventory = self._context.inventory
        if self._history != inventory.histories:
            # A restored backup has others.
            self._history = inventory.histories
            self._written.clear()
        policies, counts = inventory.policies.known(), await self._counts()
        self.found = tuple((policy, counts.get(policy.name, PolicyCounts())) for policy in policies)
        self._written = {policy.uid: self._written[policy.uid] for policy in policies if policy.uid in self._written}
        trouble = ""
        for policy, count in self.found:
            try:
                await self._write(policy, count)
            except NotFound:
                # It was deleted; or its CRD is older than the operator, and has no status.
                continue
            except ExternalError as error:
                trouble = trouble or error.message
        if trouble and trouble != self._trouble:
            log.warning("the status of a policy cannot be written", error=trouble)
        self._trouble = trouble

    async def _counts(self) -> Mapping[str, PolicyCounts]:
        tally = Tally()
        async for record in self._context.inventory.one_by_one():
            tally.add(record.declared.verdict.outcomes)
        return tally.counts()

    async def _write(self, policy: Policy, counts: PolicyCounts) -> None:
        stored = self._context.inventory.policies.stored_status(policy.uid)
        previous = SearchAccessPolicyStatus.parse(self._written.get(policy.uid, stored))
        status = build_policy_status(policy, counts, previous, self._context.clock.now())
        text = stable_json(status.to_json())
        if self._written.get(policy.uid) == text or not self._context.ownership.holds_common():
            return
        if status != previous:
            ref = ObjectRef(Plural.POLICIES, "", policy.name, policy.uid)
            await self._context.kubernetes.replace_status(ref, status.to_json())
        self._written[policy.uid] = text
