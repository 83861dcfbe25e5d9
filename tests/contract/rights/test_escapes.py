"""Escapes from policies where the API server or Elasticsearch decides: the same table, and requests of a caller."""

import json
import ssl
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import httpx
import pytest

from searchaccess.api.searchaccess import SearchAccessSpec
from searchaccess.core.model.canonical import RoleBody
from searchaccess.core.model.parsing import build_share
from searchaccess.core.model.restrictions.breadth import may_match_all
from searchaccess.core.policy.decision import Do
from tests.stack.elasticsearch import ElasticsearchServer
from tests.stack.kubernetes import KubernetesServers
from tests.unit.policy.escapes.cases import WITHIN, Escape
from tests.unit.policy.escapes.documents import QUERIES
from tests.unit.policy.escapes.judging import decided
from tests.unit.policy.escapes.limiting import LIMITING
from tests.unit.policy.escapes.table import ALL

CRD: Final = Path(__file__).parents[3] / "crds" / "searchaccesses.yaml"
NAMESPACE: Final = "escapes"
TREASURE: Final = "only-for-the-bank"
CALLER: Final = "contract.escapes"
PASSWORD: Final = "only-for-this-test"
_HALF: Final = "half a character"
"""No client can send it as JSON."""


# The API server


@pytest.fixture(scope="module")
def stored(kubernetes_servers: KubernetesServers) -> dict[str, dict[str, Any]]:
    """What the API server would store of the escapes that it takes."""
    kubernetes_servers.install_kinds(CRD)
    kubernetes_servers.run_kubectl("create", "namespace", NAMESPACE)
    path = f"/apis/searchaccess.dev/v1alpha1/namespaces/{NAMESPACE}/searchaccesses?dryRun=All"
    found = dict[str, dict[str, Any]]()
    with kubernetes_servers.admin_client() as client:
        for escape in ALL:
            answer = client.post(path, json=sent(escape)) if escape.name != _HALF else None
            if answer is not None and answer.is_success:
                found[escape.name] = answer.json()
    return found


def sent(escape: Escape) -> dict[str, Any]:
    raw = escape.manifest
    annotations = raw["metadata"].get("annotations", {})
    return raw | {"metadata": {"name": "orders", "namespace": NAMESPACE, "annotations": annotations}}


def test_what_the_api_server_takes_of_an_escape_gets_no_rights(stored: dict[str, dict[str, Any]]) -> None:
    """It takes away what it does not know, and sets defaults: what is left is judged, not what was written."""
    assert 100 <= len(stored) < len(ALL), "others are refused by the schema already"
    opened = set[str]()
    for escape in ALL:
        if escape.name in stored:
            raw = stored[escape.name]
            raw["metadata"] |= {"namespace": "shop", "uid": "uid-orders", "resourceVersion": "1"}
            if decided(escape.policy, raw).do is Do.ENFORCE:
                opened.add(escape.name)
    # Of these, the API server takes away what it does not know: nothing is left that could grant more.
    assert opened == {escape.name for escape in ALL if escape.says == "there is no such field"}


# Elasticsearch


@pytest.fixture(scope="module")
def admin(elasticsearch_server: ElasticsearchServer) -> Iterator[httpx.Client]:
    with elasticsearch_server.client() as client:
        fields = {
            "region": {"type": "keyword"},
            "note": {"type": "text"},
            "at": {"type": "date"},
            "customer": {"type": "nested", "properties": {"region": {"type": "keyword"}}},
        }
        client.put("/shop-orders", json={"mappings": {"properties": fields}}).raise_for_status()
        documents = (
            ("1?routing=eu&", {"region": "eu", "at": "2026-02-01", "customer": [{"region": "eu"}]}),
            ("2?", {"region": "us", "at": "2025-02-01", "secret": True, "customer": [{"region": "us"}]}),
            ("3?", {"amount": 1}),
        )
        for key, document in documents:
            client.put(f"/shop-orders/_doc/{key}refresh=true", json=document).raise_for_status()
        client.put("/bank-orders/_doc/1?refresh=true", json={"iban": TREASURE, "region": TREASURE}).raise_for_status()
        client.post("/_aliases", json={"actions": [{"add": {"index": "bank-orders", "alias": "bank-alias"}}]})
        template = {"index_patterns": ["bank-stream"], "data_stream": {}, "priority": 900}
        client.put("/_index_template/escapes", json=template).raise_for_status()
        entry = {"@timestamp": "2026-01-01T00:00:00Z", "iban": TREASURE}
        client.post("/bank-stream/_doc?refresh=true", json=entry).raise_for_status()
        yield client
        client.delete("/_data_stream/bank-stream")
        client.delete("/_index_template/escapes")
        client.delete("/bank-orders")
        client.delete("/shop-orders")
        client.delete(f"/_security/user/{CALLER}")
        client.delete(f"/_security/role/{CALLER}")


