"""Declared credentials, with the stores that they name."""

from collections.abc import Callable, Collection, Iterable
from contextlib import suppress

from searchaccess.api.stores.credentials import RevokeWhen, Rollout, SecretStoreSpec
from searchaccess.api.times.durations import seconds
from searchaccess.core.credentials.credential import Wish
from searchaccess.core.model.access import Access
from searchaccess.engine.credentials.steps import Job, at_store
from searchaccess.engine.state import Session
from searchaccess.ports.errors import NamespaceEnds
from searchaccess.ports.stores import Owner, Place, SecretStore, Stores


class Jobs:
    """Builds the jobs for what SearchAccesses declare.

    Args:
        stores: opens stores of secrets.
        session: the connected cluster.
        removed: called with the name of each secret that was deleted.
        left: called with owner, store and name of each secret that stays because its store is no longer declared.
    """

    def __init__(
        self,
        stores: Stores,
        session: Session,
        removed: Callable[[str], None],
        left: Callable[[Owner, str, str], None],
    ) -> None:
        self._stores = stores
        self._session = session
        self._removed = removed
        self._left = left

    async def job(self, access: Access) -> Job | None:
        """Return the credential of a SearchAccess; None: it declares none, or its store is not declared."""
        credential = access.credential
        store = await self._store(credential.store) if credential else None
        if credential is None or store is None:
            return None
        wish = Wish(
            owner=access.uid,
            rights=access.share.body,
            rotate_every=seconds(credential.rotate_every),
            overlap=seconds(credential.overlap),
            grace=seconds(credential.grace_period),
            requested=access.rotate_requested,
            waits_for_users=credential.revoke is RevokeWhen.WHEN_UNUSED,
            auth=access.auth,
            form=credential.format,
            rolls=credential.rollout is Rollout.NEW_REVISION,
            ends=access.bounded_box.ends,
        )
        place = Place(access.namespace, credential.name)
        url = self._session.connection.urls[0]
        return Job(access, wish, place, store, credential.store, url)

    def declared(self, name: str) -> SecretStoreSpec | None:
        """Return a store of the SearchCluster; None: it is not declared."""
        spec = self._session.cluster.spec
        return next((item for item in spec.secret_stores if item.name == name), None) if spec else None

    async def _store(self, name: str) -> SecretStore | None:
        declared = self.declared(name)
        return await self._stores.open(declared) if declared else None

    async def clear(self, owner: Owner, places: Iterable[tuple[str, str]], in_use: Collection[str]) -> None:
        """Delete an owner's secrets, by store and name, except those whose identity is in use."""
        for store_name, name in places:
            store = await self._store(store_name) if name else None
            if store is None:
                if name:
                    self._left(owner, store_name, name)
                continue
            # A secret that is deleted with its namespace needs no confirmation.
            with suppress(NamespaceEnds), at_store():
                place = Place(owner.namespace, name)
                found = await store.find(place)
                if found and found.secret.identity in in_use:
                    continue
                if found and found.secret.owner == owner.uid:
                    await store.remove(place, found.secret)
            self._removed(name)
