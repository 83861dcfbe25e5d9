"""State in, state out: logins that may write some roles alone, or nothing."""

from typing import Any

from searchaccess.api.conditions.reasons import Reason
from searchaccess.api.searchcluster import PrincipalClaim
from searchaccess.core.patterns.marks import DELEGATED
from searchaccess.core.policy.delegation import Delegation
from searchaccess.core.policy.login import LoginRights
from searchaccess.core.rights.mapping import build_template_mapping
from tests.component.common import MAPPING, ORDERS, ROLE, begin, granted
from tests.component.credentials import common as credentials
from tests.component.credentials.common import with_key, with_password
from tests.support.loop.stage import CLUSTER_KEY, OPERATOR, Stage, on_stage, search_cluster
from tests.support.memory.elasticsearch import REALM
from tests.support.worlds.world import access, account, condition_in, grant

EU: dict[str, Any] = {"where": {"term": {"region": "eu"}}}
DELEGATIONS = (
    Delegation(("orders-*", DELEGATED), ("read", "view_index_metadata", "index", "create", "delete")),
    Delegation((f"{MAPPING}.*",), ("delete_index",)),
)
OBSERVE = LoginRights("small")
ROLES = LoginRights("small", delegated=DELEGATIONS)
ROLES_AND_KEYS = LoginRights("small", keys=True, delegated=DELEGATIONS)
FULL = LoginRights("large", manages=True, keys=True)
BEYOND = ("False", Reason.BEYOND_LOGIN)
UNWRITTEN = ("False", Reason.ROLE_MAPPING_NOT_WRITTEN)
IN_SYNC = ("True", "InSync")
WRITES = ("put_roles", "replace_roles", "delete_roles", "put_mapping", "delete_mapping", "create_key", "create_user")


def write_mapping(stage: Stage, **changes: Any) -> None:
    """Write the mapping as a person does, without the operator's metadata."""
    wanted = build_template_mapping(OPERATOR, REALM, PrincipalClaim.EMAIL).body.to_json()
    stage.elasticsearch.write_mapping(MAPPING, wanted | changes)


def tried(stage: Stage, before: int = 0) -> list[str]:
    return [call.method for call in stage.faults.calls[before:] if call.method in WRITES]


def message(stage: Stage, name: str = "orders") -> str:
    return str(condition_in(stage.get(name), "Ready")["message"])


@on_stage
async def test_a_login_for_delegated_roles_serves_tokens_and_the_status_says_which_it_is(stage: Stage) -> None:
    stage.elasticsearch.rights_now = ROLES
    write_mapping(stage)
    await begin(stage, access("orders", grant("orders-*", **EU), principal=ORDERS))
    assert stage.ready("orders") == stage.cluster_ready() == IN_SYNC
    assert stage.cluster()["status"]["login"] == {"tier": "Roles", "user": "small"}

    stage.elasticsearch.write_role(ROLE, stage.role(ORDERS) | {"cluster": ["all"]})
    await stage.sleep(5)
    await stage.quiet()
    assert stage.role(ORDERS)["cluster"] == [], "drift is corrected"
    stage.delete("orders")
    await stage.quiet()
    assert not stage.role(ORDERS)
    assert set(tried(stage)) <= {"put_roles", "delete_roles", "replace_roles"}, "no mapping was ever written"
    assert MAPPING in stage.elasticsearch.mappings_now


