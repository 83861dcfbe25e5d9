"""What tokens of the operator's own prove."""

import pytest

from searchaccess.api.conditions.reasons import Reason
from searchaccess.core.clusters.proof import Proof, judge_proof, undeclared
from searchaccess.core.clusters.realm import WantedRealm

WANTED = WantedRealm("google", "https://search.example.com", "https://accounts.google.com")

CASES: dict[str, tuple[Proof | None, bool | None, Reason, str]] = {
    "no identity": (None, None, Reason.REALM_NOT_PROVEN, "spec.login.googleIdentity"),
    "no token": (Proof(trouble="no token"), None, Reason.REALM_NOT_PROVEN, "no token"),
    "as declared": (Proof("google"), True, Reason.REALM_PROVEN, WANTED.audience),
    "refused": (Proof(), False, Reason.REALM_REFUSES, "is rejected"),
    "another realm": (Proof("older"), False, Reason.REALM_REFUSES, "realm older accepts"),
    "others accepted": (Proof("google", "older"), False, Reason.REALM_ACCEPTS_OTHERS, undeclared(WANTED.audience)),
}


@pytest.mark.parametrize(("proof", "proven", "reason", "text"), CASES.values(), ids=CASES)
def test_judge_proof(proof: Proof | None, *, proven: bool | None, reason: Reason, text: str) -> None:
    found = judge_proof(proof, WANTED)
    assert found[:2] == (proven, reason)
    assert text in found[2]


def test_of_a_cluster_that_cannot_be_read_nothing_is_proven() -> None:
    assert judge_proof(Proof("google"), None)[0] is None
