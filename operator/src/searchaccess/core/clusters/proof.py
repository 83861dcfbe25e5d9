"""What tokens of the operator's own prove about a JWT realm: settings say what should happen, these what does."""

from dataclasses import dataclass
from typing import Final

from searchaccess.api.conditions.reasons import Reason
from searchaccess.core.clusters.realm import WantedRealm

_SUFFIX: Final = ".not-declared.invalid"


@dataclass(frozen=True, slots=True)
class Proof:
    """What became of two tokens of the operator's own."""

    accepted_by: str = ""
    """Name of the realm that accepted one for the declared audience; empty: it was refused."""
    wrongly_by: str = ""
    """Name of the realm that accepted one for another audience; empty: it was refused, as it should be."""
    trouble: str = ""
    """Why none could be tried."""


def undeclared(audience: str) -> str:
    """Return an audience for which no realm should accept a token."""
    return f"{audience}{_SUFFIX}"


def judge_proof(proof: Proof | None, wanted: WantedRealm | None) -> tuple[bool | None, Reason, str]:
    """Return whether the realm is proven (None: not known), and why.

    Args:
        proof: what became of the tokens; None: the operator has none of its own.
        wanted: the realm that should accept the one and refuse the other.
    """
    if proof is None or wanted is None:
        return None, Reason.REALM_NOT_PROVEN, "the operator has no Google identity to try: spec.login.googleIdentity"
    if proof.trouble:
        return None, Reason.REALM_NOT_PROVEN, proof.trouble
    if proof.wrongly_by:
        message = f"realm {proof.wrongly_by} accepts a token for {undeclared(wanted.audience)}, which nobody declares"
        return False, Reason.REALM_ACCEPTS_OTHERS, message
    if not proof.accepted_by:
        message = f"a token of the operator's own for {wanted.audience} is refused"
        return False, Reason.REALM_REFUSES, message
    if proof.accepted_by != wanted.name:
        message = f"realm {proof.accepted_by} accepts a token for {wanted.audience}, not {wanted.name}"
        return False, Reason.REALM_REFUSES, message
    return True, Reason.REALM_PROVEN, f"a token for {wanted.audience} is accepted, one for another audience refused"
