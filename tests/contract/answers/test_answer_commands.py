"""The commands that answer who may do what, against a real Elasticsearch; Kubernetes' answers are made up."""

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Final

import httpx
import pytest
import yaml
from typer.testing import CliRunner

from searchaccess.api.searchcluster import PrincipalClaim
from searchaccess.cli.main import app
from searchaccess.core.answers.exits import Exit
from searchaccess.core.rights.mapping import build_template_mapping
from searchaccess.core.rights.ownership import Operator
from tests.stack.elasticsearch import ElasticsearchServer
from tests.support.worlds.world import account
from tests.unit.builders import a_grant, a_search_access, a_search_cluster, an_access
from tests.unit.cli.options.test_connecting import answers
from tests.unit.cli.options.test_reaching import listed
from tests.unit.cli.program import api_server, write_kubeconfig

OPERATOR: Final = Operator("answering", "contract")
ORDERS: Final = account("ans-orders")
OTHERS: Final = account("ans-others")
GRANT: Final = a_grant("ans-orders-*", where={"term": {"region": "eu"}}, fields={"exclude": ["customer.ssn"]})
DOCUMENTS: Final = {"eu": {"region": "eu", "customer": {"ssn": "s-1"}}, "us": {"region": "us"}}
PASSWORD: Final = "long enough"

Call = Callable[..., tuple[int, str]]


@pytest.fixture(scope="module")
def admin(elasticsearch_server: ElasticsearchServer) -> Iterator[httpx.Client]:
    with elasticsearch_server.client() as client:
        yield client


@pytest.fixture(scope="module")
def key(elasticsearch_server: ElasticsearchServer, admin: httpx.Client) -> Iterator[str]:
    """An index with two documents, a role of a SearchAccess, a user, and an API key of it; yield the key's id."""
    body = {"mappings": {"properties": {"region": {"type": "keyword"}}}, "aliases": {"ans-sales": {}}}
    admin.put("/ans-orders-1", json=body).raise_for_status()
    for name, document in DOCUMENTS.items():
        admin.put(f"/ans-orders-1/_doc/{name}?refresh=true", json=document).raise_for_status()
    share = an_access(grants=[GRANT]).share.body.to_json()
    owner = {"namespace": "shop", "name": "orders", "uid": "uid-orders"}
    metadata = {**OPERATOR.stamp(), "owners": [owner]}
    admin.put(f"/_security/role/{OPERATOR.role_name(ORDERS)}", json={**share, "metadata": metadata}).raise_for_status()
    mapping = build_template_mapping(OPERATOR, elasticsearch_server.realm, PrincipalClaim.EMAIL)
    admin.put(f"/_security/role_mapping/{mapping.name}", json=mapping.to_json()).raise_for_status()
    reads = {"indices": [{"names": ["ans-sales"], "privileges": ["read"]}], "cluster": ["manage_own_api_key"]}
    admin.put("/_security/role/ans-sales", json=reads).raise_for_status()
    user = {"password": PASSWORD, "roles": ["ans-sales"]}
    admin.put("/_security/user/ans-ada", json=user).raise_for_status()
    made = admin.post("/_security/api_key", json={"name": "ans-key"}, auth=("ans-ada", PASSWORD))
    key_id = made.raise_for_status().json()["id"]
    yield key_id
    admin.request("DELETE", "/_security/api_key", json={"ids": [key_id]}).raise_for_status()
    for path in (
        "user/ans-ada",
        "role/ans-sales",
        f"role/{OPERATOR.role_name(ORDERS)}",
        f"role_mapping/{mapping.name}",
    ):
        admin.delete(f"/_security/{path}").raise_for_status()
    admin.delete("/ans-orders-1").raise_for_status()


