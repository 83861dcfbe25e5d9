"""Which limits a caller of a gateway has."""

from collections.abc import Mapping
from dataclasses import replace
from itertools import permutations
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from searchaccess.api.clusters.gateway import GatewayLimits
from searchaccess.api.vocabulary.apigroups import ApiGroup
from searchaccess.core.gateway.limits import (
    UNREAD,
    callers_limits,
    default_limits,
    limits_of,
    strictest,
    with_callers,
)
from searchaccess.core.gateway.settings import CallerLimits, Rate
from searchaccess.core.gateway.sharing import UNLIMITED, InForce, Sharing
from searchaccess.core.model.access import Access
from searchaccess.core.model.admission import Admission
from searchaccess.core.model.consent import Consent, ConsentState
from searchaccess.core.model.limits import SIZE, DeclaredLimits, bytes_of, is_within, limits_in, shown_bytes
from searchaccess.core.model.timeboxes.timebox import Term, Validity
from searchaccess.core.model.verdict import Outcome, PolicyOutcome, PolicyVerdict
from searchaccess.core.policy.guardrails.policy import policy_from_object
from tests.support.runs.effort import examples
from tests.unit.builders import PRINCIPAL, a_grant, an_access

MIB = 2**20
DEFAULT = CallerLimits(100 * MIB, Rate(50, 100))
FREE = CallerLimits(100 * MIB)
DOCUMENTS, SEARCH, BULK, SQL = ApiGroup.DOCUMENTS, ApiGroup.SEARCH, ApiGroup.BULK, ApiGroup.SQL
AGENT = (("searchaccess.dev/workload", "ai-agent"),)
READS, WRITES = [a_grant()], [a_grant(can=["read", "append"])]
DENIED = PolicyVerdict((PolicyOutcome("p", Outcome.DENIED, ("no",)),))
UNDECIDED = PolicyVerdict(unknown="policies are still being compared with it")

limits_st = st.builds(
    CallerLimits,
    max_body=st.integers(1, 5),
    rate=st.none() | st.tuples(st.integers(1, 5), st.integers(0, 5)).map(lambda pair: Rate(pair[0], sum(pair))),
    groups=st.none() | st.frozensets(st.sampled_from(ApiGroup)),
)


def no_looser(one: CallerLimits, other: CallerLimits) -> bool:
    slower = other.rate is None or (
        one.rate is not None and one.rate.per_second <= other.rate.per_second and one.rate.burst <= other.rate.burst
    )
    fewer = other.groups is None or (one.groups is not None and one.groups <= other.groups)
    return one.max_body <= other.max_body and slower and fewer


def limited(name: str = "orders", *, grants: Any = READS, agent: bool = False, **limits: Any) -> Access:
    access = an_access(name, grants=grants, **({"limits": limits} if limits else {}))
    assert not access.invalid
    return replace(access, labels=AGENT) if agent else access


def in_force(access: Access, members: list[Access], default: CallerLimits) -> InForce | None:
    return Sharing(members, default).about(access)


def stricter(access: Access, members: list[Access], default: CallerLimits) -> tuple[str, ...]:
    found = in_force(access, members, default)
    assert found is not None
    assert found.limits == limits_of(members, default)
    assert set(found.limiting) == {each.ref for each in members if access.ref in limited_by(each, members, default)}
    return found.limited_by


def limited_by(access: Access, members: list[Access], default: CallerLimits) -> tuple[str, ...]:
    found = in_force(access, members, default)
    return found.limited_by if found else ()


@given(one=limits_st, two=limits_st, three=limits_st)
@settings(max_examples=examples(1000))
def test_limits_combine_in_any_order_and_are_never_looser_than_a_part(
    one: CallerLimits, two: CallerLimits, three: CallerLimits
) -> None:
    both = strictest(one, two)
    assert both == strictest(two, one)
    assert strictest(both, three) == strictest(one, strictest(two, three))
    assert strictest(one, one) == one
    assert no_looser(both, one)
    assert no_looser(both, two)
    assert both.rate is None or both.rate.burst >= both.rate.per_second


@given(
    declared=st.lists(
        st.fixed_dictionaries(
            {},
            optional={
                "requestsPerSecond": st.integers(1, 200),
                "maxBody": st.sampled_from(["1Ki", "3Mi", "1Gi"]),
                "apis": st.lists(st.sampled_from([str(group) for group in ApiGroup]), min_size=1, unique=True),
            },
        ),
        min_size=1,
        max_size=4,
    ),
    agents=st.lists(st.booleans(), min_size=4, max_size=4),
)
@settings(max_examples=examples(300))
def test_no_further_search_access_lifts_a_limit(declared: list[Mapping[str, Any]], agents: list[bool]) -> None:
    members = [
        limited(f"access-{number}", agent=agent, **limits)
        for number, (limits, agent) in enumerate(zip(declared, agents, strict=False))
    ]
    together = limits_of(members, DEFAULT)
    assert all(no_looser(together, limits_of([member], DEFAULT)) for member in members)
    assert {limits_of(order, DEFAULT) for order in permutations(members)} == {together}


