"""The Kubernetes port, by the official asynchronous client."""

import base64
import os
from collections.abc import AsyncGenerator, AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from http import HTTPStatus
from pathlib import Path
from typing import Any, Final
from urllib.request import getproxies_environment

from kubernetes.aio.client import ApiClient, Configuration
from kubernetes.aio.client.exceptions import ApiException
from kubernetes.aio.config import ConfigException, load_incluster_config, load_kube_config
from yaml import YAMLError

from searchaccess import __version__
from searchaccess.adapters.answers import body_of, decode
from searchaccess.adapters.kubernetes.errors import mapped
from searchaccess.adapters.kubernetes.kubeconfig import (
    BAD_CERTIFICATE,
    files_of,
    login_plugin,
    problem_of,
    unusable,
    uses_account,
    why_no_account,
)
from searchaccess.adapters.kubernetes.paths import parameter, path_of
from searchaccess.api.constants import API_VERSION, GROUP, VERSION
from searchaccess.api.vouching import ADMISSION_GROUP, AdmissionObject
from searchaccess.core.clusters.sources import Source
from searchaccess.core.model.intake.metadata import metadata_of
from searchaccess.core.model.intake.reading import is_label, is_uid, mapping, objects, text
from searchaccess.core.status.events import Note
from searchaccess.ports.errors import ExternalError, LoginMissing, NamespaceEnds, NotFound, PermissionDenied, Unexpected
from searchaccess.ports.kubernetes import NamespacePage, ObjectRef, Page, Plural, StoredStatus

PAGE: Final = 500
"""Objects in one page of a list."""
REQUEST_TIMEOUT: Final = 30.0
"""Seconds."""
STREAM_TIMEOUT: Final = 3600.0
"""Seconds after which an answer that goes on ends; the API server ends it earlier."""
LONGEST_LINE: Final = 16 * 1024 * 1024
"""Bytes of one object in it."""
CONNECTIONS: Final = 48
FIELD_MANAGER: Final = "searchaccess"
"""Name of our writes in ``metadata.managedFields``."""
APPLY: Final = "application/apply-patch+yaml"
"""https://kubernetes.io/docs/reference/using-api/server-side-apply/"""

_GROUP_PATH: Final = f"/apis/{GROUP}/{VERSION}"
_METADATA_ONLY: Final = "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1"
"""https://kubernetes.io/docs/reference/using-api/api-concepts/#metadata-only-fetches"""
JSON_PATCH: Final = "application/json-patch+json"
_WRITES: Final = frozenset({"POST", "PUT", "PATCH"})
_USER_AGENT: Final = f"{FIELD_MANAGER}/{__version__}"
_KINDS: Final = {
    Plural.ACCESSES: "SearchAccess",
    Plural.CLUSTERS: "SearchCluster",
    Plural.POLICIES: "SearchAccessPolicy",
    Plural.APPROVALS: "SearchAccessApproval",
}
_MISSING: Final = object()
_UNUSABLE: Final = "no usable kubeconfig or service account"
_LONGEST_TOKEN: Final = 65536
_CLUSTER_EVENTS: Final = "default"
"""Namespace of events about objects that have none."""


def new_configuration() -> Configuration:
    """Return the common settings for all API servers."""
    configuration = Configuration()
    configuration.connection_pool_maxsize = CONNECTIONS
    # Otherwise aiohttp reads proxy settings and a .netrc at every request, in a thread.
    configuration.client_session_kwargs = {"trust_env": bool(getproxies_environment())}
    return configuration


