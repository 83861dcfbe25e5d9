"""The operator is killed in the middle of rotations, again and again: whoever reads the secret is never refused."""

import base64
import json
import random
import threading
import time
from collections.abc import Callable
from contextlib import closing
from functools import partial
from typing import Any

import httpx
import pytest

from tests.e2e.clusters.test_logins import write_login, write_user
from tests.e2e.credentials.keys import ISSUER_ROLE, STORES
from tests.integration.loop.test_crashes import nth
from tests.support.leaks import leaks
from tests.support.operatorprocess import ROOT
from tests.support.servers.proxy import Fault
from tests.support.waiting import eventually
from tests.support.worlds.arena import PATIENCE, Arena
from tests.support.worlds.supervisor import Supervisor
from tests.support.worlds.world import OPERATOR_PASSWORD, SYSTEM, access, grant

pytestmark = pytest.mark.timeout(600)

OVERLAP = 10
"""Seconds for which what was read works at least."""
ROTATIONS = 4


def name_of(value: dict[str, Any]) -> str:
    """Return the id of the key, or the name of the user, that a secret holds."""
    return str(value.get("id") or value["username"])


class Caller(threading.Thread):
    """Calls Elasticsearch without a pause, and reads its Secret again within the overlap.

    Where the machine stands still for longer, it calls with what it read before: such a refusal does not count.
    """

    def __init__(self, field: Arena, name: str) -> None:
        super().__init__()
        self._field = field
        self._name = name
        self._stopped = threading.Event()
        self.answers: dict[int, int] = {}
        self.values: dict[str, str] = {}
        """Secret parts by id of the key or name of the user."""

    def read(self) -> dict[str, Any]:
        options = ("-n", "shop", "-o", "jsonpath={.data.credential}")
        text = self._field.world.kubernetes.run_kubectl("get", "secret", self._name, *options).stdout
        value = dict(json.loads(base64.b64decode(text)))
        self.values[name_of(value)] = value.get("api_key") or value["password"]
        return value

    def run(self) -> None:
        server = self._field.world.elasticsearch
        while not self._stopped.is_set():
            began = time.monotonic()
            value = self.read()
            headers = {"Authorization": f"{'Basic' if 'password' in value else 'ApiKey'} {value['encoded']}"}
            trust = server._trust()
            with closing(httpx.Client(base_url=server.url, verify=trust, headers=headers, timeout=60)) as client:
                for _ in range(100):
                    status = client.get("/orders-1/_search").status_code
                    age = time.monotonic() - began
                    # Elasticsearch's clock and ours differ by less than a second.
                    if status == httpx.codes.OK or age < OVERLAP - 1:
                        self.answers[status] = self.answers.get(status, 0) + 1
                    if age > OVERLAP / 2:
                        break

    def stop(self) -> None:
        self._stopped.set()
        self.join()


@pytest.mark.parametrize("seed", [1])
def test_killed_at_any_moment_of_a_rotation_no_caller_is_refused(
    field: Arena, seed: int, record_property: Callable[[str, object], None]
) -> None:
    lots, world = random.Random(seed), field.world  # noqa: S311 - draws lots
    write_user(world, "issuer", ISSUER_ROLE)
    write_login(world, "issuer", username="issuer", password=OPERATOR_PASSWORD)
    world.kubernetes.run_kubectl("apply", "-n", "shop", "-f", str(ROOT / "deploy" / "kubernetes-store.yaml"))
    world.admin.put("/orders-1/_doc/1?refresh=true", json={"total": 12}).raise_for_status()
    login = {"secretRef": {"namespace": SYSTEM, "name": "issuer"}}
    world.apply(field.cluster(login=login, secretStores=STORES))
    credential = {"store": "main", "name": f"rotated-{seed}", "overlap": f"{OVERLAP}s"}
    declared = access("rotated", grant("orders-*"), auth="ApiKey", credential=credential)
    struck: list[str] = []
    with Supervisor(field.operator()).running() as supervisor:
        world.apply(declared)
        field.until_in_sync(1)
        caller = Caller(field, f"rotated-{seed}")
        caller.start()
        try:
            for rotation in range(ROTATIONS):
                side = lots.choice([field.elasticsearch, field.api])
                before, number = lots.random() < 0.5, lots.randint(1, 4)
                fault = Fault(drop=before, lose_reply=not before, times=1, hook=supervisor.kill)
                exits = supervisor.exits
                with side.fault(fault, nth(number)):
                    if rotation == ROTATIONS // 2:
                        world.patch("rotated", {"spec": {"auth": "Password"}})
                    world.annotate("rotated", "rotate-requested-at", f"rotation-{rotation}")
                    eventually(partial(_is_done, field, rotation), within=PATIENCE, every=0.5)
                if fault.hits:
                    struck.append(f"{'before' if before else 'after'} write {number}")
                    supervisor.until_restarted(exits)
        finally:
            caller.stop()
        newest = name_of(caller.read())
        eventually(lambda: _live(field) == [newest], within=PATIENCE, every=0.5, what=lambda: f"{_live(field)} live")
    record_property("crashes", struck)
    assert struck, "it was killed at least once"
    assert set(caller.answers) == {200}, caller.answers
    assert newest.startswith("searchaccess."), "it is a user in the end"
    assert len(caller.values) > ROTATIONS / 2
    assert leaks(field.texts(), caller.values.values()) == []


def _is_done(field: Arena, rotation: int) -> bool:
    status = field.world.get("rotated").get("status", {}).get("credential", {})
    return (status.get("rotationRequest"), status.get("phase")) == (f"rotation-{rotation}", "Active")


def _live(field: Arena) -> list[str]:
    """Return keys and users that work."""
    admin, prefix = field.world.admin, f"searchaccess.{field.world.instance}."
    params = {"active_only": "true", "name": f"{prefix}*"}
    keys = admin.get("/_security/api_key", params=params).raise_for_status().json()["api_keys"]
    users = admin.get("/_security/user").raise_for_status().json()
    return [key["id"] for key in keys] + [name for name in users if name.startswith(prefix)]
