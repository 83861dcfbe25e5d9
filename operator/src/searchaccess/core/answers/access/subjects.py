"""Who is asked about, as the command line names it."""

import re
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from searchaccess.core.model.identities.workload import Place, Workload, WorkloadKind, is_service_account, is_unique_id
from searchaccess.core.model.intake.reading import is_label, is_name

_KINDS: Final = {
    "run": WorkloadKind.SERVICE,
    "run-job": WorkloadKind.JOB,
    "run-worker-pool": WorkloadKind.WORKER_POOL,
}
_WORKLOAD: Final = re.compile(r"(?P<project>[a-z0-9:.-]+)/(?P<location>[a-z0-9-]+)/(?P<name>[a-z0-9-]+)")
HELP: Final = (
    "NAMESPACE/NAME of a SearchAccess, the address of a service account, run:PROJECT/LOCATION/SERVICE (run-job: and"
    " run-worker-pool: too), user:NAME or key:ID"
)


class SubjectKind(StrEnum):
    """Kinds of subjects."""

    ACCESS = "SearchAccess"
    ACCOUNT = "service account"
    WORKLOAD = "workload"
    USER = "user"
    KEY = "API key"


class NoSubjectError(ValueError):
    """A text names nobody; the message says what to write instead."""


@dataclass(frozen=True, slots=True)
class Subject:
    """Who is asked about.

    Args:
        kind: what it is.
        name: ``namespace/name``, an address or unique id, a user's name, or a key's id.
        workload: of Cloud Run; None: it is none.
    """

    kind: SubjectKind
    name: str
    workload: Workload | None = None


def subject_of(text: str) -> Subject:
    """Return who a text names.

    Raises:
        NoSubjectError: it names nobody.
    """
    kind, colon, rest = text.partition(":")
    if colon and kind in _KINDS and (found := _WORKLOAD.fullmatch(rest)):
        place = Place(found["project"], found["location"], _KINDS[kind])
        workload = Workload(place, found["name"])
        return Subject(SubjectKind.WORKLOAD, workload.path, workload)
    if colon and rest and kind in {"user", "key"}:
        return Subject(SubjectKind.USER if kind == "user" else SubjectKind.KEY, rest)
    if is_service_account(text) or is_unique_id(text):
        return Subject(SubjectKind.ACCOUNT, text)
    namespace, slash, name = text.partition("/")
    if slash and is_label(namespace) and is_name(name):
        return Subject(SubjectKind.ACCESS, text)
    raise NoSubjectError(f"{text!r} names nobody: write {HELP}")
