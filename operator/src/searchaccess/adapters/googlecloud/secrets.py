"""Google Secret Manager as a store, by the official asynchronous client.

https://cloud.google.com/secret-manager/docs/reference/rest/v1/projects.secrets
"""

from collections.abc import Sequence
from typing import Any, Final

import google_crc32c
from google.api_core.client_options import ClientOptions
from google.cloud.secretmanager_v1 import SecretManagerServiceAsyncClient, SecretVersion

from searchaccess.adapters.googlecloud.account import OperatorAccount
from searchaccess.adapters.googlecloud.errors import mapped_writing
from searchaccess.api.stores.credentials import GoogleSecretManagerStore
from searchaccess.core.credentials.credential import Secret, Slot, State, Version
from searchaccess.core.credentials.payload import held_key
from searchaccess.core.credentials.sealed import Sealed
from searchaccess.core.model.intake.reading import digits, is_name, is_uid
from searchaccess.core.rights.ownership import Operator
from searchaccess.ports.errors import Conflict, NotFound, Rejected, Unexpected
from searchaccess.ports.stores import Found, Owner, Place

TIMEOUT: Final = 10.0
"""Seconds."""
PAGE: Final = 100

# Labels hold lower-case letters, digits, - and _.
# https://cloud.google.com/secret-manager/docs/creating-and-accessing-labels
_MANAGED_BY: Final = "managed-by"
_OURS: Final = "searchaccess"
_INSTANCE: Final = "searchaccess-instance"
_OWNER: Final = "searchaccess-owner-uid"
_STATES: Final = {
    SecretVersion.State.ENABLED: State.ENABLED,
    SecretVersion.State.DISABLED: State.DISABLED,
    SecretVersion.State.DESTROYED: State.DESTROYED,
}
# The caller paces and retries.
_ONCE: Final[dict[str, Any]] = {"retry": None, "timeout": TIMEOUT}


