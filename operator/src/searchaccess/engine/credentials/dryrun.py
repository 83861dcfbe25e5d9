"""Credentials in a dry run: the next step is recorded instead of performed."""

from collections.abc import Collection, Iterable, Sequence

from searchaccess.core.answers.changes import change_of_credential, withdrawal
from searchaccess.core.credentials.credential import Key
from searchaccess.core.credentials.ending import outliving
from searchaccess.core.model.access import Access
from searchaccess.decorators.dryrun import DryRun
from searchaccess.engine.credentials.steps import Credentials, Job, Outcome
from searchaccess.engine.pacing.sharedclock import SharedClock
from searchaccess.engine.state import Context, Session
from searchaccess.ports.stores import Owner


class DryRunCredentials(Credentials):
    """Credentials of one Elasticsearch cluster, which are not changed.

    A step depends on the result of the previous one, so only the first step is recorded.

    Args:
        context: what all reconcilers share.
        session: the connected cluster.
        clock: the cluster's time.
        dry_run: records what would be done.
    """

    def __init__(self, context: Context, session: Session, clock: SharedClock, dry_run: DryRun) -> None:
        super().__init__(context.operator, session.port, context.google, clock)
        self._cluster = session.cluster.name
        self._dry_run = dry_run

    async def keep(self, job: Job, keys: Sequence[Key]) -> Outcome:
        """Record what would be done next."""
        outcome = await self.preview(job, keys)
        change = change_of_credential(job.access, outcome.decision.steps)
        self._dry_run.note(self._cluster, f"credential/{job.access.ref}", change)
        return outcome

    async def cut_short(self, access: Access, keys: Sequence[Key]) -> tuple[Key, ...]:
        """Record that keys would be cut short."""
        if step := outliving(keys, access.bounded_box.ends, self._clock.now()):
            self._dry_run.note(self._cluster, f"credential/{access.ref}", change_of_credential(access, (step,)))
        return tuple(keys)

    async def withdraw(self, job: Job, keys: Sequence[Key]) -> None:
        """Record that keys would be revoked."""
        await self.revoke_with_secrets(job.owner, keys, ())

    async def revoke_with_secrets(
        self,
        owner: Owner,
        keys: Sequence[Key],
        places: Iterable[tuple[str, str]],  # noqa: ARG002
        in_use: Collection[str] = (),  # noqa: ARG002
    ) -> None:
        """Record that keys would be revoked."""
        if keys:
            ref = f"{owner.namespace}/{owner.name}" if owner.name else owner.uid
            change = withdrawal(self._cluster, ref, [key.id for key in keys])
            self._dry_run.note(self._cluster, change.object, change)
