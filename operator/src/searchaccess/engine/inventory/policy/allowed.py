"""Which namespaces SearchClusters allow, by their names or by their labels."""

import asyncio
from collections.abc import Mapping, Sequence

from searchaccess.core.clusters.cluster import Cluster
from searchaccess.core.model.admission import Admission
from searchaccess.core.policy.namespaces import admit, needs_labels
from searchaccess.engine.inventory.policy.policies import Policies
from searchaccess.engine.inventory.records import ClusterRecord

Labels = Mapping[str, Mapping[str, str]]
"""Of namespaces, by their names."""


def selects_by_labels(cluster: Cluster) -> bool:
    """Return whether a SearchCluster selects namespaces by labels."""
    return needs_labels(cluster.allowed_namespaces) or needs_labels(cluster.adopting_namespaces)


class AllowedNamespaces:
    """Decides about namespaces, from the specs of SearchClusters and the known labels.

    Args:
        clusters: the SearchClusters by name.
        policies: the SearchAccessPolicies, which select namespaces too.
    """

    def __init__(self, clusters: Mapping[str, ClusterRecord], policies: Policies) -> None:
        self._clusters = clusters
        self._policies = policies
        self._labels: Labels = {}
        """As last listed."""
        self.labels_wanted = asyncio.Event()
        """Set when unknown labels of a namespace are needed."""

    @property
    def needs_labels(self) -> bool:
        """Whether any SearchCluster or SearchAccessPolicy selects namespaces by labels."""
        return self._policies.needs_labels or any(
            selects_by_labels(record.cluster) for record in self._clusters.values()
        )

    def replace_labels(self, labels: Labels) -> bool:
        """Replace the labels of all namespaces; return whether they changed."""
        before, self._labels = self._labels, labels
        return before != labels

    def forget_labels(self) -> None:
        """Forget the labels of all namespaces, while nobody needs them: they are not known until they are listed."""
        self._labels = {}

    def labels_of(self, namespace: str) -> Mapping[str, str] | None:
        """Return the labels of a namespace; None: they are not known."""
        return self._labels.get(namespace)

    def usable_from(self, namespace: str) -> Sequence[str]:
        """Return the names of the SearchClusters known to allow a namespace."""
        found = (name for name in self._clusters if self.admission(name, namespace, read=False) is Admission.ALLOWED)
        return sorted(found)

    def admission(self, cluster: str, namespace: str, *, read: bool = True) -> Admission:
        """Return whether a cluster allows a namespace; a missing cluster allows all.

        Args:
            cluster: name of the SearchCluster.
            namespace: name of the namespace.
            read: request its labels if they are needed and not known; False for namespaces that may be gone.
        """
        record = self._clusters.get(cluster)
        allowed = record.cluster.allowed_namespaces if record else None
        admission = admit(allowed, namespace, self._labels.get(namespace))
        if read and admission is Admission.UNKNOWN:
            self.labels_wanted.set()
        return admission

    def may_adopt(self, cluster: str, namespace: str) -> bool:
        """Return whether a cluster lets SearchAccesses of a namespace adopt the roles of their principals."""
        record = self._clusters.get(cluster)
        allowed = record.cluster.adopting_namespaces if record else None
        return allowed is not None and admit(allowed, namespace, self._labels.get(namespace)) is Admission.ALLOWED
