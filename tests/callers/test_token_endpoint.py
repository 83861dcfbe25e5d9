"""A metadata server that is slow, broken, or answers what is no token: bounded, clear, and nothing of it shows."""

import base64
import json
import subprocess
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Event
from typing import Any

import pytest

from searchaccess_client import Elasticsearch, IdentityTokenMissing, tokens
from tests.callers.conftest import PRINCIPAL
from tests.callers.programs import RUNTIMES, command_of, run
from tests.callers.recorder import Recorder, recording
from tests.stack.trust.tokens import TokenIssuer
from tests.support.leaks import leaks
from tests.support.metadata import MetadataServer

pytestmark = pytest.mark.one_release

SECRET = "bm90LWEtdG9rZW4tYnV0LXNlY3JldA"
AUDIENCE = "https://es.example.com"


def segment(value: object) -> str:
    return base64.urlsafe_b64encode(json.dumps(value).encode()).decode().rstrip("=")


def token(claims: object) -> str:
    return f"{segment({'alg': 'RS256'})}.{segment(claims)}.{SECRET}"


NO_TOKENS = {
    "a page": f"<html>sign in here: {SECRET}</html>",
    "nothing": "",
    "two segments": f"{segment({})}.{SECRET}",
    "no JSON": f"{SECRET}.{SECRET}.{SECRET}",
    "a list": token([SECRET]),
    "without an end": token({"sub": SECRET}),
    "an end that is no number": token({"exp": SECRET}),
    "an end beyond all calendars": token({"exp": 10**30}),
    "with a line break": token({"exp": 4102444800}) + "\nX-Other: header",
}


class Says(TokenIssuer):
    """Returns a given response in place of a token.

    Args:
        answer: what it gives.
    """

    def __init__(self, answer: str) -> None:
        self._answer = answer

    def mint(self, email: str, **options: Any) -> str:  # noqa: ARG002 - as the base class is called.
        return self._answer


class Hangs(TokenIssuer):
    """Gives no token until the test ends."""

    def __init__(self) -> None:
        self.over = Event()

    def mint(self, email: str, **options: Any) -> str:  # noqa: ARG002 - as the base class is called.
        self.over.wait(120)
        return ""


@pytest.fixture(scope="module")
def issuer() -> TokenIssuer:
    return TokenIssuer()


@pytest.fixture
def metadata(issuer: TokenIssuer) -> Iterator[MetadataServer]:
    with MetadataServer(issuer, PRINCIPAL) as server:
        yield server


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Recorder]:
    with recording(tmp_path) as recorder:
        yield recorder


@pytest.fixture
def client(server: Recorder, metadata: MetadataServer, monkeypatch: pytest.MonkeyPatch) -> Iterator[Elasticsearch]:
    metadata.show_to(monkeypatch)
    with Elasticsearch(server.url, audience=AUDIENCE, ca_certs=str(server.ca_file)) as client:
        yield client  # type: ignore[misc] # The base class says of itself what it gives.


# The package


@pytest.mark.parametrize("answer", NO_TOKENS.values(), ids=NO_TOKENS)
def test_what_is_no_token_is_not_sent_and_not_shown(
    client: Elasticsearch, metadata: MetadataServer, server: Recorder, answer: str, caplog: pytest.LogCaptureFixture
) -> None:
    metadata.issuer = Says(answer)
    with caplog.at_level("DEBUG"), pytest.raises(IdentityTokenMissing, match="is no token") as caught:
        client.search(index="orders")
    assert server.requests == []
    assert not leaks({"log": caplog.text, "error": f"{caught.value!r} {caught.value}"}, [SECRET])


def test_the_old_token_is_used_while_the_answer_is_no_token(
    client: Elasticsearch, metadata: MetadataServer, server: Recorder, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tokens, "PAUSE", 0.0)
    metadata.lifetime = 200
    client.search(index="orders")
    metadata.issuer = Says(NO_TOKENS["without an end"])
    while len(metadata.audiences) < 3:
        client.search(index="orders")
    assert len({sent["authorization"] for sent in server.requests}) == 1


def test_a_metadata_server_that_hangs_is_given_up_once_for_many_threads(
    client: Elasticsearch, metadata: MetadataServer, server: Recorder, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tokens, "LIMIT", 1.0)
    metadata.issuer = hanging = Hangs()

    def search(_: int) -> str:
        with pytest.raises(IdentityTokenMissing) as caught:
            client.search(index="orders")
        return str(caught.value)

    try:
        with ThreadPoolExecutor(8) as pool:
            messages = set(pool.map(search, range(8)))
    finally:
        hanging.over.set()
    assert len(messages) == 1
    assert "none within 1 s" in messages.pop()
    assert server.requests == []


# The examples


def fail_all(server: Recorder, metadata: MetadataServer) -> None:
    """Run all examples at the same time, because they wait: all fail, say that there is no token, and show nothing."""

    def call(runtime: str) -> subprocess.CompletedProcess[str]:
        quick = {"GCE_METADATA_TIMEOUT": "1"}
        return run(command_of(runtime), "orders", url=server.url, ca_file=server.ca_file, metadata=metadata, **quick)

    with ThreadPoolExecutor(len(RUNTIMES)) as pool:
        done = dict(zip(RUNTIMES, pool.map(call, RUNTIMES), strict=True))
    assert [runtime for runtime in RUNTIMES if not done[runtime].returncode] == [], "they fail"
    assert server.requests == []
    said = {runtime: outcome.stdout + outcome.stderr for runtime, outcome in done.items()}
    assert not leaks(said, [SECRET])
    silent = {runtime: text for runtime, text in said.items() if "token" not in text}
    assert not silent, "they say what is missing"


@pytest.mark.parametrize("answer", ["without an end", "with a line break"])
def test_no_example_sends_or_shows_what_is_no_token(metadata: MetadataServer, server: Recorder, answer: str) -> None:
    metadata.issuer = Says(NO_TOKENS[answer])
    fail_all(server, metadata)


def test_every_example_gives_up_a_metadata_server_that_hangs(metadata: MetadataServer, server: Recorder) -> None:
    metadata.issuer = hanging = Hangs()
    try:
        fail_all(server, metadata)
    finally:
        hanging.over.set()


def test_every_example_says_so_when_the_metadata_server_is_broken(metadata: MetadataServer, server: Recorder) -> None:
    metadata.broken = SECRET
    fail_all(server, metadata)