@pytest.fixture(scope="module")
def caller(elasticsearch_server: ElasticsearchServer, admin: httpx.Client) -> Iterator[httpx.Client]:
    """Somebody with the rights of the SearchAccess that the policy accepts, and with write access."""
    admin_writes(admin, {**WITHIN["grants"][0], "can": ["read", "write", "create"]})
    user = {"password": PASSWORD, "roles": [CALLER], "metadata": {"region": "eu"}}
    admin.put(f"/_security/user/{CALLER}", json=user).raise_for_status()
    trusted = ssl.create_default_context(cafile=str(elasticsearch_server.ca_file))
    with httpx.Client(base_url=elasticsearch_server.url, auth=(CALLER, PASSWORD), verify=trusted, timeout=60) as client:
        yield client


def admin_writes(admin: httpx.Client, grant: dict[str, Any]) -> httpx.Response:
    account = "orders@acme-shop.iam.gserviceaccount.com"
    spec = {"cluster": "x", "subject": {"serviceAccount": account}, "grants": [grant]}
    body = RoleBody(entries=build_share(SearchAccessSpec.model_validate(spec)).entries).to_json()
    return admin.put(f"/_security/role/{CALLER}", json=body)


_LOOKUP: Final = {"terms": {"region": {"index": "bank-orders", "id": "1", "path": "region"}}}
_LIKE: Final = {"more_like_this": {"like": [{"_index": "bank-orders", "_id": "1"}], "min_doc_freq": 1}}
_SEARCH: Final[dict[str, Any]] = {"query": {"match_all": {}}}
# Each: the trick, the request, its body, and headers.
REQUESTS: Final[list[tuple[str, str, Any, dict[str, str]]]] = [
    ("the index", "GET /bank-orders/_search", None, {}),
    ("its own index and another", "GET /shop-orders,bank-orders/_search", None, {}),
    ("one that may be missing", "GET /shop-orders,bank-orders/_search?ignore_unavailable=true", None, {}),
    ("everything", "GET /*/_search", None, {}),
    ("everything, by its name", "GET /_all/_search", None, {}),
    ("no index at all", "GET /_search", None, {}),
    ("hidden and closed indices", "GET /*/_search?expand_wildcards=all", None, {}),
    ("everything but its own", "GET /*,-shop-orders/_search", None, {}),
    ("a wildcard", "GET /bank-*/_search", None, {}),
    ("an alias", "GET /bank-alias/_search", None, {}),
    ("a wildcard for an alias", "GET /*alias/_search", None, {}),
    ("a data stream", "GET /bank-stream/_search", None, {}),
    ("backing indices", "GET /.ds-bank-stream-*/_search?expand_wildcards=all", None, {}),
    ("date math", "GET /%3Cbank-orders%3E/_search", None, {}),
    ("date math that begins as its own", "GET /%3Cshop-orders%3E,%3Cbank-orders%3E/_search", None, {}),
    ("upper case", "GET /BANK-ORDERS/_search", None, {}),
    ("an encoded name", "GET /%62ank-orders/_search", None, {}),
    ("an encoded comma", "GET /shop-orders%2Cbank-orders/_search", None, {}),
    ("a path within a name", "GET /shop-orders/../bank-orders/_search", None, {}),
    ("an encoded path within a name", "GET /shop-orders%2F..%2Fbank-orders/_search", None, {}),
    ("a colon for the local cluster", "GET /:bank-orders/_search", None, {}),
    ("a remote cluster", "GET /*:bank-orders/_search", None, {}),
    ("a document", "GET /bank-orders/_doc/1", None, {}),
    ("a document's source", "GET /bank-orders/_source/1", None, {}),
    ("a document's terms", "GET /bank-orders/_termvectors/1?fields=*", None, {}),
    ("several documents", "POST /_mget", {"docs": [{"_index": "bank-orders", "_id": "1"}]}, {}),
    ("documents below its own index", "POST /shop-orders/_mget", {"docs": [{"_index": "bank-orders", "_id": "1"}]}, {}),
    ("several searches", "POST /_msearch", [{"index": "bank-orders"}, _SEARCH], {}),
    ("searches below its own index", "POST /shop-orders/_msearch", [{"index": "bank-orders"}, _SEARCH], {}),
    ("terms of another's index", "POST /shop-orders/_search", {"query": _LOOKUP}, {}),
    ("a document of another's index", "POST /shop-orders/_search", {"query": _LIKE}, {}),
    ("an explanation", "POST /bank-orders/_explain/1", _SEARCH, {}),
    ("a point in time", "POST /bank-orders/_pit?keep_alive=1m", None, {}),
    ("a count of terms", "POST /bank-orders/_terms_enum", {"field": "iban.keyword"}, {}),
    ("the fields", "GET /bank-orders/_field_caps?fields=*", None, {}),
    ("a new index from another's", "POST /bank-orders/_clone/shop-orders-2", None, {}),
    ("a copy", "POST /_reindex", {"source": {"index": "bank-orders"}, "dest": {"index": "shop-orders"}}, {}),
    ("an alias on another's index", "PUT /bank-orders/_alias/shop-orders-alias", None, {}),
    ("an alias of its own", "POST /_aliases", {"actions": [{"add": {"index": "bank-orders", "alias": "shop-a"}}]}, {}),
    ("a template for others' indices", "PUT /_index_template/escape", {"index_patterns": ["bank-*"]}, {}),
    ("a pipeline", "PUT /_ingest/pipeline/escape", {"processors": []}, {}),
    ("a script that is stored", "PUT /_scripts/escape", {"script": {"lang": "mustache", "source": {}}}, {}),
    ("a role", "PUT /_security/role/escape", {"indices": [{"names": ["*"], "privileges": ["all"]}]}, {}),
    ("a user", "PUT /_security/user/escape", {"password": PASSWORD, "roles": ["superuser"]}, {}),
    ("itself with more roles", f"PUT /_security/user/{CALLER}", {"roles": ["superuser"]}, {}),
    ("the users' own index", "GET /.security/_search", None, {}),
    ("another user's name", "GET /bank-orders/_search", None, {"es-security-runas-user": "elastic"}),
    ("a second login", "GET /bank-orders/_search", None, {"es-secondary-authorization": "Basic ZWxhc3RpYzp4"}),
    ("a write beside its own", "POST /_bulk", [{"index": {"_index": "bank-orders"}}, {"a": 1}], {}),
    ("a write below its own index", "POST /shop-orders/_bulk", [{"index": {"_index": "bank-orders"}}, {"a": 1}], {}),
    ("an update by a query", "POST /bank-orders/_update_by_query", {"script": {"source": "ctx._source.a = 1"}}, {}),
    ("a deletion", "DELETE /bank-orders", None, {}),
    ("a deletion by a wildcard", "DELETE /bank-*", None, {}),
]  # fmt: skip


