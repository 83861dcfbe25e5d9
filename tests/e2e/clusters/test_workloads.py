"""Cloud Run workloads as subjects: the account behind them has the rights, and Elasticsearch takes its token."""

import httpx

from tests.support.servers.googleserver import GoogleServer
from tests.support.servers.googlestate import a_workload
from tests.support.waiting import eventually
from tests.support.worlds.world import World, access, account, condition_in, grant

WITHIN = 60
"""Seconds; by itself the operator asks Google again after five minutes."""


def _declare(world: World, name: str) -> None:
    workload = a_workload(name)
    reference = {"project": workload.place.project, "location": workload.place.location, "name": name}
    world.apply(access(name, grant("orders-*"), subject={"cloudRunService": reference}))


def _ask_now(world: World, name: str, value: str) -> None:
    world.kubernetes.run_kubectl(
        "annotate",
        "searchaccess",
        name,
        "-n",
        "shop",
        "--overwrite",
        f"searchaccess.dev/reconcile-requested-at={value}",
    )


def _search(client: httpx.Client) -> int:
    return client.get("/orders-1/_search").status_code


def test_after_the_account_is_switched_the_old_ones_token_is_refused_and_the_new_ones_works(
    world: World, google: GoogleServer
) -> None:
    world.admin.put("/orders-1/_doc/1?refresh=true", json={"a": 1}).raise_for_status()
    service = a_workload("switch")
    google.state.deploy(service, account("switch-old"))
    _declare(world, "switch")
    found = world.until_reason("switch", "InSync", status="True", within=WITHIN)
    assert found["status"]["identity"]["serviceAccount"] == account("switch-old")
    assert found["status"]["identity"]["uniqueId"] == google.state.accounts[account("switch-old")]
    assert condition_in(found, "IdentityResolved")["status"] == "True"

    with world.caller("switch-old") as old, world.caller("switch-new") as new:
        assert (_search(old), _search(new)) == (200, 403)
        google.state.deploy(service, account("switch-new"), traffic=False)
        _ask_now(world, "switch", "1")
        eventually(lambda: _search(new) == 200, within=WITHIN, what="the new account has the rights")
        assert _search(old) == 200, "its revision still serves"
        google.state.deploy(service, account("switch-new"))
        _ask_now(world, "switch", "2")
        eventually(lambda: _search(old) == 403, within=WITHIN, what="the old account's token is refused")
        assert _search(new) == 200
    eventually(
        lambda: "ServiceAccountChanged" in {event["reason"] for event in world.events("switch")},
        within=WITHIN,
        what="an event reports it",
    )
    assert google.tokens == {"Bearer an-access-token"}


def test_by_sub_the_token_of_an_account_that_was_made_anew_is_refused(elsewhere: World, google: GoogleServer) -> None:
    world, email = elsewhere, account("anew")
    google.state.add_account(email)
    realm = {"name": "google", "audience": world.elasticsearch.audience, "principal": "sub"}
    world.apply(
        world.cluster("by-sub", identity={"jwtRealm": realm}), access("anew", grant("orders-*"), cluster="by-sub")
    )
    found = world.until_reason("anew", "InSync", status="True", within=WITHIN)
    assert found["status"]["identity"]["principal"] == google.state.accounts[email]
    world.admin.put("/orders-1/_doc/1?refresh=true", json={"a": 1}).raise_for_status()

    old = world.caller("anew")
    assert _search(old) == 200
    google.state.add_account(email)
    new = world.caller("anew", sub=google.state.accounts[email])
    assert _search(new) == 403
    _ask_now(world, "anew", "1")
    eventually(lambda: _search(new) == 200, within=WITHIN, what="the new account has the rights")
    eventually(lambda: _search(old) == 403, within=WITHIN, what="the old one has lost them")
    eventually(
        lambda: "ServiceAccountRecreated" in {event["reason"] for event in world.events("anew")},
        within=WITHIN,
        what="an event reports it",
    )
    old.close()
    new.close()
