"""Runs that come to an end: what they did, what they say, and with which exit code."""

import json
import os
import random
import signal
import subprocess
import time
from typing import Any

import pytest

from tests.stack.running.processes import free_port
from tests.support.servers.collector import Collector
from tests.support.servers.proxy import Fault
from tests.support.waiting import eventually
from tests.support.worlds.arena import Arena, in_sync, writes_roles
from tests.support.worlds.world import CLUSTER, OPERATOR_PASSWORD, SYSTEM, access, grant

pytestmark = pytest.mark.timeout(300)


def process(field: Arena, *arguments: str) -> list[str]:
    """Return the command of a run."""
    command = [*field.operator()._command, *arguments]
    command[command.index("run")] = "reconcile"
    return command


def reconcile(field: Arena, *arguments: str) -> tuple[int, dict[str, Any]]:
    """Run once; return the exit code and what it said."""
    return finish(field, process(field, "-o", "json", *(arguments or ("--once",))))


def finish(field: Arena, command: list[str]) -> tuple[int, dict[str, Any]]:
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=120)
    (field.folder / "once.log").write_text(done.stderr)
    assert done.stdout, done.stderr
    found = json.loads(done.stdout)
    assert found["exitCode"] == done.returncode
    return done.returncode, found


def reasons(found: dict[str, Any]) -> dict[str, str]:
    return {item["name"]: item["reason"] for item in found["items"]}


def test_once_over_everything(field: Arena) -> None:
    world = field.world
    world.apply(field.cluster(), access("orders", grant("orders-*")), access("more", grant("more-*")))
    code, found = reconcile(field)
    assert (code, found["unfinished"]) == (0, "")
    assert reasons(found) == {CLUSTER: "InSync", "shop/orders": "InSync", "shop/more": "InSync"}
    assert [item["changed"] for item in found["items"] if item["kind"] == "SearchAccess"] == [True, True]
    assert all(map(in_sync, field.listed().values())), "statuses are written"
    assert set(field.roles()) == {"orders", "more"}

    code, found = reconcile(field)
    assert code == 0
    assert not [item for item in found["items"] if item["changed"]], "there was nothing to do"

    world.delete("more", wait=False)
    world.apply(access("watched", grant("x-*"), mode="Observe"))
    code, found = reconcile(field)
    assert code == 2
    assert reasons(found) == {CLUSTER: "InSync", "shop/orders": "InSync", "shop/watched": "ChangesPending"}
    assert set(field.roles()) == {"orders"}
    assert "more" not in field.listed()


def test_what_fails_is_reported_and_the_rest_is_done(field: Arena) -> None:
    away = field.cluster("away")
    away["spec"]["urls"] = [f"https://127.0.0.1:{free_port()}"]
    wrong = access("wrong", grant("orders-*", where={"nonsense": {}}))
    field.world.apply(field.cluster(), away, access("orders", grant("orders-*")), wrong)
    field.world.apply(access("there", grant("x"), cluster="away"), access("lost", grant("x"), cluster="nowhere"))
    code, found = reconcile(field)
    assert code == 1
    reported = reasons(found)
    assert (reported["shop/orders"], reported["shop/wrong"]) == ("InSync", "RejectedByElasticsearch")
    assert (reported["away"], reported["shop/there"], reported["shop/lost"]) == (
        "ClusterUnreachable", "ClusterUnreachable", "ClusterNotFound"
    )  # fmt: skip
    assert found["unfinished"] == ""

    code, found = reconcile(field, "--once", "--cluster", CLUSTER)
    assert set(reasons(found)) == {CLUSTER, "shop/orders", "shop/wrong"}
    text = subprocess.run(process(field, "--once"), capture_output=True, text=True, check=False, timeout=120)
    assert text.returncode == 1
    assert "FAILED" in text.stdout
    assert (
        "1 of 4 SearchAccesses as declared; 0 changed; 0 with changes pending; 3 failed; 1 SearchCluster failed."
        in text.stdout
    )
    assert "next: " in text.stdout


def test_what_cannot_be_is_reported(field: Arena) -> None:
    either = "use --once, or --for with a duration"
    for arguments, code, says in (
        (("--once", "--cluster", "nowhere"), 1, "there is no SearchCluster named 'nowhere'"),
        ((), 64, either),
        (("--once", "--for", "5m"), 64, either),
        (("--for", "5 minutes"), 64, "write a duration"),
        (("--once", "--cluster", "x", "--lease-namespace", "y"), 64, "excludes --lease-namespace"),
    ):
        done = subprocess.run(process(field, *arguments), capture_output=True, text=True, check=False, timeout=60)
        assert done.returncode == code, done.stderr
        assert says in " ".join(done.stderr.replace("│", " ").split())