def test_what_is_not_declared_is_the_clusters_default() -> None:
    assert limits_of([limited()], DEFAULT) == DEFAULT
    assert limits_of([limited(maxBody="1Mi")], DEFAULT) == CallerLimits(MIB, DEFAULT.rate)
    assert limits_of([], DEFAULT) == DEFAULT


def test_one_search_access_may_declare_more_than_the_default() -> None:
    assert limits_of([limited(requestsPerSecond=500)], DEFAULT).rate == Rate(500, 1000)


def test_another_without_limits_keeps_the_default() -> None:
    fast, plain = limited("fast", requestsPerSecond=500), limited("plain")
    assert limits_of([fast, plain], DEFAULT) == DEFAULT
    assert stricter(fast, [fast, plain], DEFAULT) == (plain.ref,)
    assert stricter(plain, [fast, plain], DEFAULT) == ()


def test_several_declare_what_is_allowed_together() -> None:
    one = limited("one", requestsPerSecond=10, burst=100, maxBody="1Mi", apis=["Search", "Sql"])
    two = limited("two", requestsPerSecond=20, burst=20, maxBody="2Mi", apis=["Search", "Documents"])
    assert limits_of([one, two], FREE) == CallerLimits(MIB, Rate(10, 20), frozenset({SEARCH}))
    assert stricter(one, [one, two], FREE) == (two.ref,)
    assert stricter(two, [one, two], FREE) == (one.ref,)


def test_those_that_share_no_part_of_the_api_allow_none() -> None:
    both = [limited("one", apis=["Sql"]), limited("two", apis=["Search"])]
    assert limits_of(both, FREE).groups == frozenset()


@pytest.mark.parametrize(
    ("members", "groups"),
    [
        ([limited(agent=True)], {DOCUMENTS, SEARCH}),
        ([limited(agent=True, grants=WRITES)], {DOCUMENTS, SEARCH, BULK}),
        ([limited(agent=True, grants=[a_grant(can=[], privileges=["maintenance"])])], {DOCUMENTS, SEARCH, BULK}),
        ([limited(agent=True, grants=[a_grant(can=["read", "monitor", "manage"])])], {DOCUMENTS, SEARCH}),
        ([limited(agent=True), limited("writes", grants=WRITES)], {DOCUMENTS, SEARCH, BULK}),
        ([limited(agent=True, apis=["Search", "Sql"])], {SEARCH, SQL}),
        ([limited(agent=True), limited("sql", apis=["Search", "Sql"])], {SEARCH}),
        ([limited("plain"), limited(agent=True)], {DOCUMENTS, SEARCH}),
    ],
)
def test_an_ai_agent_may_call_few_parts_of_the_api_unless_declared(
    members: list[Access], groups: set[ApiGroup]
) -> None:
    assert limits_of(members, DEFAULT) == replace(DEFAULT, groups=frozenset(groups))


@pytest.mark.parametrize(
    "change",
    [
        {"admission": Admission.REFUSED},
        {"verdict": DENIED},
        {"validity": Validity(Term.EXPIRED)},
        {"validity": Validity(Term.NOT_YET)},
    ],
    ids=["its namespace", "a policy", "its end", "its beginning"],
)
def test_what_gets_no_rights_limits_nobody(change: Mapping[str, Any]) -> None:
    strict = replace(limited("strict", requestsPerSecond=1), **change)
    assert limits_of([strict, limited()], DEFAULT) == DEFAULT
    assert stricter(limited(), [strict, limited()], DEFAULT) == ()


@pytest.mark.parametrize("spec", [{"suspend": True}, {"mode": "Observe"}], ids=["suspended", "observed"])
def test_rights_that_stay_keep_their_limits(spec: Mapping[str, Any]) -> None:
    access = an_access(limits={"requestsPerSecond": 1}, **spec)
    assert limits_of([access], DEFAULT).rate == Rate(1, 2)


def test_what_is_being_deleted_limits_its_caller_until_its_rights_are_gone() -> None:
    ending = an_access(limits={"requestsPerSecond": 1}, deleted_at="2026-06-01T00:00:00Z")
    assert limits_of([ending, limited("other")], DEFAULT).rate == Rate(1, 2)
    assert limits_of([replace(ending, finalizers=("example.com/other",)), limited("other")], DEFAULT) == DEFAULT


