"""What the gateway costs: ``make bench BENCH="--only gateway"``, and a part of ``make bench``."""

import tempfile
from collections.abc import Callable
from pathlib import Path

from tests.bench.gateway import cost, memory, users
from tests.bench.gateway.scale import Scale
from tests.bench.gateway.ways import ways
from tests.bench.report import Report
from tests.stack.elasticsearch import LocalElasticsearch
from tests.stack.stack import Stack


def measure(report: Report, say: Callable[[str], None] = print) -> None:
    """Add all figures about the gateway, on servers of its own.

    Args:
        report: says how many SearchAccesses the bench has, by which it is scaled.
        say: called with what comes next.
    """
    scale = Scale.of(report.size)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        # With less memory it refuses large bodies, of which there are several at a time.
        with LocalElasticsearch(heap="2g") as server, ways(server, folder) as all_ways:
            with server.client() as admin:
                cost.write_documents(admin)
            cost.measure(report, all_ways, scale, say)
        memory.measure(report, scale, folder, say)
    with Stack() as stack:
        users.measure(report, stack, scale, say)
