"""The reason of Ready is in the status a second time, where field selectors find it."""

from typing import Any

import pytest

from searchaccess.api.conditions.reasons import Reason
from searchaccess.api.conditions.types import ConditionType
from searchaccess.api.status import SearchAccessStatus, SearchClusterStatus, condition_of
from searchaccess.core.clusters.cluster import cluster_from_object
from searchaccess.core.policy.decision import OPEN, Gate, decide
from searchaccess.core.status.access import AccessFacts, build_access_status
from searchaccess.core.status.cluster import ClusterReport, build_cluster_status
from tests.support.loop.stage import search_cluster
from tests.unit.builders import LATER, NOW, an_access

MISMATCH = Gate(grants=False, reason=Reason.REALM_MISMATCH, message="elasticsearch.yml needs …")


@pytest.mark.parametrize("gate", [OPEN, MISMATCH], ids=["open", "mismatch"])
@pytest.mark.parametrize("more", [{}, {"suspend": True}, {"mode": "Observe"}], ids=["plain", "suspended", "observed"])
def test_of_a_search_access(gate: Gate, more: dict[str, Any]) -> None:
    one = an_access(**more)
    first = build_access_status(AccessFacts(one, decide(one, gate)), SearchAccessStatus(), NOW)
    ready = condition_of(first, ConditionType.READY)
    assert ready is not None
    assert first.reason == ready.reason
    assert build_access_status(AccessFacts(one, decide(one, gate)), first, LATER) == first


def test_of_a_search_cluster() -> None:
    cluster = cluster_from_object(search_cluster("prod") | {"metadata": {"name": "prod", "uid": "u", "generation": 1}})
    status = build_cluster_status(ClusterReport(cluster), SearchClusterStatus(), NOW)
    ready = condition_of(status, ConditionType.READY)
    assert ready is not None
    assert status.reason == ready.reason
