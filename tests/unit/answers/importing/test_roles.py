"""What a role grants becomes what a SearchAccess grants: exactly that, or it is reported."""

from dataclasses import replace
from typing import Any

import pytest
import yaml

from searchaccess.api.stores.credentials import Auth
from searchaccess.core.answers.importing.formats.detect import material_in
from searchaccess.core.answers.importing.importing import Imported, Wish, import_all
from searchaccess.core.answers.importing.subjects import subject_map
from searchaccess.core.model.access import Access
from searchaccess.core.model.parsing import access_from_object
from searchaccess.core.model.timeboxes.timebox import Term, Validity
from tests.support.operatorprocess import ROOT
from tests.unit.answers.importing.having import (
    BILLING,
    ORDERS,
    a_mapping,
    a_role,
    an_entry,
    entries_of,
    imported,
    left,
    of_role,
    spec,
)

CORPUS: dict[str, Any] = yaml.safe_load((ROOT / "tests" / "fixtures" / "import" / "roles.yml").read_text())


def test_a_role_of_one_service_account_becomes_a_search_access_that_changes_nothing_yet() -> None:
    found = of_role(a_role(an_entry("orders-*"), cluster=["monitor"]))
    assert [one.manifest for one in found.made] == [
        {
            "apiVersion": "searchaccess.dev/v1alpha1",
            "kind": "SearchAccess",
            "metadata": {
                "name": "orders",
                "namespace": "shop",
                "annotations": {"searchaccess.dev/imported-from": "role orders"},
            },
            "spec": {
                "cluster": "prod",
                "subject": {"serviceAccount": ORDERS},
                "grants": [{"indices": ["orders-*"], "can": ["read"]}],
                "clusterCan": ["monitor"],
                "mode": "Observe",
            },
        }
    ]
    assert found.leftovers == ()
    assert found.replaced == ("role orders",)


@pytest.mark.parametrize(
    ("privileges", "grant"),
    [
        (["read", "view_index_metadata"], {"can": ["read"]}),
        (["read"], {"privileges": ["read"]}),
        (["read", "view_index_metadata", "monitor"], {"can": ["read", "monitor"]}),
        (["index", "create", "delete"], {"can": ["write", "delete"]}),
        (["create_doc", "auto_configure"], {"can": ["append", "create"]}),
        (["all"], {"privileges": ["all"]}),
        (["write", "create_index"], {"privileges": ["create_index", "write"]}),
        (["manage", "indices:data/read/get*"], {"can": ["manage"], "privileges": ["indices:data/read/get*"]}),
    ],
)
def test_actions_are_used_where_they_are_exact(privileges: list[str], grant: dict[str, Any]) -> None:
    [found] = spec(of_role(a_role(an_entry("orders", privileges=privileges))))["grants"]
    assert found == {"indices": ["orders"]} | grant


@pytest.mark.parametrize(
    ("security", "fields"),
    [
        ({"grant": ["*"]}, None),
        ({"grant": ["title", "title.*"]}, {"include": ["title"]}),
        ({"grant": ["title"]}, {"include": ["title"], "exclude": ["title.*"]}),
        ({"grant": ["title", "customer.*"]}, {"include": ["customer.*", "title"], "exclude": ["title.*"]}),
        ({"grant": ["*"], "except": ["ssn", "ssn.*"]}, {"exclude": ["ssn"]}),
        ({"grant": ["*"], "except": ["card.*"]}, {"exclude": ["card.*"]}),
        ({"grant": [r"/(c[0-9])(\..*)?/"]}, {"include": ["/c[0-9]/"]}),
    ],
)
def test_fields_mean_exactly_the_same(security: dict[str, Any], fields: dict[str, Any] | None) -> None:
    found = of_role(a_role(an_entry("orders", field_security=security)))
    assert spec(found)["grants"][0].get("fields") == fields
    assert found.leftovers == ()


def test_fields_of_which_one_is_below_another_are_reported() -> None:
    found = of_role(a_role(an_entry("orders", field_security={"grant": ["a", "a.b"]})))
    assert left(found) == [("role orders", "indices[0] (orders)", "Fields")]


