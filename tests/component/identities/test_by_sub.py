"""Principals that are unique ids of service accounts, and how a cluster gets there."""

from searchaccess.ports.errors import Unreachable
from tests.component.common import begin
from tests.component.identities.common import (
    OLD,
    REFRESH,
    SERVICE,
    by_sub,
    declared,
    have_roles,
    identity,
    refreshed,
    resolved,
    switch_to_ids,
)
from tests.support.loop.stage import CLUSTER_KEY, OPERATOR, Stage, on_stage
from tests.support.worlds.world import access, account, condition_in, grant


@on_stage
async def test_by_sub_an_account_that_was_made_anew_has_the_rights_and_the_old_one_has_not(stage: Stage) -> None:
    stage.google.state.deploy(SERVICE, OLD)
    old = stage.google.state.accounts[OLD]
    stage.apply(by_sub(), declared())
    await stage.quiet()
    assert have_roles(stage) == {old}
    assert identity(stage)["principal"] == old
    new = stage.google.state.add_account(OLD)
    await refreshed(stage)
    await refreshed(stage)
    assert have_roles(stage) == {new}
    assert resolved(stage)[0] == "True"
    assert stage.notes("orders") == ["ServiceAccountRecreated"]


@on_stage
async def test_by_sub_a_declared_account_is_looked_up(stage: Stage) -> None:
    unique_id = stage.google.state.add_account(OLD)
    stage.apply(by_sub(), access("orders", grant("orders-*"), principal=OLD), access("gone", grant("x")))
    await stage.quiet()
    assert have_roles(stage) == {unique_id}
    assert stage.ready("gone") == ("False", "ServiceNotFound")
    [mapping] = stage.elasticsearch.mappings_now.values()
    assert "{{metadata.jwt_claim_sub}}" in str(mapping["role_templates"])


@on_stage
async def test_each_account_that_does_not_exist_is_an_event(stage: Stage) -> None:
    stage.apply(by_sub(), access("gone", grant("x"), principal=account("first")))
    await stage.quiet()
    assert stage.notes("gone") == ["ServiceNotFound"]
    stage.amend("gone", subject={"serviceAccount": account("second")})
    await stage.quiet()
    assert stage.notes("gone") == ["ServiceNotFound", "ServiceNotFound"]
    assert [note.message.partition(" (since ")[0] for _, note in stage.kubernetes.events] == [
        f"there is no account {account(name)}" for name in ("first", "second")
    ]


@on_stage
async def test_from_email_to_sub_roles_come_first_then_the_mapping_then_old_roles_go(stage: Stage) -> None:
    unique_id = stage.google.state.add_account(OLD)
    await begin(stage, access("orders", grant("orders-*"), principal=OLD))
    before = len(stage.faults.writes)
    stage.kubernetes.change(CLUSTER_KEY, lambda raw: raw.update(spec=by_sub()["spec"]))
    await stage.quiet()
    assert have_roles(stage) == {unique_id}
    methods = [call.method for call in stage.faults.writes[before:] if call.side == "elasticsearch"]
    assert methods[-3:] == ["put_roles", "put_mapping", "delete_roles"]
    assert stage.ready("orders") == ("True", "InSync")


@on_stage
async def test_from_email_to_sub_nobody_loses_a_role_while_the_id_of_one_is_not_known(stage: Stage) -> None:
    other = account("billing")
    ids = {email: stage.google.state.add_account(email) for email in (OLD, other)}
    await begin(stage, access("orders", grant("orders-*"), principal=OLD), access("billing", grant("billing-*")))
    healthy = stage.google.get_account
    await switch_to_ids(stage, other)
    await stage.reconcile_all()
    assert have_roles(stage) == {OLD, other, ids[OLD]}
    assert "username" in str(stage.elasticsearch.mappings_now[OPERATOR.mapping_name]["role_templates"])
    assert stage.ready("orders") == ("False", "Pending"), "its role is there, and gives nobody anything"
    assert "that of shop/billing is not" in condition_in(stage.get("orders"), "Ready")["message"]
    assert stage.cluster_ready() == ("False", "IdentityUnknown")

    stage.google.get_account = healthy  # type: ignore[method-assign]
    await refreshed(stage)
    assert stage.ready("orders") == stage.ready("billing") == ("True", "InSync")
    assert stage.cluster_ready() == ("True", "InSync")
    assert have_roles(stage) == set(ids.values())
    assert "jwt_claim_sub" in str(stage.elasticsearch.mappings_now[OPERATOR.mapping_name]["role_templates"])


@on_stage
async def test_from_email_to_sub_what_is_written_is_not_called_in_sync_before_the_mapping_is(stage: Stage) -> None:
    unique_id = stage.google.state.add_account(OLD)
    await begin(stage, access("orders", grant("orders-*"), principal=OLD))
    stage.faults.fail("elasticsearch", Unreachable("away"), "put_mapping")
    stage.kubernetes.change(CLUSTER_KEY, lambda raw: raw.update(spec=by_sub()["spec"]))
    await stage.sleep(60)
    assert have_roles(stage) == {OLD, unique_id}, "the old one is what callers have"
    assert stage.ready("orders") == ("Unknown", "ClusterUnreachable")
    stage.faults.heal("elasticsearch")
    await stage.sleep(REFRESH)
    await stage.quiet()
    assert have_roles(stage) == {unique_id}
    assert stage.ready("orders") == ("True", "InSync")
