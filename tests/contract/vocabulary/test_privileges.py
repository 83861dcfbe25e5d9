"""The tables of privileges have all that each release of Elasticsearch has, and nothing that none has."""

from collections.abc import Mapping

import pytest

from searchaccess.api.vocabulary.privileges import CLUSTER_PRIVILEGES, INDEX_PRIVILEGES, Privilege
from searchaccess.core.clusters.cluster import version_of
from tests.stack.elasticsearch import ElasticsearchServer


@pytest.mark.parametrize(("kind", "table"), [("index", INDEX_PRIVILEGES), ("cluster", CLUSTER_PRIVILEGES)])
def test_every_builtin_privilege_is_in_the_table(
    elasticsearch_server: ElasticsearchServer, kind: str, table: Mapping[str, Privilege]
) -> None:
    """One that is missing is new: say in the table what it allows, and whether it may be declared."""
    with elasticsearch_server.client() as admin:
        version = version_of(admin.get("/").json()["version"]["number"])
        builtin = set(admin.get("/_security/privilege/_builtin").raise_for_status().json()[kind])
    assert builtin == {name for name, known in table.items() if known.is_in(version)}


def test_what_the_table_refuses_for_a_release_elasticsearch_refuses_too(
    elasticsearch_server: ElasticsearchServer,
) -> None:
    with elasticsearch_server.client() as admin:
        version = version_of(admin.get("/").json()["version"]["number"])
        for name, known in CLUSTER_PRIVILEGES.items():
            if known.since:
                answer = admin.put("/_security/role/contract.privileges", json={"cluster": [name]})
                assert answer.is_success is known.is_in(version), answer.text
        admin.delete("/_security/role/contract.privileges")
