"""The gateway's login is replaced in time, and whatever happens meanwhile, its pods have one that works."""

from collections.abc import Callable
from typing import Final

import pytest

from searchaccess.api.constants import ANNOTATION_ROTATE
from searchaccess.core.gateway.login import OVERLAP
from searchaccess.core.gateway.objects import LOGIN
from searchaccess.engine.gateway.job import Job
from searchaccess.engine.gateway.login import LoginKeeper
from searchaccess.ports.errors import PermissionDenied, Unreachable
from tests.component.gateway.common import NAMES, PLACE, begin, condition, drifted, secret_user, users
from tests.support.failures.faults import Call, Fault
from tests.support.loop.stage import CLUSTER_KEY, OPERATOR, Stage, on_stage
from tests.support.memory.elasticsearch import SIDE as ELASTICSEARCH
from tests.support.runs.effort import places
from tests.support.worlds.world import access, account, grant

A: Final = f"{NAMES.role}.a"
B: Final = f"{NAMES.role}.b"
DAY: Final = 86400.0


def request(stage: Stage, value: str = "now") -> None:
    """Ask for a rotation."""
    stage.annotate(CLUSTER_KEY, ANNOTATION_ROTATE, value)


def watch_lockouts(stage: Stage) -> list[str]:
    """Record each write after which the Secret has no user that works, once it had one."""
    found: list[str] = []

    def look(call: Call) -> None:
        methods = {"delete_user", "put_gateway_user", "write", "delete", "replace_roles"}
        if call.method in methods and not secret_user(stage):
            found.append(f"{call.method} {call.names}")

    stage.faults.on_call = look
    return found


@on_stage
async def test_a_rotation_in_time_has_both_users_for_the_overlap_and_then_one(stage: Stage) -> None:
    await begin(stage, "pod-a", rotateEvery="24h")
    lockouts = watch_lockouts(stage)
    seen = set[frozenset[str]]()
    for _ in range(24 * 4):
        await stage.sleep(900)
        seen.add(frozenset(users(stage)))
    assert {frozenset({A}), frozenset({A, B}), frozenset({B})} >= seen >= {frozenset({A}), frozenset({B})}
    assert secret_user(stage) == B
    assert lockouts == []
    assert stage.notes("prod").count("GatewayLoginRotated") == 2
    assert stage.cluster()["status"]["gateway"]["loginUser"] == B
    await stage.sleep(DAY)
    assert secret_user(stage) == A


@on_stage
async def test_a_rotation_on_demand_happens_once_and_ends_after_the_overlap(stage: Stage) -> None:
    await begin(stage, "pod-a")
    request(stage)
    await stage.sleep(30)
    assert users(stage) == {A, B}
    assert secret_user(stage) == B
    await stage.sleep(OVERLAP - 60)
    assert users(stage) == {A, B}
    await stage.sleep(120)
    assert users(stage) == {B}
    await stage.sleep(DAY)
    assert users(stage) == {B}


@pytest.mark.parametrize("fault", list(Fault))
def test_a_rotation_may_be_interrupted_anywhere_without_a_lockout(fault: Fault) -> None:
    # Its writes: user, Secret, metadata; statuses and events are among them.
    for number in places(7):

        @on_stage
        async def play(stage: Stage, number: int = number) -> None:
            await begin(stage, "pod-a")
            lockouts = watch_lockouts(stage)
            stage.faults.at_write(number, fault)
            request(stage)
            await stage.quiet()
            await stage.sleep(2 * OVERLAP)
            await stage.quiet()
            assert lockouts == []
            assert users(stage) == {secret_user(stage)}

        play()


def test_a_rest_of_time_that_is_a_rounding_error_does_not_keep_the_loop_busy(monkeypatch: pytest.MonkeyPatch) -> None:
    # At the end of an overlap, what is left of it can be less than the clock shows.
    reconcile, times = LoginKeeper.reconcile, []

    async def leaves_almost_nothing(self: LoginKeeper, job: Job, *, shared: bool) -> None:
        times.append(job.context.clock.monotonic())
        await reconcile(self, job, shared=shared)
        self.after = 1e-13

    monkeypatch.setattr(LoginKeeper, "reconcile", leaves_almost_nothing)

    @on_stage
    async def play(stage: Stage) -> None:
        await begin(stage, "pod-a")
        times.clear()
        await stage.sleep(60)
        assert 30 <= len(times) <= 61

    play()


@on_stage
async def test_a_first_login_may_be_interrupted_anywhere(stage: Stage) -> None:
    stage.faults.at_write(4, Fault.CRASH_AFTER)
    await begin(stage, "pod-a")
    await stage.sleep(120)
    assert users(stage) == {secret_user(stage)}


@on_stage
async def test_a_deleted_secret_gets_a_new_login_at_once(stage: Stage) -> None:
    await begin(stage, "pod-a")
    del stage.gateways.objects[PLACE.login]
    await stage.sleep(70)
    assert secret_user(stage) == B
    assert f"secret/gateways/{PLACE.name}-login metadata.name" in drifted(stage)
    await stage.sleep(2 * OVERLAP)
    assert users(stage) == {B}


