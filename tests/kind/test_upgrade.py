"""From the last landed chart and image to these and back, by Helm, while callers call and accesses are declared."""

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import httpx
import pytest

from tests.e2e.credentials.keys import client_with, secret
from tests.kind.operators import (
    IMAGE,
    delete_many,
    drift_events,
    expect_written_once,
    helm,
    pods,
    role_versions,
    until_all_served,
    until_two_run,
)
from tests.support.landed import extract_landed
from tests.support.operatorprocess import ROOT
from tests.support.waiting import eventually
from tests.support.worlds.world import SYSTEM, World, access, grant

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(600)]

LANDED_IMAGE: Final = f"{IMAGE.partition(':')[0]}:landed"
CREDENTIAL: Final = {"store": "main", "name": "keyed-elasticsearch", "overlap": "1h"}
CHART: Final = Path("charts/searchaccess-operator")


@dataclass(slots=True)
class Load:
    """What went on meanwhile: which accesses were declared, how often callers were answered, and who was refused."""

    declared: list[str] = field(default_factory=list)
    answered: dict[str, int] = field(default_factory=dict)
    refused: list[str] = field(default_factory=list)


def deploy(world: World, chart: Path, image: str) -> None:
    """Upgrade the release to a chart and an image."""
    values = ("-f", str(ROOT / "tests/kind/values.yaml"), "--set", f"image.tag={image.partition(':')[2]}")
    helm("upgrade", "searchaccess", str(chart), "-n", SYSTEM, *values, "--wait", "--timeout=180s")
    until_all_run(world, image)


def until_all_run(world: World, image: str) -> None:
    """Wait until two pods run, and check that they run an image."""
    until_two_run(world)
    assert {container["image"] for pod in pods(world) for container in pod["spec"]["containers"]} == {image}


@pytest.fixture
def landed(world: World, tmp_path: Path) -> Iterator[None]:
    """Run the last landed version for a while."""
    deploy(world, extract_landed(tmp_path, str(CHART)) / CHART, LANDED_IMAGE)
    yield
    deploy(world, ROOT / CHART, IMAGE)


@contextmanager
def load(world: World) -> Iterator[Load]:
    """Call with a token and with an API key, and declare accesses, until the end of the block."""
    stop, seen = threading.Event(), Load()

    def call(name: str, client: httpx.Client) -> None:
        with closing(client):
            while not stop.wait(0.05):
                answer = client.get("/orders-*/_search")
                if answer.status_code != httpx.codes.OK:
                    seen.refused.append(f"{name}: {answer.text}")
                seen.answered[name] = seen.answered.get(name, 0) + 1

    def declare() -> None:
        while not stop.wait(1):
            name = f"upgraded-{len(seen.declared)}"
            world.apply(access(name, grant(f"{name}-*")))
            seen.declared.append(name)

    clients = {"token": world.caller("orders"), "key": client_with(world, secret(world, "keyed")["encoded"])}
    with ThreadPoolExecutor() as pool:
        tasks = [pool.submit(declare), *(pool.submit(call, *each) for each in clients.items())]
        try:
            yield seen
        finally:
            stop.set()
    for task in tasks:
        task.result()  # Raises what it raised.


@pytest.mark.usefixtures("landed")
def test_an_upgrade_and_a_rollback_refuse_no_caller_and_rewrite_no_role(world: World) -> None:
    world.apply(access("keyed", grant("orders-*"), auth="ApiKey", credential=CREDENTIAL))
    world.until_ready("orders", "keyed")
    before, drift = role_versions(world), drift_events(world)
    assert before
    with load(world) as seen:
        world.kubernetes.install_kinds(ROOT / "crds")
        deploy(world, ROOT / CHART, IMAGE)
        upgraded = len(seen.declared)
        eventually(lambda: len(seen.declared) > upgraded + 3, within=60, every=0.2, what="more are declared")
        alone = seen.declared[upgraded:]
        until_all_served(world, alone)
        helm("rollback", "searchaccess", "-n", SYSTEM, "--wait", "--timeout=180s")
        until_all_run(world, LANDED_IMAGE)
    assert 0 < upgraded < upgraded + len(alone) < len(seen.declared), "some were declared at each stage"
    until_all_served(world, seen.declared)
    after = role_versions(world)
    assert {name: after[name] for name in before} == before, "each role is as it was"
    expect_written_once(world, seen.declared)
    assert drift_events(world) == drift
    assert seen.refused == []
    assert set(seen.answered) == {"token", "key"}
    delete_many(world, [*seen.declared, "keyed"])
