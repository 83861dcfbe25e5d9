"""Which privileges come with others, as a plan counts them, is what Elasticsearch says of a caller that has one."""

from collections.abc import Iterator
from contextlib import ExitStack
from typing import Any

import httpx
import pytest

from searchaccess.api.vocabulary.privileges import DECLARABLE_ON_CLUSTER, INDEX_PRIVILEGES
from searchaccess.core.answers.plan.implied import implies, implies_on_cluster
from searchaccess.core.model.grants.actions import CONFINED_WRITE
from tests.stack.elasticsearch import ElasticsearchServer

NAME = "contract-implied"
PASSWORD = "only-for-this-test"
AUTO_PUT = "indices:admin/mapping/auto_put"
ADDS_FIELDS = {"auto_configure", "create", "create_doc", "index", "write"}
"""They let a write add fields. Asked for an action, Elasticsearch says no: it looks for all whose names begin so."""
OF_FAILURES = {"manage_failure_store", "read_failure_store"}


@pytest.fixture(scope="module")
def admin(elasticsearch_server: ElasticsearchServer) -> Iterator[httpx.Client]:
    with ExitStack() as stack:
        client = stack.enter_context(elasticsearch_server.client())
        client.put(f"/_security/role/{NAME}", json={"cluster": []}).raise_for_status()
        stack.callback(client.delete, f"/_security/role/{NAME}")
        user = {"password": PASSWORD, "roles": [NAME]}
        client.put(f"/_security/user/{NAME}", json=user).raise_for_status()
        stack.callback(client.delete, f"/_security/user/{NAME}")
        yield client


def has(admin: httpx.Client, role: dict[str, Any], asked: dict[str, Any]) -> dict[str, Any]:
    """Return what a caller with a role has of what is asked."""
    admin.put(f"/_security/role/{NAME}", json=role).raise_for_status()
    as_caller = {"es-security-runas-user": NAME}
    answer = admin.post("/_security/user/_has_privileges", json=asked, headers=as_caller)
    return dict(answer.raise_for_status().json())


def test_on_indices(admin: httpx.Client) -> None:
    builtin = admin.get("/_security/privilege/_builtin").json()["index"]
    known = sorted({name for name in builtin if not INDEX_PRIVILEGES[name].refused} - {"none"})
    wanted = [*known, *CONFINED_WRITE, "indices:data/write/index"]
    for given in [*known, *CONFINED_WRITE]:
        role = {"indices": [{"names": ["x-*"], "privileges": [given]}]}
        answer = has(admin, role, {"index": [{"names": ["x-1"], "privileges": wanted}]})
        said = {name for name, yes in answer["index"]["x-1"].items() if yes}
        ours = {name for name in wanted if implies(given, name)} - ({AUTO_PUT} if given in ADDS_FIELDS else set())
        assert ours <= said, f"{given} would give less than a plan counts"
        # A name and an action are not compared, and a failure store is not its data stream: these count as new.
        if given not in OF_FAILURES:
            assert {
                name for name in said - ours if not name.startswith("indices:") and name not in OF_FAILURES
            } == set()


def test_on_the_cluster(admin: httpx.Client) -> None:
    builtin = admin.get("/_security/privilege/_builtin").json()["cluster"]
    known = sorted(set(builtin) & set(DECLARABLE_ON_CLUSTER))
    for given in known:
        answer = has(admin, {"cluster": [given]}, {"cluster": known})
        said = {name for name, yes in answer["cluster"].items() if yes}
        assert {name for name in known if implies_on_cluster(given, name)} == said, given
