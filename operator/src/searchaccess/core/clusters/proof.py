"""Tests a JWT realm with the operator's own tokens: settings say what should happen, tokens show what happens."""

from dataclasses import dataclass
from typing import Final

from searchaccess.api.conditions.reasons import Reason
from searchaccess.core.clusters.realm import WantedRealm

_SUFFIX: Final = ".not-declared.invalid"


@dataclass(frozen=True, slots=True)
class Proof:
    """Result of trying two of the operator's own tokens."""

    accepted_by: str = ""
    """Name of the realm that accepted one for the declared audience; empty: it was refused."""
    wrongly_by: str = ""
    """Name of the realm that accepted one for another audience; empty: it was rejected, as expected."""
    trouble: str = ""
    """Why no token could be tried."""


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
        text = "the operator has no Google identity to test the realm with: set spec.login.googleIdentity"
        return None, Reason.REALM_NOT_PROVEN, text
    if proof.trouble:
        return None, Reason.REALM_NOT_PROVEN, proof.trouble
    if proof.wrongly_by:
        message = f"realm {proof.wrongly_by} accepts a token for {undeclared(wanted.audience)}, which is not declared"
        return False, Reason.REALM_ACCEPTS_OTHERS, message
    if not proof.accepted_by:
        message = f"the operator's own token for {wanted.audience} is rejected"
        return False, Reason.REALM_REFUSES, message
    if proof.accepted_by != wanted.name:
        message = f"realm {proof.accepted_by} accepts a token for {wanted.audience}, not {wanted.name}"
        return False, Reason.REALM_REFUSES, message
    text = f"a token for {wanted.audience} is accepted, and one for another audience is rejected"
    return True, Reason.REALM_PROVEN, text
