"""Rights in Kibana: what is taken, what it becomes, and that nothing else takes it for rights on indices."""

from typing import Any

import pytest

from searchaccess.core.model.canonical import KIBANA, RoleBody, role_from_json
from searchaccess.core.patterns.cost.burden import MAX_STATES
from searchaccess.core.policy.bypass import bypasses, depends_on_others
from searchaccess.core.policy.copies import indices_to_read
from searchaccess.core.policy.decision import OPEN, Do, decide
from searchaccess.core.rights.attribution import Shares
from searchaccess.core.rights.ownership import RoleMetadata
from searchaccess.core.rights.refused.budget import over_budget
from tests.unit.builders import a_grant, a_member, an_access

SALES: dict[str, Any] = {"spaces": ["sales", "default"], "features": {"discover": "read", "dashboard_v2": "all"}}


def applications(*kibana: dict[str, Any]) -> Any:
    access = an_access(grants=[], kibana=list(kibana))
    assert access.invalid == ""
    return access.share.body.to_json()["applications"]


def test_features_in_spaces_are_privileges_of_the_application_kibana() -> None:
    assert applications(SALES) == [
        {
            "application": "kibana-.kibana",
            "privileges": ["feature_dashboard_v2.all", "feature_discover.read"],
            "resources": ["space:default", "space:sales"],
        }
    ]


@pytest.mark.parametrize(
    ("spaces", "base", "privilege", "resource"),
    [
        (["sales"], "read", "space_read", "space:sales"),
        (["sales"], "all", "space_all", "space:sales"),
        (["*"], "read", "read", "*"),
        (["*"], "all", "all", "*"),
    ],
)
def test_every_feature_is_a_privilege_of_its_own_in_one_space_and_in_all(
    spaces: list[str], base: str, privilege: str, resource: str
) -> None:
    [entry] = applications({"spaces": spaces, "base": base})
    assert (entry["privileges"], entry["resources"]) == ([privilege], [resource])


def test_each_grant_is_an_entry() -> None:
    assert len(applications(SALES, {"spaces": ["*"], "features": {"maps": "read"}})) == len(["one", "another"])


REFUSED: dict[str, tuple[dict[str, Any], str]] = {
    "no space": ({"features": {"discover": "read"}}, "spaces"),
    "an empty list of spaces": ({"spaces": [], "features": {"discover": "read"}}, "at least 1 item"),
    "every space and one": ({"spaces": ["*", "sales"], "base": "read"}, "* matches every space: write it alone"),
    "a beginning of spaces": ({"spaces": ["sales-*"], "base": "read"}, "'sales-*' is not the ID of a space"),
    "a resource": ({"spaces": ["space:sales"], "base": "read"}, "is not the ID of a space"),
    "nothing": ({"spaces": ["sales"]}, "either base, for every feature, or features"),
    "no feature": ({"spaces": ["sales"], "features": {}}, "either base, for every feature, or features"),
    "both": ({"spaces": ["sales"], "base": "read", "features": {"maps": "read"}}, "either base"),
    "a privilege as a feature": (
        {"spaces": ["sales"], "features": {"feature_discover.read": "read"}},
        "is not the ID of a feature",
    ),
    "a wildcard as a feature": ({"spaces": ["sales"], "features": {"*": "read"}}, "is not the ID of a feature"),
    "another level": ({"spaces": ["sales"], "features": {"discover": "minimal_read"}}, "read"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_kibana_would_not_know_is_refused(case: str) -> None:
    grant, message = REFUSED[case]
    access = an_access(kibana=[grant])
    assert message in access.invalid
    assert access.share.entries == ()


def test_rights_in_kibana_alone_are_enough_and_the_column_access_says_so() -> None:
    assert an_access(grants=[], kibana=[SALES]).summary == "kibana"
    assert an_access(kibana=[SALES]).summary == "r orders-* +kibana"
    assert "or kibana" in an_access(grants=[]).invalid


def test_what_elasticsearch_serves_reads_as_it_was_written() -> None:
    body = an_access(grants=[a_grant("a", remoteClusters=["eu"]), a_grant("a")], kibana=[SALES]).share.body
    read = role_from_json(body.to_json())
    assert read.same_as(body)
    assert [entry.kind for entry in read.entries] == ["indices", "remote_indices", "applications"]
    assert {entry.hash for entry in read.entries} == {entry.hash for entry in body.entries}


OTHERS: list[Any] = [
    {"application": "mine", "privileges": ["all"], "resources": ["*"]},
    {"application": "kibana-.kibana", "privileges": [], "resources": ["*"]},
    {"application": "kibana-.kibana", "privileges": ["all"]},
    {"application": "kibana-.kibana", "privileges": ["all"], "resources": ["*"], "future": 1},
    {"application": ["kibana-.kibana"], "privileges": ["all"], "resources": ["*"]},
    "x",
]


@pytest.mark.parametrize("other", OTHERS, ids=str)
def test_what_we_would_not_write_is_no_entry_and_does_not_get_lost(other: Any) -> None:
    ours = {"application": KIBANA, "privileges": ["all"], "resources": ["*"]}
    body = role_from_json({"applications": [other, ours]})
    assert len(body.entries) == 1
    assert body.to_json()["applications"] == [ours, other]
    assert role_from_json(body.to_json()) == body


def test_a_role_without_them_is_written_as_before() -> None:
    assert RoleBody().to_json() == {"cluster": [], "indices": []}
    assert an_access().share.body.to_json().keys() == {"cluster", "indices"}


def test_nothing_takes_a_space_for_an_index_or_a_privilege_of_kibana_for_one_of_elasticsearch() -> None:
    # Named as an index privilege, an alias, and a restricted index would be.
    odd = an_access(grants=[], kibana=[{"spaces": ["*"], "base": "all"}], clusterCan=["manage_index_templates"])
    assert odd.share.on_indices == odd.share.local == ()
    assert bypasses(odd.share, []) == ()
    assert not depends_on_others(an_access(grants=[], kibana=[{"spaces": ["*"], "base": "all"}]).share)
    assert indices_to_read([odd.share]) == frozenset()
    assert decide(odd, OPEN).do is Do.ENFORCE
    many = [{"spaces": [f"{'a' * 90}{number}" for number in range(50)], "base": "read"}] * 20
    assert sum(len(space) for grant in many for space in grant["spaces"]) > MAX_STATES // 2
    crowd = [a_member(an_access(f"a{number}", grants=[], kibana=many)) for number in range(4)]
    assert not over_budget(crowd, RoleMetadata(), Shares())
