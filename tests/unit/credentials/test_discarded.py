"""A key that could not be stored is revoked at once; where that fails, the log has it, and never its secret."""

import asyncio
from types import SimpleNamespace
from typing import Any

from structlog.testing import capture_logs

from searchaccess.engine.credentials.issuers import discard
from searchaccess.ports.errors import Unreachable


def test_what_cannot_be_revoked_yet_is_logged_by_its_id() -> None:
    async def refuse(_keys: object) -> None:
        raise Unreachable("away")

    issuer: Any = SimpleNamespace(revoke=refuse)
    key: Any = SimpleNamespace(id="its-id")
    with capture_logs() as logs:
        asyncio.run(discard(issuer, key))
    [entry] = logs
    assert (entry["log_level"], entry["id"], entry["error"]) == ("warning", "its-id", "away")
