"""Kubernetes Secrets as a store: each has only the newest value, with its number in an annotation.

If declared, a Secret also has the parts of the value, under names for ``envFrom``.

A Secret is written only if it has not changed since it was read.
"""

import base64
import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, Final

from searchaccess.adapters.kubernetes.client import KubernetesClient, decoded_base64, version_of
from searchaccess.adapters.kubernetes.paths import path_of
from searchaccess.api.constants import API_VERSION, GROUP, MANAGED_BY
from searchaccess.api.stores.credentials import SecretForm
from searchaccess.core.credentials.credential import Secret, Slot, Version
from searchaccess.core.credentials.payload import PART_NAMES, held_key, parts_of
from searchaccess.core.credentials.sealed import Sealed
from searchaccess.core.model.intake.reading import digits, is_uid, mapping
from searchaccess.core.rights.ownership import Operator
from searchaccess.ports.errors import Conflict, NotFound, Unexpected
from searchaccess.ports.stores import Found, Owner, Place

KEY: Final = "credential"
"""Key of the Secret's data under which consumers find the value."""

_LABEL: Final = "app.kubernetes.io/managed-by"
_INSTANCE: Final = f"{GROUP}/instance"
_OWNER: Final = f"{GROUP}/owner-uid"
_NUMBER: Final = f"{GROUP}/version"
_SUM: Final = f"{GROUP}/sha256"
"""Hash of the value: shows whether it is still the one that was written. A random value cannot be derived from it."""
_FORM: Final = f"{GROUP}/format"
"""The form in which it was written; absent: only the value."""
_MERGE: Final = "application/merge-patch+json"


class KubernetesSecrets:
    """Secrets, each in its SearchAccess's namespace.

    Args:
        client: the API server.
        operator: this operator; what another one made is foreign.
        form: in which form they are written.
    """

    def __init__(self, client: KubernetesClient, operator: Operator, form: SecretForm = SecretForm.JSON) -> None:
        self._client = client
        self._operator = operator
        self._form = form

    async def find(self, place: Place) -> Found | None:
        """Return a Secret without its value; None: there is none."""
        try:
            async with self._client.detecting_deletion(place.namespace):
                raw = await self._client.call("GET", _path(place))
        except NotFound:
            return None
        secret = secret_of(raw, self._operator)
        newest = secret.newest
        held = held_in(raw) if newest else ""
        differs = _form_of(raw) is not self._form
        return Found(replace(secret, form_differs=differs), {newest.number: held} if newest else {})

    async def read(self, place: Place, number: int) -> str:
        """Return the id of the key in a Secret, if it has this version."""
        found = await self.find(place)
        return found.holds.get(number, "") if found else ""

    async def add(self, place: Place, owner: Owner, known: Secret | None, number: int, value: Sealed) -> Slot:
        """Replace the previous value."""
        body = self._body(place, owner, number, value)
        if known is None:
            raw = await self._client.call("POST", _folder(place), body)
        else:
            body["metadata"] |= {"uid": known.identity, "resourceVersion": known.stamp}
            # Not an apply: it would keep the initial parts of the Secret, which belong to another operation, and the
            # owner reference of a former installation. A merge keeps what it does not name.
            if self._form is SecretForm.KEYS or known.form_differs:
                body["data"] = {**dict.fromkeys(PART_NAMES), **body["data"]}
                body["metadata"]["annotations"].setdefault(_FORM, None)
            raw = await self._client.call("PATCH", _path(place), body, _MERGE)
        return Slot(secret_of(raw, self._operator).identity, number)

    async def rewrite(self, place: Place, owner: Owner, known: Secret, number: int) -> None:
        """Write the value that a Secret holds in the declared form, if it is as it was read and still what we wrote."""
        raw = await self._client.call("GET", _path(place))
        now, value = secret_of(raw, self._operator), _value_in(raw)
        if (now.identity, now.stamp) != (known.identity, known.stamp) or value is None or not held_in(raw):
            raise Conflict("the Secret changed since it was read")
        await self.add(place, owner, known, number, Sealed(value.decode()))

    def _body(self, place: Place, owner: Owner, number: int, value: Sealed) -> dict[str, Any]:
        text = value.reveal().encode()
        parts = _parts_of(text) if self._form is SecretForm.KEYS else {}
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
                    **({_FORM: self._form.value} if self._form is SecretForm.KEYS else {}),
                },
                "ownerReferences": [reference],
            },
            "data": {name: base64.b64encode(part).decode() for name, part in {KEY: text, **parts}.items()},
        }

    async def disable(self, place: Place, known: Secret, numbers: Sequence[int]) -> None:
        """Do nothing: older versions no longer exist."""

    async def destroy(self, place: Place, known: Secret, numbers: Sequence[int]) -> None:
        """Do nothing: older versions no longer exist."""

    async def remove(self, place: Place, known: Secret) -> None:
        """Delete a Secret, if it is the one that was read."""
        try:
            async with self._client.detecting_deletion(place.namespace):
                await self._client.call("DELETE", _path(place), {"preconditions": {"uid": known.identity}})
        except NotFound:
            return
        except Conflict:
            raise Conflict("another Secret has this name now") from None


def secret_of(raw: Mapping[str, Any], operator: Operator) -> Secret:
    """Read a Secret as the API server gives it, without its value.

    Whoever may write Secrets in its namespace can also write its annotations. An invalid number, or one that is larger
    than any of ours, counts as absent: then no version is known, and the next one replaces it.

    Args:
        raw: what the API server gives.
        operator: this operator; what another one made is foreign.

    Raises:
        Unexpected: it has no uid, so it is not a Secret.
    """
    metadata = mapping(raw.get("metadata"))
    notes, labels = mapping(metadata.get("annotations")), mapping(metadata.get("labels"))
    ours = labels.get(_LABEL) == MANAGED_BY and notes.get(_INSTANCE) == operator.instance
    identity, owner, number = metadata.get("uid"), notes.get(_OWNER), digits(notes.get(_NUMBER))
    if not is_uid(identity):
        raise Unexpected("the API server's response lacks the Secret's uid")
    return Secret(
        identity=str(identity),
        owner=str(owner) if ours and is_uid(owner) else "",
        versions=(Version(number),) if number is not None else (),
        stamp=version_of(raw),
    )


def held_in(raw: Mapping[str, Any]) -> str:
    """Return the id of the key in a Secret; empty: its value or its parts are not what was written."""
    value = _value_in(raw)
    if value is None or hashlib.sha256(value).hexdigest() != _notes_in(raw).get(_SUM):
        return ""
    if _form_of(raw) is SecretForm.KEYS:
        data = mapping(raw.get("data"))
        if any(decoded_base64(data.get(name)) != part for name, part in _parts_of(value).items()):
            return ""
    return held_key(value)


def _notes_in(raw: Mapping[str, Any]) -> Mapping[str, Any]:
    return mapping(mapping(raw.get("metadata")).get("annotations"))


def _value_in(raw: Mapping[str, Any]) -> bytes | None:
    return decoded_base64(mapping(raw.get("data")).get(KEY))


def _parts_of(value: bytes) -> dict[str, bytes]:
    return {name: part.reveal().encode() for name, part in parts_of(value).items()}


def _form_of(raw: Mapping[str, Any]) -> SecretForm:
    return SecretForm.KEYS if _notes_in(raw).get(_FORM) == SecretForm.KEYS else SecretForm.JSON


def _folder(place: Place) -> str:
    return path_of("/api/v1/namespaces", place.namespace, "secrets")


def _path(place: Place) -> str:
    return path_of("/api/v1/namespaces", place.namespace, "secrets", place.name)
