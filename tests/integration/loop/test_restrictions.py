"""Grants of one caller never undo each other's restrictions, on a real Elasticsearch (docs/adr/0011)."""

import ssl
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from searchaccess.api.searchaccess import SearchAccessSpec
from searchaccess.api.vocabulary.actions import Action
from searchaccess.core.model.canonical import RoleBody
from searchaccess.core.model.parsing import build_share
from tests.stack.elasticsearch import ElasticsearchServer

INDEX = "restrictions-1"
RESTRICTED = {
    "indices": [INDEX],
    "can": ["read"],
    "where": {"term": {"region.keyword": "eu"}},
    "fields": {"exclude": ["ssn"]},
}


@pytest.fixture
def admin(elasticsearch_server: ElasticsearchServer) -> Iterator[httpx.Client]:
    with elasticsearch_server.client() as client:
        client.put(f"/{INDEX}")
        for key, region in (("1", "eu"), ("2", "us")):
            client.put(f"/{INDEX}/_doc/{key}?refresh=true", json={"region": region, "ssn": key}).raise_for_status()
        yield client
        client.delete(f"/{INDEX}")
        client.delete("/_security/role/restrictions")
        client.delete("/_security/role/restrictions-other")
        client.delete("/_security/user/restrictions")


def seen_by_caller(
    server: ElasticsearchServer, admin: httpx.Client, *grants: dict[str, Any], other: dict[str, Any] | None = None
) -> list[dict[str, Any]]:
    """Write the grants as one role, and give the documents that a caller with it sees."""
    spec = SearchAccessSpec.model_validate(
        {"cluster": "x", "subject": {"serviceAccount": "x@y.iam.gserviceaccount.com"}, "grants": list(grants)}
    )
    body = RoleBody(entries=build_share(spec).entries).to_json()
    admin.put("/_security/role/restrictions", json=body).raise_for_status()
    admin.put("/_security/role/restrictions-other", json={"indices": [other] if other else []}).raise_for_status()
    user = {"password": "only-for-this-test", "roles": ["restrictions", "restrictions-other"]}
    admin.put("/_security/user/restrictions", json=user).raise_for_status()
    with httpx.Client(
        base_url=server.url,
        auth=("restrictions", "only-for-this-test"),
        verify=ssl.create_default_context(cafile=str(server.ca_file)),
        timeout=60,
    ) as caller:
        answer = caller.get(f"/{INDEX}/_search")
        answer.raise_for_status()
        return [hit["_source"] for hit in answer.json()["hits"]["hits"]]


@pytest.mark.parametrize("action", [action for action in Action if action is not Action.READ])
def test_a_grant_that_does_not_read_widens_nothing(
    elasticsearch_server: ElasticsearchServer, admin: httpx.Client, action: str
) -> None:
    seen = seen_by_caller(elasticsearch_server, admin, RESTRICTED, {"indices": [INDEX], "can": [action]})
    assert seen == [{"region": "eu"}]


def test_a_role_of_somebody_else_on_the_same_indices_widens_nothing(
    elasticsearch_server: ElasticsearchServer, admin: httpx.Client
) -> None:
    foreign = {"names": [INDEX], "privileges": ["delete"]}
    assert seen_by_caller(elasticsearch_server, admin, RESTRICTED, other=foreign) == [{"region": "eu"}]


def test_without_the_mark_elasticsearch_would_drop_the_restriction(
    elasticsearch_server: ElasticsearchServer, admin: httpx.Client
) -> None:
    """Why the mark is needed: shown once, so that it can go when Elasticsearch changes."""
    naive = {
        "indices": [
            {"names": [INDEX], "privileges": ["read"], "query": {"term": {"region.keyword": "eu"}}},
            {"names": [INDEX], "privileges": ["delete"]},
        ]
    }
    seen_by_caller(elasticsearch_server, admin, RESTRICTED)
    admin.put("/_security/role/restrictions", json=naive).raise_for_status()
    with httpx.Client(
        base_url=elasticsearch_server.url,
        auth=("restrictions", "only-for-this-test"),
        verify=ssl.create_default_context(cafile=str(elasticsearch_server.ca_file)),
        timeout=60,
    ) as caller:
        assert caller.get(f"/{INDEX}/_search").json()["hits"]["total"]["value"] == 2
