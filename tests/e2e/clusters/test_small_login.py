"""The small logins of docs/clusters.md: what is granted, corrected, refused and revoked with exactly these roles."""

import json
from typing import Any

from searchaccess.api.clusters.tiers import Tier
from tests.e2e.clusters.test_logins import with_login, write_login, write_user
from tests.e2e.credentials.keys import STORES, client_with, secret, with_key
from tests.e2e.rights.test_access import fill, found
from tests.support.operatorprocess import ROOT
from tests.support.waiting import eventually
from tests.support.worlds.logins import documented_mapping, documented_role
from tests.support.worlds.world import OPERATOR_PASSWORD, World, access, condition_in, grant

WITHIN = 90
EU: dict[str, Any] = {"where": {"term": {"region.keyword": "eu"}}, "fields": {"exclude": ["customer.ssn"]}}


def declare(world: World, name: str, tier: Tier, **more: Any) -> None:
    """Declare a SearchCluster with the documented login of a tier."""
    write_user(world, name, documented_role(tier))
    write_login(world, name, username=name, password=OPERATOR_PASSWORD)
    declared = with_login(world, name)
    declared["spec"] |= more
    world.apply(declared)


def test_tokens_need_no_login_that_may_do_everything(elsewhere: World) -> None:
    """Grant, restrict, correct, change and revoke; a person writes the one role mapping, as the message says."""
    world, cluster = elsewhere, "small"
    fill(world, "orders-1", "invoices-1")
    declare(world, cluster, Tier.ROLES)
    world.apply(
        access("small-reader", grant("orders-*", **EU), cluster=cluster),
        access("small-writer", grant("orders-*", can=["write", "delete", "create", "monitor"]), cluster=cluster),
        access("small-adder", grant("audit-*", can=["append", "create"]), cluster=cluster),
        access("small-beyond", grant("orders-*"), grant("invoices-*"), cluster=cluster),
        access("small-admin", grant("orders-*", can=["manage"]), cluster=cluster),
    )
    # A person writes the role mapping.
    seen = world.until_cluster_reason(cluster, "RoleMappingNotWritten", status="False", within=WITHIN)
    assert seen["status"]["login"] == {"tier": "Roles", "user": cluster}
    message = condition_in(seen, "Ready")["message"]
    reported = json.loads(message[message.index("{") :])
    documented = documented_mapping()
    assert {key: reported[key] for key in documented} == documented
    world.until_reason("small-reader", "RoleMappingNotWritten", status="False", within=WITHIN)
    assert not world.role("small-reader")
    world.write_mapping(documented)
    world.until_ready("small-reader", "small-writer", "small-adder", within=WITHIN)
    world.until_cluster_reason(cluster, "InSync", status="True", within=WITHIN)

    # What is granted, and no more.
    with world.caller("small-reader") as reader:
        documents = found(reader, "orders-*")
        assert {item["region"] for item in documents} == {"eu"}
        assert all("ssn" not in item["customer"] for item in documents)
        assert reader.put("/orders-1/_doc/9", json={}).status_code == 403
        assert reader.get("/invoices-1/_search").status_code == 403
    with world.caller("small-writer") as writer:
        assert writer.put("/orders-2/_doc/1", json={"total": 1}).status_code == 201, "it creates the index"
        assert writer.delete("/orders-2/_doc/1").status_code == 200
        assert writer.get("/orders-2/_stats").status_code == 200
        assert writer.get("/orders-2/_search").status_code == 403
    with world.caller("small-adder") as adder:
        assert adder.put("/audit-1/_create/1", json={"total": 1}).status_code == 201
        assert adder.put("/audit-1/_doc/1", json={"total": 2}).status_code == 403

    # What is beyond it is reported, and was not tried.
    for name, missing in (("small-beyond", "read on invoices-*"), ("small-admin", "manage on")):
        refused = world.until_reason(name, "BeyondLogin", status="False", within=WITHIN)
        assert missing in condition_in(refused, "Ready")["message"]
        assert not world.role(name)

    # Drift is corrected; what was restricted and is changed stays restricted.
    role = world.role("small-reader")
    world.write_role("small-reader", role | {"cluster": ["all"]})
    eventually(lambda: world.role("small-reader")["cluster"] == [], within=WITHIN, what="drift is corrected")
    former = json.loads(json.dumps(role).replace("/NO-INDEX ", "NO-INDEX#").replace('/"', '"'))
    world.write_role("small-reader", former)
    eventually(
        lambda: world.role("small-reader")["indices"] == role["indices"], within=WITHIN, what="a mark is renewed"
    )
    world.patch("small-reader", {"spec": {"grants": [grant("audit-*", can=["read"])]}})
    world.until_ready("small-reader", within=WITHIN)
    with world.caller("small-reader") as reader:
        assert len(found(reader, "audit-*")) <= 1
        assert reader.get("/orders-1/_search").status_code == 403

    # Revoked, with the SearchCluster gone in the end. What a person wrote is a person's.
    for name in ("small-reader", "small-writer", "small-adder", "small-beyond", "small-admin"):
        world.delete(name)
        assert not world.role(name)
    with world.caller("small-writer") as writer:
        assert writer.put("/orders-2/_doc/1", json={}).status_code == 403
    world.kubernetes.run_kubectl("delete", "searchcluster", cluster, "--timeout=60s")
    assert world.mapping()


def test_a_login_for_keys_issues_them_with_rights_that_it_has_itself(elsewhere: World) -> None:
    world, cluster = elsewhere, "small-keys"
    fill(world, "orders-1", "audit-1")
    world.kubernetes.run_kubectl("apply", "-n", "shop", "-f", str(ROOT / "deploy" / "kubernetes-store.yaml"))
    declare(world, cluster, Tier.ROLES_AND_KEYS, secretStores=STORES)
    world.write_mapping(documented_mapping())
    password = {"auth": "Password"}
    world.apply(
        with_key("small-keyed", cluster=cluster, granted=grant("orders-*", **EU)),
        with_key("small-wide", cluster=cluster, granted=grant("audit-*")),
        with_key("small-known", cluster=cluster, **password),
        access("small-token", grant("orders-*"), cluster=cluster),
    )
    world.until_ready("small-keyed", "small-token", within=WITHIN)
    assert world.get_cluster(cluster)["status"]["login"]["tier"] == "RolesAndKeys"
    first = secret(world, "small-keyed")
    with client_with(world, first["encoded"]) as caller:
        documents = found(caller, "orders-*")
        assert {item["region"] for item in documents} == {"eu"}
        assert all("ssn" not in item["customer"] for item in documents)
        assert caller.get("/audit-1/_search").status_code == 403
    refused = world.until_reason("small-wide", "PermissionDenied", status="False", within=WITHIN)
    assert "audit-*" in condition_in(refused, "Ready")["message"], "a key has at most the login's own rights"
    world.until_reason("small-known", "BeyondLogin", status="False", within=WITHIN)

    world.annotate("small-keyed", "rotate-requested-at", "now")
    eventually(lambda: secret(world, "small-keyed")["id"] != first["id"], within=WITHIN, what="it is rotated")
    world.delete("small-keyed")
    keys = world.admin.get("/_security/api_key?active_only=true").json()["api_keys"]
    assert not [key for key in keys if "small-keyed" in key["name"]], "all of its keys are revoked"
