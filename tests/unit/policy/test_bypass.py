"""Rights that let a caller read more than is declared are found; those that do not are no warning."""

from typing import Any

import pytest

from searchaccess.api.conditions.reasons import Reason
from searchaccess.core.model.access import Share
from searchaccess.core.policy.bypass import bypasses
from tests.unit.builders import a_grant, an_access

HIDING: dict[str, Any] = {"fields": {"exclude": ["customer.ssn"]}}
READ = a_grant("orders-*", **HIDING)
SOME = a_grant("orders-*", where={"term": {"region": "eu"}})
BOTH = {Reason.DOCUMENTS_REACHABLE, Reason.MAPPING_CHANGEABLE}
TEMPLATES = ["manage_index_templates"]
Grants = list[dict[str, Any]]


def share(grants: Grants, cluster: list[str]) -> Share:
    access = an_access(grants=grants, clusterCan=cluster)
    assert not access.invalid
    return access.share


CASES: dict[str, tuple[Grants, list[str], Grants, set[Reason]]] = {
    # own grants, own clusterCan, grants of others to the same caller
    "a reader": ([READ], [], [], set()),
    "a reader who writes": ([a_grant("orders-*", can=["read", "write"], **HIDING)], [], [], set()),
    "a reader who writes by another grant": ([READ, a_grant("orders-1", can=["write", "append"])], [], [], set()),
    "a reader who appends": ([READ, a_grant("orders-1", can=["append"])], [], [], {Reason.MAPPING_CHANGEABLE}),
    "a reader who appends elsewhere": ([READ, a_grant("audit", can=["append"])], [], [], set()),
    "a reader who writes by another access": ([READ], [], [a_grant("o*", can=["write"])], BOTH),
    "a reader of some who writes by another access": ([SOME], [], [a_grant("o*", can=["write"])], BOTH),
    "a reader of some who writes": ([SOME, a_grant("orders-*", can=["write"])], [], [], set()),
    "a reader of some who appends": ([SOME, a_grant("orders-1", can=["append"])], [], [], {Reason.MAPPING_CHANGEABLE}),
    "a reader of some who deletes": ([SOME, a_grant("orders-1", can=["delete"])], [], [], set()),
    "a reader of some who updates": (
        [SOME, a_grant("orders-*", can=[], privileges=["indices:data/write/*"])],
        [],
        [],
        {Reason.DOCUMENTS_REACHABLE},
    ),
    "a reader of some who reads all too": ([SOME], [], [a_grant("o*", can=["read", "write"])], set()),
    "a reader of some who reads all of others": ([SOME], [], [a_grant("orders-1", can=["read", "write"])], BOTH),
    "a writer beside a reader": ([a_grant("o*", can=["write"])], [], [READ], set()),
    "a reader who manages": ([READ, a_grant("orders-*", can=["manage"])], [], [], {Reason.MAPPING_CHANGEABLE}),
    "a raw privilege": ([READ, a_grant("orders-*", can=[], privileges=["index"])], [], [], BOTH),
    "a raw action": (
        [READ, a_grant("orders-*", can=[], privileges=["indices:admin/mapping*"])],
        [],
        [],
        {Reason.MAPPING_CHANGEABLE},
    ),
    "a raw action that changes none": (
        [READ, a_grant("orders-*", can=[], privileges=["indices:data/*"])],
        [],
        [],
        set(),
    ),
    "a writer of documents that are limited": (
        [a_grant(can=["read", "write"], where={"term": {"a": 1}})],
        [],
        [],
        set(),
    ),
    "templates alone": ([], TEMPLATES, [], set()),
    "templates of a reader": ([a_grant("mine-*")], TEMPLATES, [], {Reason.DOCUMENTS_REACHABLE}),
    "templates of a reader by another access": ([], TEMPLATES, [a_grant("mine-*")], {Reason.DOCUMENTS_REACHABLE}),
    "pipelines of a reader": ([a_grant()], ["manage_ingest_pipelines"], [], {Reason.DOCUMENTS_REACHABLE}),
    "policies of a reader": ([a_grant()], ["manage_ilm", "monitor", "read_ilm", "read_pipeline"], [], set()),
    "manages what it reads": ([a_grant(can=["read", "manage"])], [], [], set()),
    "manages part of what it reads": ([a_grant("o-*"), a_grant("o-1-*", can=["manage"])], [], [], set()),
    "manages more than it reads": (
        [a_grant("o-1-*"), a_grant("o-*", can=["manage"])],
        [],
        [],
        {Reason.DOCUMENTS_REACHABLE},
    ),
    "manages something else": ([a_grant("mine-*"), a_grant("ship-*", can=["manage"])], [], [], set()),
    "manages what it does not read, and is no reader": ([a_grant("ship-*", can=["manage"])], [], [], set()),
}


@pytest.mark.parametrize(("grants", "cluster", "others", "reasons"), CASES.values(), ids=CASES)
def test_bypasses(grants: Grants, cluster: list[str], others: Grants, reasons: set[Reason]) -> None:
    beside = [an_access("other", grants=others).share] if others else []
    found = bypasses(share(grants, cluster), beside)
    assert {bypass.reason for bypass in found} == reasons
    assert all(bypass.message for bypass in found)


@pytest.mark.parametrize(
    ("grant", "writer", "messages"),
    [
        (
            READ,
            "create_doc",
            ["fields of orders-*: create_doc on orders-1 lets the caller copy a hidden field (copy_to)"],
        ),
        (
            SOME,
            "index",
            [
                "where of orders-*: index on orders-1 shows a document by its id (_update)",
                "where of orders-*: index on orders-1 lets the caller change what its fields hold (copy_to)",
            ],
        ),
    ],
)
def test_the_message_names_what_to_change(grant: dict[str, Any], writer: str, messages: list[str]) -> None:
    own = share([grant, a_grant("orders-1", can=[], privileges=[writer])], [])
    assert [found.message for found in bypasses(own, [])] == messages
