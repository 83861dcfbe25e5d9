"""Proves the JWT realm with tokens of the operator's own: rarely, as each try is a login that Elasticsearch logs."""

from typing import Final

from searchaccess.core.clusters.cluster import ClusterFacts
from searchaccess.core.clusters.proof import Proof, undeclared
from searchaccess.core.clusters.realm import WantedRealm
from searchaccess.engine.state import Session
from searchaccess.ports.clock import Clock
from searchaccess.ports.errors import ExternalError

PROVE_EVERY: Final = 600.0
"""Seconds between two proofs, while neither the realm's settings nor what is declared change."""


class Prover:
    """Remembers what was proven, and of what.

    Args:
        clock: gives the time.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._next = float("-inf")
        self._of: object = None

    async def prove(self, session: Session, wanted: WantedRealm, facts: ClusterFacts) -> None:
        """Try two tokens if it is time (two requests), and note in the session's state what became of them.

        Nothing that goes wrong here concerns anything else.

        Args:
            session: the connected cluster.
            wanted: the realm that should accept the one and refuse the other.
            facts: what the check before found.
        """
        now = self._clock.monotonic()
        # Settings change when a node is started.
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
