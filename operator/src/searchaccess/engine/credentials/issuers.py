"""How API keys, and users with passwords, are made, changed and revoked in Elasticsearch."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Final, Protocol

import structlog

from searchaccess.api.stores.credentials import Auth
from searchaccess.core.credentials.credential import Key
from searchaccess.core.credentials.keys import form_metadata, key_metadata, key_name
from searchaccess.core.credentials.sealed import Sealed
from searchaccess.core.credentials.users import user_metadata, user_name, user_role
from searchaccess.core.messages import some_of
from searchaccess.core.model.access import Access
from searchaccess.core.model.canonical import RoleBody
from searchaccess.core.rights.ownership import Operator
from searchaccess.engine.pacing.sharedclock import SharedClock
from searchaccess.ports.elasticsearch import ElasticsearchPort, Written
from searchaccess.ports.errors import Conflict, ExternalError, NotFound, PermissionDenied, Rejected

_CHANGED: Final = "it was revoked while it was being changed"

log = structlog.get_logger(__name__)


class Issuer(Protocol):
    """Makes, changes and revokes one kind of credential. Every method raises only ``ExternalError``."""

    operations: int
    """Known writes to the security index so far."""

    async def issue(self, access: Access, new: Key, lifetime: float) -> tuple[Key, Sealed]:
        """Issue one.

        Args:
            access: the SearchAccess that it is for.
            new: the desired credential; its ``id`` and expiry are not known yet.
            lifetime: seconds that it works, if it expires.

        Returns:
            The credential, and its secret part, which is never shown again.
        """

    async def note(self, access: Access, key: Key) -> None:
        """Record in its metadata where its secret part is stored (``slot``).

        Raises:
            Conflict: it was revoked meanwhile.
        """

    async def update(self, access: Access, keys: Sequence[Key], rights: RoleBody) -> None:
        """Replace the rights of some with the declared ones.

        Raises:
            Conflict: one was revoked meanwhile.
        """

    async def prolong(self, keys: Sequence[Key], lifetime: float) -> None:
        """Extend some by so many seconds from now, if they expire.

        Raises:
            Conflict: one was revoked meanwhile.
        """

    async def revoke(self, keys: Sequence[Key]) -> None:
        """Revoke some; missing ones are fine."""


class _InCluster:
    """Credentials of one cluster.

    Args:
        operator: this operator.
        port: the cluster.
        clock: the cluster's time.
    """

    def __init__(self, operator: Operator, port: ElasticsearchPort, clock: SharedClock) -> None:
        self._operator = operator
        self._port = port
        self._clock = clock
        self.operations = 0

    def _owner(self, access: Access, key: Key) -> tuple[Operator, Access]:
        """Return who issued a key, and to whom: a predecessor's key keeps its owner until it ends."""
        if not key.former:
            return self._operator, access
        return replace(self._operator, controller=key.former), replace(access, uid=key.owner)


class ApiKeys(_InCluster):
    """API keys."""

    async def issue(self, access: Access, new: Key, lifetime: float) -> tuple[Key, Sealed]:
        """Create an API key. The response has Elasticsearch's time."""
        await self._expect_rights(new.rights)
        name = key_name(self._operator, access.namespace, access.name, new.sequence)
        metadata = key_metadata(self._operator, access, new.sequence, new.requested, replaces=new.replaces)
        metadata |= form_metadata(new)
        made = await self._port.create_key(name, lifetime, new.rights, metadata)
        self.operations += 1
        if made.created is not None:
            self._clock.set_time(made.created)
        created = new.created if made.created is None else made.created
        return replace(new, id=made.id, created=created, expires=created + lifetime), made.secret

    async def _expect_rights(self, rights: RoleBody) -> None:
        """Check that a key would get its rights: it has at most those of the login that creates it.

        Raises:
            PermissionDenied: it would not.
        """
        if lacking := await self._port.lacks(rights):
            raise PermissionDenied(f"the operator's login lacks {some_of(lacking)}: a key has at most its rights")

    async def note(self, access: Access, key: Key) -> None:
        """Record in a key's metadata where its secret part is stored."""
        operator, owner = self._owner(access, key)
        metadata = key_metadata(operator, owner, key.sequence, key.requested, key.slot, key.replaces)
        metadata |= form_metadata(key)
        try:
            await self._port.note_key(key.id, metadata)
        except (NotFound, Rejected):
            raise Conflict(_CHANGED) from None
        self.operations += 1

    async def update(self, access: Access, keys: Sequence[Key], rights: RoleBody) -> None:  # noqa: ARG002 - as for users
        """Replace the rights of keys, in place."""
        if not all(_has_all_of(key.rights, rights) for key in keys):
            await self._expect_rights(rights)
        self.operations += _count(await self._port.update_keys([key.id for key in keys], rights))

    async def prolong(self, keys: Sequence[Key], lifetime: float) -> None:
        """Extend keys."""
        self.operations += _count(await self._port.prolong_keys([key.id for key in keys], lifetime))

    async def revoke(self, keys: Sequence[Key]) -> None:
        """Invalidate keys."""
        await self._port.revoke_keys([key.id for key in keys])
        self.operations += len(keys)