async def load_configuration(kubeconfig: Path | None = None, context: str = "") -> Configuration:
    """Find how to connect: a given kubeconfig, the pod's service account, or the usual kubeconfig.

    Args:
        kubeconfig: file to use; None: the pod's service account in a pod, otherwise the usual kubeconfig.
        context: of the kubeconfig, which is then also used in a pod; empty: its current one.

    Raises:
        LoginMissing: none of them is usable; the message has the cause and the next step.
    """
    configuration = new_configuration()
    if uses_account(kubeconfig, context):
        try:
            load_incluster_config(client_configuration=configuration)
        except (ConfigException, OSError):
            raise LoginMissing(f"{_UNUSABLE}: {why_no_account()}") from None
        return configuration
    files = files_of(kubeconfig)
    if problem := problem_of(files, context):
        raise LoginMissing(f"{_UNUSABLE}: {problem}")
    try:
        await load_kube_config(
            config_file=os.pathsep.join(map(str, files)), context=context or None, client_configuration=configuration
        )
    except (ConfigException, OSError, YAMLError, AttributeError, LookupError, TypeError, ValueError):
        # The file may have any content, and the client does not check it.
        raise LoginMissing(f"{_UNUSABLE}: {unusable(files)}") from None
    if not configuration.api_key and not configuration.cert_file and (plugin := login_plugin(files, context)):
        # The client only logs it, and continues without a login.
        raise LoginMissing(f"{_UNUSABLE}: {plugin} returned no login; install it, or run it manually to see why")
    return configuration