def test_an_error_in_the_spec_of_an_agent_that_writes_does_not_refuse_what_it_writes() -> None:
    """Its rights stay as they are, and what it may write is not known."""
    agent = replace(an_access(mode="Sometimes"), labels=(("searchaccess.dev/workload", "ai-agent"),))
    assert agent.is_unreadable
    assert limits_of([agent], DEFAULT).groups == frozenset({DOCUMENTS, SEARCH, BULK})


def test_each_part_of_the_limits_has_one_that_it_comes_from() -> None:
    slow, small, few = limited("a", requestsPerSecond=1), limited("b", maxBody="1Ki"), limited("c", apis=["Sql"])
    also_slow, plain = limited("d", requestsPerSecond=1), limited("e")
    members = [slow, small, few, also_slow, plain]
    assert in_force(plain, members, DEFAULT) == InForce(
        CallerLimits(1024, Rate(1, 2), frozenset({SQL})), (small.ref, slow.ref, few.ref)
    )
    found = in_force(slow, members, DEFAULT)
    assert found is not None
    assert (found.limited_by, found.limiting) == ((small.ref, few.ref), (small.ref, few.ref, plain.ref))
    # It limits them as much, but it is the first that is named.
    found = in_force(also_slow, members, DEFAULT)
    assert found is not None
    assert (found.limited_by, found.limiting) == ((small.ref, few.ref), ())


def test_one_that_names_all_parts_of_the_api_limits_those_that_name_none() -> None:
    every, plain = limited("every", apis=[str(group) for group in ApiGroup]), limited("plain")
    found = in_force(plain, [every, plain], DEFAULT)
    assert found is not None
    assert found.limited_by == (every.ref,)


def test_of_many_that_are_limited_some_are_named() -> None:
    members = [limited("slow", requestsPerSecond=1), *(limited(f"n{number}") for number in range(30))]
    found = in_force(members[0], members, DEFAULT)
    assert found is not None
    assert len(found.limiting) == 10


def test_what_has_no_rights_shows_no_limits_and_nothing_is_shown_of_what_cannot_be_read() -> None:
    refused = replace(limited(), verdict=DENIED)
    unreadable = an_access("other", limits={"requestsPerSecond": None})
    assert in_force(refused, [refused, limited("other")], DEFAULT) == UNLIMITED
    assert in_force(limited(), [limited(), unreadable], DEFAULT) is None


def test_an_error_elsewhere_in_the_spec_lifts_no_limit() -> None:
    access = an_access(limits={"requestsPerSecond": 1, "apis": ["Search"]}, mode="Sometimes")
    assert access.invalid
    assert limits_of([access], DEFAULT) == CallerLimits(DEFAULT.max_body, Rate(1, 2), frozenset({SEARCH}))


@pytest.mark.parametrize(
    "limits",
    [
        None,
        {},
        [],
        "none",
        {"requestsPerSecond": None},
        {"requestsPerSecond": 0},
        {"requestsPerSecond": True},
        {"requestsPerSecond": 100_001},
        {"requestsPerSecond": 5, "burst": 4},
        {"requestsPerSecond": 5, "burst": None},
        {"burst": 5},
        {"maxBody": "0"},
        {"maxBody": "0Mi"},
        {"maxBody": 0},
        {"maxBody": "1Ti"},
        {"apis": []},
        {"apis": ["All"]},
        {"apis": ["Search", None]},
        {"apis": "Search"},
        {"requestPerSecond": 5},
    ],
)
def test_limits_that_cannot_be_read_leave_those_that_the_gateway_has(limits: Any) -> None:
    access = an_access(limits=limits)
    before = CallerLimits(MIB, Rate(1, 2), frozenset({SEARCH}))
    assert access.invalid
    assert access.limits.unreadable
    assert limits_of([access], FREE, before) == before
    assert limits_of([access], FREE) == UNREAD
    assert with_callers({PRINCIPAL: before}, {PRINCIPAL: [access]}, FREE) == {PRINCIPAL: before}
    # It is no news either for a caller that had the default.
    assert with_callers({}, {PRINCIPAL: [access]}, FREE) == {}


def test_only_callers_that_differ_from_the_default_are_listed() -> None:
    callers = {"a@x": [limited()], "b@x": [limited(requestsPerSecond=1)], "c@x": [limited(requestsPerSecond=50)]}
    assert callers_limits(callers, DEFAULT) == {"b@x": CallerLimits(DEFAULT.max_body, Rate(1, 2))}


def test_a_grant_changes_no_limits_and_the_same_object_is_kept() -> None:
    before = callers_limits({PRINCIPAL: [limited(maxBody="1Mi")], "b@x": [limited(maxBody="2Mi")]}, DEFAULT)
    for members in ([limited(maxBody="1Mi", grants=WRITES)], [limited(maxBody="1Mi"), limited("more")]):
        assert with_callers(before, {PRINCIPAL: members}, DEFAULT) is before
    assert with_callers(before, {"c@x": [limited()]}, DEFAULT) is before