@on_stage
async def test_a_changed_secret_gets_a_new_login_at_once(stage: Stage) -> None:
    await begin(stage, "pod-a")
    stage.gateways.store(PLACE.login, {LOGIN: "Basic ZWxhc3RpYzpjaGFuZ2VtZQ=="})
    await stage.sleep(70)
    assert secret_user(stage) == B
    assert drifted(stage) == [f"secret/gateways/{PLACE.name}-login data[{LOGIN}]"]


@pytest.mark.parametrize(
    ("change", "path"),
    [
        (lambda stage: stage.elasticsearch.users_now[A].update(roles=["superuser"]), "roles"),
        (lambda stage: stage.elasticsearch.users_now[A].update(enabled=False), "enabled"),
        (lambda stage: stage.elasticsearch.remove_user(A), "name"),
    ],
)
def test_a_user_that_somebody_changed_is_corrected_or_replaced(change: Callable[[Stage], None], path: str) -> None:
    @on_stage
    async def play(stage: Stage) -> None:
        await begin(stage, "pod-a")
        change(stage)
        stage.elasticsearch.sequence += 1
        await stage.sleep(20)
        assert secret_user(stage)
        assert f"user/{A} {path}" in drifted(stage)
        assert stage.elasticsearch.users_now[secret_user(stage)]["roles"] == [NAMES.role]

    play()


@on_stage
async def test_a_widened_role_is_corrected_within_seconds_and_reported(stage: Stage) -> None:
    await begin(stage, "pod-a")
    role = stage.elasticsearch.roles_now[NAMES.role]
    stage.elasticsearch.write_role(NAMES.role, role | {"run_as": ["*"], "cluster": ["all"]})
    await stage.sleep(10)
    assert stage.elasticsearch.roles_now[NAMES.role]["run_as"] == role["run_as"]
    assert stage.elasticsearch.roles_now[NAMES.role]["cluster"] == []
    assert set(drifted(stage)) == {f"role/{NAMES.role} run_as", f"role/{NAMES.role} cluster"}
    assert stage.notes("prod").count("DriftDetected") == 1
    assert condition(stage, "Drifted") == ("False", "DriftCorrected")


@on_stage
async def test_a_role_that_was_widened_while_the_operator_was_away_is_reported_too(stage: Stage) -> None:
    await begin(stage, "pod-a")
    await stage.stop()
    role = stage.elasticsearch.roles_now[NAMES.role]
    stage.elasticsearch.write_role(NAMES.role, role | {"run_as": ["*"]})
    stage.start()
    await stage.sleep(20)
    assert drifted(stage) == [f"role/{NAMES.role} run_as"]
    assert stage.elasticsearch.roles_now[NAMES.role]["run_as"] == role["run_as"]


@on_stage
async def test_a_changed_password_is_found_and_the_login_replaced(stage: Stage) -> None:
    await begin(stage, "pod-a")
    await stage.sleep(30)
    assert condition(stage, "RunAsEnabled") == ("True", "RunAsEnabled")
    stage.elasticsearch.passwords[A] = "what somebody chose"
    stage.elasticsearch.sequence += 1
    await stage.sleep(120)
    assert secret_user(stage) == B
    assert users(stage) == {B}
    assert "GatewayLoginRefused" in stage.notes("prod")
    await stage.sleep(60)
    assert condition(stage, "RunAsEnabled") == ("True", "RunAsEnabled")


@on_stage
async def test_a_login_that_cannot_manage_users_is_named(stage: Stage) -> None:
    stage.faults.fail(ELASTICSEARCH, PermissionDenied("Elasticsearch answered 403"), "put_gateway_user")
    await begin(stage, "pod-a")
    assert stage.cluster_ready() == ("False", "PermissionDenied")
    stage.faults.heal(ELASTICSEARCH)
    await stage.sleep(120)
    assert secret_user(stage)


@on_stage
async def test_no_password_is_in_logs_statuses_or_events(stage: Stage) -> None:
    stage.faults.fail(ELASTICSEARCH, Unreachable("no answer"), "delete_user")
    server, made = stage.elasticsearch, set[str]()
    server.on_user = lambda name: made.add(server.passwords[name])
    await begin(stage, "pod-a")
    request(stage)
    await stage.sleep(2 * OVERLAP)
    stage.faults.heal(ELASTICSEARCH)
    await stage.sleep(OVERLAP)
    said = repr((stage.logs, stage.cluster(), stage.kubernetes.events, stage.connections, stage.gateways.gateways))
    assert len(made) == 2
    assert not any(password in said for password in made)


@on_stage
async def test_the_operators_own_writes_of_its_role_explain_no_password_that_somebody_set(stage: Stage) -> None:
    await begin(stage, "pod-a")
    stage.apply(access("orders", grant("orders-*")))
    await stage.sleep(10)
    name = OPERATOR.role_name(account("orders"))
    stage.elasticsearch.set_password(name)
    await stage.sleep(30)
    assert name not in stage.elasticsearch.passwords
    assert stage.notes("prod").count("PasswordsReset") == 1
