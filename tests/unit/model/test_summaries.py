"""Subjects in short."""

import pytest

from searchaccess.core.model.identities.workload import Place, Workload, WorkloadKind
from searchaccess.core.model.summaries import shown_subject


def a_workload(kind: WorkloadKind = WorkloadKind.SERVICE, project: str = "acme-shop") -> Workload:
    return Workload(Place(project, "europe-west1", kind), "orders")


SUBJECTS: dict[str, tuple[Workload | str | None, str]] = {
    "a service": (a_workload(), "orders.europe-west1.acme-shop"),
    "a job": (a_workload(WorkloadKind.JOB), "job/orders.europe-west1.acme-shop"),
    "a worker pool": (a_workload(WorkloadKind.WORKER_POOL), "workerpool/orders.europe-west1.acme-shop"),
    "of another project": (a_workload(project="acme-lab"), "orders.europe-west1.acme-lab"),
    "an account": ("orders@acme-shop.iam.gserviceaccount.com", "orders@acme-shop"),
    "an account that no project has made": (
        "123-compute@developer.gserviceaccount.com",
        "123-compute@developer.gserviceaccount.com",
    ),
    "nothing readable": (None, ""),
}


@pytest.mark.parametrize(("subject", "text"), SUBJECTS.values(), ids=SUBJECTS)
def test_a_subject_in_short_says_of_which_project_and_kind_it_is(subject: Workload | str | None, text: str) -> None:
    assert shown_subject(subject) == text
