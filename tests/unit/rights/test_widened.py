"""Which SearchAccess shows what another one of the same principal, in another namespace, hides."""

from dataclasses import replace
from itertools import permutations
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from searchaccess.core.model.access import Access, Share
from searchaccess.core.model.restrictions.union import allows_fields, fields_of, matters, reads
from searchaccess.core.patterns.meeting import meet
from searchaccess.core.policy.decision import AccessDecision, Do
from searchaccess.core.rights.attribution import Shares
from searchaccess.core.rights.compose import Member
from searchaccess.core.rights.unseen import UNSEEN
from searchaccess.core.rights.widened import NOT_WIDENED, Widened, together, widened_in
from tests.support.runs.effort import examples
from tests.unit.builders import a_grant, an_access

EU: dict[str, Any] = {"where": {"term": {"region": "eu"}}}
US: dict[str, Any] = {"where": {"term": {"region": "us"}}}
REGION: dict[str, Any] = {"fields": {"include": ["region"]}}


def one(name: str, *grants: dict[str, Any], do: Do = Do.ENFORCE) -> Member:
    """Return a SearchAccess of a namespace of its own name."""
    access = replace(an_access(name, grants=list(grants)), namespace=name)
    return Member(access, AccessDecision(do))


def said(*members: Member, shares: Shares | None = None) -> dict[str, str]:
    found = widened_in(members, shares or Shares())
    return {uid.removeprefix("uid-"): each.message for uid, each in found.items()}


def test_documents_fields_and_both_are_told_apart() -> None:
    assert said(one("a", a_grant("x-*", **EU)), one("b", a_grant("x-1", **US))) == {
        "a": "SearchAccess b/b (x-1) shows documents that this one hides; "
        "this one shows documents that SearchAccess b/b (x-1) hides",
        "b": "SearchAccess a/a (x-*) shows documents that this one hides; "
        "this one shows documents that SearchAccess a/a (x-*) hides",
    }
    assert said(one("a", a_grant("x-*", **EU, **REGION)), one("b", a_grant("x-1", **EU))) == {
        "a": "SearchAccess b/b (x-1) shows fields that this one hides",
        "b": "this one shows fields that SearchAccess a/a (x-*) hides",
    }
    both = said(one("a", a_grant("x-*", **EU, **REGION)), one("b", a_grant("*")))
    assert both["a"] == "SearchAccess b/b (*) shows documents and fields that this one hides"


def test_what_shows_no_more_is_not_said() -> None:
    restricted = one("a", a_grant("x-*", **EU, **REGION))
    assert not said(restricted, one("b", a_grant("x-*", **EU, **REGION)))
    assert not said(restricted, one("b", a_grant("y-*"))), "another index"
    assert not said(restricted, one("b", a_grant("*", can=["append"]))), "it reads nothing"
    assert not said(restricted, one("b", a_grant("*", remoteClusters=["eu"]))), "another cluster"
    assert not said(one("a", a_grant("x-*")), one("b", a_grant("*"))), "nothing is hidden"
    assert not said(restricted, one("b", a_grant("*"), do=Do.REMOVE)), "it is revoked"


def test_on_remote_clusters_too() -> None:
    narrow = one("a", a_grant("x-*", remoteClusters=["eu-1"], **EU))
    assert set(said(narrow, one("b", a_grant("x-1", remoteClusters=["eu-*"])))) == {"a", "b"}


def test_rights_that_stay_count_as_the_role_has_them() -> None:
    mine, theirs = one("a", a_grant("x-*", **EU)), one("b", a_grant("y"), do=Do.HOLD)
    had = Shares({theirs.access.uid: one("b", a_grant("*")).access.share})
    assert set(said(mine, theirs, shares=had)) == {"a", "b"}
    assert set(said(mine, replace(theirs, decision=UNSEEN), shares=had)) == {"a", "b"}
    assert not said(mine, one("b", a_grant("*"), do=Do.HOLD)), "it has nothing"


