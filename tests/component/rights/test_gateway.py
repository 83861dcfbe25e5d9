"""A SearchCluster behind a gateway: native users that callers run as, on any active license."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from searchaccess.core.gateway.users import NativeUser
from searchaccess.core.rights.ownership import Operator
from searchaccess.ports.elasticsearch import Written
from searchaccess.ports.errors import PermissionDenied, Rejected
from tests.component.common import FOREIGN, FORMER, MAPPING, ORDERS, ROLE, begin, drift, former_installation, granted
from tests.component.credentials.common import STORES, with_key
from tests.support.failures.faults import Call, Fault
from tests.support.loop.stage import CLUSTER_KEY, OPERATOR, Stage, on_stage, search_cluster
from tests.support.memory.elasticsearch import AUDIENCE, REALM
from tests.support.worlds.world import access, account, condition_in, grant

GATEWAY: dict[str, Any] = {
    "gateway": {"audience": "https://es.example.com", "url": "https://es.example.com", "namespace": "search"}
}
BY_REALM: dict[str, Any] = {"jwtRealm": {"name": REALM, "audience": AUDIENCE}}
MINE = access("orders", grant("orders-*"))
BILLS = access("bills", grant("bills-*"))
BLUE = Operator("blue", OPERATOR.controller)
BILLS_ROLE = OPERATOR.role_name(account("bills"))
SIDE = "elasticsearch"


async def behind(stage: Stage, *objects: dict[str, Any], licensed: str = "basic", **spec: Any) -> None:
    stage.elasticsearch.license = licensed
    await begin(stage, *objects, identity=GATEWAY, **spec)


def switch(stage: Stage, identity: dict[str, Any]) -> None:
    stage.kubernetes.change(CLUSTER_KEY, lambda raw: raw["spec"].update(identity=identity))


def user(stage: Stage, name: str = ROLE) -> dict[str, Any]:
    return stage.elasticsearch.users_now.get(name, {})


def writes(stage: Stage, before: int = 0) -> list[tuple[str, tuple[str, ...]]]:
    return [(call.method, call.names) for call in stage.faults.writes[before:] if call.side == SIDE]


def condition(stage: Stage, kind: str) -> tuple[str, str]:
    found = condition_in(stage.cluster(), kind)
    return found.get("status", ""), found.get("reason", "")


@on_stage
async def test_on_a_basic_license_a_grant_is_a_role_and_then_its_user(stage: Stage) -> None:
    await behind(stage, MINE)
    assert stage.ready("orders") == ("True", "InSync")
    assert stage.cluster_ready() == ("True", "InSync")
    assert writes(stage) == [("put_roles", (ROLE,)), ("put_user", (ROLE,))]
    assert user(stage) == {
        "username": ROLE,
        "roles": [ROLE],
        "metadata": OPERATOR.stamp() | {"principal": ORDERS},
        "enabled": True,
    }
    assert stage.elasticsearch.mappings_now == {}
    assert "mapping" not in stage.get("orders")["status"]["elasticsearch"]
    assert stage.cluster()["status"]["counts"]["users"] == 1
    assert condition(stage, "Licensed") == ("True", "Licensed")
    assert (condition(stage, "RealmVerified"), condition(stage, "RealmProven")) == (("", ""), ("", ""))
    assert await stage.reconcile_all() == []


@on_stage
async def test_a_revocation_deletes_the_role_and_then_its_user(stage: Stage) -> None:
    await behind(stage, MINE, BILLS)
    before = len(stage.faults.writes)
    stage.delete("orders")
    await stage.quiet()
    assert writes(stage, before) == [("delete_roles", (ROLE,)), ("remove_user", (ROLE,))]
    assert set(stage.elasticsearch.users_now) == {BILLS_ROLE}


@on_stage
async def test_a_user_that_somebody_changed_is_corrected_and_reported(stage: Stage) -> None:
    await behind(stage, MINE, BILLS)
    server = stage.elasticsearch
    for changes in ({"enabled": False}, {"metadata": user(stage)["metadata"] | {"principal": "x"}}):
        before = stage.notes("orders").count("DriftCorrected")
        server.write_user(ROLE, ROLE, **{"metadata": user(stage)["metadata"]} | changes)
        await stage.quiet()
        assert (user(stage)["enabled"], user(stage)["metadata"]["principal"]) == (True, ORDERS)
        assert stage.notes("orders").count("DriftCorrected") == before + 1
    server.write_user(ROLE, ROLE, "superuser", metadata=user(stage)["metadata"])
    await stage.quiet()
    assert user(stage)["roles"] == [ROLE]
    last = stage.get("orders")["status"]["drift"]
    assert last["corrected"] == 3
    assert drift(stage, "bills")["detected"] == 0, "only whose user it is"
    assert stage.ready("orders") == ("True", "InSync")


@on_stage
async def test_a_deleted_user_is_recreated_and_reported(stage: Stage) -> None:
    await behind(stage, MINE)
    stage.elasticsearch.remove_user(ROLE)
    await stage.quiet()
    assert user(stage)["roles"] == [ROLE]
    assert drift(stage)["corrected"] == 1


@on_stage
async def test_a_password_that_somebody_set_is_reset_at_once_and_loudly(stage: Stage) -> None:
    await behind(stage, MINE, BILLS)
    await stage.sleep(30)
    before = len(stage.faults.writes)
    stage.elasticsearch.set_password(ROLE)
    await stage.sleep(10)
    assert stage.elasticsearch.passwords == {}
    assert [method for method, _ in writes(stage, before)] == ["put_user"] * 2, "it cannot be known whose it was"
    assert stage.notes("prod").count("PasswordsReset") == 1
    # Whoever does that again has to wait for the next reset, but not for ever.
    stage.elasticsearch.set_password(ROLE)
    await stage.sleep(60)
    assert ROLE in stage.elasticsearch.passwords
    await stage.sleep(700)
    assert stage.elasticsearch.passwords == {}
    assert stage.notes("prod").count("PasswordsReset") == 2


@on_stage
async def test_what_others_write_where_it_can_be_seen_resets_no_password(stage: Stage) -> None:
    await behind(stage, MINE)
    await stage.sleep(30)
    server, before = stage.elasticsearch, len(stage.faults.writes)
    server.write_role("ops", {"cluster": ["monitor"], "metadata": {}})
    await stage.sleep(10)
    server.write_mapping("ops", {"enabled": True, "roles": ["ops"], "rules": {"field": {"username": "a"}}})
    await stage.sleep(10)
    server.write_role(ROLE, FOREIGN | {"metadata": stage.role(ORDERS)["metadata"]})
    await stage.sleep(10)
    assert [method for method, _ in writes(stage, before)] == ["put_roles"]
    assert stage.notes("prod").count("PasswordsReset") == 0
    # The same content again could hide anything.
    server.write_role("ops", {"cluster": ["monitor"], "metadata": {}})
    await stage.sleep(10)
    assert stage.notes("prod").count("PasswordsReset") == 1


def reads_of_keys(stage: Stage) -> int:
    return sum(call.method == "changed_keys" for call in stage.faults.calls)


@on_stage
async def test_api_keys_of_others_reset_no_password_and_cost_a_request_each_time(stage: Stage) -> None:
    await behind(stage, MINE)
    await stage.sleep(30)
    server = stage.elasticsearch
    assert reads_of_keys(stage) == 1, "what was there before"
    await stage.sleep(3600)
    assert reads_of_keys(stage) == 1, "nothing is to be explained"
    made = [server.write_key(f"theirs-{number}", "a", "native", {}) for number in range(3)]
    await stage.sleep(10)
    assert reads_of_keys(stage) == 2
    server.invalidate_keys(made[:2])
    await stage.sleep(10)
    assert reads_of_keys(stage) == 3
    assert stage.notes("prod").count("PasswordsReset") == 0


@on_stage
async def test_an_api_key_explains_one_write_alone(stage: Stage) -> None:
    await behind(stage, MINE)
    await stage.sleep(30)
    server = stage.elasticsearch
    server.write_key("theirs", "a", "native", {})
    server.set_password(ROLE)
    await stage.sleep(10)
    assert server.passwords == {}
    assert stage.notes("prod").count("PasswordsReset") == 1
    await stage.sleep(1000)
    server.write_key("theirs-2", "a", "native", {})
    await stage.sleep(10)
    server.set_password(ROLE)
    await stage.sleep(10)
    assert server.passwords == {}, "the key was there before"
    assert stage.notes("prod").count("PasswordsReset") == 2


@on_stage
async def test_api_keys_that_cannot_be_read_explain_nothing_later_either(stage: Stage) -> None:
    await behind(stage, MINE)
    await stage.sleep(30)
    server = stage.elasticsearch
    server.reads_others = False
    server.write_key("theirs", "a", "native", {})
    await stage.sleep(10)
    assert stage.notes("prod").count("PasswordsReset") == 1
    server.reads_others = True
    await stage.sleep(590)
    server.set_password(ROLE)
    await stage.sleep(180)
    assert server.passwords == {}
    assert stage.notes("prod").count("PasswordsReset") == 2


@on_stage
async def test_nobody_watched_before_the_operator_started(stage: Stage) -> None:
    await behind(stage, MINE)
    await stage.stop()
    stage.elasticsearch.set_password(ROLE)
    stage.start()
    await stage.quiet()
    assert stage.elasticsearch.passwords == {}
    assert stage.notes("prod").count("PasswordsReset") == 0


@on_stage
async def test_a_foreign_user_of_our_name_is_not_touched(stage: Stage) -> None:
    stage.elasticsearch.write_user(ROLE, "superuser")
    stage.elasticsearch.write_user(BILLS_ROLE, BILLS_ROLE, metadata=OPERATOR.stamp() | {"controller": "another"})
    found = dict(stage.elasticsearch.users_now)
    await behind(stage, MINE, BILLS)
    assert stage.elasticsearch.users_now == found
    assert stage.ready("orders") == ("False", "OwnershipConflict")
    assert f"user {ROLE} exists" in condition_in(stage.get("orders"), "Ready")["message"]
    stage.elasticsearch.remove_user(ROLE)
    await stage.quiet()
    assert stage.ready("orders") == ("True", "InSync")
    stage.delete("bills")
    await stage.quiet()
    assert stage.get("bills") == {}
    assert BILLS_ROLE in stage.elasticsearch.users_now


@on_stage
async def test_users_that_nobody_needs_are_removed_others_stay(stage: Stage) -> None:
    server = stage.elasticsearch
    gone, password = OPERATOR.role_name(account("gone")), OPERATOR.role_name("shop/orders.1.0000abcd")
    server.write_user(gone, gone, metadata=OPERATOR.stamp() | {"principal": account("gone")})
    server.write_user(password, password)
    server.write_user(f"{ROLE}.evil", ROLE)
    server.write_user(OPERATOR.role_name("ada@example.com"), ROLE)
    await behind(stage, MINE)
    assert set(server.users_now) == {ROLE, password, f"{ROLE}.evil", OPERATOR.role_name("ada@example.com")}
    found = condition_in(stage.get("orders"), "Exclusive")
    assert (found["status"], found["reason"]) == ("False", "RoleGivenToOthers")
    assert "ada@example.com" in found["message"]
    assert f"{ROLE}.evil" in found["message"]


@on_stage
async def test_documents_and_fields_are_restricted_only_where_the_license_allows_it(stage: Stage) -> None:
    restricted = access("orders", grant("orders-*", where={"term": {"region": "eu"}}))
    await behind(stage, restricted, BILLS, access("far", grant("far-*", remoteClusters=["eu"])))
    assert stage.ready("orders") == ("False", "LicenseInsufficient")
    says = condition_in(stage.get("orders"), "Ready")["message"]
    assert says == "where and fields need a Platinum, Enterprise or trial license; this cluster has basic"
    assert stage.ready("far") == ("False", "LicenseInsufficient")
    assert stage.ready("bills") == ("True", "InSync")
    assert set(stage.elasticsearch.roles_now) == set(stage.elasticsearch.users_now) == {BILLS_ROLE}
    stage.elasticsearch.license = "trial"
    await stage.sleep(60)
    assert stage.ready("orders") == ("True", "InSync")
    assert ROLE in stage.elasticsearch.users_now


@on_stage
async def test_no_api_key_is_issued_that_the_license_would_refuse_at_each_request(stage: Stage) -> None:
    await behind(stage, with_key(granted=grant("orders-*", where={"term": {"a": 1}})), secretStores=STORES)
    assert stage.ready("orders") == ("False", "LicenseInsufficient")
    assert stage.elasticsearch.keys_now == {}


@on_stage
async def test_an_expired_license_grants_nothing_new_and_leaves_what_is_there(stage: Stage) -> None:
    await behind(stage, MINE)
    stage.elasticsearch.license = "expired"
    await stage.sleep(60)
    stage.apply(BILLS)
    await stage.quiet()
    assert stage.cluster_ready() == ("False", "LicenseInsufficient")
    assert "any active license" in condition_in(stage.cluster(), "Ready")["message"]
    assert stage.ready("bills") == ("False", "LicenseInsufficient")
    assert set(stage.elasticsearch.users_now) == {ROLE}


@on_stage
async def test_moving_from_a_realm_the_role_mapping_goes_when_the_users_are_there(stage: Stage) -> None:
    await begin(stage, MINE, BILLS)
    assert set(stage.elasticsearch.mappings_now) == {MAPPING}
    before = len(stage.faults.writes)
    switch(stage, GATEWAY)
    await stage.quiet()
    done = writes(stage, before)
    assert done[-1] == ("delete_mapping", (MAPPING,))
    assert {names[0] for method, names in done[:-1] if method == "put_user"} == {ROLE, BILLS_ROLE}
    assert drift(stage)["detected"] == 0


@on_stage
async def test_the_role_mapping_stays_while_a_user_cannot_be_written(stage: Stage) -> None:
    await begin(stage, MINE)
    stage.faults.fail(SIDE, Rejected("no"), "put_user")
    switch(stage, GATEWAY)
    await stage.sleep(60)
    assert set(stage.elasticsearch.mappings_now) == {MAPPING}
    assert stage.ready("orders")[0] == "False"
    stage.faults.heal(SIDE)
    await stage.sleep(900)
    assert stage.elasticsearch.mappings_now == {}
    assert stage.ready("orders") == ("True", "InSync")


@on_stage
async def test_moving_to_a_realm_the_role_mapping_comes_before_users_go(stage: Stage) -> None:
    await behind(stage, MINE, licensed="trial")
    before = len(stage.faults.writes)
    switch(stage, BY_REALM)
    await stage.quiet()
    assert writes(stage, before) == [("put_mapping", (MAPPING,)), ("remove_user", (ROLE,))]
    assert stage.ready("orders") == ("True", "InSync")
    assert "users" not in stage.cluster()["status"]["counts"]


@on_stage
async def test_users_stay_while_the_realm_does_not_verify_callers(stage: Stage) -> None:
    await behind(stage, MINE, licensed="trial")
    stage.elasticsearch.restart(allowed_issuer="https://another.example")
    switch(stage, BY_REALM)
    await stage.quiet()
    assert stage.cluster_ready() == ("False", "RealmMismatch")
    assert ROLE in stage.elasticsearch.users_now
    await stage.restart()
    await stage.quiet()
    assert ROLE in stage.elasticsearch.users_now
    stage.elasticsearch.restart(allowed_issuer="https://accounts.google.com")
    await stage.sleep(60)
    assert stage.elasticsearch.users_now == {}


@on_stage
async def test_a_deleted_search_cluster_leaves_no_user(stage: Stage) -> None:
    await behind(stage, MINE | {}, orphans={"allowed": True})
    stage.amend("orders", deletionPolicy="Orphan")
    await stage.quiet()
    stage.delete("orders")
    await stage.quiet()
    assert set(stage.elasticsearch.users_now) == {ROLE}, "what was released still works"
    assert granted(stage) == {"orders-*"}
    stage.kubernetes.delete(CLUSTER_KEY)
    await stage.quiet()
    assert stage.cluster() == {}
    assert stage.elasticsearch.users_now == {}


@on_stage
async def test_a_dry_run_says_which_users_would_be_written(stage: Stage) -> None:
    stage.elasticsearch.license = "basic"
    stage.apply(search_cluster(identity=GATEWAY), MINE)
    await stage.stop()
    changes = await stage.dry_run()
    assert [(change.object, str(change.action)) for change in changes] == [
        (f"role/{ROLE}", "create"),
        (f"user/{ROLE}", "create"),
    ]


@on_stage
async def test_a_user_that_is_refused_is_reported_on_its_search_access_alone(stage: Stage) -> None:
    await behind(stage, BILLS)
    stage.faults.fail(SIDE, PermissionDenied("no"), "put_user")
    stage.apply(MINE)
    await stage.quiet()
    assert stage.ready("orders") == ("False", "PermissionDenied")
    assert stage.ready("bills") == ("True", "InSync")
    stage.faults.heal(SIDE)
    await stage.sleep(400)
    assert stage.ready("orders") == ("True", "InSync")


@on_stage
async def test_users_of_a_former_installation_become_ours_with_their_roles(stage: Stage) -> None:
    server = await former_installation(stage, FORMER, search_cluster(identity=GATEWAY), MINE)
    stage.servers["https://one:9200"] = server
    await behind(stage, MINE, takeOver=[{"controller": FORMER.controller}])
    assert user(stage)["metadata"]["controller"] == OPERATOR.controller
    assert stage.ready("orders") == ("True", "InSync")


@on_stage
async def test_users_of_another_instance_that_is_taken_over_go_after_its_roles(stage: Stage) -> None:
    server = await former_installation(stage, BLUE, search_cluster(identity=GATEWAY), MINE, BILLS)
    assert set(server.users_now) == {BLUE.role_name(ORDERS), BLUE.role_name(account("bills"))}
    stage.servers["https://one:9200"] = server
    strange = BLUE.role_name(account("strange"))
    server.users_now[strange] = {"username": strange, "roles": [], "metadata": {}, "enabled": True}
    taken = [{"controller": BLUE.controller, "instance": BLUE.instance}]
    await behind(stage, MINE, BILLS, takeOver=taken)
    await stage.sleep(400)
    assert set(server.roles_now) == {ROLE, BILLS_ROLE}
    assert set(server.users_now) == {ROLE, BILLS_ROLE, strange}, "somebody else's stays"


@on_stage
async def test_what_a_take_over_deletes_explains_no_password_that_somebody_set(stage: Stage) -> None:
    left, server = await former_installation(stage, BLUE, search_cluster(), MINE, BILLS), stage.elasticsearch
    for name, raw in left.roles_now.items():
        server.write_role(name, raw)
    given_up = {"controller": BLUE.controller, "instance": BLUE.instance}

    def intrude(call: Call) -> None:
        if call.method == "delete_roles":
            server.set_password(ROLE)

    stage.faults.on_call = intrude
    await behind(stage, MINE, BILLS, takeOver=[given_up])
    assert set(server.roles_now) == {ROLE, BILLS_ROLE}
    await stage.sleep(30)
    assert server.passwords == {}
    assert stage.notes("prod").count("PasswordsReset") == 1


@on_stage
async def test_a_crash_at_any_write_of_a_grant_and_a_revocation_leaves_nothing_half_done(stage: Stage) -> None:
    await behind(stage, BILLS)
    for number, fault in [
        (0, Fault.CRASH_AFTER),
        (1, Fault.CRASH_BEFORE),
        (2, Fault.CRASH_AFTER),
        (2, Fault.LOSE_REPLY),
    ]:
        stage.faults.at_write(number, fault)
        stage.apply(MINE)
        await stage.quiet()
        assert (user(stage)["roles"], granted(stage)) == ([ROLE], {"orders-*"})
        stage.faults.at_write(number, fault)
        stage.delete("orders")
        await stage.quiet()
        assert set(stage.elasticsearch.users_now) == set(stage.elasticsearch.roles_now) == {BILLS_ROLE}


@on_stage
async def test_many_users_take_one_request_each(stage: Stage) -> None:
    count = 120
    await behind(stage, *(access(f"a{number}", grant("a-*")) for number in range(count)))
    calls = [call for call in stage.faults.calls if call.side == SIDE and "user" in call.method]
    assert len([call for call in calls if call.method == "put_user"]) == count
    assert len([call for call in calls if call.method == "user"]) == 0
    assert isinstance(calls[0], Call)


@on_stage
async def test_reads_do_not_grow_with_the_number_of_users(stage: Stage) -> None:
    """As with 10,000 in `make bench`: a role in bulk and one write of a user each is all that grows."""
    count = 1_100
    await behind(stage, *(access(f"a{number}", grant("a-*")) for number in range(count)))
    assert len(stage.elasticsearch.users_now) == count
    made = Counter(call.method for call in stage.faults.calls if call.side == SIDE)
    assert made.pop("put_user") == count
    assert made.pop("put_roles") == 2
    assert made.total() < 40, made


@on_stage
async def test_a_reset_that_is_interrupted_goes_on_where_it_was(stage: Stage) -> None:
    names = [f"a{number}" for number in range(30)]
    await behind(stage, *(access(name, grant("a-*")) for name in names))
    await stage.sleep(30)
    before = len(stage.faults.writes)
    for name in names:
        stage.elasticsearch.set_password(OPERATOR.role_name(account(name)))
    stage.faults.at_write(10, Fault.LOSE_REPLY)
    await stage.sleep(120)
    assert stage.elasticsearch.passwords == {}
    assert stage.notes("prod").count("PasswordsReset") == 1
    assert len(writes(stage, before)) < 3 * len(names)


@on_stage
async def test_who_was_written_before_a_suspicion_is_reset_all_the_same(stage: Stage) -> None:
    await behind(stage, MINE)
    stage.apply(BILLS)
    await stage.sleep(30)
    stage.elasticsearch.set_password(BILLS_ROLE)
    await stage.sleep(10)
    assert stage.elasticsearch.passwords == {}


@on_stage
async def test_a_user_that_is_refused_for_ever_does_not_make_resets_more_frequent(stage: Stage) -> None:
    names = [f"a{number}" for number in range(4)]
    bad = OPERATOR.role_name(account("bad"))
    server = stage.elasticsearch
    put = server.put_users

    async def refuse(users: Sequence[NativeUser]) -> Written:
        written = await put([user for user in users if user.name != bad])
        return replace(
            written, refused=dict.fromkeys([user.name for user in users if user.name == bad], Rejected("no"))
        )

    server.put_users = refuse  # type: ignore[method-assign]
    await behind(stage, *(access(name, grant("a-*")) for name in [*names, "bad"]))
    await stage.sleep(30)
    before = len(stage.faults.writes)
    for _ in range(60):
        # As whoever creates an API key each half a minute.
        server.set_password(OPERATOR.role_name(account("a0")))
        await stage.sleep(30)
    resets = len(writes(stage, before)) / len(names)
    assert resets <= 5, "half an hour has room for one at once, and one each ten minutes"
    await stage.sleep(1300)
    assert server.passwords == {}
