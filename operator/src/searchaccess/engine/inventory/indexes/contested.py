"""SearchAccesses that wait for the name of another's secret."""

from collections import defaultdict

from searchaccess.engine.inventory.marks import Marks


class Contested:
    """SearchAccesses whose secret's name is taken: they are requeued when it may be free.

    Args:
        marks: what to reconcile.
    """

    def __init__(self, marks: Marks) -> None:
        self._marks = marks
        self._waiting: dict[str, dict[str, str]] = defaultdict(dict)
        """By name of the secret, uids with their SearchClusters."""

    def wait(self, name: str, cluster: str, uid: str) -> None:
        """Record that a SearchAccess waits for a name."""
        self._waiting[name][uid] = cluster

    def requeue(self, name: str) -> None:
        """Requeue all that wait for a name: a secret of this name may be gone, in whatever store."""
        for uid, cluster in self._waiting.pop(name, {}).items():
            self._marks.mark_credential(cluster, uid)
