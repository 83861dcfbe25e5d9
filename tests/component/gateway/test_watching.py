"""Pods are asked what they have loaded, and the gateway and its login are tested, rarely."""

import asyncio
import base64
import json
from collections.abc import Mapping
from typing import Any, Final

import pytest

from searchaccess.core.gateway.facts import GRACE
from searchaccess.core.gateway.objects import Place
from searchaccess.core.gateway.proof import SMUGGLED, Answer
from searchaccess.engine.gateway.pods import REFUSED, PodsWatcher
from searchaccess.engine.gateway.proving import PROVE_EVERY, GatewayProver
from searchaccess.ports.errors import PermissionDenied
from searchaccess.ports.gateway import Gateways
from tests.component.gateway.common import PLACE, begin, condition, declare
from tests.support.loop.stage import Stage, on_stage, search_cluster
from tests.support.memory.gateways import AUDIENCE, OWN_EMAIL, SIDE, own_token
from tests.support.worlds.world import condition_in

OWN: Final = f"searchaccess.default.{OWN_EMAIL}"


@on_stage
async def test_without_pods_the_gateway_is_missing_until_they_run(stage: Stage) -> None:
    await begin(stage)
    assert condition(stage, "GatewayInSync") == ("False", "GatewayMissing")
    stage.gateways.run(PLACE, "pod-a")
    await stage.sleep(15)
    assert condition(stage, "GatewayInSync") == ("True", "GatewayInSync")
    assert stage.notes("prod").count("GatewayMissing") == 1


@on_stage
async def test_pods_that_do_not_load_a_configuration_are_named_after_the_grace(stage: Stage) -> None:
    await begin(stage, "pod-a", "pod-b")
    stage.gateways.follows = False
    declare(stage, limits={"maxBody": "1Mi"})
    await stage.sleep(GRACE / 2)
    assert condition(stage, "GatewayInSync") == ("Unknown", "GatewayUpdating")
    stage.gateways.running["gateways", PLACE.name]["pod-a"] = stage.cluster()["status"]["gateway"]["version"]
    await stage.sleep(GRACE)
    found = condition_in(stage.cluster(), "GatewayInSync")
    assert (found["status"], found["reason"]) == ("False", "GatewayOutOfDate")
    assert "pod-b" in found["message"]
    assert "pod-a" not in found["message"]
    assert stage.cluster()["status"]["gateway"]["loaded"] == 1
    assert stage.notes("prod").count("GatewayOutOfDate") == 1


@on_stage
async def test_a_pod_that_has_just_started_is_not_reported_for_what_it_has_not_read_yet(stage: Stage) -> None:
    await begin(stage, "pod-a")
    await stage.sleep(GRACE * 4)
    stage.gateways.follows = False
    stage.gateways.started["pod-b"] = stage.clock.now()
    stage.gateways.running["gateways", PLACE.name]["pod-b"] = ""
    await stage.sleep(60)
    assert condition(stage, "GatewayInSync") == ("Unknown", "GatewayUpdating")
    assert stage.notes("prod").count("GatewayOutOfDate") == 0
    await stage.sleep(GRACE)
    assert condition(stage, "GatewayInSync") == ("False", "GatewayOutOfDate")


@on_stage
async def test_a_pod_that_does_not_run_is_reported_and_former_gateways_do_not_wait_for_it(stage: Stage) -> None:
    await begin(stage, "pod-a", "pod-b")
    stage.gateways.waiting["pod-b"] = "ImagePullBackOff"
    await stage.sleep(60)
    assert condition(stage, "GatewayInSync") == ("Unknown", "GatewayUpdating")
    await stage.sleep(GRACE)
    found = condition_in(stage.cluster(), "GatewayInSync")
    assert (found["status"], found["reason"]) == ("False", "GatewayIncomplete")
    assert "pod-b (ImagePullBackOff)" in found["message"]
    assert stage.notes("prod").count("GatewayIncomplete") == 1
    assert stage.cluster()["status"]["gateway"]["pods"] == 1

    other = Place("gateways", "other")
    stage.gateways.run(other, "pod-c", "pod-d")
    stage.gateways.waiting["pod-d"] = "Pending"
    declare(stage, name="other", replicas=2)
    await stage.sleep(60)
    assert stage.cluster()["status"]["gateway"]["places"] == [str(other)]
    stage.gateways.waiting.clear()
    await stage.sleep(60)
    assert condition(stage, "GatewayInSync") == ("True", "GatewayInSync")


def test_nothing_wakes_for_a_gateway_where_there_is_none(monkeypatch: pytest.MonkeyPatch) -> None:
    looks: list[object] = []
    for kind in (PodsWatcher, GatewayProver):
        look: Any = kind._look

        async def counted(self: object, gateways: Gateways, look: Any = look) -> float:
            looks.append(self)
            return float(await look(self, gateways))

        monkeypatch.setattr(kind, "_look", counted)

    @on_stage
    async def play(stage: Stage) -> None:
        stage.runs_gateways = True
        await stage.restart()
        stage.apply(search_cluster())
        await stage.quiet()
        await stage.sleep(3600)
        assert looks == []
        await begin(stage, "pod-a")
        assert looks

    play()