def test_a_field_that_is_hidden_without_what_is_below_it_is_reported_with_what_to_write() -> None:
    found = of_role(a_role(an_entry("people", field_security={"grant": ["*"], "except": ["ssn"]})))
    assert found.made == ()
    [one] = found.leftovers
    assert "ssn.keyword" in one.message
    assert "NAME.*" in one.why.next_step
    assert found.replaced == ()


def test_write_keeps_its_meaning_beside_a_restricted_grant() -> None:
    limited = an_entry("orders-*", query={"term": {"region": "eu"}})
    [_, writer] = spec(of_role(a_role(limited, an_entry("orders-eu", privileges=["index", "create"]))))["grants"]
    assert writer == {"indices": ["orders-eu"], "privileges": ["create", "index"]}
    names = ["indices:admin/mapping/auto_put", "indices:data/write/bulk*", "indices:data/write/index*"]
    confined = an_entry("orders-eu", privileges=[*names, "indices:data/write/simulate/bulk*"])
    [_, writer] = spec(of_role(a_role(limited, confined)))["grants"]
    assert writer == {"indices": ["orders-eu"], "can": ["write"]}


def test_more_indices_than_a_grant_may_name_become_several_grants() -> None:
    names = [f"tenant-{number:03}" for number in range(120)]
    grants = spec(of_role(a_role(an_entry(*names))))["grants"]
    assert [len(grant["indices"]) for grant in grants] == [50, 50, 20]
    assert sorted(name for grant in grants for name in grant["indices"]) == names


def test_a_part_of_many_indices_is_never_merged_with_a_restricted_entry() -> None:
    # Elasticsearch would drop the restriction of the old role: the part has the same names.
    names = [f"tenant-{number:03}" for number in range(60)]
    limited = an_entry(*names[:50], query={"term": {"region": "eu"}})
    found = of_role(a_role(an_entry(*names, privileges=["delete"]), limited))
    assert left(found) == [("role orders", "indices[0] (tenant-000 and 59 more)", "Merged")]


def test_rights_in_kibana_are_divided_as_a_grant_has_them() -> None:
    privileges = ["space_read", "feature_discover.all", "feature_discover.read", "feature_ml.read"]
    entry = {"application": "kibana-.kibana", "privileges": privileges, "resources": ["space:shop"]}
    assert spec(of_role({"applications": [entry]}))["kibana"] == [
        {"spaces": ["shop"], "base": "read"},
        {"spaces": ["shop"], "features": {"discover": "all", "ml": "read"}},
        {"spaces": ["shop"], "features": {"discover": "read"}},
    ]


@pytest.mark.parametrize(
    ("role", "part", "why"),
    [
        (a_role(run_as=["elastic"]), "run_as", "RunAs"),
        (a_role(cluster=["manage_security"]), "cluster (manage_security)", "ClusterPrivilege"),
        (a_role(cluster=["cluster:monitor/x"]), "cluster (cluster:monitor/x)", "ClusterPrivilege"),
        (a_role(applications=[{"application": "myapp", "privileges": ["a"], "resources": ["*"]}]), "applications",
         "Application"),
        (a_role(**{"global": {"application": {"manage": {"applications": ["*"]}}}}), "global", "Global"),
        (a_role(remote_cluster=[{"clusters": ["*"], "privileges": ["monitor_enrich"]}]), "remote_cluster", "Remote"),
        (a_role(remote_indices=[an_entry("logs", privileges=["all"], clusters=["eu"])]), "remote_indices[0] (logs)",
         "Remote"),
        (a_role(an_entry(".x", allow_restricted_indices=True)), "indices[0] (.x)", "RestrictedIndices"),
        (a_role(an_entry("x", future=1)), "indices[0] (x)", "UnknownField"),
        (a_role(an_entry("x", query="not json")), "indices[0] (x)", "Query"),
        (a_role(an_entry("x", query={"template": {"id": "stored"}})), "indices[0] (x)", "Query"),
        (a_role(an_entry("x", privileges=["cross_cluster_replication"])), "indices[0] (x)", "Invalid"),
        (a_role(an_entry("Upper")), "indices[0] (Upper)", "Invalid"),
        (a_role(an_entry("a-*", "**")), "indices[0] (** and 1 more)", "Invalid"),
        (a_role(an_entry("x", field_security={"grant": []})), "indices[0] (x)", "Fields"),
        (a_role(), "", "NothingGranted"),
    ],
)  # fmt: skip
def test_what_no_search_access_says_is_reported(role: dict[str, Any], part: str, why: str) -> None:
    found = of_role(role)
    assert left(found) == [("role orders", part, why)]
    assert found.made == ()
    assert found.replaced == ()
    assert all(one.message and one.why.next_step for one in found.leftovers)


