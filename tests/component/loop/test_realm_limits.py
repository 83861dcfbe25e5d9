"""A realm that admits only some callers: reported on the SearchAccesses of the others."""

from tests.component.common import begin, granted
from tests.support.loop.stage import Stage, on_stage, search_cluster
from tests.support.memory.elasticsearch import AUDIENCE, ISSUER
from tests.support.worlds.world import access, account, condition_in, grant

NOTICED = 15.0
"""Seconds."""


@on_stage
async def test_a_caller_whom_the_realm_shuts_out_is_reported_on_its_access_alone(stage: Stage) -> None:
    orders, bills = access("orders", grant("orders-*")), access("bills", grant("bills-*"))
    await begin(stage, orders)
    stage.elasticsearch.restart(required_claims={"email": [account("bills")]})
    stage.apply(bills)
    await stage.sleep(NOTICED)
    assert stage.ready("bills") == ("True", "InSync")
    assert stage.cluster_ready() == ("True", "InSync")
    assert stage.ready("orders") == ("False", "RealmMismatch")
    assert condition_in(stage.get("orders"), "Ready")["message"] == (
        f"elasticsearch.yml needs {account('orders')} in xpack.security.authc.realms.jwt.google.required_claims.email "
        f"(on node-0; found: {account('bills')})"
    )
    assert granted(stage) == {"orders-*"}, "what was granted stays"
    stage.elasticsearch.restart(required_claims=None)
    await stage.sleep(NOTICED)
    assert stage.ready("orders") == ("True", "InSync")
    stage.check()


@on_stage
async def test_what_cannot_be_decided_is_said_on_the_cluster_and_grants_go_on(stage: Stage) -> None:
    stage.elasticsearch.realm["allowed_subjects"] = ["104567890123456789012"]
    await begin(stage, access("orders", grant("orders-*")))
    assert stage.ready("orders") == ("True", "InSync")
    assert stage.cluster_ready() == ("True", "InSync")
    found = condition_in(stage.cluster(), "RealmVerified")
    assert (found["status"], found["reason"]) == ("Unknown", "RealmUndecided")
    assert "(no allowed_subjects)" in found["message"]
    stage.check()


@on_stage
async def test_by_subject_it_is_decided(stage: Stage) -> None:
    stage.google.state.add_account(account("orders"))
    stage.elasticsearch.realm["allowed_subjects"] = ["9" * 21]
    realm = search_cluster()["spec"]["identity"]["jwtRealm"] | {"principal": "sub"}
    stage.apply(search_cluster(identity={"jwtRealm": realm}), access("orders", grant("orders-*")))
    await stage.quiet()
    assert stage.ready("orders") == ("False", "RealmMismatch")
    assert condition_in(stage.cluster(), "RealmVerified")["status"] == "True"


@on_stage
async def test_a_realm_that_comes_first_stops_grants(stage: Stage) -> None:
    first = {"order": "0", "allowed_issuer": ISSUER, "allowed_audiences": [AUDIENCE]}
    stage.elasticsearch.other_realms["older"] = first | {"client_authentication": {"type": "none"}}
    await begin(stage, access("orders", grant("orders-*")))
    assert stage.ready("orders") == ("False", "RealmMismatch")
    assert "order: -1" in condition_in(stage.cluster(), "RealmVerified")["message"]
    assert not stage.elasticsearch.roles_now
