"""Other controllers and instances in the same Elasticsearch: reports what they have, removes what was abandoned."""

from collections.abc import Collection, Iterable, Mapping

import structlog

from searchaccess.core.gateway.users import principal_of
from searchaccess.core.ownership.installations import Installation
from searchaccess.core.ownership.others import Belongings, Summary, summarized
from searchaccess.core.ownership.takeover import abandoned, installations_in, removable, removable_mappings
from searchaccess.core.policy.decision import Do
from searchaccess.core.rights.ownership import Operator
from searchaccess.core.status.access import Failure
from searchaccess.engine.inventory.inventory import Inventory
from searchaccess.engine.rights.mappings import Mappings
from searchaccess.engine.rights.work import Work
from searchaccess.engine.state import CHUNK, Session
from searchaccess.ports.errors import ExternalError, TransientError

log = structlog.get_logger(__name__)


def is_in_place(work: Work) -> bool:
    """Return whether a principal's role of ours is exactly as declared."""
    enforced = bool(work.members) and all(member.decision.do is Do.ENFORCE for member in work.members)
    conflict = any(finding.conflict for finding in work.plan.findings.values()) or bool(
        work.mapping and work.mapping.conflict
    )
    return enforced and not conflict and work.failure is None and not work.undecided and not work.refused


class OtherControllers:
    """What other controllers have in the Elasticsearch of one SearchCluster.

    Args:
        operator: this operator.
        inventory: what is declared.
        name: of the SearchCluster.
    """

    def __init__(self, operator: Operator, inventory: Inventory, name: str) -> None:
        self._operator = operator
        self._inventory = inventory
        self._name = name
        self._found: Mapping[Installation, Belongings] = {}
        self._removed: set[str] = set()
        """Names of predecessors' undeclared roles that were deleted or released."""
        self.summary: Summary | None = None
        """As of the last full reconcile; None: there was none yet."""
        self.operations = 0
        """Writes of the last removal."""
        self.removed: set[str] = set()
        """Names of the roles that were deleted then, or may have been."""
        self._without_users: set[Installation] = set()
        """Abandoned instances that have no users any more."""

    def see(self, found: Mapping[Installation, Belongings]) -> None:
        """Record what they have, after a full read."""
        self._found = found

    def claimed_by_live_predecessors(self, principals: Collection[str]) -> set[str]:
        """Return the principals whose orphaned role must stay: a predecessor still runs and wrote it again.

        Args:
            principals: those with a role of ours or of a predecessor.
        """
        own, declared = self._operator.installation, {*self._inventory.principals(self._name)}
        theirs = {
            name
            for installation, some in self._found.items()
            if installation.instance == own.instance
            for name in some.roles
        }
        names = {self._operator.role_name(principal): principal for principal in principals}
        return {names[name] for name in self._removed & theirs & names.keys()} - declared

    def changed(self, written: Collection[str], removed: Collection[str], mappings: Collection[str]) -> None:
        """Record what was written or deleted since, and is no longer theirs.

        Args:
            written: names of roles that were written.
            removed: names of roles that were deleted or released.
            mappings: names of role mappings that were written or deleted.
        """
        for some in self._found.values():
            self._removed |= some.roles.intersection(removed)
            some.without({*written, *removed}, mappings)

    def report(self) -> None:
        """Summarize what they have, after a full read."""
        self.summary = summarized(self._found, self._inventory.principals(self._name)) if self._found else ()

    async def remove(self, session: Session, mappings: Mappings, placed: Collection[str]) -> Failure | None:
        """Remove what abandoned instances have, once no caller needs it.

        Args:
            session: the connected cluster.
            mappings: writes role mappings; the shared one is settled.
            placed: principals whose role of ours is as declared.

        Returns:
            The failure if something could not be removed.

        Raises:
            TransientError: the cluster does not answer as it should.
        """
        self.operations, self.removed = 0, set()
        if mappings.state.late or mappings.state.conflict:
            return None
        trouble, own = None, self._operator.installation
        for installation in abandoned(own, installations_in(own, session.taken_over)):
            some = self._found.get(installation)
            try:
                trouble = (
                    await self._remove(session, mappings, installation, some, placed) if some else None
                ) or trouble
                if session.cluster.gateway and installation not in self._without_users and not (some and some.roles):
                    await self._remove_users(session, installation)
                    self._without_users.add(installation)
            except TransientError:
                raise
            except ExternalError as error:
                trouble = Failure(error.reason, f"what instance {installation.instance} left stays: {error.message}")
        return trouble

    async def _remove(
        self,
        session: Session,
        mappings: Mappings,
        installation: Installation,
        some: Belongings,
        placed: Collection[str],
    ) -> Failure | None:
        declared = self._inventory.principals(self._name)
        free = some.roles - some.unseen
        roles = removable(installation, free, declared=declared, placed=placed, all_known=self._all_known())
        refused: ExternalError | None = None
        for start in range(0, len(roles), CHUNK):
            some_roles = roles[start : start + CHUNK]
            with session.state.writing("role", some_roles):
                written = await session.port.delete_roles(some_roles)
            self.removed |= written.changed | written.unchanged
            self.operations += len(written.changed)
            some.without(written.changed | written.unchanged, ())
            refused = next(iter(written.refused.values()), refused)
        removed = removable_mappings(installation, some.roles, some.mappings)
        await mappings.remove(removed)
        some.without((), removed)
        if roles:
            log.info("roles of another instance removed", instance=installation.instance, count=len(roles))
        return (
            Failure(refused.reason, f"roles of instance {installation.instance} stay: {refused.message}")
            if refused
            else None
        )

    async def _remove_users(self, session: Session, installation: Installation) -> None:
        """Delete the users that callers behind a gateway of another instance had: they have no role any more."""
        former = Operator(installation.instance, installation.controller)
        raws = await session.port.users(former.role_name(""))
        names = [
            name
            for raw in raws
            if principal_of(former, name := str(raw.get("username"))) and former.owns(raw.get("metadata"))
        ]
        if not names:
            return
        with session.state.writing("user", names):
            removed = await session.port.remove_users(sorted(names))
        self.operations += len(removed.changed | removed.unchanged)
        for error in removed.refused.values():
            raise error
        log.info("users of another instance removed", instance=installation.instance, count=len(names))

    def _all_known(self) -> bool:
        """Return whether the principals of all SearchAccesses are known."""
        accesses = (record.access for record in self._inventory.of_cluster(self._name))
        return all(
            access.principals or access.has_nobody or access.has_credential or access.deleted_at for access in accesses
        )


def in_place(works: Iterable[Work], settled: Collection[str]) -> set[str]:
    """Return the principals whose role of ours is as declared.

    Args:
        works: those of this reconcile.
        settled: those known from earlier reconciles.
    """
    return {work.principal for work in works if is_in_place(work)} | set(settled)
