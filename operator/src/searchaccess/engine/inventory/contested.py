"""Who waits for the name of a secret that somebody else has."""

from collections import defaultdict

from searchaccess.engine.inventory.marks import Marks


class Contested:
    """SearchAccesses whose secret's name is taken, so that they are reconciled at once when it becomes free.

    Args:
        marks: what is to be reconciled.
    """

    def __init__(self, marks: Marks) -> None:
        self._marks = marks
        self._waiting: dict[str, dict[str, str]] = defaultdict(dict)
        """By name of the secret: uids, each with its SearchCluster."""

    def wait(self, name: str, cluster: str, uid: str) -> None:
        """Record that a SearchAccess waits for a name."""
        self._waiting[name][uid] = cluster

    def requeue(self, name: str) -> None:
        """Record that a secret of this name may be gone, in whatever store: all that wait for it are reconciled."""
        for uid, cluster in self._waiting.pop(name, {}).items():
            self._marks.mark_credential(cluster, uid)
