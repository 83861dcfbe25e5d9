"""Consent, as people meet it: one requests, another approves, and the rights follow within seconds."""

import json
import time
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from searchaccess.api.times.moments import moment
from searchaccess.api.vouching import BINDINGS, NAMES, POLICIES
from searchaccess.core.policy.consent.vouching import SETTLES
from tests.e2e.credentials.keys import WITHIN
from tests.e2e.rights.test_access import fill
from tests.support.waiting import eventually
from tests.support.worlds.world import World, access, condition_in, grant, json_list

pytestmark = pytest.mark.one_release

LABELS = {"example.com/tested": "approvals"}
PEOPLE: dict[str, Any] = {
    "apiVersion": "searchaccess.dev/v1alpha1",
    "kind": "SearchAccessPolicy",
    "metadata": {"name": "people"},
    "spec": {
        "match": {"labels": {"matchLabels": LABELS}},
        "require": {
            "approval": {"by": {"groups": ["leads"]}, "within": "1h", "for": "8h", "breakGlass": {"for": "1m"}}
        },
    },
}


def run(world: World, who: str, *arguments: str, body: Any = None, groups: tuple[str, ...] = ()) -> str:
    """Run kubectl as a user who may do everything; return what it complains about."""
    user = (f"--as={who}", *(f"--as-group={name}" for name in ("system:masters", *groups)))
    text = json_list([body]) if body else None
    return world.kubernetes.run_kubectl(*arguments, *user, input=text, check=False).stderr


def requested(name: str, **annotations: str) -> dict[str, Any]:
    raw = access(name, grant(f"{name}-*"), annotations={"searchaccess.dev/requested-by": "ann"} | annotations)
    raw["metadata"]["labels"] = LABELS
    return raw


@pytest.fixture(scope="module")
def consenting(world: World) -> Iterator[World]:
    """The policy, at a time from which the admission policies count."""
    done = world.kubernetes.run_kubectl("get", f"{POLICIES},{BINDINGS}", *NAMES, "-o", "json", check=False)
    created = [raw["metadata"]["creationTimestamp"] for raw in json.loads(done.stdout)["items"]]
    since = max(moment(text) or 0 for text in created) + SETTLES
    eventually(lambda: time.time() > since + 1, within=SETTLES + WITHIN)
    world.apply(PEOPLE)
    yield world
    world.kubernetes.run_kubectl("delete", "searchaccesspolicy", "people", "--ignore-not-found")


def test_a_request_is_approved_by_another_person_and_the_approval_is_withdrawn(consenting: World) -> None:
    world = consenting
    fill(world, "consented-1")
    assert not run(world, "ann", "apply", "-f", "-", body=requested("consented"))
    found = world.until_reason("consented", "PendingApproval", status="False", within=WITHIN)
    said = condition_in(found, "Ready")["message"]
    assert "a member of leads can approve it until " in said
    manifest = json.loads(said.partition("kubectl create -f - <<< ")[2].strip("'"))
    manifest["spec"]["approvedBy"]["username"] = "bob"
    with world.caller("consented") as caller:

        def status() -> int:
            return caller.get("/consented-1/_search").status_code

        assert status() == httpx.codes.FORBIDDEN
        forged = run(world, "ann", "create", "-f", "-", body=manifest, groups=("leads",))
        assert "spec.approvedBy.username is not you: write ann" in forged
        own = json.loads(json.dumps(manifest))
        own["spec"]["approvedBy"]["username"] = "ann"
        assert not run(world, "ann", "create", "-f", "-", body=own, groups=("leads",))
        world.until_event("consented", "PendingApproval")
        assert not run(world, "bob", "create", "-f", "-", body=manifest, groups=("leads",))
        eventually(lambda: status() == httpx.codes.OK, within=WITHIN, what="it is approved")
        world.until_ready("consented")
        world.kubernetes.run_kubectl("delete", "searchaccessapprovals", "--all", "-n", "shop")
        eventually(lambda: status() == httpx.codes.FORBIDDEN, within=WITHIN, what="the approval is withdrawn")
    world.until_reason("consented", "PendingApproval", status="False", within=WITHIN)


def test_in_an_emergency_rights_come_at_once_and_loudly(consenting: World) -> None:
    world = consenting
    fill(world, "urgent-1")
    with world.caller("urgent") as caller:
        glass = {"searchaccess.dev/break-glass": "the shop is down"}
        assert not run(world, "ann", "apply", "-f", "-", body=requested("urgent", **glass))
        eventually(
            lambda: caller.get("/urgent-1/_search").status_code == httpx.codes.OK, within=WITHIN, what="it is granted"
        )
    world.until_event("urgent", "BreakGlass")
    loud = eventually(lambda: condition_in(world.get("urgent"), "BreakGlass"), within=WITHIN, what="it says so")
    assert loud["message"].endswith("by ann: the shop is down")
    world.delete("urgent")
