"""What the engine needs from Google Cloud: workloads, and their service accounts.

Each method makes one request, so that callers can count and pace requests.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Protocol

from searchaccess.core.model.identities.workload import Account, Found, Place, Template, Workload


@dataclass(frozen=True, slots=True)
class Workloads:
    """A page of a list of workloads."""

    items: tuple[Found, ...]
    following: str = ""
    """Token of the next page; empty: this is the last one."""


@dataclass(frozen=True, slots=True)
class Executions:
    """A page of a list of a job's executions."""

    running: Mapping[str, Template]
    """Templates of executions that are not completed, by name."""
    following: str = ""


@dataclass(frozen=True, slots=True)
class Accounts:
    """A page of a list of service accounts."""

    items: tuple[Account, ...]
    following: str = ""


class GooglePort(Protocol):
    """Google Cloud. Every method makes one request and raises only ``ExternalError``.

    ``Unreachable``: no response, or a server error. ``Throttled``: a quota is used up. ``PermissionDenied``: the
    operator's account may not do it, or the API is disabled. ``LoginMissing``, ``LoginRefused``: it has no usable one.
    """

    async def list_workloads(self, place: Place, following: str = "") -> Workloads:
        """Return some workloads of a kind in a location."""

    async def get_workload(self, workload: Workload) -> Found:
        """Return one workload.

        Raises:
            NotFound: there is none.
        """

    async def revision_template(self, workload: Workload, revision: str) -> Template:
        """Return what a revision of a service or worker pool was made from.

        Raises:
            NotFound: there is no such revision.
        """

    async def roll(self, workload: Workload, names: Collection[str], number: int) -> None:
        """Write the number of a secret's version into a workload's template, wherever that names the secret.

        Two requests: the template is read, and written if nobody changed it meanwhile. If it has the number already,
        nothing is written. It does not wait for the rollout.

        Args:
            workload: the workload.
            names: resource names of the secret.
            number: the version.

        Raises:
            Conflict: somebody changed it.
            NotFound: there is no such workload.
        """

    async def running_executions(self, job: Workload, following: str = "") -> Executions:
        """Return some executions of a job that are not completed."""

    async def list_accounts(self, project: str, following: str = "") -> Accounts:
        """Return some service accounts of a project, with their unique ids."""

    async def get_account(self, email: str) -> Account:
        """Return one service account of any project, with its unique id.

        Raises:
            NotFound: there is none.
        """