def test_the_rest_of_a_role_is_imported_and_the_role_is_still_needed() -> None:
    found = of_role(a_role(an_entry("orders-*"), run_as=["elastic"], cluster=["monitor", "all"]))
    assert spec(found)["grants"] == [{"indices": ["orders-*"], "can": ["read"]}]
    assert spec(found)["clusterCan"] == ["monitor"]
    assert [why for _, _, why in left(found)] == ["ClusterPrivilege", "RunAs"]
    assert found.replaced == ()


def test_a_restriction_that_elasticsearch_does_not_apply_today_is_not_imported() -> None:
    # It merges entries with the same names and drops the query: all orders can be read (docs/adr/0011).
    limited = an_entry("orders-*", privileges=["read"], query={"term": {"region": "eu"}})
    roles = {"reader": a_role(limited), "cleaner": a_role(an_entry("orders-*", privileges=["delete"]))}
    found = imported(roles, {"orders": a_mapping("reader", "cleaner")})
    assert left(found) == [("role reader", "indices[0] (orders-*)", "Merged")]
    assert [one.source for one in found.made] == ["role cleaner"]
    # Of another login, they are not merged.
    apart = {"one": a_mapping("reader"), "two": a_mapping("cleaner", rules={"field": {"username": "x@y.com"}})}
    assert "Merged" not in {why for _, _, why in left(imported(roles, apart))}


def test_a_role_that_everybody_has_counts_when_entries_are_merged() -> None:
    limited = an_entry("orders-*", privileges=["read"], query={"term": {"region": "eu"}})
    roles = {"reader": a_role(limited), "base": a_role(an_entry("orders-*", privileges=["monitor"]))}
    everybody = a_mapping("base", rules={"field": {"realm.name": "google"}})
    found = imported(roles, {"orders": a_mapping("reader"), "all": everybody})
    assert ("role reader", "indices[0] (orders-*)", "Merged") in left(found)
    assert found.made == ()


def test_a_role_that_others_have_by_groups_or_claims_counts_only_if_a_caller_may_have_it() -> None:
    limited = an_entry("orders-*", privileges=["read"], query={"term": {"region": "eu"}})
    roles = {"reader": a_role(limited), "ops": a_role(an_entry("orders-*", privileges=["delete"]))}
    for rule, merges in (({"groups": "cn=ops"}, False), ({"metadata.jwt_claim_hd": "acme.com"}, True)):
        found = imported(roles, {"orders": a_mapping("reader"), "ops": a_mapping("ops", rules={"field": rule})})
        assert ("Merged" in {why for _, _, why in left(found)}) is merges


def test_roles_of_the_subject_map_are_merged_with_those_of_role_mappings() -> None:
    limited = an_entry("orders-*", privileges=["read"], query={"term": {"region": "eu"}})
    roles = {"reader": a_role(limited), "cleaner": a_role(an_entry("orders-*", privileges=["delete"]))}
    merged = ("role reader", "indices[0] (orders-*)", "Merged")
    assert merged in left(imported(roles, subjects={"roles": {"reader": ORDERS, "cleaner": ORDERS}}))
    assert merged in left(imported(roles, {"m": a_mapping("cleaner")}, subjects={"roles": {"reader": ORDERS}}))
    everybody = a_mapping("cleaner", rules={"field": {"realm.name": "google"}})
    assert merged in left(imported(roles, {"m": everybody}, subjects={"roles": {"reader": ORDERS}}))


def test_what_is_declared_already_is_not_written_again() -> None:
    roles, mappings = {"orders": a_role(an_entry("orders-*"))}, {"team": a_mapping("orders")}
    first = imported(roles, mappings)
    there = access_from_object(first.made[0].manifest)
    again = imported(roles, mappings, declared=[there])
    assert (again.new, again.replaced) == ((), ("role orders",))
    assert again.made[0].declared_by == ("shop/orders",)


