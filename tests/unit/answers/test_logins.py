"""What is printed for the platform team: the role of a small login, and the role mapping."""

import json
from pathlib import Path
from typing import Any

import pytest
import yaml
from typer.testing import CliRunner

from searchaccess.api.clusters.tiers import Tier
from searchaccess.cli.main import app
from searchaccess.core.answers.logins import full_role, keys_role, observer_role, role_for
from searchaccess.core.clusters.cluster import cluster_from_object
from searchaccess.core.model.canonical import mapping_from_json
from searchaccess.core.policy.decision import Do, Gate, decide
from searchaccess.core.policy.delegation import Delegation, is_open
from searchaccess.core.policy.login import LoginRights
from searchaccess.core.rights.mapping import build_template_mapping
from tests.demo.manifests import access_files, login_role
from tests.support.worlds.logins import documented_mapping, documented_role, roles_documented
from tests.unit.answers.test_realms import GATEWAY
from tests.unit.builders import OPERATOR, a_grant, a_search_access, a_search_cluster, an_access

DECLARED = [
    an_access("reader", grants=[a_grant("orders-*", where={"term": {"region": "eu"}})]),
    an_access(
        "writer", grants=[a_grant("orders-*", "audit-1", can=["write"]), a_grant("x", fields={"exclude": ["y"]})]
    ),
    an_access("confined", grants=[a_grant("orders-*", can=["read", "write"], fields={"exclude": ["ssn"]})]),
]


def rights_of(role: dict[str, Any]) -> LoginRights:
    entries = role["global"]["role"]["manage"]["indices"]
    return LoginRights(
        "me", delegated=tuple(Delegation(tuple(one["names"]), tuple(one["privileges"])) for one in entries)
    )


def test_with_the_role_everything_can_be_granted_and_nothing_else() -> None:
    role, left = role_for(DECLARED, OPERATOR)
    assert left == []
    gate = Gate(login=rights_of(role))
    assert {decide(access, gate).do for access in DECLARED} == {Do.ENFORCE}
    assert decide(an_access(grants=[a_grant("x", can=["write"])]), gate).do is Do.HOLD
    assert role["global"]["role"]["manage"]["indices"][-1]["names"] == ["searchaccess.default.*"]


def test_it_reads_names_and_mappings_of_what_is_granted_and_of_nothing_else() -> None:
    role, _ = role_for([*DECLARED, an_access("all", grants=[a_grant("*")])], OPERATOR)
    [security, metadata] = role["indices"]
    assert security["names"] == [".security*"]
    assert metadata == {"names": ["audit-1", "orders-*", "x"], "privileges": ["view_index_metadata"]}
    assert observer_role(DECLARED)["indices"] == role["indices"]
    assert observer_role() == documented_role(Tier.OBSERVE)


def test_what_cannot_be_delegated_is_left_out_and_said() -> None:
    beyond = [
        an_access("all", grants=[a_grant("*")]),
        an_access("cluster", clusterCan=["monitor"]),
        an_access("remote", grants=[a_grant("logs-*", remoteClusters=["eu"])]),
        an_access("kibana", kibana=[{"spaces": ["sales"], "base": "read"}]),
        an_access("key", auth="ApiKey", credential={"store": "main", "name": "key"}),
        an_access("limited", limits={"requestsPerSecond": 5}),
        an_access("broken", grants=[a_grant("Upper")]),
    ]
    role, left = role_for([*DECLARED, *beyond], OPERATOR)
    assert role == role_for(DECLARED, OPERATOR)[0]
    names = ["all", "cluster", "remote", "kibana", "key", "limited", "broken"]
    assert [line.partition(":")[0] for line in left] == [f"shop/{name}" for name in names]
    assert "identity.gateway, which needs a login of the tier Full" in left[5]
    assert "* would delegate Elasticsearch's own indices: name a narrower pattern, or use the tier Full" in left[0]
    assert left[1] == "shop/cluster: clusterCan cannot be delegated: it needs the tier Full"
    assert left[4] == "shop/key: auth: ApiKey needs the tier RolesAndKeys"


def test_each_tier_has_what_is_documented_and_what_its_keys_get() -> None:
    key = {"auth": "ApiKey", "credential": {"store": "main", "name": "key"}}
    grants = [a_grant("keyed-*", where={"term": {"a": 1}}), a_grant("far-*", remoteClusters=["eu"])]
    keyed = an_access("keyed", grants=grants, clusterCan=["monitor"], **key)
    password = an_access("password", auth="Password", credential={"store": "main", "name": "user"})
    assert full_role() == documented_role(Tier.FULL)
    full = full_role([keyed, password])
    assert full["indices"][-1] == {"names": ["keyed-*"], "privileges": ["read", "view_index_metadata"]}
    [remote] = full["remote_indices"]
    assert (remote["names"], remote["clusters"]) == (["far-*"], ["eu"])
    role, left = keys_role([*DECLARED, keyed, password], OPERATOR)
    assert left == ["shop/password: auth: Password needs the tier Full"]
    assert role["cluster"] == documented_role(Tier.ROLES_AND_KEYS)["cluster"]
    assert role["global"] == role_for(DECLARED, OPERATOR)[0]["global"]
    assert role["indices"][-1] == full["indices"][-1]
    assert role["indices"][1]["names"] == ["audit-1", "keyed-*", "orders-*", "x"]


