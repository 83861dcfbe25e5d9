"""Cloud Run workloads and the service accounts behind them, as read from Google."""

import re
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from searchaccess.api.accesses.subjects import SERVICE_ACCOUNT_PATTERN

DEFAULT_COMPUTE_SUFFIX: Final = "-compute@developer.gserviceaccount.com"
"""A project's default compute service account: ``<project number>-compute@developer.gserviceaccount.com``.

https://cloud.google.com/iam/docs/service-account-types#default
"""


_UNIQUE_ID: Final = re.compile(r"[0-9]{15,30}")


def is_service_account(text: str) -> bool:
    """Return whether a text is the e-mail address of a Google service account, as tokens carry it."""
    return re.fullmatch(SERVICE_ACCOUNT_PATTERN, text) is not None


def is_unique_id(text: str) -> bool:
    """Return whether a text is the unique id of a service account, as the claim ``sub`` has it.

    https://cloud.google.com/iam/docs/service-account-overview (21 digits today)
    """
    return _UNIQUE_ID.fullmatch(text) is not None


class WorkloadKind(StrEnum):
    """Kinds of Cloud Run workloads, as resource names of the Admin API v2 have them."""

    SERVICE = "services"
    JOB = "jobs"
    WORKER_POOL = "workerPools"


@dataclass(frozen=True, slots=True, order=True)
class Place:
    """Where one request lists all workloads of a kind."""

    project: str
    location: str
    kind: WorkloadKind

    @property
    def parent(self) -> str:
        """Resource name of the location."""
        return f"projects/{self.project}/locations/{self.location}"


@dataclass(frozen=True, slots=True, order=True)
class Workload:
    """A Cloud Run service, job or worker pool."""

    place: Place
    name: str

    @property
    def path(self) -> str:
        """Resource name: ``projects/<project>/locations/<location>/services/<name>``, or ``jobs``, ``workerPools``."""
        return f"{self.place.parent}/{self.place.kind}/{self.name}"


@dataclass(frozen=True, slots=True)
class Serving:
    """A revision that gets requests, or has instances (worker pools)."""

    revision: str
    """Its name alone."""
    percent: int = 0
    """Share of the traffic, or of the instances."""
    tag: str = ""
    """Tag of an address of its own; empty: it has none."""


@dataclass(frozen=True, slots=True, order=True)
class SecretUse:
    """A secret of Secret Manager in a template: as an environment variable, or as a file."""

    secret: str
    """Its resource name, or its name alone: it is of the same project then."""
    version: str
    """A number, an alias, or ``latest``."""


@dataclass(frozen=True, slots=True)
class Template:
    """What a revision or an execution was made from."""

    service_account: str = ""
    """E-mail address; empty: the project's default compute service account."""
    uses: tuple[SecretUse, ...] = ()


@dataclass(frozen=True, slots=True)
class Found:
    """A workload, as read from Cloud Run."""

    workload: Workload
    uid: str
    """It changes when the workload is recreated under the name."""
    service_account: str
    """E-mail address in its template; empty: the project's default compute service account."""
    latest_created: str = ""
    """Name of the newest revision; empty for jobs."""
    latest_ready: str = ""
    """Name of the newest revision that is ready; empty for jobs."""
    serving: tuple[Serving, ...] = ()
    """Revisions that serve now; empty for jobs."""
    reconciling: bool = False
    """The template is newer than the newest revision."""
    uses: tuple[SecretUse, ...] = ()
    """Secrets in its template."""
    failed: str = ""
    """Why the newest revision cannot serve; empty: it can, or it is not known yet."""


@dataclass(frozen=True, slots=True, order=True)
class Account:
    """A Google service account."""

    email: str
    unique_id: str = ""
    """The ``sub`` of its tokens: it changes when the account is recreated. Empty: not known."""

    @property
    def is_default_compute(self) -> bool:
        """Whether it is a project's default compute service account."""
        return self.email.endswith(DEFAULT_COMPUTE_SUFFIX)