@on_stage
async def test_pods_are_marked_so_that_their_kubelets_look_at_once(stage: Stage) -> None:
    await begin(stage, "pod-a", "pod-b")
    marked = sum(call.method == "mark_pod" for call in stage.faults.calls)
    stage.gateways.follows, stage.gateways.hears = False, True
    declare(stage, limits={"maxBody": "1Mi"})
    await stage.sleep(5)
    assert condition(stage, "GatewayInSync") == ("True", "GatewayInSync")
    await stage.sleep(600)
    assert sum(call.method == "mark_pod" for call in stage.faults.calls) == marked + 2, "once for each change"


@on_stage
async def test_pods_that_may_not_be_marked_load_it_a_while_later(stage: Stage) -> None:
    await begin(stage, "pod-a", "pod-b")
    stage.faults.fail(SIDE, PermissionDenied("pods/status is forbidden"), "mark_pod")
    stage.gateways.follows = False
    marked = sum(call.method == "mark_pod" for call in stage.faults.calls)
    declare(stage, limits={"maxBody": "1Mi"})
    await stage.sleep(60)
    assert condition(stage, "GatewayInSync") == ("Unknown", "GatewayUpdating")
    assert sum(call.method == "mark_pod" for call in stage.faults.calls) == marked + 1
    version = stage.cluster()["status"]["gateway"]["version"]
    stage.gateways.running["gateways", PLACE.name] |= dict.fromkeys(("pod-a", "pod-b"), version)
    await stage.sleep(REFUSED)
    assert condition(stage, "GatewayInSync") == ("True", "GatewayInSync")


@on_stage
async def test_pods_are_asked_while_the_gateways_address_does_not_answer(stage: Stage) -> None:
    await begin(stage, "pod-a")

    async def hangs(*_: object) -> Answer:
        await asyncio.sleep(3600)
        return Answer(trouble="it does not answer in time")

    stage.gateways.call = hangs  # type: ignore[assignment, method-assign]
    for size in ("1Mi", "2Mi"):
        declare(stage, replicas=1, limits={"maxBody": size})
        await stage.sleep(10)
        assert condition(stage, "GatewayInSync") == ("True", "GatewayInSync")
        assert stage.cluster()["status"]["gateway"]["loaded"] == 1


@on_stage
async def test_the_grace_counts_across_a_restart_of_the_operator(stage: Stage) -> None:
    await begin(stage, "pod-a")
    stage.gateways.follows = False
    declare(stage, limits={"maxBody": "1Mi"})
    await stage.sleep(GRACE)
    await stage.restart()
    await stage.sleep(20)
    assert condition(stage, "GatewayInSync") == ("False", "GatewayOutOfDate")


@on_stage
async def test_pods_that_cannot_be_asked_are_not_known(stage: Stage) -> None:
    await begin(stage, "pod-a")
    stage.gateways.running["gateways", PLACE.name]["pod-a"] = "!"
    await stage.sleep(60)
    assert condition(stage, "GatewayInSync") == ("Unknown", "GatewayNotAsked")
    stage.faults.fail(SIDE, PermissionDenied("pods is forbidden"), "pods")
    await stage.sleep(60)
    assert "forbidden" in condition_in(stage.cluster(), "GatewayInSync")["message"]


@on_stage
async def test_without_an_own_identity_only_the_refusals_are_tested(stage: Stage) -> None:
    await begin(stage, "pod-a")
    assert condition(stage, "GatewayVerified") == ("Unknown", "GatewayPartlyVerified")
    assert "GatewayPartlyVerified" not in stage.notes("prod")


@on_stage
async def test_a_gateway_that_works_is_verified_with_five_requests(stage: Stage) -> None:
    stage.gateways.has_identity = True
    await begin(stage, "pod-a")
    await stage.sleep(30)
    assert condition(stage, "GatewayVerified") == ("True", "GatewayVerified")
    before = sum(call.method == "call" for call in stage.faults.calls)
    await stage.sleep(PROVE_EVERY - 60)
    assert sum(call.method == "call" for call in stage.faults.calls) == before
    await stage.sleep(120)
    assert sum(call.method == "call" for call in stage.faults.calls) == before + 5


def _end_of(token: str) -> int:
    """Return when a genuine token for the gateway ends; 0: it is none."""
    claims = json.loads(base64.urlsafe_b64decode(token.split(".")[1])) if token.endswith(".signature") else {}
    return int(claims["exp"]) if claims.get("aud") == AUDIENCE else 0


