"""What is taken for a restricted index is one that each release keeps from roles, and what is not is none."""

import pytest

from searchaccess.core.patterns.restricted import restricted_name
from tests.stack.elasticsearch import ElasticsearchServer

NAME = "contract.restricted"
NAMES = [
    ".security", ".security-7", ".security-tokens", ".security-tokens-7", ".security-profile", ".security-profile-8",
    ".tasks", ".synonyms-2", ".orders", ".security-orders", ".securit", ".ds-logs-2026.11.28-000001",
    ".kibana-event-log-7", "security", "orders", "tasks", ".internal.alerts-1",
]  # fmt: skip
"""Without those of modules that the test server does not have."""


@pytest.mark.parametrize("pattern", ["*", ".*", "/[.].*/"])
def test_a_role_reaches_all_but_what_we_say_that_it_does_not(
    elasticsearch_server: ElasticsearchServer, pattern: str
) -> None:
    with elasticsearch_server.client() as admin:
        role = {"indices": [{"names": [pattern, "orders", "security", "tasks"], "privileges": ["read"]}]}
        admin.put(f"/_security/role/{NAME}", json=role).raise_for_status()
        user = {"password": "only-for-this-test", "roles": [NAME]}
        admin.put(f"/_security/user/{NAME}", json=user).raise_for_status()
        question = {"index": [{"names": NAMES, "privileges": ["read"]}]}
        run_as = {"es-security-runas-user": NAME}
        answer = admin.post("/_security/user/_has_privileges", json=question, headers=run_as).raise_for_status()
        admin.delete(f"/_security/user/{NAME}")
        admin.delete(f"/_security/role/{NAME}")
    kept = {name for name, has in answer.json()["index"].items() if not has["read"]}
    assert kept == {name for name in NAMES if restricted_name(name)}
