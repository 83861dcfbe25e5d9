"""How Elasticsearch reads paths: what the expressions of the API groups rely on, on each of its releases."""

import re
from collections.abc import Iterator

import httpx
import pytest

from searchaccess.api.vocabulary.apigroups import ApiGroup
from searchaccess.core.gateway.apis import SCROLLS, groups_of
from tests.stack.elasticsearch import ElasticsearchServer

INDEX = "contract.groups"
FOR_7 = "application/vnd.elasticsearch+json;compatible-with=7"


@pytest.fixture
def admin(elasticsearch_server: ElasticsearchServer) -> Iterator[httpx.Client]:
    with elasticsearch_server.client() as client:
        client.put(f"/{INDEX}").raise_for_status()
        client.put(f"/{INDEX}/_doc/1?refresh=true", json={"a": 1}).raise_for_status()
        yield client
        client.delete("/_search/scroll/_all")
        client.delete(f"/{INDEX}").raise_for_status()


def ask(client: httpx.Client, target: str, method: str = "GET", **headers: str) -> httpx.Response:
    """Send a request whose path and query are exactly these."""
    request = client.build_request(method, "/", headers=headers)
    request.url = request.url.copy_with(raw_path=target.encode("ascii"))
    return client.send(request)


def is_search(response: httpx.Response) -> bool:
    return response.is_success and "hits" in response.json()


@pytest.mark.parametrize(
    "path",
    [
        f"/{INDEX}/_search",
        f"/{INDEX}/_search/",
        f"/{INDEX}/_search///",
        "/contract%2Egroups/_search",
        f"/{INDEX},{INDEX}/_search",
        f"/{INDEX}%2C{INDEX}/_search",
        "/contract.g*/_search",
        "/_all/_search",
        "/%5Fall/_search",
        "/_search/",
    ],
)
def test_a_search_is_one_however_it_is_written(admin: httpx.Client, path: str) -> None:
    assert is_search(ask(admin, path))
    assert groups_of(path) == {ApiGroup.SEARCH}


@pytest.mark.parametrize(
    "path", [f"/{INDEX}/%5Fsearch", f"/{INDEX}/_SEARCH", "/%5Fsearch", f"/{INDEX}/_search/x", f"/{INDEX}/x/_search"]
)
def test_what_is_no_search_is_none(admin: httpx.Client, path: str) -> None:
    assert not is_search(ask(admin, path))


def test_an_index_cannot_be_named_like_an_api(admin: httpx.Client) -> None:
    for path in ("/_groups", "/%5Fgroups"):
        assert ask(admin, path, "PUT").status_code == httpx.codes.BAD_REQUEST


def test_a_document_may_be_named_like_an_api_and_a_header_makes_it_one(admin: httpx.Client) -> None:
    path = f"/{INDEX}/_doc/_search"
    document = ask(admin, path)
    assert (document.status_code, document.json()["_id"], document.json()["found"]) == (404, "_search", False)
    assert groups_of(path) == {ApiGroup.DOCUMENTS, ApiGroup.SEARCH}

    release = admin.get("/").json()["version"]["number"]
    typed = {spelling: ask(admin, spelling, accept=FOR_7) for spelling in (path, f"/{INDEX}/x/_search")}
    assert {is_search(answer) for answer in typed.values()} == {release.startswith("8.")}


@pytest.mark.parametrize(
    ("query", "opens"),
    [
        ("?scroll=1m", True),
        ("?size=1&scroll=1m", True),
        ("?size=1;scroll=1m", True),
        ("?&scroll=1m", True),
        ("?%73%63%72%6F%6c%6C=1m", True),
        ("?scro%6cl=1m&size=1", True),
        ("?q=scroll%3D1m", False),
        ("?q=a%26scroll=1m", False),
        ("", False),
    ],
)
@pytest.mark.parametrize("path", [f"/{INDEX}/_search", f"/{INDEX}/_search/"])
def test_the_parameter_that_opens_a_scroll_is_found_however_it_is_written(
    admin: httpx.Client, path: str, query: str, *, opens: bool
) -> None:
    found = ask(admin, path + query)
    assert is_search(found)
    assert ("_scroll_id" in found.json()) == opens
    assert bool(re.fullmatch(SCROLLS, path + query)) == opens
