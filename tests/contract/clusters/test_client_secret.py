"""What the operator sends to a realm that has a shared client secret."""

import logging
from pathlib import Path

import pytest

from searchaccess.adapters.elasticsearch.client import ElasticsearchClient
from searchaccess.core.clusters.connection import Connection
from tests.callers.recorder import Recorder, recording


async def _read_once(recorder: Recorder, client_secret: str) -> None:
    async def token() -> str:
        return "the-token"

    connection = Connection((recorder.url,), recorder.ca_file.read_text(), client_secret=client_secret)
    client = ElasticsearchClient(connection, token)
    try:
        await client.roles(["x"])
    finally:
        await client.close()


async def test_the_client_secret_goes_with_the_token(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    with recording(tmp_path) as recorder:
        caplog.set_level(logging.INFO)
        await _read_once(recorder, "s3cret")
    [headers] = recorder.requests
    assert headers["authorization"] == "Bearer the-token"
    assert headers["es-client-authentication"] == "SharedSecret s3cret"
    assert "s3cret" not in caplog.text


async def test_no_header_without_a_client_secret(tmp_path: Path) -> None:
    with recording(tmp_path) as recorder:
        await _read_once(recorder, "")
    [headers] = recorder.requests
    assert headers["authorization"] == "Bearer the-token"
    assert "es-client-authentication" not in headers
