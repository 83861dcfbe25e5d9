"""The gateway's part of the bench runs, and reports all that it promises; nothing is asserted about how fast."""

import re

from tests.bench import gateway
from tests.bench.report import Report

SIZE = 2
PER_REQUEST = [
    f"gateway, {kind} {size}{way}: {figure}"
    for size in ("1 kB", "100 kB", "10 MB")
    for kind in ("read", "write")
    for way in ("", ": oauth2-proxy", ": direct, token")
    for figure in ("p50 beyond direct", "requests a second, against direct", "CPU a request")
    if not (way == ": direct, token" and figure == "CPU a request")
]
PRINCIPALS = [
    f"gateway, {count} principals with limits{kind}: {figure}"
    for count, kind in ((1, ""), (2, ""), (2, ", all different"))
    for figure in (
        "size of the configuration",
        "until it is loaded",
        "CPU a request, one at a time",
        "memory",
    )
]
OTHERS = [
    "gateway, 8 bodies of 1 MiB that Elasticsearch does not read: memory more",
    "gateway, 8 bodies of 1 MiB, until all were read: memory more at most",
    "gateway, 8 bodies of 1 MiB without a length: memory more at most",
    "gateway, 8 answers of 1 MiB that callers do not read: memory more",
    "gateway, 4 users: start until all roles and users are written",
    "gateway, 4 users: start until the first users are written, a second late",
    "gateway, 4 users: start until the gateway has its configuration",
    "gateway, 4 users: CPU of the operator for 1,000 users",
    "gateway, 4 users: CPU of Elasticsearch for 1,000 users",
    "gateway, 4 users: start until the gateway lets the last one in",
    "gateway, 4 users: start until all statuses are written",
    "gateway, 4 users: requests to Elasticsearch for each user",
    "gateway: one new access until the gateway lets it in, p50",
    "gateway, 4 users: restart until all passwords are reset",
]


def test_the_gateways_bench_reports_all_figures(built_servers: None) -> None:  # noqa: ARG001 - built before any test.
    report, said = Report(SIZE), list[str]()
    gateway.measure(report, said.append)
    names = [figure.name for figure in report.figures]
    assert len(names) == len(set(names))
    assert [name for name in names if not re.search(": p99 ", name)] == [
        *PER_REQUEST,
        *PRINCIPALS,
        *OTHERS,
    ]
    assert said[0] == "gateway: read 1 kB"
    requests = {figure.name: figure for figure in report.figures}[
        "gateway, 4 users: requests to Elasticsearch for each user"
    ]
    assert re.match(r"\d+ for users, \d+ others", requests.note)
