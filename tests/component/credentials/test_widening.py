"""Keys and users have rights of their own: only the grants of one SearchAccess can widen each other."""

from typing import Any

import pytest

from tests.component.credentials.common import READY, begin, live, with_key, with_password
from tests.support.loop.stage import Stage, on_stage
from tests.support.worlds.world import access, account, condition_in, grant

EU: dict[str, Any] = {"where": {"term": {"region": "eu"}}}
REGION: dict[str, Any] = {"fields": {"include": ["region"]}}
WIDENS = ("False", "RestrictionsWouldWiden")
WIDENING = [grant("orders-*", **EU), grant("orders-1", **REGION)]

makers = pytest.mark.parametrize("make", [with_key, with_password], ids=["key", "password"])


def works(stage: Stage) -> bool:
    """Return whether there is a key or a user that works."""
    return bool(live(stage) or stage.elasticsearch.users_now)


@makers
def test_grants_that_would_widen_each_other_get_no_credential(make: Any) -> None:
    @on_stage
    async def play(stage: Stage) -> None:
        raw = make()
        raw["spec"]["grants"] = WIDENING
        await begin(stage, raw)
        assert stage.ready("orders") == WIDENS
        assert "spec.grants[1] (orders-1)" in condition_in(stage.get("orders"), "Ready")["message"]
        assert not works(stage)
        stage.amend("orders", grants=WIDENING[:1])
        await stage.quiet()
        assert stage.ready("orders") == READY
        assert works(stage)

    play()


@makers
def test_what_a_credential_may_do_stays_when_a_change_would_widen(make: Any) -> None:
    @on_stage
    async def play(stage: Stage) -> None:
        raw = make()
        raw["spec"]["grants"] = WIDENING[:1]
        await begin(stage, raw)
        before = live(stage), dict(stage.elasticsearch.users_now)
        stage.amend("orders", grants=WIDENING)
        await stage.quiet()
        assert stage.ready("orders") == WIDENS
        assert (live(stage), dict(stage.elasticsearch.users_now)) == before

    play()


@makers
@pytest.mark.parametrize("mode", ["Enforce", "Observe"])
def test_a_credential_in_force_that_shows_more_than_its_grants_is_revoked_unless_it_is_observed(
    make: Any, mode: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    @on_stage
    async def play(stage: Stage) -> None:
        raw = make()
        raw["spec"]["grants"] = WIDENING
        with monkeypatch.context() as patched:
            patched.setattr("searchaccess.core.model.parsing.conflict_within", lambda *_: None)
            await begin(stage, raw)
            assert stage.ready("orders") == READY
            stage.amend("orders", mode=mode)
            await stage.quiet()
            await stage.stop()
        stage.start()
        await stage.quiet()
        assert stage.ready("orders") == WIDENS
        assert works(stage) is (mode == "Observe")
        await stage.reconcile_all()
        assert await stage.reconcile_all() == []

    play()


@on_stage
async def test_a_key_is_apart_from_the_role_of_its_account(stage: Stage) -> None:
    key = with_key(granted=grant("orders-1", **REGION), subject={"serviceAccount": account("shared")})
    await begin(stage, access("role", grant("orders-*", **EU), principal=account("shared")), key)
    assert stage.ready("orders") == stage.ready("role") == READY
