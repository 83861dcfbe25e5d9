"""Secrets of Kubernetes as a store: each has the newest value alone, under the number that annotations say.

It is written by server-side apply, and only if it is as it was looked at.
https://kubernetes.io/docs/reference/using-api/server-side-apply/
"""

import base64
import binascii
import hashlib
from collections.abc import Mapping, Sequence
from typing import Any, Final

from searchaccess.adapters.kubernetes.client import KubernetesClient
from searchaccess.api.constants import API_VERSION, GROUP, MANAGED_BY
from searchaccess.core.credentials.credential import Secret, Slot, Version
from searchaccess.core.credentials.payload import held_key
from searchaccess.core.credentials.sealed import Sealed
from searchaccess.core.rights.ownership import Operator
from searchaccess.ports.errors import Conflict, NotFound, Unexpected
from searchaccess.ports.stores import Found, Owner, Place

KEY: Final = "credential"
"""Key of the Secret's data under which consumers find the value."""
FIELD_MANAGER: Final = "searchaccess"

_LABEL: Final = "app.kubernetes.io/managed-by"
_INSTANCE: Final = f"{GROUP}/instance"
_OWNER: Final = f"{GROUP}/owner-uid"
_NUMBER: Final = f"{GROUP}/version"
_SUM: Final = f"{GROUP}/sha256"
"""Of the value: tells whether it is still the one that was written. What is random cannot be found from it."""
_APPLY: Final = "application/apply-patch+yaml"


class KubernetesSecrets:
    """Secrets, each in its SearchAccess's namespace.

    Args:
        client: the API server.
        operator: this operator; what another one made is foreign.
    """

    def __init__(self, client: KubernetesClient, operator: Operator) -> None:
        self._client = client
        self._operator = operator

    async def look(self, place: Place) -> Found | None:
        """Give a Secret without its value; None: there is none."""
        try:
            raw = await self._client.call("GET", _path(place))
        except NotFound:
            return None
        secret = self._secret_of(raw)
        newest = secret.newest
        return Found(secret, {newest.number: _held(raw)} if newest else {})

    def _secret_of(self, raw: Mapping[str, Any]) -> Secret:
        metadata = raw.get("metadata") or {}
        notes = metadata.get("annotations") or {}
        ours = (metadata.get("labels") or {}).get(_LABEL) == MANAGED_BY and notes.get(_INSTANCE) == (
            self._operator.instance
        )
        number = str(notes.get(_NUMBER, ""))
        return Secret(
            identity=str(metadata.get("uid", "")),
            owner=str(notes.get(_OWNER, "")) if ours else "",
            versions=(Version(int(number)),) if number.isdecimal() else (),
            stamp=str(metadata.get("resourceVersion", "")),
        )

    async def read(self, place: Place, number: int) -> str:
        """Give the id of the key in a Secret, if it has this version."""
        found = await self.look(place)
        return found.holds.get(number, "") if found else ""

    async def add(self, place: Place, owner: Owner, known: Secret | None, number: int, value: Sealed) -> Slot:
        """Write a value in place of the one before."""
        body = self._body(place, owner, number, value)
        if known is None:
            raw = await self._client.call("POST", f"{_folder(place)}?fieldManager={FIELD_MANAGER}", body)
        else:
            body["metadata"] |= {"uid": known.identity, "resourceVersion": known.stamp}
            raw = await self._client.call(
                "PATCH", f"{_path(place)}?fieldManager={FIELD_MANAGER}&force=true", body, _APPLY
            )
        identity = (raw.get("metadata") or {}).get("uid")
        if not isinstance(identity, str):
            raise Unexpected("the API server's answer lacks the Secret's uid")
        return Slot(identity, number)

    def _body(self, place: Place, owner: Owner, number: int, value: Sealed) -> dict[str, Any]:
        text = value.reveal().encode()
        reference = {
            "apiVersion": API_VERSION,
            "kind": "SearchAccess",
            "name": owner.name,
            "uid": owner.uid,
            "controller": True,
            "blockOwnerDeletion": False,
        }
        return {
            "apiVersion": "v1",
            "kind": "Secret",
            "type": "Opaque",
            "metadata": {
                "name": place.name,
                "namespace": place.namespace,
                "labels": {_LABEL: MANAGED_BY},
                "annotations": {
                    _INSTANCE: self._operator.instance,
                    _OWNER: owner.uid,
                    _NUMBER: str(number),
                    _SUM: hashlib.sha256(text).hexdigest(),
                },
                "ownerReferences": [reference],
            },
            "data": {KEY: base64.b64encode(text).decode()},
        }

    async def disable(self, place: Place, known: Secret, numbers: Sequence[int]) -> None:
        """Do nothing: older versions are not there any more."""

    async def destroy(self, place: Place, known: Secret, numbers: Sequence[int]) -> None:
        """Do nothing: older versions are not there any more."""

    async def remove(self, place: Place, known: Secret) -> None:
        """Delete a Secret, if it is the one that was looked at."""
        try:
            await self._client.call("DELETE", _path(place), {"preconditions": {"uid": known.identity}})
        except NotFound:
            return
        except Conflict:
            raise Conflict("another Secret has this name now") from None


def _held(raw: Mapping[str, Any]) -> str:
    """Give the id of the key in a Secret; empty: it is not the value that was written."""
    try:
        text = base64.b64decode((raw.get("data") or {}).get(KEY, ""), validate=True)
    except (binascii.Error, ValueError, TypeError):
        return ""
    notes = (raw.get("metadata") or {}).get("annotations") or {}
    return held_key(text) if hashlib.sha256(text).hexdigest() == notes.get(_SUM) else ""


def _folder(place: Place) -> str:
    return f"/api/v1/namespaces/{place.namespace}/secrets"


def _path(place: Place) -> str:
    return f"{_folder(place)}/{place.name}"
