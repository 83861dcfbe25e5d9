"""Reports credentials: statuses, and secrets that are left behind."""

from dataclasses import replace

from searchaccess.api.conditions.reasons import Reason
from searchaccess.core.clusters.cluster import Cluster
from searchaccess.core.model.access import Access
from searchaccess.core.policy.decision import Do
from searchaccess.core.status.access import AccessFacts, Failure
from searchaccess.core.status.credential import CredentialFacts, finding_of
from searchaccess.engine.credentials.steps import Outcome
from searchaccess.engine.inventory.records import AccessRecord
from searchaccess.engine.state import ClusterState, Context
from searchaccess.engine.status.publish import StatusPublisher
from searchaccess.engine.status.stores import report_left_behind
from searchaccess.ports.errors import ExternalError
from searchaccess.ports.stores import Owner


class Reporter:
    """Publishes what became of the credentials of one SearchCluster.

    Args:
        context: what all reconcilers share.
        state: what its reconciler knows.
    """

    def __init__(self, context: Context, state: ClusterState) -> None:
        self._context = context
        self._state = state
        self._publisher = StatusPublisher(context, state)
        self._left_behind: set[tuple[str, str, str]] = set()
        """Secrets already reported as left behind: owner, store and name."""

    def publish(self, facts: AccessFacts) -> None:
        """Publish facts as a status."""
        self._publisher.publish(facts)

    def publish_outcome(self, record: AccessRecord, facts: AccessFacts, outcome: Outcome | None) -> None:
        """Publish what became of a credential; a deleted SearchAccess is released.

        Args:
            record: the SearchAccess.
            facts: about it, without the outcome.
            outcome: what was found and done; None: there is no credential, or it is held.
        """
        access = facts.access
        if access.deleted_at:
            if facts.decision.do is Do.REMOVE:
                self._publisher.release(access)
        elif outcome is None:
            self.publish(facts)
        else:
            found = CredentialFacts(outcome.decision, outcome.seen, tuple(outcome.done))
            status = record.status
            known = status.elasticsearch
            same = known is not None and (known.spec_hash, known.cluster_uuid) == (access.share.hash, self._state.uuid)
            finding = finding_of(access, found, status.credential, same_rights=same)
            if outcome.decision.current is None and outcome.decision.waits:
                facts = replace(facts, failure=Failure(Reason.PENDING, outcome.decision.waits))
            self.publish(replace(facts, finding=finding, credential=found, applied=bool(outcome.done)))

    def left_behind(self, cluster: Cluster, owner: Owner, store: str, name: str) -> None:
        """Report, once, that a secret stays because its store is no longer declared.

        Args:
            cluster: the SearchCluster.
            owner: the SearchAccess that the secret is for.
            store: name of the store.
            name: of the secret.
        """
        if (owner.uid, store, name) not in self._left_behind:
            self._left_behind.add((owner.uid, store, name))
            report_left_behind(self._context, cluster, owner, store, name)


def failure_of(access: Access, error: ExternalError) -> Failure:
    """Return the failure to publish for an error with a credential."""
    if error.at_store:
        store = access.credential.store if access.credential else ""
        return Failure(Reason.STORE_UNAVAILABLE, f"secret store {store}: {error.message}")
    return Failure(error.reason, error.message)