@pytest.fixture
def call(elasticsearch_server: ElasticsearchServer, key: str, tmp_path: Path) -> Iterator[Call]:
    """Call a command that reads a SearchAccess from Kubernetes; yield its exit code, and its output."""
    assert key
    ca = Path(elasticsearch_server.ca_file).read_text()
    identity = {"jwtRealm": {"name": elasticsearch_server.realm, "audience": elasticsearch_server.audience}}
    cluster = a_search_cluster("prod", urls=[elasticsearch_server.url], ca={"inline": ca}, identity=identity)
    access = a_search_access("orders", service_account=ORDERS, grants=[GRANT], status=None)
    access["metadata"]["creationTimestamp"] = "2026-01-01T10:00:00Z"
    served = answers(searchaccesses=listed(access), searchclusters=listed(cluster), namespaces=listed())
    login = {"ES_USERNAME": elasticsearch_server.username, "ES_PASSWORD": elasticsearch_server.password}
    with api_server(served, []) as url:
        kubeconfig = str(write_kubeconfig(tmp_path, url))

        def called(*arguments: str, **more: str) -> tuple[int, str]:
            given = (*arguments, "--kubeconfig", kubeconfig, "--instance", OPERATOR.instance)
            given = (*given, "--elasticsearch-login", "env:ES")
            done = CliRunner().invoke(app, given, env={"COLUMNS": "200", **login, **more})
            assert elasticsearch_server.password not in done.output
            assert "Traceback" not in done.output
            return done.exit_code, done.output

        yield called


