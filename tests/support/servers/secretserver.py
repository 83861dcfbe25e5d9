"""Secret Manager's API, by gRPC over TLS on Google's own messages, beside Cloud Run's and IAM's.

It knows what the operator asks: secrets with labels and etags, versions with states, checksums, paging, a delayed
destruction, and errors on demand.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import count
from typing import Any, Final

import google_crc32c
import grpc
from google.cloud import secretmanager_v1 as api
from google.protobuf.empty_pb2 import Empty

from tests.stack.trust.certificates import ServerCertificate
from tests.support.servers.googleserver import PROJECT_NUMBER, GoogleServer
from tests.support.servers.googlestate import GoogleState

SERVICE: Final = "google.cloud.secretmanager.v1.SecretManagerService"
_MOST: Final = 65536
State = api.SecretVersion.State


class Refused(Exception):
    """An answer that is no success.

    Args:
        status: its status.
        text: its text.
    """

    def __init__(self, status: grpc.StatusCode, text: str) -> None:
        super().__init__(text)
        self.status = status


@dataclass(slots=True)
class _Kept:
    secret: api.Secret
    versions: list[api.SecretVersion] = field(default_factory=list)
    values: dict[int, bytes] = field(default_factory=dict)


class SecretManagerServer(GoogleServer):
    """The APIs, on a free loopback port.

    Args:
        certificate: what it shows.
        page: how many items a page has at most.
    """

    def __init__(self, certificate: ServerCertificate, page: int = 2) -> None:
        self.secrets: dict[str, _Kept] = {}
        self._etags = count(1)
        super().__init__(GoogleState(), certificate, page)

    @property
    def environment(self) -> dict[str, str]:
        """What the operator's process needs to find it and to trust it."""
        return super().environment | {"SEARCHACCESS_SECRETMANAGER_ENDPOINT": self.address}

    def _methods(self) -> dict[str, dict[str, tuple[Any, Any, Callable[[Any], Any]]]]:
        version = api.SecretVersion
        ours: dict[str, tuple[Any, Any, Callable[[Any], Any]]] = {
            "GetSecret": (api.GetSecretRequest, api.Secret, lambda request: self._kept(request.name).secret),
            "CreateSecret": (api.CreateSecretRequest, api.Secret, self._create),
            "UpdateSecret": (api.UpdateSecretRequest, api.Secret, self._mark),
            "DeleteSecret": (api.DeleteSecretRequest, _Empty, self._delete),
            "ListSecretVersions": (api.ListSecretVersionsRequest, api.ListSecretVersionsResponse, self._versions),
            "AddSecretVersion": (api.AddSecretVersionRequest, version, self._add),
            "AccessSecretVersion": (api.AccessSecretVersionRequest, api.AccessSecretVersionResponse, self._access),
            "DisableSecretVersion": (
                api.DisableSecretVersionRequest,
                version,
                lambda request: self._change(request, State.DISABLED),
            ),
            "DestroySecretVersion": (api.DestroySecretVersionRequest, version, self._destroy),
        }
        return super()._methods() | {SERVICE: {name: self._refusing(*method) for name, method in ours.items()}}

    def _refusing(
        self, request: Any, response: Any, action: Callable[[Any], Any]
    ) -> tuple[Any, Any, Callable[[Any], Any]]:
        def answer(given: Any) -> Any:
            try:
                return action(given)
            except Refused as refused:
                self.refuse(refused.status, str(refused))

        return request, response, answer

    # Everybody else

    def kept(self, project: str, name: str) -> _Kept | None:
        return self.secrets.get(f"projects/{project}/secrets/{name}")

    def put(self, project: str, name: str, value: str, **labels: str) -> None:
        """Add a version by hand; of a secret that is not there, make it."""
        path = f"projects/{project}/secrets/{name}"
        if path not in self.secrets:
            self.secrets[path] = self._made(path, api.Secret(labels=labels))
        self._store(self.secrets[path], value.encode())

    def newest(self, project: str, name: str) -> str | None:
        """Return what a consumer of ``latest`` reads; None: it cannot."""
        kept = self.kept(project, name)
        if kept is None or not kept.versions or kept.versions[-1].state is not State.ENABLED:
            return None
        return kept.values[len(kept.versions)].decode()

    def set_state(self, project: str, name: str, number: int, state: Any) -> None:
        path = f"projects/{project}/secrets/{name}/versions/{number}"
        self._change(api.DisableSecretVersionRequest(name=path), state)

    # The API

    def _kept(self, path: str) -> _Kept:
        return self.secrets[path]

    def _made(self, path: str, given: Any) -> _Kept:
        parts = path.split("/")
        secret = api.Secret(given)
        secret.name = "/".join([parts[0], PROJECT_NUMBER, *parts[2:]])
        secret.create_time = {"seconds": int(time.time()), "nanos": next(self._etags) * 1000}
        secret.etag = f'"{next(self._etags):x}"'
        return _Kept(secret)

    def _create(self, request: Any) -> Any:
        path = f"{request.parent}/secrets/{request.secret_id}"
        if path in self.secrets:
            raise Refused(grpc.StatusCode.ALREADY_EXISTS, f"Secret [{path}] already exists.")
        regional = "/locations/" in request.parent
        if regional == bool(api.Secret.pb(request.secret).HasField("replication")):
            raise Refused(grpc.StatusCode.INVALID_ARGUMENT, "replication belongs to global secrets alone")
        self.secrets[path] = self._made(path, request.secret)
        return self.secrets[path].secret

    def _mark(self, request: Any) -> Any:
        given = request.secret
        kept = next(kept for kept in self.secrets.values() if kept.secret.name == given.name)
        if given.etag and given.etag != kept.secret.etag:
            raise Refused(grpc.StatusCode.FAILED_PRECONDITION, "the etag is another")
        for path in request.update_mask.paths:
            setattr(kept.secret, path, getattr(given, path))
        kept.secret.etag = f'"{next(self._etags):x}"'
        return kept.secret

    def _delete(self, request: Any) -> Any:
        kept = self._kept(request.name)
        if request.etag and request.etag != kept.secret.etag:
            raise Refused(grpc.StatusCode.FAILED_PRECONDITION, "the etag is another")
        del self.secrets[request.name]
        return Empty()

    def _versions(self, request: Any) -> Any:
        newest_first = list(reversed(self._kept(request.parent).versions))
        items, rest = self._cut(newest_first, request)
        return api.ListSecretVersionsResponse(versions=items, next_page_token=rest)

    def _add(self, request: Any) -> Any:
        payload = request.payload
        if len(payload.data) > _MOST:
            raise Refused(grpc.StatusCode.INVALID_ARGUMENT, "the payload is too large")
        checked = api.SecretPayload.pb(payload).HasField("data_crc32c")
        if checked and payload.data_crc32c != google_crc32c.value(payload.data):
            raise Refused(grpc.StatusCode.INVALID_ARGUMENT, "the checksum is wrong")
        return self._store(self._kept(request.parent), payload.data, checked=checked)

    def _store(self, kept: _Kept, data: bytes, *, checked: bool = True) -> Any:
        number = len(kept.versions) + 1
        version = api.SecretVersion(
            name=f"{kept.secret.name}/versions/{number}",
            state=State.ENABLED,
            client_specified_payload_checksum=checked,
            etag=f'"{next(self._etags):x}"',
        )
        kept.versions.append(version)
        kept.values[number] = data
        return version

    def _version(self, name: str) -> tuple[_Kept, int]:
        path, _, number = name.rpartition("/versions/")
        kept = self._kept(path)
        known = len(kept.versions) if number == "latest" else int(number)
        if not 0 < known <= len(kept.versions):
            raise KeyError(name)
        return kept, known

    def _access(self, request: Any) -> Any:
        kept, number = self._version(request.name)
        if kept.versions[number - 1].state is not State.ENABLED:
            raise Refused(grpc.StatusCode.FAILED_PRECONDITION, "Secret Version is not enabled.")
        data = kept.values[number]
        return api.AccessSecretVersionResponse(
            name=request.name, payload={"data": data, "data_crc32c": google_crc32c.value(data)}
        )

    def _change(self, request: Any, state: Any) -> Any:
        kept, number = self._version(request.name)
        version = kept.versions[number - 1]
        if request.etag and request.etag != version.etag:
            raise Refused(grpc.StatusCode.FAILED_PRECONDITION, "the etag is another")
        if version.state is State.DESTROYED:
            raise Refused(grpc.StatusCode.FAILED_PRECONDITION, "it is destroyed")
        version.state = state
        version.etag = f'"{next(self._etags):x}"'
        return version

    def _destroy(self, request: Any) -> Any:
        kept, _ = self._version(request.name)
        if not kept.secret.version_destroy_ttl:
            return self._change(request, State.DESTROYED)
        version = self._change(request, State.DISABLED)
        version.scheduled_destroy_time = {"seconds": int(time.time() + kept.secret.version_destroy_ttl.total_seconds())}
        return version


class _Empty:
    """How an empty answer is written."""

    @staticmethod
    def serialize(message: Empty) -> bytes:
        return bytes(message.SerializeToString())