class KubernetesClient:
    """One API server.

    Args:
        configuration: how to connect, see ``load_configuration``.
        component: shown as the source of events.
        page: how many objects a page of a list has.

    Raises:
        LoginMissing: a certificate or key cannot be used.
    """

    def __init__(self, configuration: Configuration, component: str = "searchaccess", page: int = PAGE) -> None:
        try:
            self._api = ApiClient(configuration)
        except (OSError, ValueError):
            # Errors of TLS are an OSError, and do not say which one it is.
            raise LoginMissing(f"{_UNUSABLE}: {BAD_CERTIFICATE}") from None
        self._host = configuration.host
        self._component = component
        self._page = page

    async def close(self) -> None:
        """Close connections."""
        await self._api.close()

    async def call(
        self,
        method: str,
        path: str,
        body: Any = None,
        content_type: str = "application/json",
        accept: str = "application/json",
    ) -> dict[str, Any]:
        """Make one request; return the object that is the answer. Raises only ``ExternalError``."""
        headers = {"Accept": accept, "Content-Type": content_type, "User-Agent": _USER_AGENT}
        if method in _WRITES and "fieldManager=" not in path:
            path = f"{path}{'&' if '?' in path else '?'}fieldManager={FIELD_MANAGER}"
        with mapped():
            await self._api.update_params_for_auth(headers, [], ["BearerToken"], path, method, body)
            response = await self._api.call_api(
                method, self._host + path, headers, body, _request_timeout=REQUEST_TIMEOUT
            )
            data = await body_of(response.response, "the API server")
            if not 200 <= response.status < 300:  # noqa: PLR2004 - HTTP success
                text = data.decode(errors="replace")
                raise ApiException(status=response.status, reason=response.reason, body=text)
            answer = decode(data)
        if not isinstance(answer, dict):
            raise Unexpected("the API server's response is not an object")
        return answer

    async def stream(self, path: str) -> AsyncGenerator[dict[str, Any], None]:
        """Yield the objects of a streamed answer, one a line; raises only ``ExternalError``.

        https://kubernetes.io/docs/reference/using-api/api-concepts/#efficient-detection-of-changes
        """
        headers = {"Accept": "application/json", "User-Agent": _USER_AGENT}
        with mapped():
            await self._api.update_params_for_auth(headers, [], ["BearerToken"], path, "GET", None)
            answer = await self._api.call_api("GET", self._host + path, headers, _request_timeout=STREAM_TIMEOUT)
            if answer.status != HTTPStatus.OK:
                text = (await body_of(answer.response, "the API server")).decode(errors="replace")
                raise ApiException(status=answer.status, reason=answer.reason, body=text)
            rest = b""
            try:
                async for chunk in answer.response.content.iter_any():
                    *lines, rest = (rest + chunk).split(b"\n")
                    for line in lines:
                        if isinstance(found := decode(line), dict):
                            yield found
                    if len(rest) > LONGEST_LINE:
                        raise Unexpected("the API server's response has a line that is too long")
            finally:
                answer.response.close()

    async def controller_id(self) -> str:
        """Return the uid of the namespace kube-system."""
        return await self.uid_of("kube-system")

    async def uid_of(self, namespace: str) -> str:
        """Return the uid of a namespace."""
        answer = await self.call("GET", path_of("/api/v1/namespaces", namespace))
        uid = mapping(answer.get("metadata")).get("uid")
        if not is_uid(uid):
            raise Unexpected("the API server's response lacks metadata.uid")
        return str(uid)

    async def list_page(self, plural: Plural, following: str = "") -> Page:
        """Return some objects of a kind."""
        return await self.list_of(plural, following)

    async def list_of(self, plural: Plural, following: str, namespace: str = "") -> Page:
        """Return some objects of a kind, of all namespaces or of one."""
        rest = f"&continue={parameter(following)}" if following else ""
        path = path_of(f"{_GROUP_PATH}/namespaces", namespace, plural) if namespace else f"{_GROUP_PATH}/{plural}"
        page = await self.call("GET", f"{path}?limit={self._page}{rest}")
        return Page(*_page(page))

    async def list_namespaces(self, following: str = "") -> NamespacePage:
        """Return some namespaces with their labels, and nothing else of them."""
        rest = f"&continue={parameter(following)}" if following else ""
        page = await self.call("GET", f"/api/v1/namespaces?limit={self._page}{rest}", accept=_METADATA_ONLY)
        items, following = _page(page)
        metadata = [mapping(item.get("metadata")) for item in items]
        labels = {str(item["name"]): _texts(item.get("labels")) for item in metadata if is_label(item.get("name"))}
        return NamespacePage(labels, following)

    async def labels_of(self, namespace: str) -> dict[str, str]:
        """Return the labels of a namespace."""
        answer = await self.call("GET", path_of("/api/v1/namespaces", namespace))
        return _texts(mapping(answer.get("metadata")).get("labels"))

    async def replace_status(self, ref: ObjectRef, status: Mapping[str, Any]) -> StoredStatus:
        """Replace an object's status, if it is still the same object; return what is stored of it."""
        patch: list[dict[str, Any]] = [
            {"op": "test", "path": "/metadata/uid", "value": ref.uid},
            {"op": "add", "path": "/status", "value": dict(status)},
        ]
        answer = await self.call("PATCH", f"{_path(ref)}/status", patch, JSON_PATCH)
        return StoredStatus(version_of(answer), mapping(answer.get("status")))

    async def set_finalizers(self, ref: ObjectRef, before: Sequence[str], after: Sequence[str]) -> str:
        """Replace an object's finalizers, if they are still as before; return its resource version."""
        patch: list[dict[str, Any]] = [
            {"op": "test", "path": "/metadata/uid", "value": ref.uid},
            {"op": "test", "path": "/metadata/finalizers", "value": list(before) or None},
            {"op": "add", "path": "/metadata/finalizers", "value": list(after)},
        ]
        return version_of(await self.call("PATCH", _path(ref), patch, JSON_PATCH))

    async def version_of(self, ref: ObjectRef, generation: int) -> str | None:
        """Return the resource version of an object; None: it was edited since, or its deletion began.

        It is listed by its name, as the operator has no right to get it.
        """
        path = path_of(f"{_GROUP_PATH}/namespaces", ref.namespace, ref.plural)
        page = await self.call("GET", f"{path}?fieldSelector=metadata.name%3D{parameter(ref.name)}")
        found = [meta for meta in map(metadata_of, _page(page)[0]) if meta.uid == ref.uid]
        if not found:
            raise NotFound(f"{ref.plural} {ref.name!r} is gone")
        return None if found[0].deleted_at or found[0].generation != generation else found[0].resource_version

    async def delete_object(self, ref: ObjectRef, version: str, *, dry_run: bool = False) -> None:
        """Delete an object, if it did not change since."""
        body: dict[str, Any] = {"preconditions": {"uid": ref.uid, "resourceVersion": version}}
        if dry_run:
            # In the body: with one, the API server ignores the query.
            body["dryRun"] = ["All"]
        await self.call("DELETE", _path(ref), body)

    async def create_event(self, ref: ObjectRef, note: Note) -> None:
        """Write an event about an object."""
        now = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        namespace = ref.namespace or _CLUSTER_EVENTS
        involved = {"apiVersion": API_VERSION, "kind": _KINDS[ref.plural], "name": ref.name, "uid": ref.uid}
        if ref.namespace:
            involved["namespace"] = ref.namespace
        body = {
            "apiVersion": "v1",
            "kind": "Event",
            "metadata": {"generateName": f"{ref.name[:200]}.", "namespace": namespace},
            "involvedObject": involved,
            "reason": note.reason,
            "message": note.message,
            "type": "Warning" if note.warning else "Normal",
            "source": {"component": self._component},
            "reportingComponent": self._component,
            "firstTimestamp": now,
            "lastTimestamp": now,
            "count": 1,
        }
        await self.call("POST", path_of("/api/v1/namespaces", namespace, "events"), body)

    async def expect_namespace(self, namespace: str) -> None:
        """Find out whether a namespace is being deleted, by creating an event as a dry run, which needs no other right.

        Raises:
            NamespaceEnds: it is being deleted, or is gone.
            ExternalError: that is not known.
        """
        body = {
            "apiVersion": "v1",
            "kind": "Event",
            "metadata": {"generateName": "searchaccess.", "namespace": namespace},
            "involvedObject": {"apiVersion": "v1", "kind": "Namespace", "name": namespace, "namespace": namespace},
        }
        try:
            await self.call("POST", f"{path_of('/api/v1/namespaces', namespace, 'events')}?dryRun=All", body)
        except NotFound as error:
            raise NamespaceEnds(error.message) from None

    @asynccontextmanager
    async def detecting_deletion(self, namespace: str) -> AsyncIterator[None]:
        """Distinguish a namespace that is being deleted, or is gone, from one that the operator may not access.

        A namespace's RoleBindings are deleted with it, in any order: often before its Secrets.

        Raises:
            NamespaceEnds: the former.
        """
        try:
            yield
        except PermissionDenied as error:
            try:
                await self.expect_namespace(namespace)
            except NamespaceEnds:
                raise
            except ExternalError:
                pass
            raise error from None

    async def read_admission(self, wanted: AdmissionObject) -> dict[str, Any]:
        """Return a ValidatingAdmissionPolicy, or its binding."""
        return await self.call("GET", path_of(f"/apis/{ADMISSION_GROUP}/v1", wanted.plural, wanted.name))

    async def read_source(self, source: Source) -> dict[str, bytes]:
        """Return the data of a Secret or ConfigMap, decoded."""
        path = path_of("/api/v1/namespaces", source.namespace, f"{source.kind.lower()}s", source.name)
        data = _texts((await self.call("GET", path)).get("data"))
        if source.kind == "ConfigMap":
            return {key: value.encode() for key, value in data.items()}
        decoded = ((key, decoded_base64(value)) for key, value in data.items())
        return {key: value for key, value in decoded if value is not None}