class Users(_InCluster):
    """Users, each with a role of the same name: the user is created first and deleted last, so that it shows both."""

    async def issue(self, access: Access, new: Key, lifetime: float) -> tuple[Key, Sealed]:  # noqa: ARG002 - does not expire
        """Create a user. It has no rights before its role exists, and nobody knows its password before that."""
        name = user_name(self._operator, access.namespace, access.name, new.sequence)
        made = await self._port.create_user(name, user_metadata(self._operator, access, new))
        self.operations += 1
        user = replace(new, id=made.id, expires=None)
        try:
            await self._put_roles(access, [user], new.rights)
        except ExternalError:
            await discard(self, user)
            raise
        return user, made.secret

    async def _put_roles(self, access: Access, keys: Sequence[Key], rights: RoleBody) -> None:
        roles = [user_role(self._operator, access, key.id, rights) for key in keys]
        self.operations += _count(await self._port.replace_roles(roles))

    async def note(self, access: Access, key: Key) -> None:
        """Record in a user's metadata where its password is stored."""
        operator, owner = self._owner(access, key)
        try:
            await self._port.note_user(key.id, user_metadata(operator, owner, key))
        except (NotFound, Rejected):
            raise Conflict(_CHANGED) from None
        self.operations += 1

    async def update(self, access: Access, keys: Sequence[Key], rights: RoleBody) -> None:
        """Replace the rights of users' roles, and assign users only these roles."""
        await self._put_roles(access, keys, rights)
        for key in keys:
            await self.note(access, key)

    async def prolong(self, keys: Sequence[Key], lifetime: float) -> None:
        """Do nothing: users do not expire."""

    async def revoke(self, keys: Sequence[Key]) -> None:
        """Delete users' roles, then the users: after an interruption in between, the user shows what is left."""
        names = [key.id for key in keys]
        self.operations += _count(await self._port.delete_roles(names))
        await self._port.delete_users(names)
        self.operations += len(names)


def issuers(operator: Operator, port: ElasticsearchPort, clock: SharedClock) -> Mapping[Auth, Issuer]:
    """Return the issuers of a cluster."""
    return {Auth.API_KEY: ApiKeys(operator, port, clock), Auth.PASSWORD: Users(operator, port, clock)}


async def discard(issuer: Issuer, key: Key) -> None:
    """Revoke what is certainly stored nowhere. If that fails, it is logged, and the next reconcile does it."""
    try:
        await issuer.revoke((key,))
    except ExternalError as error:
        log.warning("cannot revoke yet what could not be stored", id=key.id, error=error.message)


def _has_all_of(rights: RoleBody, wanted: RoleBody) -> bool:
    """Return whether a change only takes grants away: then it does not matter what the login lacks."""
    return set(wanted.entries) <= set(rights.entries) and set(wanted.cluster) <= set(rights.cluster)


def _count(written: Written) -> int:
    """Return how many were written.

    Raises:
        Conflict: one does not exist any more.
        ExternalError: one was refused.
    """
    refused = next(iter(written.refused.values()), None)
    if refused is not None:
        raise Conflict(_CHANGED) if isinstance(refused, NotFound) else refused
    return len(written.changed)