@on_stage
async def test_what_is_beyond_it_is_reported_before_it_is_tried_and_spoils_nothing(stage: Stage) -> None:
    stage.elasticsearch.rights_now = ROLES
    write_mapping(stage)
    stage.apply(
        search_cluster(secretStores=credentials.STORES),
        access("orders", grant("orders-*"), principal=ORDERS),
        access("wide", grant("*"), principal=account("wide")),
        access("beside", grant("invoices"), principal=ORDERS),
        access("manager", grant("orders-1", can=["manage"]), principal=account("manager")),
        access("cluster", grant("orders-1"), clusterCan=["monitor"], principal=account("cluster")),
        with_key("keyed", granted=grant("orders-1")),
        with_password("known", granted=grant("orders-1")),
    )
    await stage.quiet()
    assert stage.ready("orders") == IN_SYNC
    assert granted(stage) == {"orders-*"}
    for name in ("wide", "beside", "manager", "cluster", "keyed", "known"):
        assert stage.ready(name) == BEYOND, name
    assert "not delegated: read on *" in message(stage, "wide")
    assert "manage_api_key" in message(stage, "keyed")
    assert "auth: Password" in message(stage, "known")
    assert stage.cluster_ready() == IN_SYNC
    assert tried(stage) == ["put_roles"]

    # As the message says, with the operator's metadata.
    write_mapping(stage, metadata=OPERATOR.stamp())
    stage.elasticsearch.rights_now = FULL
    await stage.sleep(5)
    await stage.quiet()
    for name in ("orders", "wide", "beside", "manager", "cluster", "keyed", "known"):
        assert stage.ready(name) == IN_SYNC, name


@on_stage
async def test_the_mapping_is_verified_not_written_and_what_to_write_is_reported(stage: Stage) -> None:
    stage.elasticsearch.rights_now = ROLES
    await begin(stage, access("orders", grant("orders-*"), principal=ORDERS))
    assert stage.cluster_ready() == stage.ready("orders") == UNWRITTEN
    reported = condition_in(stage.cluster(), "Ready")["message"]
    assert f'PUT _security/role_mapping/{MAPPING} {{"enabled":true,' in reported
    assert f'"source":"{MAPPING}.{{{{username}}}}"' in reported
    assert not stage.role(ORDERS)
    assert not tried(stage)

    write_mapping(stage)
    await stage.sleep(5)
    await stage.quiet()
    assert stage.cluster_ready() == stage.ready("orders") == IN_SYNC

    write_mapping(stage, enabled=False)
    await stage.sleep(5)
    await stage.quiet()
    assert stage.cluster_ready() == UNWRITTEN
    stage.delete("orders")
    await stage.quiet()
    assert not stage.role(ORDERS), "what ends rights goes on"
    assert not stage.elasticsearch.mappings_now[MAPPING]["enabled"]


@on_stage
async def test_the_mapping_stays_when_the_search_cluster_goes(stage: Stage) -> None:
    stage.elasticsearch.rights_now = ROLES
    write_mapping(stage)
    await begin(stage, access("orders", grant("orders-*"), principal=ORDERS))
    stage.delete("orders")
    await stage.quiet()
    stage.kubernetes.delete(CLUSTER_KEY)
    await stage.quiet()
    assert CLUSTER_KEY not in stage.kubernetes.objects
    assert MAPPING in stage.elasticsearch.mappings_now


@on_stage
async def test_a_role_with_more_than_was_delegated_does_not_keep_others_from_theirs(stage: Stage) -> None:
    """Elasticsearch refuses a bulk write as a whole in which one role is too much."""
    stage.elasticsearch.rights_now = FULL
    await begin(stage, access("old", grant("invoices"), principal=account("old")))
    stage.elasticsearch.rights_now = ROLES
    stage.elasticsearch.sequence += 1
    await stage.sleep(5)
    names = [f"new-{number}" for number in range(9)]
    stage.apply(*(access(name, grant("orders-*"), principal=account(name)) for name in names))
    # What it had is kept, so that its role is more than was delegated whatever is added.
    stage.apply(access("more", grant("orders-*"), principal=account("old")))
    await stage.quiet()
    for name in names:
        assert stage.ready(name) == IN_SYNC, name
    assert stage.ready("more")[1] in {Reason.REJECTED, Reason.PERMISSION_DENIED}
    assert "delegated" in message(stage, "more")
    assert granted(stage, account("old")) == {"invoices"}


async def refused_beside_another(stage: Stage) -> None:
    """Have rights refused that were delegated, as the role has others that were not."""
    stage.elasticsearch.rights_now = FULL
    await begin(stage, access("old", grant("invoices"), principal=ORDERS))
    stage.elasticsearch.rights_now = ROLES
    stage.elasticsearch.sequence += 1
    await stage.sleep(5)
    stage.apply(access("more", grant("orders-*"), principal=ORDERS))
    await stage.quiet()
    assert stage.ready("more") == ("False", Reason.REJECTED)