class GoogleSecrets:
    """Secrets of one project, or of one of its regions.

    Args:
        spec: what the SearchCluster says.
        operator: this operator; what another one made is foreign.
        account: account of the requests.
        endpoint: in place of ``secretmanager.googleapis.com``, such as one of Private Service Connect.
    """

    def __init__(
        self, spec: GoogleSecretManagerStore, operator: Operator, account: OperatorAccount, endpoint: str = ""
    ) -> None:
        self._spec = spec
        self._operator = operator
        self._account = account
        regional = f"secretmanager.{spec.location}.rep.googleapis.com" if spec.location else ""
        self._endpoint = endpoint or regional
        self._known: Any = None

    async def _client(self) -> Any:
        credentials = await self._account.credentials()
        if self._known is None:
            options = ClientOptions(api_endpoint=self._endpoint or None)
            self._known = SecretManagerServiceAsyncClient(credentials=credentials, client_options=options)
        return self._known

    async def close(self) -> None:
        """Close connections."""
        if self._known is not None:
            client, self._known = self._known, None
            await client.transport.close()

    @property
    def _parent(self) -> str:
        region = f"/locations/{self._spec.location}" if self._spec.location else ""
        return f"projects/{self._spec.project}{region}"

    def _path(self, place: Place) -> str:
        if "." in place.name:
            raise Rejected(f"Secret Manager does not allow dots in the name of a secret: {place.name}")
        if not is_name(place.name):
            raise Rejected(f"not the name of a secret: {place.name[:253]!r}")
        return f"{self._parent}/secrets/{place.name}"

    async def find(self, place: Place) -> Found | None:
        """Return a secret and its versions; None: there is none."""
        path = self._path(place)
        try:
            with mapped_writing(f"Secret Manager, {path}"):
                client = await self._client()
                raw = await client.get_secret(name=path, **_ONCE)
                versions = [version_of(item) for item in await self._versions(client, path)]
                return Found(self._secret_of(raw, versions))
        except NotFound:
            return None

    async def _versions(self, client: Any, path: str) -> list[Any]:
        found: list[Any] = []
        following = ""
        while True:
            request = {"parent": path, "page_size": PAGE, "page_token": following}
            pager = await client.list_secret_versions(request=request, **_ONCE)
            page = await anext(pager.pages.__aiter__())
            found += page.versions
            following = page.next_page_token
            if not following:
                return found

    def _secret_of(self, raw: Any, versions: Sequence[Version]) -> Secret:
        return secret_of(raw, versions, self._parent, self._operator)

    async def read(self, place: Place, number: int) -> str:
        """Return the id of the key that a version holds."""
        path = f"{self._path(place)}/versions/{number}"
        try:
            with mapped_writing(f"Secret Manager, {path}"):
                client = await self._client()
                answer = await client.access_secret_version(name=path, **_ONCE)
        except NotFound:
            return ""
        payload = answer.payload
        if payload.data_crc32c != google_crc32c.value(payload.data):
            raise Unexpected(f"Secret Manager, {path}: the received value is corrupt (CRC32C)")
        return held_key(payload.data)

    async def add(self, place: Place, owner: Owner, known: Secret | None, number: int, value: Sealed) -> Slot:  # noqa: ARG002 - it counts itself
        """Store a value as the newest version; make the secret first, if there is none."""
        path, data = self._path(place), value.reveal().encode()
        with mapped_writing(f"Secret Manager, {path}"):
            client = await self._client()
            if known is None:
                made = await client.create_secret(
                    parent=self._parent, secret_id=place.name, secret=self._body(owner), **_ONCE
                )
                known = self._secret_of(made, ())
            elif known.owner not in {"", owner.uid}:
                await self._mark(client, path, owner, known)
            payload = {"data": data, "data_crc32c": google_crc32c.value(data)}
            version = await client.add_secret_version(parent=path, payload=payload, **_ONCE)
        if not version.client_specified_payload_checksum:
            raise Unexpected(f"Secret Manager, {path}: it did not verify the sent value (CRC32C)")
        return known.slot(version_of(version).number)

    async def _mark(self, client: Any, path: str, owner: Owner, known: Secret) -> None:
        """Mark a secret of a former installation as ours, if nobody changed it meanwhile; other labels stay."""
        raw, marks = await client.get_secret(name=path, **_ONCE), self._marks(owner)
        found = self._secret_of(raw, ())
        if (found.identity, found.owner) != (known.identity, known.owner):
            raise Conflict(f"Secret Manager, {path}: another secret has this name now")
        secret = {"name": raw.name, "etag": raw.etag} | {
            field: {**dict(getattr(raw, field)), **values} for field, values in marks.items()
        }
        await client.update_secret(secret=secret, update_mask={"paths": list(marks)}, **_ONCE)

    def _marks(self, owner: Owner) -> dict[str, dict[str, str]]:
        return {
            "labels": {_MANAGED_BY: _OURS, _INSTANCE: self._operator.instance, _OWNER: owner.uid},
            "annotations": {"searchaccess-namespace": owner.namespace, "searchaccess-name": owner.name},
        }

    def _body(self, owner: Owner) -> dict[str, Any]:
        body: dict[str, Any] = {**self._marks(owner)}
        encryption = {"kms_key_name": self._spec.kms_key} if self._spec.kms_key else None
        if self._spec.location:
            return body | ({"customer_managed_encryption": encryption} if encryption else {})
        if self._spec.replica_locations:
            replicas = [
                {"location": location} | ({"customer_managed_encryption": encryption} if encryption else {})
                for location in self._spec.replica_locations
            ]
            return body | {"replication": {"user_managed": {"replicas": replicas}}}
        automatic = {"customer_managed_encryption": encryption} if encryption else {}
        return body | {"replication": {"automatic": automatic}}

    async def rewrite(self, place: Place, owner: Owner, known: Secret, number: int) -> None:
        """Do nothing: there is one form."""

    async def disable(self, place: Place, known: Secret, numbers: Sequence[int]) -> None:
        """Disable versions, if nobody changed them since they were read."""
        await self._each("disable_secret_version", place, known, numbers)

    async def destroy(self, place: Place, known: Secret, numbers: Sequence[int]) -> None:
        """Destroy versions; if the secret has a ``version_destroy_ttl``, that happens after it."""
        await self._each("destroy_secret_version", place, known, numbers)

    async def _each(self, method: str, place: Place, known: Secret, numbers: Sequence[int]) -> None:
        stamps = {version.number: version.stamp for version in known.versions}
        for number in numbers:
            path = f"{self._path(place)}/versions/{number}"
            try:
                with mapped_writing(f"Secret Manager, {path}"):
                    client = await self._client()
                    await getattr(client, method)(request={"name": path, "etag": stamps.get(number, "")}, **_ONCE)
            except NotFound:
                continue

    async def remove(self, place: Place, known: Secret) -> None:
        """Delete a secret, if nobody changed it since it was read."""
        path = self._path(place)
        try:
            with mapped_writing(f"Secret Manager, {path}"):
                client = await self._client()
                await client.delete_secret(request={"name": path, "etag": known.stamp}, **_ONCE)
        except NotFound:
            return


def secret_of(raw: Any, versions: Sequence[Version], parent: str, operator: Operator) -> Secret:
    """Read a secret.

    Args:
        raw: as Secret Manager gives it.
        versions: its versions.
        parent: resource name of the project or region, as we know it.
        operator: this operator; what another one made is foreign.
    """
    labels, owner = raw.labels, raw.labels.get(_OWNER)
    ours = labels.get(_MANAGED_BY) == _OURS and labels.get(_INSTANCE) == operator.instance
    # Versions of a recreated secret start at 1 again, so its name is not enough.
    identity = f"{raw.name}@{raw.create_time.timestamp() if raw.create_time else 0}"
    known = f"{parent}/secrets/{raw.name.rpartition('/')[2]}"
    return Secret(
        identity,
        str(owner) if ours and is_uid(owner) else "",
        tuple(versions),
        raw.etag,
        # Its own name has the project's number.
        names=tuple(sorted({known, raw.name})),
        aliases=tuple(sorted((alias, int(number)) for alias, number in raw.version_aliases.items())),
    )


def version_of(raw: Any) -> Version:
    """Read a version.

    Raises:
        Unexpected: it has no number or state.
    """
    number = digits(raw.name.rpartition("/")[2])
    if number is None or raw.state not in _STATES:
        raise Unexpected("Secret Manager: its response has a version without a number or state")
    # A version with a scheduled destruction cannot be used, and is not destroyed again.
    state = State.DESTROYED if raw.scheduled_destroy_time else _STATES[raw.state]
    return Version(number, state, str(raw.etag))
