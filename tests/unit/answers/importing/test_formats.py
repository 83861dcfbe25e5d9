"""What files of other tools say about rights, in the form in which each of them has it."""

import json
from collections.abc import Mapping
from typing import Any

import pytest

from searchaccess.core.answers.importing.formats.detect import UnknownDocumentError, material_in
from searchaccess.core.answers.importing.formats.opensearch import NOTE
from searchaccess.core.answers.importing.importing import Imported, Wish, import_all
from searchaccess.core.answers.importing.material import MADE_BY_ADMIN
from searchaccess.core.answers.importing.reasons import Why
from searchaccess.core.answers.importing.subjects import subject_map
from tests.support.operatorprocess import ROOT
from tests.unit.answers.importing.having import BILLING, ORDERS, a_mapping, a_role, an_entry, left, spec

ROLE = a_role(an_entry("orders-*"))


def from_files(*documents: Any, subjects: Any = None) -> Imported:
    found = material_in({"kind": "List", "items": list(documents)})
    return import_all(found, Wish("prod", "shop", subject_map(subjects)))


def an_object(group: str, kind: str, name: str, **more: Any) -> dict[str, Any]:
    return {"apiVersion": group, "kind": kind, "metadata": {"name": name}, "spec": more}


def eck(kind: str, name: str, body: Any) -> dict[str, Any]:
    text = body if isinstance(body, str) else json.dumps(body)
    return an_object("es.eck.github.com/v1alpha1", kind, name, targetInstance={"name": "es"}, body=text)


def test_answers_of_the_security_api_are_recognized() -> None:
    found = from_files(
        {"orders": ROLE, "unused": {"cluster": ["monitor"]}},
        {"team": a_mapping("orders")},
        {"legacy": {"username": "legacy", "roles": ["orders"], "enabled": True}},
        {"total": 1, "users": [{"username": "old", "roles": ["orders"]}]},
        {"api_keys": [{"id": "1", "name": "k", "username": BILLING, "invalidated": False}]},
    )
    assert [one.subject for one in found.made] == [ORDERS]
    assert [(source, why) for source, _, why in left(found)] == [
        ("API key k", "KeyOfACaller"),
        ("role unused", "NoSubject"),
        ("user legacy", "NotAServiceAccount"),
        ("user old", "NotAServiceAccount"),
    ]


def test_objects_of_eck_custom_resources() -> None:
    found = from_files(
        eck("ElasticsearchRole", "orders", ROLE),
        eck("ElasticsearchRole", "broken", "{"),
        eck("ElasticsearchUser", "legacy", {"roles": ["orders"], "full_name": "Legacy"}),
        eck(
            "ElasticsearchApikey",
            "indexer",
            {"role_descriptors": {"w": a_role(an_entry("logs", privileges=["index"]))}},
        ),
        eck("IndexTemplate", "other", {}),
        an_object("v1", "ConfigMap", "other"),
        subjects={"users": {"legacy": ORDERS}, "apiKeys": {"indexer": BILLING}},
    )
    assert [(one.source, one.subject) for one in found.made] == [("API key indexer", BILLING), ("role orders", ORDERS)]
    assert left(found) == [("role broken", "spec.body", "Unreadable")]
    assert found.notes == (MADE_BY_ADMIN,)


def opensearch(name: str, **spec_: Any) -> dict[str, Any]:
    group = "opensearch.opster.io/v1"
    return an_object(group, "OpensearchRole", name, opensearchCluster={"name": "os"}, **spec_)


def a_rule(*actions: str, **more: Any) -> dict[str, Any]:
    return {"indexPatterns": ["orders-*"], "allowedActions": list(actions)} | more


def a_binding(*roles: str, **more: Any) -> dict[str, Any]:
    return an_object("opensearch.org/v1", "OpensearchUserRoleBinding", "b", roles=list(roles), **more)


def test_roles_and_bindings_of_the_opensearch_operator() -> None:
    rule = a_rule("read", "indices:data/write/index*", dls='{"term": {"region": "eu"}}', fls=["id", "id.*"])
    found = from_files(
        opensearch("orders", clusterPermissions=["cluster_monitor", "cluster_composite_ops"], indexPermissions=[rule]),
        a_binding("orders", users=[ORDERS]),
    )
    assert spec(found)["grants"] == [
        {
            "indices": ["orders-*"],
            "privileges": ["indices:data/write/index*", "read"],
            "fields": {"include": ["id"]},
            "where": {"term": {"region": "eu"}},
        }
    ]
    assert spec(found)["clusterCan"] == ["monitor"]
    assert (found.leftovers, found.notes) == ((), (NOTE,))