def a_declared(found: Imported, **more: Any) -> Access:
    return access_from_object({**found.made[0].manifest, "spec": {**spec(found), **more}})


def test_what_is_declared_in_other_words_or_by_several_is_not_written_again() -> None:
    roles = {"orders": a_role(an_entry("orders-*", privileges=["read"]), an_entry("logs", privileges=["create_doc"]))}
    mappings = {"team": a_mapping("orders")}
    first = imported(roles, mappings)
    wider = a_declared(first, grants=[{"indices": ["*"], "can": ["read", "write"]}])
    assert imported(roles, mappings, declared=[wider]).new == ()
    reads, appends = (a_declared(first, grants=[grant]) for grant in spec(first)["grants"])
    both = [replace(reads, name="a"), replace(appends, name="b")]
    assert imported(roles, mappings, declared=both).made[0].declared_by == ("shop/a", "shop/b")
    # Of somebody else, of a key, or ended, it counts for nothing.
    for other in (
        replace(wider, subject=BILLING),
        replace(wider, auth=Auth.API_KEY),
        replace(wider, validity=Validity(Term.EXPIRED)),
    ):
        assert len(imported(roles, mappings, declared=[other]).new) == 1


def test_a_search_access_with_other_rights_is_never_overwritten() -> None:
    roles, mappings = {"orders": a_role(an_entry("orders-*"))}, {"team": a_mapping("orders")}
    other = a_declared(imported(roles, mappings), grants=[{"indices": ["logs"], "can": ["read"]}])
    assert [one.ref for one in imported(roles, mappings, declared=[other]).new] == ["shop/orders-2"]


def test_what_would_show_more_together_with_what_is_declared_is_not_imported() -> None:
    declared = of_role(a_role(an_entry("orders-*", field_security={"grant": ["id", "id.*"]})))
    there = access_from_object(declared.made[0].manifest)
    limited = a_role(an_entry("orders-eu", query={"term": {"region": "eu"}}))
    found = imported({"eu": limited}, {"team": a_mapping("eu")}, declared=[there])
    assert left(found) == [("role eu", "indices[0] (orders-eu)", "Widens")]
    assert "shop/orders" in found.leftovers[0].message


def test_two_restrictions_that_show_more_together_are_not_both_imported() -> None:
    documents = an_entry("orders-*", privileges=["read"], query={"term": {"region": "eu"}})
    fields = an_entry("orders-a*", privileges=["read"], field_security={"grant": ["region"]})
    found = of_role(a_role(documents, fields))
    assert left(found) == [("role orders", "indices[1] (orders-a*)", "Widens")]
    assert len(spec(found)["grants"]) == 1


def test_what_policies_refuse_is_reported_and_not_written() -> None:
    found = imported(
        {"orders": a_role(an_entry("*"))}, {"orders": a_mapping("orders")}, refusal=lambda _: "only-logs: * is too much"
    )
    assert left(found) == [("role orders", "", "Policy")]
    assert found.made == ()


def test_of_fifty_roles_of_teams_nine_in_ten_are_imported_as_a_whole_and_the_rest_has_reasons() -> None:
    subjects = {"roles": {name: f"{name}@acme-shop.iam.gserviceaccount.com" for name in CORPUS}}
    found = import_all(material_in(CORPUS), Wish("prod", "shop", subject_map(subjects)))
    assert len(CORPUS) == 50
    assert len(found.replaced) >= 45
    known = set(found.replaced) | {one.source for one in found.leftovers}
    assert known == {f"role {name}" for name in CORPUS}
    for one in found.made:
        access = access_from_object(one.manifest)
        assert not access.invalid
        assert not access.widens
        own = entries_of(CORPUS[one.source.removeprefix("role ")])
        for entry in access.share.on_indices:
            same = [item for item in own if item.indices == entry.indices and item.clusters == entry.clusters]
            assert any((item.privileges, item.query) == (entry.privileges, entry.query) for item in same)


def test_the_result_does_not_depend_on_the_order_of_its_input() -> None:
    names = list(CORPUS)
    subjects = subject_map({"roles": dict.fromkeys(names[:10], ORDERS)})
    wish = Wish("prod", "shop", subjects)
    backwards = {name: CORPUS[name] for name in reversed(names)}
    assert import_all(material_in(CORPUS), wish) == import_all(material_in(backwards), wish)