def test_one_caller_changes_as_if_all_were_computed_again() -> None:
    callers = {PRINCIPAL: [limited(maxBody="1Mi")], "b@x": [limited(maxBody="2Mi")]}
    before = callers_limits(callers, DEFAULT)
    for members in ([limited(maxBody="3Mi")], [limited()], []):
        changed = with_callers(before, {PRINCIPAL: members}, DEFAULT)
        assert changed == callers_limits(callers | {PRINCIPAL: members}, DEFAULT)
    assert callers_limits(callers, DEFAULT) == before


@pytest.mark.parametrize(
    ("declared", "limits"),
    [
        ({}, CallerLimits(100 * MIB)),
        ({"requestsPerSecond": 50}, CallerLimits(100 * MIB, Rate(50, 100))),
        ({"requestsPerSecond": 50, "burst": 70, "maxBody": "1Ki"}, CallerLimits(1024, Rate(50, 70))),
        ({"requestsPerSecond": 50, "burst": 7}, CallerLimits(100 * MIB, Rate(50, 50))),
        ({"burst": 7}, CallerLimits(100 * MIB)),
        ({"requestsPerSecond": 100_000}, CallerLimits(100 * MIB, Rate(100_000, 100_000))),
    ],
)
def test_the_default_is_what_the_search_cluster_declares(declared: Mapping[str, Any], limits: CallerLimits) -> None:
    assert default_limits(GatewayLimits.model_validate(declared)) == limits


@pytest.mark.parametrize(("text", "number"), [("512Ki", 2**19), ("100Mi", 100 * MIB), ("1Gi", 2**30)])
def test_sizes(text: str, number: int) -> None:
    assert bytes_of(text) == number
    assert shown_bytes(number) == text


def test_a_size_that_the_api_server_would_refuse_is_named() -> None:
    policy = policy_from_object({"spec": {"require": {"limits": {"maxBody": "0Mi"}}}})
    assert policy.invalid == f"spec.require.limits: write {SIZE}"


def test_limits_are_within_others_only_if_each_part_is() -> None:
    wide = limits_in({"limits": {"requestsPerSecond": 10, "apis": ["Search", "Sql"], "maxBody": "1Mi"}})
    assert is_within(wide, wide)
    assert is_within(wide, DeclaredLimits())
    assert not is_within(DeclaredLimits(), wide)
    more: list[dict[str, Any]] = [{"per_second": 11}, {"burst": 21}, {"max_body": 2 * MIB}, {"apis": frozenset({BULK})}]
    for change in more:
        assert not is_within(replace(wide, **change), wide)
        absent: dict[str, Any] = dict.fromkeys(change)
        assert not is_within(replace(wide, **absent), wide)
    less: list[dict[str, Any]] = [{"per_second": 1}, {"burst": 10}, {"max_body": 1}, {"apis": frozenset({SEARCH})}]
    for change in less:
        assert is_within(replace(wide, **change), wide)
    assert not is_within(replace(wide, unreadable=True), wide)


@pytest.mark.parametrize(
    ("ending", "takes_part"),
    [
        ({"verdict": DENIED}, False),
        ({"verdict": DENIED, "holds_rights": True}, True),
        ({"verdict": UNDECIDED}, False),
        ({"verdict": UNDECIDED, "holds_rights": True}, True),
        ({"verdict": UNDECIDED, "validity": Validity(Term.NOT_YET, 9, is_near=True)}, False),
        ({"validity": Validity(Term.EXPIRED)}, False),
        ({"validity": Validity(Term.EXPIRED), "holds_rights": True}, True),
        ({"admission": Admission.REFUSED, "holds_rights": True}, True),
        ({"validity": Validity(Term.NOT_YET, 9)}, False),
        ({"validity": Validity(Term.NOT_YET, 9, is_near=True)}, True),
        ({"validity": Validity(Term.OUTSIDE, 9, is_near=True)}, True),
        ({"validity": Validity(Term.NOT_YET, 9, is_near=True), "verdict": DENIED}, False),
        ({"validity": Validity(Term.NOT_YET, 9, is_near=True), "consent": Consent(ConsentState.MISSING)}, False),
    ],
)
def test_limits_are_there_before_rights_begin_and_until_they_are_gone(
    ending: dict[str, Any],
    takes_part: bool,  # noqa: FBT001 - a table
) -> None:
    access = replace(limited(requestsPerSecond=1), **ending)
    assert (limits_of([access, limited("other")], DEFAULT) != DEFAULT) is takes_part