def _json(output: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(output)
    return found


def test_a_search_access_is_explained_from_the_manifest_to_the_role(call: Call) -> None:
    code, output = call("explain", "shop/orders", "ans-orders-1", "-o", "json")
    found = _json(output)
    assert (code, found["allowed"], found["cluster"]) == (Exit.IN_SYNC, "yes", "prod")
    assert found["documents"] == [[{"term": {"region": "eu"}}]]
    assert found["fields"][0][0]["exclude"] == ["customer.ssn", "customer.ssn.*"]
    steps = [(each["what"], each["says"]) for each in found["chain"]]
    assert steps[:2] == [("SearchAccess", "grants"), ("alias", "info")]
    assert ("role", "grants") in steps
    assert "searchaccess can-i" in found["notVerified"]
    assert call("explain", ORDERS, "ans-orders-1", "--action", "delete")[0] == Exit.NO
    assert call("explain", OTHERS, "ans-orders-1")[0] == Exit.NO
    code, output = call("explain", "shop/orders", "ans-orders-1", "--field", "customer.ssn")
    assert (code, output.splitlines()[0]) == (3, "no, shop/orders may not read ans-orders-1 (SearchCluster prod)")
    assert "no role that allows the action shows this field" in output


@pytest.mark.parametrize(("document", "code"), [("eu", Exit.IN_SYNC), ("us", Exit.NO), ("none", Exit.UNKNOWN)])
def test_elasticsearch_says_whether_a_document_is_shown(call: Call, document: str, code: Exit) -> None:
    assert call("explain", "shop/orders", "ans-orders-1", "--document", document)[0] == code


def test_a_document_of_a_file_is_compared_with_the_query(call: Call, tmp_path: Path) -> None:
    file = tmp_path / "document.json"
    for document, code in (
        ({"region": "eu"}, Exit.IN_SYNC),
        ({"region": "us"}, Exit.NO),
        ({"region": 1}, Exit.UNKNOWN),
    ):
        file.write_text(json.dumps(document))
        assert call("explain", "shop/orders", "ans-orders-1", "--doc", str(file))[0] == code


def test_a_user_is_verified_by_elasticsearch_and_reads_by_an_alias(call: Call, key: str) -> None:
    code, output = call("explain", "user:ans-ada", "ans-orders-1", "-o", "yaml")
    found = yaml.safe_load(output)
    assert (code, found["verified"], found["by"]) == (Exit.IN_SYNC, True, ["ans-sales"])
    assert call("explain", f"key:{key}", "ans-orders-1")[0] == Exit.IN_SYNC
    assert call("explain", f"key:{key}", "ans-payments-1")[0] == Exit.NO
    code, output = call("explain", "user:nobody", "ans-orders-1")
    assert code == Exit.UNKNOWN
    assert "another realm may have one" in output
    for gone, says in (("shop/ordres", "there are: shop/orders"), ("key:gone", "there is no API key of the id gone")):
        code, output = call("explain", gone, "ans-orders-1")
        assert (code, says in output) == (Exit.FAILED, True), output


def test_everybody_who_reads_is_listed_with_the_manifest_and_since_when(call: Call, key: str) -> None:
    code, output = call("who-can", "read", "ans-orders-1", "-o", "json")
    rows = {each["name"]: each for each in _json(output)["items"]}
    assert code == 0
    assert {ORDERS, "ans-ada", key, "elastic"} <= rows.keys()
    assert (rows[ORDERS]["searchAccesses"], rows[ORDERS]["since"]) == (["shop/orders"], "2026-01-01T10:00:00Z")
    assert rows["ans-ada"]["by"] == ["ans-sales"]
    assert rows[key]["since"] is not None
    names = {each["name"] for each in _json(call("who-can", "delete", "ans-orders-1", "-o", "json")[1])["items"]}
    assert names.isdisjoint({ORDERS, "ans-ada", key})
    hidden = _json(call("who-can", "read", "ans-orders-1", "--field", "customer.ssn", "-o", "json")[1])["items"]
    assert ORDERS not in {each["name"] for each in hidden}
    text = call("who-can", "read", "ans-orders-1")[1]
    assert "SearchAccess shop/orders" in text
    assert "cannot be seen: roles, role mappings and users in files" in text


def test_a_login_that_may_not_read_leaves_it_open(call: Call) -> None:
    more = {"LOW_USERNAME": "ans-ada", "LOW_PASSWORD": PASSWORD}
    code, output = call("explain", OTHERS, "ans-orders-1", "--elasticsearch-login", "prod=env:LOW", **more)
    assert code == Exit.UNKNOWN
    assert "could not be read: role mappings" in output
    assert PASSWORD not in output


def test_it_works_without_kubernetes(elasticsearch_server: ElasticsearchServer, key: str) -> None:
    assert key
    login = {"ES_USERNAME": elasticsearch_server.username, "ES_PASSWORD": elasticsearch_server.password}
    given = ["--elasticsearch", elasticsearch_server.url, "--ca-file", str(elasticsearch_server.ca_file)]
    given += ["--elasticsearch-login", "env:ES"]
    done = CliRunner().invoke(app, ["explain", ORDERS, "ans-orders-1", *given], env={"COLUMNS": "200", **login})
    assert done.exit_code == Exit.IN_SYNC, done.output
    assert done.output.startswith(f"yes, {ORDERS} may read ans-orders-1 (SearchCluster elasticsearch)")
    done = CliRunner().invoke(app, ["explain", "shop/orders", "ans-orders-1", *given], env=login)
    assert done.exit_code == Exit.USAGE
    assert "name the service account instead" in done.output


def test_a_workload_asks_with_its_own_token_which_is_never_shown(
    elasticsearch_server: ElasticsearchServer, key: str, tmp_path: Path
) -> None:
    assert key
    token = elasticsearch_server.issuer.mint(ORDERS)
    file = tmp_path / "token"
    file.write_text(f"{token}\n")
    at = ["--url", elasticsearch_server.url, "--ca-file", str(elasticsearch_server.ca_file)]
    for arguments, code, begins in (
        (["read", "ans-orders-1", "--token-file", str(file)], Exit.IN_SYNC, f"yes, {ORDERS} may read ans-orders-1"),
        (["delete", "ans-orders-1", "--token-env", "TOKEN"], Exit.NO, f"no, {ORDERS} may not delete ans-orders-1"),
        (["read", "ans-orders-1", "--token-env", "WRONG"], Exit.FAILED, "searchaccess: "),
        (["read", "ans-orders-1", "--token-env", "EMPTY"], Exit.USAGE, "Usage: "),
        (["read", "ans-orders-*", "--token-env", "TOKEN"], Exit.USAGE, "Usage: "),
        (["reed", "ans-orders-1", "--token-env", "TOKEN"], Exit.USAGE, "Usage: "),
    ):
        done = CliRunner().invoke(
            app, ["can-i", *arguments, *at], env={"TOKEN": token, "WRONG": token[:-8], "EMPTY": ""}
        )
        assert (done.exit_code, done.output.startswith(begins)) == (code, True), done.output
        assert token[:20] not in done.output
    plain = ["can-i", "read", "ans-orders-1", "--token-env", "TOKEN", "--url", "http://elasticsearch.example.com:9200"]
    done = CliRunner().invoke(app, plain, env={"TOKEN": token})
    assert done.exit_code == Exit.USAGE
    assert "use https" in done.output