def decoded_base64(value: Any) -> bytes | None:
    """Decode a Secret's data; None: it is not base64."""
    try:
        return base64.b64decode(value, validate=True) if isinstance(value, str) else None
    except ValueError:
        return None


def _page(answer: Mapping[str, Any]) -> tuple[list[dict[str, Any]], str]:
    """Return the objects of a page, and the token of the next one.

    Raises:
        Unexpected: it is not a page. An empty one would mean that all objects are gone.
    """
    items, metadata = answer.get("items", _MISSING), answer.get("metadata")
    if not isinstance(items, list | None) or not isinstance(metadata, dict):
        raise Unexpected("the API server's response is not a list of objects")
    following = text(metadata.get("continue") or "", _LONGEST_TOKEN)
    if following is None:
        raise Unexpected("the API server's response lacks a valid continue token")
    return objects(items), following


def _texts(value: Any) -> dict[str, str]:
    return {key: item for key, item in mapping(value).items() if isinstance(item, str)}


def version_of(answer: Mapping[str, Any]) -> str:
    """Return the resource version of an object; empty: it has none."""
    return text(mapping(answer.get("metadata")).get("resourceVersion")) or ""


def _path(ref: ObjectRef) -> str:
    if ref.namespace:
        return path_of(f"{_GROUP_PATH}/namespaces", ref.namespace, ref.plural, ref.name)
    return path_of(_GROUP_PATH, ref.plural, ref.name)