def test_rights_that_were_released_belong_to_no_namespace() -> None:
    released = Shares(released=one("b", a_grant("*")).access.share)
    text = "rights released by deletionPolicy: Orphan (*) shows documents that this one hides"
    assert said(one("a", a_grant("x-*", **EU)), shares=released) == {"a": text}


def test_many_are_counted() -> None:
    found = said(one("a", a_grant("x-*", **EU)), *(one(f"b{number}", a_grant("*")) for number in range(9)))
    assert found["a"].endswith("SearchAccess b2/b2 (*) shows documents that this one hides and 6 more")


def test_too_many_to_compare_are_never_taken_for_none() -> None:
    queries: list[dict[str, Any]] = [{"where": {"term": {"region": str(number)}}} for number in range(300)]
    hiding = [one(f"a{number}", a_grant("x-*", **query)) for number, query in enumerate(queries)]
    last = one("z", a_grant("y", **EU))
    found = said(*hiding, last)
    assert found["z"] == "it has too many SearchAccesses with where and fields to compare all of them"
    assert len(found) == len(hiding) + 1
    assert "uid-plain" not in widened_in([*hiding, one("plain", a_grant("else"))], Shares())


def test_a_thousand_of_one_namespace_and_one_of_another_are_compared() -> None:
    queries: list[dict[str, Any]] = [{"where": {"term": {"region": str(number)}}} for number in range(1000)]
    mine = [replace_namespace(one(f"a{number}", a_grant("x-*", **query))) for number, query in enumerate(queries)]
    assert not said(*mine)
    found = said(*mine, one("b", a_grant("*")))
    assert len(found) == len(mine) + 1
    assert not any("too many" in message for message in found.values())


def replace_namespace(member: Member) -> Member:
    return replace(member, access=replace(member.access, namespace="a"))


def test_what_is_said_of_several_roles_is_joined() -> None:
    first = widened_in([one("a", a_grant("x-*", **EU)), one("b", a_grant("*"))], Shares())["uid-a"]
    assert together([None, None]) is None
    assert together([None, NOT_WIDENED]) == NOT_WIDENED
    assert together([first, first, NOT_WIDENED, Widened(unknown="?")]) == replace(first, unknown="?")


grants = st.builds(
    lambda name, where, fields, clusters: a_grant(name, **where, **fields, **clusters),
    st.sampled_from(["x-*", "x-1", "*-1", "y"]),
    st.sampled_from([{}, EU, US]),
    st.sampled_from([{}, REGION, {"fields": {"exclude": ["ssn"]}}]),
    st.sampled_from([{}, {}, {"remoteClusters": ["eu"]}, {"remoteClusters": ["e*", "us"]}]),
)


@settings(max_examples=examples(150))
@given(st.lists(st.lists(grants, min_size=1, max_size=2), min_size=2, max_size=4))
def test_it_is_what_a_comparison_of_all_pairs_finds(declared: list[list[dict[str, Any]]]) -> None:
    members = [one(f"a{number}", *each) for number, each in enumerate(declared)]
    found = widened_in(members, Shares())
    pairs = {
        (hides.access.uid, shows.access.uid)
        for hides, shows in permutations(members, 2)
        if shows_more(shows.access, hides.access)
    }
    assert {uid for uid, each in found.items() if each.by} == {hides for hides, _ in pairs}
    assert {uid for uid, each in found.items() if each.others} == {shows for _, shows in pairs}


def shows_more(one: Access, other: Access) -> bool:
    return any(
        (hiding.query not in {"", entry.query} or not allows_fields(fields_of(hiding), fields_of(entry)).yes)
        and (entry.clusters == hiding.clusters or (entry.clusters and meet(entry.clusters, hiding.clusters)))
        and meet(entry.indices, hiding.indices)
        for hiding in entries(other)
        for entry in entries(one)
        if matters(hiding)
    )


def entries(access: Access) -> list[Any]:
    return [entry for entry in Share(access.share.entries).on_indices if reads(entry)]