@pytest.mark.parametrize("trick", [pytest.param(one, id=one[0]) for one in REQUESTS])
def test_a_request_reaches_nothing_beyond_what_was_granted(
    admin: httpx.Client, caller: httpx.Client, trick: tuple[str, str, Any, dict[str, str]]
) -> None:
    _, request, body, headers = trick
    method, path = request.split(" ")
    lines = "".join(json.dumps(line) + "\n" for line in body) if isinstance(body, list) else None
    kind = "application/x-ndjson" if lines else "application/json"
    given = lines or (json.dumps(body) if body is not None else None)
    answer = caller.request(method, path, content=given, headers={"content-type": kind} | headers)

    assert TREASURE not in answer.text
    admin.post("/_refresh").raise_for_status()
    kept = admin.get("/bank-orders/_search").json()["hits"]["hits"]
    assert [hit["_source"] for hit in kept] == [{"iban": TREASURE, "region": TREASURE}], "nothing was changed"
    assert not any(admin.get(path).is_success for path in ("/_security/role/escape", "/_security/user/escape"))
    own = admin.get("/shop-orders,shop-orders*/_search").text
    assert TREASURE not in own, "nothing was copied, nor does an alias lead there"


def seen(admin: httpx.Client, caller: httpx.Client, where: dict[str, Any]) -> int | None:
    """Return how many of three documents a caller sees; None: Elasticsearch takes no such role, or refuses searches."""
    grant = {"indices": ["shop-orders"], "can": ["read"], "where": where}
    if not admin_writes(admin, grant).is_success:
        return None
    answer = caller.get("/shop-orders/_search")
    return len(answer.json()["hits"]["hits"]) if answer.is_success else None


def test_a_where_that_counts_as_limiting_hides_documents(admin: httpx.Client, caller: httpx.Client) -> None:
    found = {str(where): seen(admin, caller, where) for where in LIMITING}
    assert {where: number for where, number in found.items() if number not in {1, 2}} == {}


EXCEPT: Final[dict[str, int | None]] = {
    # All documents that have the field.
    "every nested document": 2,
    "a star in a query's own language": 2,
    "a word or everything": 2,
    # Nobody can tell by their form what they match: here it is nothing, or the server has no language for scripts.
    "a template of the caller's name": 0,
    "a score by a script": None,
    "a script that is true": None,
    "a script beside nothing": None,
    # It is not understood in a role.
    "documents that have any field": None,
}


def test_a_where_that_counts_as_broad_hides_no_document(admin: httpx.Client, caller: httpx.Client) -> None:
    broad = {each.name: each.spec["grants"][0]["where"] for each in QUERIES if each.says.endswith("every document")}
    found = {name: seen(admin, caller, where) for name, where in broad.items() if may_match_all(where)}
    assert len(found) >= 30
    assert {name: number for name, number in found.items() if number != 3} == EXCEPT