@pytest.mark.parametrize(
    ("checks", "expected"), [(True, ("True", "GatewayVerified")), (False, ("False", "GatewayAcceptsOthers"))]
)
def test_a_token_of_its_own_is_tried_again_once_it_has_expired(checks: bool, expected: tuple[str, str]) -> None:  # noqa: FBT001 - a case
    @on_stage
    async def play(stage: Stage) -> None:
        lifetime, late = 3600, [0.0]

        def issue(audience: str) -> str:
            now = int(stage.clock.monotonic())
            return own_token(audience, iat=now, exp=now + lifetime)

        def answer(_: Mapping[str, str], token: str) -> Answer:
            ends, now = _end_of(token), stage.clock.monotonic()
            late.append(now - ends if ends else 0.0)
            return Answer(200, OWN) if ends and (now < ends or not checks) else Answer(401)

        stage.gateways.has_identity, stage.gateways.tokens, stage.gateways.answers = True, issue, answer
        await begin(stage, "pod-a")
        await stage.sleep(lifetime)
        assert condition(stage, "GatewayVerified") == ("True", "GatewayVerified")
        assert max(late) <= 0
        await stage.sleep(2 * PROVE_EVERY)
        assert max(late) >= 300, "clocks may differ by minutes"
        assert condition(stage, "GatewayVerified") == expected
        message = condition_in(stage.cluster(), "GatewayVerified")["message"]
        assert ("accepts an expired token" in message) is not checks

    play()


def _accepts_no_token(_: Mapping[str, str], token: str) -> Answer:
    return Answer(401) if token else Answer(200, "elastic")


def _accepts_garbage(_: Mapping[str, str], token: str) -> Answer:
    return Answer(200, OWN) if token else Answer(401)


def _lets_headers_through(headers: Mapping[str, str], token: str) -> Answer:
    return Answer(200, headers["es-security-runas-user"]) if token == own_token(AUDIENCE) else Answer(401)


def _runs_as_elastic_without_rights(_: Mapping[str, str], token: str) -> Answer:
    return Answer(403, names_other=True) if token == own_token(AUDIENCE) else Answer(401)


def _refuses_all(_: Mapping[str, str], token: str) -> Answer:  # noqa: ARG001 - of the double
    return Answer(401)


def _is_down(_: Mapping[str, str], token: str) -> Answer:  # noqa: ARG001 - of the double
    return Answer(trouble="it cannot be connected to")


@pytest.mark.parametrize(
    ("answers", "expected"),
    [
        (_accepts_no_token, ("False", "GatewayAcceptsOthers")),
        (_accepts_garbage, ("False", "GatewayAcceptsOthers")),
        (_lets_headers_through, ("False", "GatewayAcceptsOthers")),
        (_runs_as_elastic_without_rights, ("False", "GatewayAcceptsOthers")),
        (_refuses_all, ("False", "GatewayRefuses")),
        (_is_down, ("Unknown", "GatewayNotVerified")),
    ],
)
def test_a_gateway_that_does_not_verify_is_reported_once(answers: object, expected: tuple[str, str]) -> None:
    @on_stage
    async def play(stage: Stage) -> None:
        stage.gateways.has_identity = True
        stage.gateways.answers = answers  # type: ignore[assignment]
        await begin(stage, "pod-a")
        await stage.sleep(300)
        assert condition(stage, "GatewayVerified") == expected
        assert stage.notes("prod").count(expected[1]) == (1 if expected[0] == "False" else 0)
        stage.gateways.answers = stage.gateways.refuses
        await stage.sleep(120)
        assert condition(stage, "GatewayVerified") == ("True", "GatewayVerified")

    play()


@on_stage
async def test_headers_of_another_user_go_with_every_request_of_the_test(stage: Stage) -> None:
    sent: list[Mapping[str, str]] = []

    def record(headers: Mapping[str, str], token: str) -> Answer:
        sent.append(headers)
        return stage.gateways.refuses(headers, token)

    stage.gateways.answers = record
    await begin(stage, "pod-a")
    assert sent
    assert all(headers == SMUGGLED for headers in sent)


@on_stage
async def test_a_node_without_run_as_is_named(stage: Stage) -> None:
    stage.elasticsearch.run_as_works = False
    await begin(stage, "pod-a")
    await stage.sleep(30)
    found = condition_in(stage.cluster(), "RunAsEnabled")
    assert (found["status"], found["reason"]) == ("False", "RunAsDisabled")
    assert "node-0" in found["message"]
    assert stage.notes("prod").count("RunAsDisabled") == 1


@on_stage
async def test_a_login_that_may_run_as_the_superuser_is_reported(stage: Stage) -> None:
    stage.elasticsearch.runs_as_others = True
    await begin(stage, "pod-a")
    await stage.sleep(30)
    assert condition(stage, "RunAsEnabled") == ("False", "RunAsTooWide")
    assert stage.notes("prod").count("RunAsTooWide") == 1