@pytest.mark.parametrize(
    ("more", "why"),
    [
        ({"indexPermissions": [a_rule("read", maskedFields=["card"])]}, "MaskedFields"),
        ({"indexPermissions": [a_rule("read", "manage_aliases")]}, "Untranslated"),
        ({"indexPermissions": [a_rule("read", "indices:data/write")]}, "Untranslated"),
        ({"indexPermissions": [a_rule("read", "indices:admin/*/get")]}, "Untranslated"),
        ({"indexPermissions": [a_rule("read", dls='{"term": {"user": "${user.name}"}}')]}, "Untranslated"),
        ({"clusterPermissions": ["manage_snapshots"]}, "Untranslated"),
        ({"tenantPermissions": [{"tenantPatterns": ["*"], "allowedActions": ["kibana_all_read"]}]}, "Tenant"),
    ],
)
def test_what_elasticsearch_does_not_have_is_reported(more: dict[str, Any], why: str) -> None:
    found = from_files(opensearch("orders", **more), a_binding("orders", users=[ORDERS]))
    assert why in {reason for _, _, reason in left(found)}
    assert found.replaced == ()


def test_backend_roles_are_groups() -> None:
    found = from_files(opensearch("o", indexPermissions=[a_rule("read")]), a_binding("o", backendRoles=["admins"]))
    assert left(found) == [("role mapping b", "rules", "MappedByGroup")]


def terraform(kind: str, **attributes: Any) -> dict[str, Any]:
    name = f"elasticstack_elasticsearch_security_{kind}"
    return {"mode": "managed", "type": name, "name": "x", "instances": [{"attributes": attributes}]}


ENTRY: Mapping[str, Any] = {
    "names": ["orders-*"],
    "privileges": ["read", "view_index_metadata"],
    "allow_restricted_indices": False,
    "query": "",
    "field_security": [{"grant": ["id", "id.*"], "except": []}],
}


def resources() -> list[dict[str, Any]]:
    role = {"name": "orders", "cluster": [], "indices": [ENTRY], "run_as": None, "metadata": "", "global": None}
    rules = json.dumps({"field": {"username": ORDERS}})
    writer = json.dumps({"w": a_role(an_entry("logs", privileges=["create_doc"]))})
    return [
        terraform("role", **role),
        terraform("role_mapping", name="team", enabled=True, roles=["orders"], rules=rules, metadata="{}"),
        terraform("user", username="legacy", roles=["orders"], password="not-to-be-seen", metadata="{}"),
        terraform("api_key", name="indexer", role_descriptors=writer, api_key="not-to-be-seen", metadata=None),
        terraform("system_user", username="elastic"),
    ]


@pytest.mark.parametrize("shown", [False, True])
def test_a_state_of_terraform(shown: bool) -> None:  # noqa: FBT001 - one of two cases
    found = resources()
    document: dict[str, Any] = {"version": 4, "terraform_version": "1.9.0", "resources": found}
    if shown:
        values = [{"type": one["type"], "values": one["instances"][0]["attributes"]} for one in found]
        inner = {"root_module": {"child_modules": [{"resources": values}]}}
        document = {"format_version": "1.0", "terraform_version": "1.9.0", "values": inner}
    result = from_files(document, subjects={"apiKeys": {"indexer": BILLING}})
    assert [(one.source, one.subject) for one in result.made] == [("API key indexer", BILLING), ("role orders", ORDERS)]
    assert spec(result, 1)["grants"] == [{"indices": ["orders-*"], "can": ["read"], "fields": {"include": ["id"]}}]
    assert left(result) == [("user legacy", "", "NotAServiceAccount")]
    assert "not-to-be-seen" not in json.dumps(result.to_json())


def test_two_files_with_different_roles_of_one_name_are_reported() -> None:
    found = from_files({"orders": ROLE}, {"orders": a_role(an_entry("other"))}, {"team": a_mapping("orders")})
    assert left(found) == [("role orders", "", "Unreadable")]
    assert found.replaced == ()


@pytest.mark.parametrize("document", [[], "text", {"a": 1}, {"a": {"names": ["x"]}}])
def test_anything_else_is_refused_with_what_is_known(document: Any) -> None:
    with pytest.raises(UnknownDocumentError):
        material_in(document)


def test_what_is_nested_too_deeply_is_refused() -> None:
    deep: Any = {}
    for _ in range(200):
        deep = {"a": deep}
    with pytest.raises(UnknownDocumentError, match="cannot be read"):
        material_in(deep)


def test_the_documentation_names_each_reason() -> None:
    page = (ROOT / "docs" / "import.md").read_text()
    assert [str(why) for why in Why if f"`{why}`" not in page] == []


def test_an_action_of_opensearch_alone_or_with_all_below_is_taken() -> None:
    actions = ["indices:admin/mappings/get", "indices:data/read/*"]
    found = from_files(opensearch("orders", indexPermissions=[a_rule(*actions)]), a_binding("orders", users=[ORDERS]))
    assert found.made[0].manifest["spec"]["grants"][0]["privileges"] == actions
