"""Rights that were released: what is remembered, what counts, and what goes."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from searchaccess.api.clusters.orphans import ReleasedSelector
from searchaccess.api.clusters.status import RELEASED_ENTRIES_LIMIT, ReleasedRights
from searchaccess.api.conditions.reasons import Reason
from searchaccess.core.model.access import Access, Share
from searchaccess.core.model.admission import Admission
from searchaccess.core.model.canonical import Entry, RoleBody
from searchaccess.core.ownership.released import (
    Remembered,
    RoleInForce,
    believed,
    in_short,
    release,
    still_there,
    to_revoke,
    without_revoked,
)
from searchaccess.core.policy.decision import Do
from tests.unit.builders import NOW, PRINCIPAL, ROLE, a_grant, an_access
from tests.unit.model.grants.test_kibana import SALES


def an_entry(name: str, *privileges: str, **more: Any) -> Entry:
    return Entry((name,), privileges or ("read",), **more)


def item(*entries: Entry, uid: str = "uid-a", cluster: tuple[str, ...] = (), **more: Any) -> ReleasedRights:
    known: dict[str, Any] = {"namespace": "shop", "name": "a", "role": ROLE, "principal": PRINCIPAL, "rights": "r a"}
    hashes = [entry.hash for entry in entries]
    return ReleasedRights(**known | {"uid": uid, "since": NOW, "entries": hashes, "cluster": list(cluster)} | more)


A, B, C = an_entry("a"), an_entry("b"), an_entry("c")


def gone(**more: Any) -> Access:
    return an_access("a", deleted_at=NOW, deletionPolicy="Orphan", **more)


class TestRelease:
    def test_what_is_not_remembered_is_remembered_first(self) -> None:
        remember, held = release(ROLE, PRINCIPAL, [(gone(), Share((A,), ("monitor",)))], Remembered())
        assert [(one.namespace, one.name, one.uid, one.role, one.principal) for one in remember] == [
            ("shop", "a", "uid-a", ROLE, PRINCIPAL)
        ]
        assert (remember[0].entries, remember[0].cluster, remember[0].rights) == ([A.hash], ["monitor"], "* a +cluster")
        assert held["uid-a"].do is Do.HOLD
        assert held["uid-a"].reason is Reason.PENDING

    def test_what_kubernetes_has_is_released(self) -> None:
        known = item(A)
        assert release(ROLE, PRINCIPAL, [(gone(), Share((A,)))], Remembered((known,), confirmed=(known,))) == ((), {})

    def test_what_was_not_written_yet_waits(self) -> None:
        remember, held = release(ROLE, PRINCIPAL, [(gone(), Share((A,)))], Remembered((item(A),)))
        assert (remember, list(held)) == ((), ["uid-a"])

    def test_what_changed_meanwhile_is_remembered_anew(self) -> None:
        known = item(A)
        remember, held = release(ROLE, PRINCIPAL, [(gone(), Share((B,)))], Remembered((known,), confirmed=(known,)))
        assert ([one.entries for one in remember], list(held)) == ([[B.hash]], ["uid-a"])

    def test_who_has_nothing_waits_for_nothing(self) -> None:
        assert release(ROLE, PRINCIPAL, [(gone(), Share())], Remembered(full=True)) == ((), {})

    def test_what_has_no_room_waits(self) -> None:
        many = tuple(an_entry(f"i-{number}") for number in range(RELEASED_ENTRIES_LIMIT + 1))
        for share, remembered in ((Share((A,)), Remembered(full=True)), (Share(many), Remembered())):
            remember, held = release(ROLE, PRINCIPAL, [(gone(), share)], remembered)
            assert remember == ()
            assert held["uid-a"].reason is Reason.RELEASED_LIST_FULL
            assert "spec.orphans.revoke" in held["uid-a"].message

    def test_what_is_listed_has_its_room(self) -> None:
        known = item(A)
        remembered = Remembered((known,), confirmed=(known,), full=True)
        assert release(ROLE, PRINCIPAL, [(gone(), Share((A,)))], remembered) == ((), {})

    def test_what_nobody_can_declare_is_not_released(self) -> None:
        share = Share((A, an_entry("x", restricted=True)), ("all", "monitor"))
        remember, _ = release(ROLE, PRINCIPAL, [(gone(), share)], Remembered())
        assert [(one.entries, one.cluster) for one in remember] == [([A.hash], ["monitor"])]

    def test_a_rehearsal_waits_for_no_write(self) -> None:
        remember, held = release(ROLE, PRINCIPAL, [(gone(), Share((A,)))], Remembered(rehearsed=True))
        assert (len(remember), held) == (1, {})


@pytest.mark.parametrize(
    ("grants", "more", "text"),
    [
        ([a_grant("orders-*")], {}, "r orders-*"),
        ([a_grant("orders-*", can=["read", "write"]), a_grant("x")], {}, "rw orders-* +1"),
        ([a_grant("orders-*", privileges=["maintenance"])], {}, "r* orders-*"),
        ([a_grant("orders-*", can=["read", "write"], fields={"exclude": ["ssn"]})], {}, "rw~ orders-*"),
        ([a_grant("orders-*", where={"term": {"region": "eu"}})], {}, "r~ orders-*"),
        ([], {"clusterCan": ["monitor"]}, "cluster"),
        ([a_grant("logs-*", remoteClusters=["eu"])], {}, "r eu:logs-*"),
        ([a_grant("orders-*"), a_grant("logs-*", remoteClusters=["eu", "us"])], {}, "r orders-* +2 +remote"),
        ([a_grant("orders-*")], {"kibana": [SALES]}, "r orders-* +kibana"),
        ([], {"kibana": [SALES]}, "kibana"),
        ([a_grant("a")], {"kibana": [SALES], "clusterCan": ["monitor"]}, "r a +cluster +kibana"),
    ],
)
def test_it_is_said_as_it_was_declared(grants: list[dict[str, Any]], more: dict[str, Any], text: str) -> None:
    access = an_access(grants=grants, **more)
    assert in_short(access.share) == text == access.summary


@pytest.mark.parametrize(
    ("selector", "goes"),
    [
        ({"namespace": "shop"}, True),
        ({"namespace": "shop", "name": "a"}, True),
        ({"namespace": "shop", "name": "b"}, False),
        ({"namespace": "billing"}, False),
        ({"role": ROLE}, True),
        ({"role": "another"}, False),
    ],
)
def test_what_is_named_goes(selector: dict[str, str], *, goes: bool) -> None:
    assert to_revoke(item(A), [ReleasedSelector(**selector)]) is goes


def test_what_is_of_a_namespace_that_is_not_allowed_goes() -> None:
    assert to_revoke(item(A), [], Admission.REFUSED)
    assert not to_revoke(item(A), [], Admission.UNKNOWN)
    assert not to_revoke(item(A, namespace=""), [], Admission.REFUSED), "it is not known whose it was"


@pytest.mark.parametrize(
    "selector", [{}, {"name": "a"}, {"namespace": "shop", "role": ROLE}, {"name": "a", "role": ROLE}]
)
def test_a_selector_says_one_thing(selector: dict[str, str]) -> None:
    with pytest.raises(ValueError, match="exactly one of namespace"):
        ReleasedSelector(**selector)


class TestARoleThatIsNobodys:
    def test_without_anything_left_it_goes(self) -> None:
        body = RoleBody(("monitor",), (A, B))
        assert without_revoked(body, Remembered(revoked=(item(A, B, cluster=("monitor",)),))) is None

    def test_what_others_added_stays(self) -> None:
        left = without_revoked(
            RoleBody(("monitor", "all"), (A, C)), Remembered(revoked=(item(A, cluster=("monitor",)),))
        )
        assert left == RoleBody(("all",), (C,))

    def test_what_stays_is_not_taken_with_its_like(self) -> None:
        remembered = Remembered((item(A, uid="uid-b", cluster=("monitor",)),), (item(A, B, cluster=("monitor",)),))
        assert without_revoked(RoleBody(("monitor",), (A, B)), remembered) == RoleBody(("monitor",), (A,))
        assert without_revoked(RoleBody((), (A, A, B)), remembered) == RoleBody((), (A,))

    def test_what_it_gives_otherwise_keeps_it(self) -> None:
        left = without_revoked(RoleBody((), (A,), other='{"run_as":["x"]}'), Remembered(revoked=(item(A),)))
        assert left == RoleBody(other='{"run_as":["x"]}')


class TestWhatIsThere:
    def test_what_is_in_the_role_stays(self) -> None:
        assert still_there([item(A)], RoleInForce(ROLE, PRINCIPAL, RoleBody((), (A, B)))) == [item(A)]

    def test_what_is_gone_leaves(self) -> None:
        role = RoleInForce(ROLE, PRINCIPAL, RoleBody(("monitor",), (B,)))
        assert still_there([item(A)], role) == [None]
        assert still_there([item(A)], None) == [None]
        assert still_there([item(A, B, cluster=("monitor", "read_ilm"))], role) == [item(B, cluster=("monitor",))]

    def test_what_a_declared_access_has_is_not_released(self) -> None:
        role = RoleInForce(ROLE, PRINCIPAL, RoleBody((), (A,)), owned=(A.hash,), owners=frozenset({"uid-b"}))
        assert still_there([item(A)], role) == [None]
        assert still_there([item(A, uid="uid-b")], role) == [item(A, uid="uid-b")], "it is not released yet"

    def test_one_entry_is_not_there_twice(self) -> None:
        role = RoleInForce(ROLE, PRINCIPAL, RoleBody((), (A,)))
        assert still_there([item(A), item(A, uid="uid-b")], role) == [item(A), None]


class TestWhatIsBelievedOnce:
    @pytest.mark.parametrize(
        "entry",
        [
            an_entry("x", restricted=True),
            an_entry("x", other='{"unknown":1}'),
            an_entry("x", "cross_cluster_replication"),
            an_entry("x", "indices:admin/*"),
            Entry((), ("read",)),
        ],
    )
    def test_what_nobody_can_declare_was_never_released(self, entry: Entry) -> None:
        role = RoleInForce(ROLE, PRINCIPAL, RoleBody(("all", "monitor"), (A, entry)))
        (found,) = believed(role, [A.hash, entry.hash], ["all", "monitor"])
        assert (found.entries, found.cluster) == ([A.hash], ["monitor"])
        assert (found.namespace, found.name, found.uid, found.role) == ("", "", "", ROLE)

    def test_what_is_declared_is_not_released_too(self) -> None:
        role = RoleInForce(ROLE, PRINCIPAL, RoleBody((), (A,)), owned=(A.hash,))
        assert believed(role, [A.hash], []) == []

    @given(st.integers(0, 3 * RELEASED_ENTRIES_LIMIT))
    def test_all_of_it_is_taken_in_parts(self, number: int) -> None:
        entries = tuple(an_entry(f"i-{one}") for one in range(number))
        role = RoleInForce(ROLE, PRINCIPAL, RoleBody(("monitor",), entries))
        found = believed(role, [entry.hash for entry in entries], ["monitor"])
        assert [entry for one in found for entry in one.entries] == [entry.hash for entry in entries]
        assert [one.cluster for one in found] == [["monitor"], *[[]] * (len(found) - 1)]
