"""Which approvals count on a real API server, and whether there are rights in Elasticsearch in the end.

The operator runs, and everybody here may do everything: only the admission policies and the operator refuse. The same
decision with times of every kind is the table in tests/unit/policy/consent.
"""

import re
import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest

from searchaccess.core.policy.consent.vouching import SETTLES
from tests.integration.admission.attempts import ATTEMPTS
from tests.integration.admission.consents import ASKER, POLICIES, Play, Steps, Wait
from tests.integration.conftest import OwnServers
from tests.support.operatorprocess import ROOT
from tests.support.waiting import eventually
from tests.support.worlds.arena import PATIENCE, Arena, arena
from tests.support.worlds.world import condition_in

pytestmark = [pytest.mark.one_release, pytest.mark.timeout(600)]

FILE = str(ROOT / "deploy" / "approvals.yaml")
AT_LEAST = 50
"""Attempts."""
MINUTE = 62.0
"""Seconds: times in Kubernetes are whole seconds."""


def slug(name: str) -> str:
    return "-".join(re.findall("[a-z0-9]+", name.lower()))[:60].strip("-")


@dataclass(frozen=True)
class Played:
    """What became of the attempts.

    Args:
        field: the servers, and the operator, which runs.
        plays: the attempts by name.
    """

    field: Arena
    plays: dict[str, Play]

    def ready(self, name: str) -> dict[str, Any]:
        return condition_in(self.plays[name].get(), "Ready")

    def has_role(self, name: str) -> bool:
        return self.plays[name].name in self.field.roles()


def is_judged(raw: dict[str, Any]) -> bool:
    ready = condition_in(raw, "Ready") if raw else {}
    return ready.get("observedGeneration") == raw.get("metadata", {}).get("generation") if ready else False


def perform(plays: dict[str, Play]) -> None:
    """Let all attempts go on together, so that all wait for the same minute."""
    running: dict[str, Steps] = {name: ATTEMPTS[name].steps(play) for name, play in plays.items()}
    waiting = dict[str, Wait]()

    def go_on(names: list[str]) -> None:
        for name in names:
            if (wait := next(running[name], None)) is None:
                waiting.pop(name, None)
            else:
                waiting[name] = wait

    def that_wait_for(wait: Wait) -> list[str]:
        return [name for name, each in waiting.items() if each is wait]

    go_on(list(running))
    while seen := that_wait_for(Wait.SEEN):
        for name in seen:
            plays[name].until(is_judged, "judged")
        go_on(seen)
    later = time.time() + MINUTE
    eventually(lambda: time.time() > later, within=PATIENCE, every=0.5)
    go_on(that_wait_for(Wait.MINUTE))
    assert not waiting


@pytest.fixture(scope="module")
def played(own_servers: OwnServers, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Played]:
    folder = tmp_path_factory.mktemp("consent")
    kubernetes = own_servers.kubernetes
    kubectl = kubernetes.run_kubectl
    with (
        arena(kubernetes, own_servers.elasticsearch, folder / "arena", "consent") as field,
        kubernetes.admin_client() as client,
    ):
        field.world.namespace("bank")
        kubectl("apply", "-f", str(ROOT / "deploy" / "users.yaml"))
        account, place = ASKER.rpartition(":")[2], "shop"
        kubectl("create", "serviceaccount", account, "-n", place)
        for role in ("edit", "approve"):
            options = (f"--clusterrole=searchaccess-operator-{role}", f"--serviceaccount={place}:{account}")
            kubectl("create", "rolebinding", f"asker-{role}", "-n", place, *options)
        token = kubectl("create", "token", account, "-n", place).stdout.strip()
        try:
            kubectl("apply", "-f", FILE)
            there = time.time()
            eventually(lambda: time.time() > there + SETTLES + 2, within=PATIENCE, what="it is checked who approves")
            field.world.apply(field.cluster(), *POLICIES)
            with field.running():
                field.until_cluster_ready()
                plays = {name: Play(client, slug(name), token) for name in ATTEMPTS}
                perform(plays)
                yield Played(field, plays)
        finally:
            # Other modules share the servers. A finalizer of an approval is nobody's.
            for file in (FILE, str(ROOT / "deploy" / "users.yaml")):
                kubectl("delete", "-f", file, "--ignore-not-found")
            kubectl("delete", "serviceaccount", account, "-n", place)
            kubectl("delete", "rolebinding", "asker-edit", "asker-approve", "-n", place)


@pytest.mark.parametrize("name", ATTEMPTS)
def test_who_gets_rights(name: str, played: Played) -> None:
    attempt, play = ATTEMPTS[name], played.plays[name]
    refused = play.refusals[-1:] if attempt.refused else play.refusals
    assert [attempt.refused in text for text in refused] == ([True] if attempt.refused else []), play.refusals
    reason = "InSync" if attempt.granted else "PendingApproval"

    def is_as_meant() -> bool:
        ready = played.ready(name)
        said = ready.get("reason") == reason and attempt.says in ready.get("message", "")
        return said and is_judged(play.get()) and played.has_role(name) is attempt.granted

    try:
        eventually(is_as_meant, within=60, every=0.3)
    except AssertionError:
        raise AssertionError(f"{played.ready(name)}, role: {played.has_role(name)}") from None


def test_the_table_is_long_and_each_attempt_has_a_name_of_its_own() -> None:
    assert len({slug(name) for name in ATTEMPTS}) == len(ATTEMPTS) >= AT_LEAST
    assert sum(not attempt.granted for attempt in ATTEMPTS.values()) >= 30
    assert sum(attempt.granted for attempt in ATTEMPTS.values()) >= 10
