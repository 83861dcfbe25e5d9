"""Assigns clusters to replicas: every replica computes the same result independently."""

import hashlib
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Final

MEMBER: Final = "member-"
CLUSTER: Final = "cluster-"
COMMON: Final = "common"
"""Represents work that does not belong to one cluster. It differs from SearchClusters' keys, which begin with
``cluster-``."""


def _score(cluster: str, member: str) -> bytes:
    return hashlib.sha256(f"{cluster}\0{member}".encode()).digest()


def assign(clusters: Iterable[str], members: Collection[str]) -> dict[str, str]:
    """Assign clusters to members: evenly, with few changes of owner when a member joins or leaves.

    Rendezvous hashing with a limit for each member.

    Args:
        clusters: the clusters to assign.
        members: the present members.
    """
    names = set(clusters)
    if not members:
        return {}
    least, further = divmod(len(names), len(members))
    loads = dict.fromkeys(members, 0)
    found: dict[str, str] = {}
    # The member with the highest score gets a cluster first. There is room for exactly as many as there are.
    pairs = sorted(((_score(name, member), name, member) for name in names for member in members), reverse=True)
    for _, name, member in pairs:
        if name in found or loads[member] > least or (loads[member] == least and not further):
            continue
        further -= loads[member] == least
        loads[member] += 1
        found[name] = member
    return found


@dataclass(slots=True)
class Sightings:
    """The live members, as one replica observes them, only by its own clock: clocks of others do not matter.

    Args:
        duration: seconds without a heartbeat after which a member is dead.
        gap: seconds between two observations above which the time between them is unknown.
    """

    duration: float
    gap: float
    _seen: dict[str, tuple[str, float]] = field(default_factory=dict)
    """By member: the newest version, and when it was seen first."""
    _dead: set[str] = field(default_factory=set)
    _observed: float = float("-inf")

    def observe(self, versions: Mapping[str, str], requested: float, answered: float) -> set[str]:
        """Record what all members' Leases are now; return who is alive.

        Args:
            versions: resource version of each member's Lease.
            requested: when the request was sent, by the monotonic clock. Later writes may not be seen.
            answered: when the answer came.
        """
        # We, or the API server, were unavailable: members may have been alive meanwhile.
        away = requested - self._observed > self.gap
        self._observed = answered
        seen: dict[str, tuple[str, float]] = {}
        for member, version in versions.items():
            known = self._seen.get(member)
            same = known is not None and known[0] == version and (not away or member in self._dead)
            seen[member] = known if known and same else (version, answered)
        self._seen = seen
        self._dead = {member for member, (_, since) in seen.items() if requested - since >= self.duration}
        return seen.keys() - self._dead

    def silent_for(self, member: str, now: float) -> float:
        """Return the seconds since a member's last heartbeat."""
        return now - self._seen[member][1] if member in self._seen else 0.0
