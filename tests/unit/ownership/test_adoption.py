"""Adoption: what is agreed to, for an object as it was seen, once."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from searchaccess.api.clusters.ownership import Adoption
from searchaccess.api.clusters.status import ADOPTED_LIMIT, AdoptedStatus
from searchaccess.api.conditions.reasons import Reason
from searchaccess.core.ownership.adoption import Agreed, Request, agreed_by, judge, recorded, seen_as, written_again
from tests.unit.builders import NOW, OPERATOR, ROLE

SEEN = seen_as("role", ROLE, {"cluster": ["all"]}, {"made_by": "hand"})
OTHER_HASH = "0123456789abcdef"
WAITING = Agreed("prod", {ROLE: SEEN.hash})
RECORDED = replace(WAITING, adopted={(ROLE, SEEN.hash): ""})
DONE = replace(WAITING, adopted={(ROLE, SEEN.hash): NOW})


def test_the_hash_is_of_the_whole_content_and_of_nothing_else() -> None:
    assert seen_as("role", "another", {"cluster": ["all"]}, {"made_by": "hand"}).hash == SEEN.hash
    assert seen_as("role", ROLE, {"cluster": []}, {"made_by": "hand"}).hash != SEEN.hash
    assert seen_as("role", ROLE, {"cluster": ["all"]}, {}).hash != SEEN.hash


def test_it_is_recorded_first_then_adopted_and_then_never_again() -> None:
    asked = judge(SEEN, WAITING)
    assert (asked.adopts, asked.asks, asked.refusal and asked.refusal.reason) == (False, True, Reason.PENDING)
    assert judge(SEEN, RECORDED).adopts
    again = judge(SEEN, DONE)
    assert (again.adopts, again.asks, again.refusal and again.refusal.reason) == (
        False,
        False,
        Reason.CONTROLLERS_FIGHT,
    )
    assert again.refusal
    assert NOW in again.refusal.message


def test_a_dry_run_records_nothing() -> None:
    assert judge(SEEN, replace(WAITING, at_once=True)).adopts
    assert not judge(SEEN, replace(DONE, at_once=True)).adopts


def test_other_content_after_an_adoption_is_a_fight_until_that_is_agreed_to_as_well() -> None:
    changed = seen_as("role", ROLE, {"cluster": ["monitor"]}, {"made_by": "hand"})
    refusal = judge(changed, DONE).refusal
    assert refusal
    assert refusal.reason is Reason.CONTROLLERS_FIGHT
    assert judge(changed, replace(DONE, objects={ROLE: changed.hash})).asks
    stale = judge(changed, replace(DONE, objects={ROLE: OTHER_HASH})).refusal
    assert stale
    assert stale.reason is Reason.OWNERSHIP_CONFLICT
    assert changed.hash in stale.message


def test_what_we_released_ourselves_is_no_fight_and_each_state_is_adopted_once() -> None:
    released = seen_as("role", ROLE, {"cluster": []}, {"released_by": "searchaccess.dev"})
    refusal = judge(released, DONE).refusal
    assert refusal
    assert refusal.reason is Reason.OWNERSHIP_CONFLICT
    assert "spec.adoption.objects" in refusal.message
    once = judge(released, Agreed("prod", {ROLE: released.hash}, adopted={(ROLE, released.hash): NOW})).refusal
    assert once
    assert once.reason is Reason.OWNERSHIP_CONFLICT
    assert "released since" in once.message


@pytest.mark.parametrize(
    "text", ["", "true", ROLE, f"{ROLE}@", f"{ROLE}@{OTHER_HASH}", f"x{ROLE}@{SEEN.hash}", "@", SEEN.hash]
)
def test_an_annotation_adopts_only_what_it_names_as_it_is(text: str) -> None:
    assert not judge(SEEN, Agreed("prod"), [Request(text)]).asks


def test_an_annotation_counts_only_where_the_platform_takes_it() -> None:
    text = f"{ROLE}@{SEEN.hash}"
    assert judge(SEEN, Agreed("prod"), [Request(text, "shop")]).asks
    refused = judge(SEEN, Agreed("prod"), [Request(text, "shop", counts=False)])
    assert not refused.asks
    assert refused.refusal
    assert "does not count in namespace shop: the platform team decides" in refused.refusal.message


def test_the_message_names_the_life_that_wrote_it_and_the_decision_about_that() -> None:
    theirs = seen_as("role", ROLE, {}, replace(OPERATOR, controller="former").stamp())
    refusal = judge(theirs, Agreed("prod")).refusal
    assert refusal
    assert f"instance {OPERATOR.instance} of controller former" in refusal.message
    assert "spec.takeOver" in refusal.message
    again = written_again(theirs)
    assert again.reason is Reason.CONTROLLERS_FIGHT
    assert f"hash: {theirs.hash}" in again.message


def test_what_is_remembered_is_bounded_and_keeps_the_newest() -> None:
    known: list[AdoptedStatus] = []
    for number in range(ADOPTED_LIMIT + 20):
        for at in (None, NOW):
            known = recorded(known, AdoptedStatus(name=ROLE, hash=f"{number:016x}", at=at))
    assert len(known) == ADOPTED_LIMIT
    assert known[-1] == AdoptedStatus(name=ROLE, hash=f"{ADOPTED_LIMIT + 19:016x}", at=NOW)


def test_what_a_search_cluster_says_and_remembers_is_what_is_agreed_to() -> None:
    adoption = Adoption.model_validate({"objects": [{"name": ROLE, "hash": SEEN.hash}]})
    assert agreed_by(adoption, "prod", [AdoptedStatus(name=ROLE, hash=SEEN.hash)]) == RECORDED
    assert agreed_by(adoption, "prod", [AdoptedStatus(name=ROLE, hash=SEEN.hash, at=NOW)]) == DONE


@given(
    objects=st.dictionaries(st.sampled_from([ROLE, "x"]), st.sampled_from([SEEN.hash, OTHER_HASH])),
    adopted=st.dictionaries(
        st.tuples(st.sampled_from([ROLE, "x"]), st.sampled_from([SEEN.hash, OTHER_HASH])), st.sampled_from(["", NOW])
    ),
    requests=st.lists(
        st.builds(
            Request, st.sampled_from([ROLE, f"{ROLE}@{SEEN.hash}", f"x@{SEEN.hash}"]), st.just("shop"), st.booleans()
        )
    ),
)
def test_nothing_is_adopted_without_consent_nor_twice(
    objects: dict[str, str], adopted: dict[tuple[str, str], str], requests: list[Request]
) -> None:
    judged = judge(SEEN, Agreed("prod", objects, adopted=adopted), requests)
    consent = objects.get(ROLE) == SEEN.hash or any(
        request.counts and request.text == f"{ROLE}@{SEEN.hash}" for request in requests
    )
    assert (judged.adopts or judged.asks) == (consent and not adopted.get((ROLE, SEEN.hash)))
    assert judged.adopts == (consent and adopted.get((ROLE, SEEN.hash)) == "")
    assert judged.adopts == (judged.refusal is None)
