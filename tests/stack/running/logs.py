"""Logs of servers that go on writing while they are read."""

import json
from typing import Any


def entries_of(log: str) -> list[dict[str, Any]]:
    """Return the JSON objects of a log, one in a line; a line that is being written is none yet."""
    whole = log.rpartition("\n")[0]
    return [json.loads(line) for line in whole.splitlines() if line.startswith("{")]