@pytest.mark.parametrize(
    ("pattern", "opens"),
    [
        ("*", True),
        (".*", True),
        (".sec*", True),
        ("/.*/", True),
        ("/[^.].*/", False),
        ("orders-*", False),
        ("*a", True),
    ],
)
def test_what_a_restricted_index_fits_into_is_found(pattern: str, *, opens: bool) -> None:
    assert is_open(pattern) is opens


def test_the_documented_role_and_mapping_are_those_that_are_meant() -> None:
    names = {name for each in rights_of(documented_role(Tier.ROLES)).delegated for name in each.names}
    assert not any(map(is_open, names))
    assert roles_documented() == len(Tier) + 2, "each has one, and two more are tested"
    realm = cluster_from_object(a_search_cluster()).wanted_realm
    assert realm
    desired = build_template_mapping(OPERATOR, realm.name, realm.principal)
    assert mapping_from_json(documented_mapping()) == desired.body


def run(*arguments: str) -> tuple[int, str, str]:
    result = CliRunner().invoke(app, list(arguments))
    return result.exit_code, result.stdout, result.stderr


def test_both_are_printed_from_manifests(tmp_path: Path) -> None:
    several = [a_search_cluster(), a_search_access(), a_search_access("all", grants=[a_grant("*")])]
    file = tmp_path / "all.yaml"
    file.write_text(yaml.safe_dump_all(several))
    code, printed, reported = run("mapping", "-f", str(file), "--instance", "other")
    request, _, body = printed.partition("\n")
    assert (code, request, reported) == (0, "PUT _security/role_mapping/searchaccess.other", "")
    assert json.loads(body)["role_templates"][0]["template"]["source"] == "searchaccess.other.{{username}}"

    code, printed, reported = run("login", "-f", str(file), "--cluster", "prod")
    assert code == 1
    assert json.loads(printed)["global"]["role"]["manage"]["indices"][0]["names"] == ["orders-*"]
    assert "left out shop/all" in reported
    assert run("mapping", "-f", str(file), "--cluster", "another")[0] == 1


def test_behind_a_gateway_only_the_largest_tier_is_enough(tmp_path: Path) -> None:
    gateway = a_search_cluster("behind", identity={"gateway": GATEWAY})
    assert cluster_from_object(gateway).gateway, cluster_from_object(gateway).invalid
    file = tmp_path / "all.yaml"
    file.write_text(yaml.safe_dump_all([gateway, a_search_access(cluster="behind")]))
    for tier, code in ((Tier.OBSERVE, 0), (Tier.ROLES, 1), (Tier.ROLES_AND_KEYS, 1), (Tier.FULL, 0)):
        ended, _, reported = run("login", "-f", str(file), "--tier", tier)
        assert ended == code
        assert ("SearchCluster behind is behind a gateway and needs the tier Full" in reported) is bool(code)
    assert run("login", "-f", str(file), "--tier", "Roles", "--cluster", "other")[0] == 0


@pytest.mark.parametrize("tier", Tier)
def test_where_audit_events_are_declared_the_login_may_read_them(tmp_path: Path, tier: Tier) -> None:
    declared = a_search_cluster(audit={"index": "logs-elasticsearch.audit-*"})
    file = tmp_path / "all.yaml"
    file.write_text(yaml.safe_dump_all([declared, a_search_access()]))
    code, printed, _ = run("login", "-f", str(file), "--tier", tier)
    assert code == 0
    entry = {"names": ["logs-elasticsearch.audit-*"], "privileges": ["read"]}
    assert json.loads(printed)["indices"][-1] == entry
    _, printed, _ = run("login", "-f", str(file), "--tier", tier, "--cluster", "another")
    assert entry not in json.loads(printed)["indices"]


def test_the_demo_gives_the_operator_what_the_command_prints() -> None:
    files = [argument for file in access_files() for argument in ("-f", str(file))]
    done = CliRunner().invoke(app, ["login", "--tier", "Full", *files])
    role = json.loads(done.stdout)
    assert (done.exit_code, role) == (0, login_role())
    assert "view_index_metadata" in [name for each in role["indices"] for name in each["privileges"]]
