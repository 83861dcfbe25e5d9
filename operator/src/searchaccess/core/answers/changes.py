"""The changes that a dry run would make, as objects and fields."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Final

from searchaccess.core.credentials.steps import (
    AskUsers,
    Destroy,
    Disable,
    Issue,
    Note,
    Prolong,
    Read,
    RemoveSecret,
    Revoke,
    Rewrite,
    Roll,
    Step,
    Update,
)
from searchaccess.core.gateway.users import NativeUser
from searchaccess.core.model.access import Access, Share
from searchaccess.core.model.canonical import MappingBody, RoleBody, canonical_json
from searchaccess.core.rights.diff import Difference, diff_mapping, diff_metadata, diff_share
from searchaccess.core.rights.mapping import RoleMapping
from searchaccess.core.rights.ownership import Role, metadata_from_json


class Action(StrEnum):
    """The action on an object."""

    CREATE = "create"
    CHANGE = "change"
    DELETE = "delete"


@dataclass(frozen=True, slots=True)
class RoleRights:
    """What a role grants before and after a change.

    Args:
        principal: whose role it is; empty: its metadata does not say.
        before: nothing, if there is no role.
        after: nothing, if the role would be gone.
    """

    principal: str
    before: RoleBody
    after: RoleBody


@dataclass(frozen=True, slots=True)
class Change:
    """One object that would change."""

    cluster: str
    object: str
    """Kind and name: ``role/…``, ``role_mapping/…``, ``user/…``, ``credential/…``, ``searchaccess/namespace/name``."""
    action: Action
    differences: tuple[Difference, ...] = ()
    owners: tuple[str, ...] = ()
    """SearchAccesses that have, or had, a part in it: ``namespace/name``."""
    rights: RoleRights | None = field(default=None, compare=False)
    """Of a role; None: the object is none."""

    def to_json(self) -> dict[str, Any]:
        """Return it for scripts."""
        fields = [{"path": item.path, "want": item.want, "have": item.have} for item in self.differences]
        return {
            "cluster": self.cluster,
            "object": self.object,
            "action": str(self.action),
            "for": list(self.owners),
            "fields": fields,
        }


def _action(before: object | None, after: object | None) -> Action:
    if after is None:
        return Action.DELETE
    return Action.CREATE if before is None else Action.CHANGE


def _share(role: Role | None) -> Share:
    return Share(role.body.entries, role.body.cluster) if role else Share()


def change_of_role(cluster: str, name: str, before: Role | None, after: Role | None) -> Change | None:
    """Return what would happen to a role; None: nothing.

    Args:
        cluster: the SearchCluster's name.
        name: of the role.
        before: as it is; None: there is none.
        after: as it would be; None: it would be gone.
    """
    if before == after:
        return None
    target = f"role/{name}"
    found = diff_share(target, _share(after), _share(before))
    if not found and before and after:
        found = diff_metadata(target, after.metadata, before.metadata)
        found += _diff_rest(target, after.body, before.body)
    metadata = [metadata_from_json(role.metadata) for role in (before, after) if role]
    owners = tuple(sorted({f"{record.namespace}/{record.name}" for each in metadata for record in each.records}))
    principal = next((each.principal for each in metadata if each.principal), "")
    rights = RoleRights(principal, *(role.body if role else RoleBody() for role in (before, after)))
    return Change(cluster, target, _action(before, after), tuple(found), owners, rights)


def _diff_rest(target: str, want: RoleBody, have: RoleBody) -> list[Difference]:
    pairs = (("description", want.description, have.description), ("other", want.other, have.other))
    return [Difference(target, path, one, other) for path, one, other in pairs if one != other]


_NO_MAPPING: Final = MappingBody(enabled=False, rules="")


def change_of_mapping(cluster: str, name: str, before: RoleMapping | None, after: RoleMapping | None) -> Change | None:
    """Return what would happen to a role mapping; None: nothing."""
    if before == after:
        return None
    target = f"role_mapping/{name}"
    want, have = (item.body if item else _NO_MAPPING for item in (after, before))
    found = diff_mapping(target, want, have)
    if not found and before and after:
        found = diff_metadata(target, after.metadata, before.metadata)
    return Change(cluster, target, _action(before, after), tuple(found))


def change_of_user(cluster: str, name: str, before: NativeUser | None, after: NativeUser | None) -> Change | None:
    """Return what would happen to a native user of a principal; None: nothing, but perhaps a new password."""
    if before == after:
        return None
    target = f"user/{name}"
    want, have = (item.to_json() if item else {} for item in (after, before))
    metadata = [item.pop("metadata", {}) for item in (want, have)]
    pairs = ((path, *(canonical_json(item[path]) if item else "" for item in (want, have))) for path in want or have)
    found = [Difference(target, path, one, other) for path, one, other in pairs if one != other]
    if before and after:
        found += diff_metadata(target, *metadata)
    return Change(cluster, target, _action(before, after), tuple(found))


def _words(step: Step) -> str:  # noqa: PLR0911 - reads as a table
    match step:
        case Issue(why=why):
            return f"create and store a new one ({why})"
        case Revoke(keys=keys, why=why):
            return f"revoke {', '.join(key.id for key in keys)} ({why})"
        case Update(keys=keys):
            return f"change the rights of {', '.join(key.id for key in keys)}"
        case Prolong(keys=keys):
            return f"prolong {', '.join(key.id for key in keys)}"
        case Roll(number=number):
            return f"roll out version {number} to the workload"
        case Disable(numbers=numbers) | Destroy(numbers=numbers):
            return f"{type(step).__name__.lower()} versions {', '.join(map(str, numbers))}"
        case Rewrite():
            return "rewrite the secret in the declared format"
        case RemoveSecret():
            return "delete the secret"
        case Note() | Read() | AskUsers():
            return ""


def change_of_credential(access: Access, steps: Sequence[Step]) -> Change | None:
    """Return what would be done next about a credential; None: nothing that changes anything."""
    words = [text for text in map(_words, steps) if text]
    if not words:
        return None
    target = f"credential/{access.ref}"
    issued = any(isinstance(step, Issue) for step in steps)
    differences = tuple(Difference(target, "next", text, "") for text in words)
    return Change(access.cluster, target, Action.CREATE if issued else Action.CHANGE, differences, (access.ref,))


def deletion_of(access: Access) -> Change:
    """Return the deletion of a SearchAccess whose ``ttlAfterExpired`` is over."""
    return Change(access.cluster, f"searchaccess/{access.ref}", Action.DELETE, (), (access.ref,))


def withdrawal(cluster: str, ref: str, keys: Sequence[str]) -> Change:
    """Return the withdrawal of a credential.

    Args:
        cluster: the SearchCluster's name.
        ref: whose it is, ``namespace/name`` or a uid.
        keys: ids of the keys and users that would be revoked.
    """
    target = f"credential/{ref}"
    differences = tuple(Difference(target, "keys", "", key) for key in keys)
    return Change(cluster, target, Action.DELETE, differences, (ref,))
