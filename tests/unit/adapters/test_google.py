"""Whatever Google's messages hold, they are read, or are an error of ours."""

from collections.abc import Callable
from typing import Any

import pytest
from google.cloud.container_v1 import Cluster
from google.cloud.run_v2 import Job, Service, WorkerPool
from google.cloud.secretmanager_v1 import Secret as RawSecret
from google.cloud.secretmanager_v1 import SecretVersion
from hypothesis import given
from hypothesis import strategies as st

from searchaccess.adapters.googlecloud.convert import job_found, name_version, service_found, worker_pool_found
from searchaccess.adapters.googlecloud.endpoint import GkeEndpoint
from searchaccess.adapters.googlecloud.errors import mapped
from searchaccess.adapters.googlecloud.gke import ControlPlane, control_plane_of
from searchaccess.adapters.googlecloud.secrets import secret_of, version_of
from searchaccess.core.credentials.credential import Secret, Version
from searchaccess.core.model.identities.workload import Found, Place, WorkloadKind
from searchaccess.core.model.intake.reading import LARGEST
from searchaccess.ports.errors import ExternalError
from tests.unit.adapters.anything import damaged
from tests.unit.builders import OPERATOR

TEMPLATE = {
    "service_account": "orders@acme-shop.iam.gserviceaccount.com",
    "containers": [{"env": [{"name": "A", "value_source": {"secret_key_ref": {"secret": "s", "version": "3"}}}]}],
    "volumes": [{"name": "v", "secret": {"secret": "s", "items": [{"path": "p", "version": "latest"}]}}],
}
SERVICE = {
    "name": "projects/p/locations/l/services/orders",
    "uid": "u",
    "generation": 3,
    "observed_generation": 3,
    "template": TEMPLATE,
    "latest_ready_revision": "r1",
    "traffic_statuses": [{"type_": 1, "percent": 100, "tag": "", "revision": "r1"}],
    "terminal_condition": {"state": 4, "message": "it works"},
}
JOB = {"name": "projects/p/locations/l/jobs/orders", "uid": "u", "template": {"template": TEMPLATE}}

WORKLOADS: list[tuple[WorkloadKind, Callable[[Any], Any], dict[str, Any], Callable[[Place, Any], Found]]] = [
    (WorkloadKind.SERVICE, Service, SERVICE, service_found),
    (
        WorkloadKind.WORKER_POOL,
        WorkerPool,
        {key: SERVICE[key] for key in ("name", "uid", "template")},
        worker_pool_found,
    ),
    (WorkloadKind.JOB, Job, JOB, job_found),
]


def made(kind: Callable[[Any], Any], raw: Any) -> Any:
    """Return a message of a dict form; None: it has none, so Google cannot send it."""
    try:
        return kind(raw)
    except (ValueError, TypeError, AttributeError, OverflowError, KeyError):
        return None


@pytest.mark.parametrize(("kind", "message", "raw", "read"), WORKLOADS, ids=[str(row[0]) for row in WORKLOADS])
def test_a_workload(kind: WorkloadKind, message: Any, raw: Any, read: Callable[[Place, Any], Found]) -> None:
    place = Place("acme-shop", "europe-west1", kind)
    assert read(place, message(raw)).workload.name == "orders"

    @given(damaged(raw))
    def any_message(given_raw: Any) -> None:
        if (found := made(message, given_raw)) is None:
            return
        workload = read(place, found)
        assert isinstance(workload, Found)
        assert len(workload.failed) <= 300
        assert name_version(workload.workload, found, {"projects/acme-shop/secrets/s"}, 4) in {True, False}

    any_message()


SECRET = {
    "name": "projects/1/secrets/orders",
    "create_time": {"seconds": 1_700_000_000},
    "labels": {
        "managed-by": "searchaccess",
        "searchaccess-instance": "default",
        "searchaccess-owner-uid": "uid-orders",
    },
    "etag": "e",
    "version_aliases": {"live": 2},
}
VERSION = {"name": "projects/1/secrets/orders/versions/3", "state": 1, "etag": "e"}


@given(damaged(SECRET))
def test_a_secret(raw: Any) -> None:
    if (found := made(RawSecret, raw)) is None:
        return
    try:
        with mapped("Secret Manager"):
            secret = secret_of(found, (), "projects/acme-shop", OPERATOR)
    except ExternalError:
        return
    assert isinstance(secret, Secret)


@given(
    damaged(VERSION) | st.builds(lambda number: VERSION | {"name": f"x/versions/{number}"}, st.integers() | st.text())
)
def test_a_version(raw: Any) -> None:
    if (found := made(SecretVersion, raw)) is None:
        return
    try:
        version = version_of(found)
    except ExternalError:
        return
    assert isinstance(version, Version)
    assert version.number <= LARGEST


@pytest.mark.parametrize("seconds", [-(10**17), 10**17, 253_402_300_800])
def test_a_moment_that_no_calendar_has(seconds: int) -> None:
    found = made(RawSecret, SECRET | {"create_time": {"seconds": seconds}})
    with pytest.raises(ExternalError), mapped("Secret Manager"):
        secret_of(found, (), "projects/acme-shop", OPERATOR)


CLUSTER = {
    "name": "prod",
    "endpoint": "10.0.0.2",
    "master_auth": {"cluster_ca_certificate": "LS0tLS1CRUdJTg=="},
    "control_plane_endpoints_config": {
        "dns_endpoint_config": {"endpoint": "x.gke.goog", "allow_external_traffic": False}
    },
}


@given(damaged(CLUSTER), st.sampled_from(GkeEndpoint))
def test_a_gke_cluster(raw: Any, endpoint: GkeEndpoint) -> None:
    if (found := made(Cluster, raw)) is None:
        return
    try:
        known = control_plane_of(found, endpoint)
    except ExternalError:
        return
    assert isinstance(known, ControlPlane)


@pytest.mark.parametrize("ca", ["*", "/w==", "A"])
def test_a_certificate_authority_of_gke_that_is_no_text(ca: str) -> None:
    found = Cluster(CLUSTER | {"master_auth": {"cluster_ca_certificate": ca}})
    with pytest.raises(ExternalError, match="cannot be read"):
        control_plane_of(found, GkeEndpoint.AUTO)


@pytest.mark.parametrize("error", [OSError("no such file"), ValueError("no date"), OverflowError("too far")])
def test_what_a_library_of_googles_meets_in_an_answer_is_an_error_of_ours(error: Exception) -> None:
    with pytest.raises(ExternalError) as caught, mapped("Secret Manager"):
        raise error
    assert "no " not in caught.value.message
