"""Who gets what is imported: service accounts that role mappings name, and what a person says in a subject map."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from pydantic import ValidationError

from searchaccess.api.accesses.subjects import Subject
from searchaccess.core.model.access import Subject as DeclaredSubject
from searchaccess.core.model.canonical import canonical_json
from searchaccess.core.model.identities.workload import is_service_account
from searchaccess.core.model.parsing import access_outline
from searchaccess.core.model.problems import reference_problem

_KINDS: Final = {"roles": "role", "users": "user", "apiKeys": "API key", "usernames": "username"}
_HOW: Final = (
    "write the e-mail address of a service account, or an object such as "
    "{cloudRunService: {project: acme-shop, location: europe-west1, name: orders}}"
)


class BadSubjectMapError(ValueError):
    """A subject map cannot be used; the message says where and why."""


@dataclass(frozen=True, slots=True, order=True)
class Target:
    """A subject of SearchAccesses."""

    label: str
    """For people: an e-mail address, or the workload's name with its project and location."""
    short: str
    """For the name of an object: the account's or the workload's own name."""
    spec: str
    """Canonical JSON of ``spec.subject``."""

    @property
    def subject(self) -> DeclaredSubject | None:
        """The same, as the loop reads it."""
        return access_outline({"spec": {"subject": json.loads(self.spec)}}).subject


def account(email: str) -> Target:
    """Return the subject that is a service account, by its e-mail address."""
    return Target(email, email.partition("@")[0], canonical_json({"serviceAccount": email}))


def target_of(given: Any) -> Target:
    """Read a subject as a person writes it.

    Raises:
        BadSubjectMapError: it is none.
    """
    if isinstance(given, str):
        if not is_service_account(given):
            raise BadSubjectMapError(f"{given!r} is not the e-mail address of a Google service account: {_HOW}")
        return account(given)
    try:
        subject = Subject.model_validate(given)
    except ValidationError:
        raise BadSubjectMapError(f"it is not a subject: {_HOW}") from None
    if subject.service_account is not None:
        return target_of(subject.service_account)
    reference = subject.cloud_run_service or subject.cloud_run_job or subject.cloud_run_worker_pool
    if reference is None:
        raise BadSubjectMapError(f"it is not a subject: {_HOW}")
    if problem := reference_problem(reference.project, reference.location, reference.name):
        raise BadSubjectMapError(problem.removeprefix("spec.subject: "))
    label = f"{reference.project}/{reference.location}/{reference.name}"
    spec = subject.model_dump(mode="json", by_alias=True, exclude_none=True)
    return Target(label, reference.name, canonical_json(spec))


@dataclass(frozen=True, slots=True)
class SubjectMap:
    """What a person says about who uses which login.

    Args:
        roles: by name of a role, who has it.
        users: by name of a native user, which workload logs in as it.
        keys: by name of an API key, which workload uses it.
        usernames: by a name in role mappings, such as the unique id of a service account, whose it is.
    """

    roles: Mapping[str, tuple[Target, ...]] = field(default_factory=dict)
    users: Mapping[str, tuple[Target, ...]] = field(default_factory=dict)
    keys: Mapping[str, tuple[Target, ...]] = field(default_factory=dict)
    usernames: Mapping[str, tuple[Target, ...]] = field(default_factory=dict)

    def named(self) -> Iterator[tuple[str, str]]:
        """Yield the kind and the name of each entry."""
        for kind, part in (
            ("role", self.roles),
            ("user", self.users),
            ("API key", self.keys),
            ("username", self.usernames),
        ):
            for name in part:
                yield kind, name


def subject_map(given: Any) -> SubjectMap:
    """Read a subject map.

    Args:
        given: the parsed file: an object with ``roles``, ``users``, ``apiKeys`` and ``usernames``, each with one
            subject or several by name.

    Raises:
        BadSubjectMapError: it cannot be used.
    """
    if given is None:
        return SubjectMap()
    if not isinstance(given, Mapping) or (unknown := sorted(map(str, given.keys() - _KINDS.keys()))):
        what = f"{unknown[0]!r} is not known" if isinstance(given, Mapping) else "it is not an object"
        raise BadSubjectMapError(f"{what}: write {', '.join(_KINDS)}, each with subjects by name")
    parts = [dict(_part(key, given.get(key))) for key in _KINDS]
    return SubjectMap(*parts)


def _part(key: str, given: Any) -> Iterator[tuple[str, tuple[Target, ...]]]:
    if given is None:
        return
    if not isinstance(given, Mapping):
        raise BadSubjectMapError(f"{key}: write subjects by the name of the {_KINDS[key]}")
    for name, value in given.items():
        try:
            found = tuple(sorted(set(map(target_of, value if isinstance(value, list) else [value]))))
        except BadSubjectMapError as error:
            raise BadSubjectMapError(f"{key}.{name}: {error}") from None
        yield str(name), found
