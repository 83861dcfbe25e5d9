"""The vocabulary: what actions and privileges are made of."""

import pytest

from searchaccess.api.vocabulary.actions import Action
from searchaccess.api.vocabulary.privileges import (
    CLUSTER_PRIVILEGES,
    DECLARABLE_ON_CLUSTER,
    INDEX_PRIVILEGES,
    Privilege,
    cluster_privilege,
)
from searchaccess.core.model.grants.actions import missing_in, refusal_of

GIVES_AWAY = ("all", "manage", "security", "api_key", "token", "saml", "oidc", "pki", "secrets", "service_account")


@pytest.mark.parametrize("action", Action)
def test_an_action_has_known_privileges_that_are_not_refused(action: Action) -> None:
    assert [name for name in action.privileges if not INDEX_PRIVILEGES[name].refused] == list(action.privileges)


def test_no_cluster_privilege_that_gives_rights_or_secrets_can_be_declared() -> None:
    few = {"manage_ilm", "manage_index_templates", "manage_ingest_pipelines"}
    others = set(DECLARABLE_ON_CLUSTER) - few
    assert few < set(DECLARABLE_ON_CLUSTER)
    assert not [name for name in others for part in GIVES_AWAY if part in name]
    assert all(name.startswith(("monitor", "read_")) for name in others)


@pytest.mark.parametrize("name", CLUSTER_PRIVILEGES)
def test_a_cluster_privilege_is_declared_or_refused_with_the_reason(name: str) -> None:
    known = CLUSTER_PRIVILEGES[name]
    if not known.refused:
        assert cluster_privilege(name) == name
        return
    with pytest.raises(ValueError, match=f"{name} cannot be declared: ") as refused:
        cluster_privilege(name)
    assert str(refused.value).endswith(known.says)


def test_a_refused_index_privilege_says_why_and_the_others_pass() -> None:
    for name, known in INDEX_PRIVILEGES.items():
        assert refusal_of(name) == (f"{name!r} cannot be declared: {known.says}" if known.refused else "")
    assert refusal_of("of_a_release_to_come") == ""


@pytest.mark.parametrize(
    ("version", "has"),
    [((8, 18), False), ((8, 19), True), ((9, 0), False), ((9, 1), True), ((9, 2), True), ((10, 0), True)],
)
def test_a_privilege_is_in_a_release_from_a_minor_of_each_major_on(version: tuple[int, int], has: bool) -> None:  # noqa: FBT001
    privilege = Privilege("reads", since={8: 19, 9: 1})
    assert privilege.is_in(version) is has
    assert privilege.releases == "8.19 and 9.1"
    assert Privilege("reads").is_in(version)


def test_what_a_release_lacks_is_named_and_what_nobody_knows_is_left_to_it() -> None:
    assert missing_in((8, 19), {"read", "read_failure_store", "of_a_release_to_come"}, {"monitor"}) == ""
    assert missing_in((8, 19), {"read"}, {"monitor", "monitor_esql"}).startswith(
        "Elasticsearch 8.19 has no cluster privilege monitor_esql, which came with 9.1: "
    )
