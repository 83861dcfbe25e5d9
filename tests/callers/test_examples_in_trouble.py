"""What the examples for callers do when something is wrong: in how many requests, and what of it they show."""

import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.callers.conftest import FirstNearItsEnd, InTurn
from tests.callers.programs import RUNTIMES, SECRET, run
from tests.callers.recorder import Recorder, recording
from tests.stack.trust.tokens import TokenIssuer
from tests.support.leaks import leaks
from tests.support.metadata import MetadataServer

pytestmark = pytest.mark.one_release


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Recorder]:
    with recording(tmp_path) as server:
        yield server


def call(command: list[str], server: Recorder, metadata: MetadataServer) -> subprocess.CompletedProcess[str]:
    secret = {"ELASTICSEARCH_CLIENT_SECRET": SECRET}
    return run(command, "orders", url=server.url, ca_file=server.ca_file, metadata=metadata, **secret)


def bearers(server: Recorder) -> list[str]:
    return [sent["authorization"].removeprefix("Bearer ") for sent in server.requests]


def test_after_a_401_it_tries_another_token(command: list[str], metadata: MetadataServer, server: Recorder) -> None:
    metadata.issuer = InTurn(TokenIssuer(), metadata.issuer)
    server.statuses += [401]
    done = call(command, server, metadata)
    assert done.returncode == 0, done.stderr
    assert len(set(bearers(server))) == 2
    assert len(set(server.bodies)) == 1, "the second request is whole"


def test_a_token_that_stays_refused_is_replaced_once_and_shows_nowhere(
    command: list[str], metadata: MetadataServer, server: Recorder
) -> None:
    metadata.issuer = InTurn(TokenIssuer(), metadata.issuer)
    server.statuses += [401] * 20
    done = call(command, server, metadata)
    assert done.returncode != 0
    assert "401" in done.stderr
    assert len(server.requests) == 2
    assert not leaks({"output": done.stdout + done.stderr}, [SECRET, *bearers(server)])


def test_it_tries_again_while_elasticsearch_is_busy_or_unavailable(
    command: list[str], metadata: MetadataServer, server: Recorder
) -> None:
    server.statuses += [429, 503]
    done = call(command, server, metadata)
    assert done.returncode == 0, done.stderr
    assert len(server.requests) == 3
    assert len(done.stdout.splitlines()) == 1


def test_it_gives_up_when_elasticsearch_stays_unavailable(
    command: list[str], metadata: MetadataServer, server: Recorder
) -> None:
    server.statuses += [503] * 20
    done = call(command, server, metadata)
    assert done.returncode != 0
    assert "503" in done.stderr
    assert len(server.requests) == 4


class Last(FirstNearItsEnd):
    """After it the metadata server is away."""

    def __init__(self, metadata: MetadataServer) -> None:
        super().__init__(metadata.issuer)
        self._metadata = metadata

    def mint(self, email: str, **options: Any) -> str:
        self._metadata.away = True
        return super().mint(email, **options)


# Google's library alone fails then: docs/callers/python.md says so.
@pytest.mark.parametrize("command", [name for name in RUNTIMES if name != "python without the helper"], indirect=True)
def test_while_the_metadata_server_is_away_the_old_token_is_used(
    command: list[str], metadata: MetadataServer, server: Recorder
) -> None:
    metadata.issuer = Last(metadata)
    indices = ("orders", "orders")
    done = run(command, *indices, url=server.url, ca_file=server.ca_file, metadata=metadata)
    assert done.returncode == 0, done.stderr
    assert len(metadata.audiences) == 1
    assert len(server.requests) == 2
    assert len(set(bearers(server))) == 1


def test_it_follows_no_redirect(command: list[str], metadata: MetadataServer, server: Recorder, tmp_path: Path) -> None:
    with recording(tmp_path / "elsewhere") as elsewhere:
        authorities = tmp_path / "both.crt"
        authorities.write_text(server.ca_file.read_text() + elsewhere.ca_file.read_text())
        server.ca_file = authorities
        server.location = f"{elsewhere.url}/orders/_search"
        server.statuses += [307] * 20
        call(command, server, metadata)
    assert len(server.requests) == 1
    assert elsewhere.requests == []


def test_it_sends_nothing_without_tls(command: list[str], metadata: MetadataServer, server: Recorder) -> None:
    server.url = server.url.replace("https:", "http:")
    done = call(command, server, metadata)
    assert done.returncode != 0
    assert "https" in done.stderr
    assert metadata.audiences == []
