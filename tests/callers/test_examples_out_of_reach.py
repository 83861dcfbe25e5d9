"""What the examples for callers do when Elasticsearch refuses, cuts or hangs: reads are repeated, writes are not."""

import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.callers.programs import RUNTIMES, SECRET, run
from tests.callers.recorder import CUT, HANGS, Recorder, recording
from tests.support.leaks import leaks
from tests.support.metadata import MetadataServer

pytestmark = pytest.mark.one_release

READ, WRITE = ("orders",), ("--write", "orders")

# curl repeats by rules of its own, and its example only reads: docs/callers/shell.md says so.
WITHOUT_SHELL = pytest.mark.parametrize("command", [name for name in RUNTIMES if name != "shell"], indirect=True)


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Recorder]:
    with recording(tmp_path) as server:
        yield server


def call(
    command: list[str], arguments: tuple[str, ...], server: Recorder, metadata: MetadataServer, timeout: str = ""
) -> subprocess.CompletedProcess[str]:
    more = {"ELASTICSEARCH_CLIENT_SECRET": SECRET, "ELASTICSEARCH_TIMEOUT": timeout}
    done = run(command, *arguments, url=server.url, ca_file=server.ca_file, metadata=metadata, **more)
    tokens = [sent["authorization"].removeprefix("Bearer ") for sent in server.requests]
    assert not leaks({"output": done.stdout + done.stderr}, [SECRET, *tokens])
    return done


def test_a_refused_connection_ends_with_an_error_that_says_so(
    command: list[str], metadata: MetadataServer, server: Recorder
) -> None:
    server.url = "https://127.0.0.1:1"
    done = call(command, READ, server, metadata)
    assert done.returncode != 0
    assert re.search("refused|ECONNREFUSED|Couldn't connect|Failed to connect", done.stderr), done.stderr


@WITHOUT_SHELL
def test_a_read_that_may_have_been_executed_is_sent_again_and_four_times_at_most(
    command: list[str], metadata: MetadataServer, server: Recorder
) -> None:
    server.statuses += [CUT, 200, 502, 504, 200, *[CUT] * 20]
    done = call(command, READ * 3, server, metadata)
    assert done.returncode != 0
    assert done.stderr.strip()
    assert len(done.stdout.splitlines()) == 2, "of the first and the second search"
    assert len(server.requests) == 5 + 4


@WITHOUT_SHELL
@pytest.mark.parametrize(("trouble", "shown"), [(CUT, ""), (504, "504")])
def test_a_write_that_may_have_been_executed_is_not(
    command: list[str], metadata: MetadataServer, server: Recorder, trouble: int, shown: str
) -> None:
    server.statuses += [trouble]
    done = call(command, WRITE, server, metadata)
    assert done.returncode != 0
    assert shown in done.stderr
    assert len(server.requests) == 1


@WITHOUT_SHELL
def test_a_write_that_was_refused_is_sent_again(command: list[str], metadata: MetadataServer, server: Recorder) -> None:
    server.statuses += [429, 503]
    done = call(command, WRITE, server, metadata)
    assert done.returncode == 0, done.stderr
    assert "2 written" in done.stdout
    assert len(server.requests) == 3
    assert len(set(server.bodies)) == 1
    assert server.bodies[0].count("\n") == 4, "the whole of it each time"


@WITHOUT_SHELL
@pytest.mark.parametrize("arguments", [READ, WRITE], ids=["read", "write"])
def test_what_is_not_answered_in_time_is_given_up(
    command: list[str], metadata: MetadataServer, server: Recorder, arguments: tuple[str, ...]
) -> None:
    server.statuses += [HANGS] * 20
    # In .NET it includes the token and the connection.
    timeout = "5" if command[0].endswith("mono") else "1"
    done = call(command, arguments, server, metadata, timeout=timeout)
    assert done.returncode != 0
    assert re.search("time(d )? ?out", done.stderr, re.IGNORECASE), done.stderr
    # On a busy machine the time is over before there is a connection.
    assert len(server.requests) <= 1, "it is not sent again"