def test_killed_at_any_moment_and_run_again(field: Arena) -> None:
    lots = random.Random(7)  # noqa: S311 - draws lots
    names = [f"a-{number}" for number in range(20)]
    field.world.apply(field.cluster(), *(access(name, grant(f"{name}-*")) for name in names))
    for _ in range(4):
        running = subprocess.Popen(process(field, "--once"), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        time.sleep(0.8 + lots.random() * 1.5)
        running.kill()
        running.wait()
        for name in lots.sample(names, 3):
            field.world.patch(name, {"spec": {"grants": [grant(f"{name}-{lots.randrange(10**6)}-*")]}})
    code, found = reconcile(field)
    assert (code, found["unfinished"]) == (0, "")
    declared = {name: raw["spec"]["grants"][0]["indices"] for name, raw in field.listed().items()}
    assert {name: role["indices"][0]["names"] for name, role in field.roles().items()} == declared


def test_it_stops_when_asked(field: Arena) -> None:
    field.world.apply(field.cluster(), access("orders", grant("orders-*")))
    running = subprocess.Popen(
        process(field, "--for", "5m"), stdout=subprocess.PIPE, stderr=(field.folder / "for.log").open("w"), text=True
    )
    field.until_in_sync(1)
    running.send_signal(signal.SIGTERM)
    output, _ = running.communicate(timeout=120)
    assert "1 of 1 SearchAccesses as declared" in output
    assert "NOT FINISHED: it was stopped." in output
    assert running.returncode == 1


def test_what_is_being_written_when_it_has_to_stop_is_written_and_reported(field: Arena) -> None:
    field.world.apply(field.cluster(), access("orders", grant("orders-*")))
    command = process(field, "-o", "json", "--for", "5m")
    with field.elasticsearch.fault(Fault(delay=1.0, times=1), writes_roles) as slow:
        running = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
        eventually(lambda: slow.hits, within=60, every=0.05, what="it writes")
        running.send_signal(signal.SIGTERM)
        output, _ = running.communicate(timeout=120)
    assert set(field.roles()) == {"orders"}
    assert in_sync(field.listed()["orders"]), "its status says so"
    found = json.loads(output)
    assert found["unfinished"] == "it was stopped"
    assert reasons(found)["shop/orders"] == "InSync"


def test_it_ends_in_time_and_when_asked_though_the_api_server_is_away(field: Arena) -> None:
    def begin(*arguments: str) -> "subprocess.Popen[str]":
        command = process(field, *arguments)
        return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)

    with field.api.fault(Fault(drop=True)) as fault:
        _, said = begin("--once", "--patience", "3s").communicate(timeout=120)
        assert "could not connect to Kubernetes within 3 s" in said
        before = fault.hits
        running = begin("--for", "5m")
        eventually(lambda: fault.hits > before, within=60, what="it tries")
        running.send_signal(signal.SIGTERM)
        _, said = running.communicate(timeout=120)
        assert "it was stopped before it could start" in said
        assert running.returncode == 1
        operator = field.operator()
        before = fault.hits
        operator.start()
        eventually(lambda: fault.hits > before, within=60, what="it tries")
        assert operator.stop() == 0, "to be stopped is no failure of an operator"


def test_its_traces_say_what_was_done_and_no_secret(field: Arena) -> None:
    field.world.apply(field.cluster(), access("orders", grant("orders-*")))
    with Collector() as collector:
        environment = os.environ | {
            "OTEL_EXPORTER_OTLP_ENDPOINT": collector.url,
            "OTEL_EXPORTER_OTLP_COMPRESSION": "none",
        }
        command = process(field, "--once")
        done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=120, env=environment)
        assert done.returncode == 0, done.stderr
        reconciles = {span.span_id for span in collector.spans if span.name == "reconcile"}
        inside = {span.name for span in collector.spans if span.parent_span_id in reconciles}
        said = b"".join(collector.bodies).decode(errors="replace")
    assert inside >= {"elasticsearch roles", "elasticsearch put_roles", "elasticsearch put_mapping"}
    assert "kubernetes replace_status" in {span.name for span in collector.spans}
    assert not [secret for secret in (OPERATOR_PASSWORD, *field.tokens) if secret in said]


def test_two_at_a_time_share_the_work_and_one_that_goes_on_for_a_while_sees_news(field: Arena) -> None:
    field.world.apply(field.cluster(), access("orders", grant("orders-*")))
    shared = ("-o", "json", "--lease-namespace", SYSTEM)
    # The first has the cluster, and runs until it is stopped: the second ends before it on any machine.
    command = process(field, "--for", "30m", *shared)
    with (field.folder / "for.log").open("w") as log:
        long = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=log, text=True)
    try:
        field.until_in_sync(1)
        code, found = finish(field, process(field, "--once", *shared))
        assert long.poll() is None
        # The cluster may be the share of the second. Then it takes it over, if it still runs when that is released.
        assert (code, found["elsewhere"]) == (0, 0 if CLUSTER in reasons(found) else 1)
        assert set(reasons(found).values()) <= {"InSync"}
        field.world.apply(access("later", grant("later-*")))
        field.until_in_sync(2)
        long.send_signal(signal.SIGTERM)
        output, _ = long.communicate(timeout=60)
    finally:
        long.kill()
        long.wait()
    found = json.loads(output)
    assert (found["unfinished"], found["elsewhere"]) == ("it was stopped", 0)
    assert reasons(found) == {CLUSTER: "InSync", "shop/orders": "InSync", "shop/later": "InSync"}
    assert set(field.roles()) == {"orders", "later"}
