"""Proves the JWT realm with the operator's own tokens: rarely, as Elasticsearch logs each try as a login."""

from typing import Final

from searchaccess.core.clusters.cluster import ClusterFacts
from searchaccess.core.clusters.proof import Proof, undeclared
from searchaccess.core.clusters.realm import WantedRealm
from searchaccess.engine.state import Session
from searchaccess.ports.clock import Clock
from searchaccess.ports.errors import ExternalError

PROVE_EVERY: Final = 600.0
"""Seconds between two proofs while neither the realm's nor the declared settings change."""


class Prover:
    """Remembers for which settings the realm was proven.

    Args:
        clock: gives the time.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._next = float("-inf")
        self._of: object = None

    async def prove(self, session: Session, wanted: WantedRealm, facts: ClusterFacts) -> None:
        """Try two tokens if that is due (two requests), and record the result in the session's state.

        A failure here affects nothing else.

        Args:
            session: the connected cluster.
            wanted: the realm that should accept one and refuse the other.
            facts: the facts from the preceding check.
        """
        now = self._clock.monotonic()
        # Settings change only when a node starts.
        nodes = session.state.fingerprint.nodes if session.state.fingerprint else None
        settings = (session.connection, wanted, nodes, facts.license)
        if settings == self._of and now < self._next:
            return
        session.state.proof = await _try(session, wanted)
        self._of, self._next = settings, now + PROVE_EVERY


async def _try(session: Session, wanted: WantedRealm) -> Proof | None:
    try:
        accepted = await session.port.realm_of_own(wanted.audience)
        wrongly = await session.port.realm_of_own(undeclared(wanted.audience))
    except ExternalError as error:
        return Proof(trouble=error.message)
    return None if accepted is None else Proof(accepted, wrongly or "")