@on_stage
async def test_what_was_refused_with_what_others_had_is_tried_again_without_that(stage: Stage) -> None:
    await refused_beside_another(stage)
    stage.delete("old")
    await stage.quiet()
    assert stage.ready("more") == IN_SYNC
    assert granted(stage) == {"orders-*"}
    written = len(stage.faults.writes)
    await stage.sleep(300)
    assert len(stage.faults.writes) == written


@on_stage
async def test_what_was_refused_is_tried_again_with_a_larger_login(stage: Stage) -> None:
    await refused_beside_another(stage)
    stage.elasticsearch.rights_now = FULL
    stage.elasticsearch.sequence += 1
    await stage.sleep(20)
    await stage.quiet()
    assert stage.ready("more") == IN_SYNC


@on_stage
async def test_a_login_for_keys_issues_them_and_makes_no_users(stage: Stage) -> None:
    stage.elasticsearch.rights_now = ROLES_AND_KEYS
    write_mapping(stage)
    await credentials.begin(
        stage, with_key("keyed", granted=grant("invoices")), with_password("known", granted=grant("orders-1"))
    )
    assert stage.ready("keyed") == IN_SYNC, "what keys may do is not what roles may"
    assert stage.ready("known") == BEYOND
    assert stage.cluster()["status"]["login"]["tier"] == "RolesAndKeys"


@on_stage
async def test_one_that_only_observes_is_reported_before_anything_is_tried(stage: Stage) -> None:
    stage.elasticsearch.rights_now = OBSERVE
    await begin(
        stage,
        access("orders", grant("orders-*"), principal=ORDERS),
        access("seen", grant("orders-*"), principal=account("seen"), mode="Observe"),
    )
    assert stage.ready("orders") == stage.cluster_ready() == ("False", "PermissionDenied")
    assert "manage_security" in message(stage)
    assert stage.ready("seen") == ("False", "ChangesPending")
    assert stage.cluster()["status"]["login"] == {"tier": "Observe", "user": "small"}
    assert not tried(stage)

    # Its Secret is read again soon, and its rights with it: no write shows another login.
    stage.elasticsearch.rights_now = FULL
    await stage.sleep(30)
    await stage.quiet()
    assert stage.ready("orders") == stage.cluster_ready() == IN_SYNC


@on_stage
async def test_what_elasticsearch_does_not_say_of_a_login_is_tried(stage: Stage) -> None:
    stage.elasticsearch.rights_now = None
    await begin(stage, access("orders", grant("*"), clusterCan=["monitor"], principal=ORDERS))
    assert stage.ready("orders") == stage.cluster_ready() == IN_SYNC
    assert "login" not in stage.cluster()["status"]


@on_stage
async def test_a_delegation_that_reaches_elasticsearch_itself_is_reported_and_another_is_not(stage: Stage) -> None:
    too_wide = Delegation(("*", "orders-*", DELEGATED), ("read", "view_index_metadata"))
    stage.elasticsearch.rights_now = LoginRights("small", delegated=(too_wide,))
    write_mapping(stage)
    await begin(stage, access("orders", grant("orders-*"), principal=ORDERS))
    found = condition_in(stage.cluster(), "DelegationOpen")
    assert (found["status"], found["reason"]) == ("True", "RestrictedIndicesDelegated")
    assert found["message"] == "delegated to small: *"
    assert stage.cluster_ready() == IN_SYNC

    stage.elasticsearch.rights_now = ROLES
    stage.elasticsearch.sequence += 1
    await stage.sleep(5)
    await stage.quiet()
    assert not condition_in(stage.cluster(), "DelegationOpen")


@on_stage
async def test_of_one_with_some_actions_in_place_of_manage_security_the_missing_ones_are_reported(stage: Stage) -> None:
    stage.elasticsearch.rights_now = LoginRights("small", missing=("cluster:admin/xpack/security/user/delete",))
    await begin(stage, access("orders", grant("orders-*"), principal=ORDERS))
    assert stage.ready("orders") == stage.cluster_ready() == ("False", "PermissionDenied")
    assert "lacks cluster:admin/xpack/security/user/delete" in message(stage)
    assert "only reads" not in message(stage)
