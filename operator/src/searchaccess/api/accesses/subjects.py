"""Whom a SearchAccess is for: a Cloud Run workload or a service account."""

from typing import Annotated

from pydantic import Field, model_validator

from searchaccess.api.base import ApiModel, cel, matches, rules
from searchaccess.api.googlecloud import Location, ProjectId

SERVICE_ACCOUNT_PATTERN = r"^[a-z0-9][a-z0-9.-]*@([a-z0-9-]+\.)+gserviceaccount\.com$"
"""E-mail address of a Google service account, as tokens carry it.

https://cloud.google.com/iam/docs/service-account-types (user-managed, default and Google-managed ones)
"""


WORKLOAD_PATTERN = r"^[a-z]([a-z0-9-]*[a-z0-9])?$"


class WorkloadReference(ApiModel):
    """Names a Cloud Run workload."""

    project: ProjectId
    """ID of the Google Cloud project."""
    location: Location
    """Region, such as europe-west1."""
    name: Annotated[
        str,
        Field(
            max_length=63,
            json_schema_extra=rules(
                cel(matches(WORKLOAD_PATTERN), "write the name alone, as in the Cloud Run console, such as orders")
            ),
        ),
    ]
    """Name of the workload."""


_ONE_SUBJECT = "set exactly one of cloudRunService, cloudRunJob, cloudRunWorkerPool and serviceAccount"
_SUBJECTS = ("cloudRunService", "cloudRunJob", "cloudRunWorkerPool", "serviceAccount")


class Subject(ApiModel):
    """A workload, by its name or by its service account."""

    model_config = ApiModel.model_config | {
        "json_schema_extra": rules(
            cel(f"[{', '.join(f'has(self.{name})' for name in _SUBJECTS)}].filter(x, x).size() == 1", _ONE_SUBJECT)
        )
    }

    cloud_run_service: WorkloadReference | None = None
    """A Cloud Run service. The operator resolves the service account that it runs as, and tracks changes."""

    cloud_run_job: WorkloadReference | None = None
    """A Cloud Run job."""

    cloud_run_worker_pool: WorkloadReference | None = None
    """A Cloud Run worker pool."""

    service_account: Annotated[
        str | None,
        Field(
            max_length=254,
            json_schema_extra=rules(
                cel(
                    matches(SERVICE_ACCOUNT_PATTERN),
                    "write the service account's e-mail address in lower case, such as "
                    "orders@acme-shop.iam.gserviceaccount.com",
                )
            ),
        ),
    ] = None
    """E-mail address of the Google service account that the workload runs as, such as
    orders@acme-shop.iam.gserviceaccount.com. Every workload that runs as this account gets the access."""

    @model_validator(mode="after")
    def _is_one(self) -> "Subject":
        given = (self.cloud_run_service, self.cloud_run_job, self.cloud_run_worker_pool, self.service_account)
        if sum(item is not None for item in given) != 1:
            raise ValueError(_ONE_SUBJECT)
        return self
