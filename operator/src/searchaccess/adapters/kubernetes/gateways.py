"""The objects of gateways in Kubernetes: ConfigMaps, Secrets and pods, each by its name or label."""

import base64
from collections.abc import Mapping, Sequence
from typing import Any, Final

from searchaccess.adapters.kubernetes.client import KubernetesClient, decoded_base64, version_of
from searchaccess.adapters.kubernetes.paths import parameter, path_of
from searchaccess.core.credentials.sealed import Sealed
from searchaccess.core.gateway.facts import Pod
from searchaccess.core.gateway.objects import LABEL_GATEWAY, LOGIN, REFRESH, Observed, Target, Wanted, digest_of
from searchaccess.core.model.intake.reading import is_name, is_uid, mapping, objects, text
from searchaccess.ports.errors import Conflict, NotFound, Unexpected

MOST_PODS: Final = 200
_ENDED: Final = frozenset({"Succeeded", "Failed"})
_LONGEST_REASON: Final = 60
_MERGE: Final = "application/merge-patch+json"


class KubernetesGateways:
    """Objects of gateways.

    Args:
        client: the API server.
    """

    def __init__(self, client: KubernetesClient) -> None:
        self._client = client

    async def read(self, target: Target) -> Observed | None:
        """Return an object; None: there is none."""
        try:
            async with self._client.detecting_deletion(target.namespace):
                raw = await self._client.call("GET", _path(target))
        except NotFound:
            return None
        return observed_of(raw, target)

    async def write(self, wanted: Wanted, known: Observed | None) -> Observed:
        """Create an object, or change the one that was read."""
        target, body = wanted.target, _body(wanted)
        if known is None:
            folder = path_of("/api/v1/namespaces", target.namespace, f"{target.kind.lower()}s")
            return observed_of(await self._client.call("POST", folder, body), target)
        body["metadata"] |= {"uid": known.uid, "resourceVersion": known.version}
        gone = dict.fromkeys(key for key in known.digests if key not in wanted.data)
        body["data"] = gone | body["data"]
        if target.kind == "ConfigMap":
            body["binaryData"] = None
        return observed_of(await self._patch(target, body), target)

    async def mark(self, target: Target, known: Observed, annotations: Mapping[str, str]) -> None:
        """Change annotations of an object, if it is as it was read."""
        metadata = {"uid": known.uid, "resourceVersion": known.version, "annotations": dict(annotations)}
        await self._patch(target, {"metadata": metadata})

    async def _patch(self, target: Target, body: Mapping[str, Any]) -> Mapping[str, Any]:
        try:
            return await self._client.call("PATCH", _path(target), body, _MERGE)
        except NotFound:
            raise Conflict(f"{target} was deleted meanwhile") from None

    async def delete(self, target: Target, known: Observed) -> None:
        """Delete an object, if it is as it was read."""
        condition = {"preconditions": {"uid": known.uid, "resourceVersion": known.version}}
        try:
            async with self._client.detecting_deletion(target.namespace):
                await self._client.call("DELETE", _path(target), condition)
        except NotFound:
            return

    async def pods(self, namespace: str, gateway: str) -> Sequence[Pod]:
        """Return the pods of a gateway that run, or are to run."""
        label = parameter(f"{LABEL_GATEWAY}={gateway}")
        # Kubernetes keeps thousands of pods that have ended, such as evicted ones.
        runs = parameter(",".join(f"status.phase!={phase}" for phase in sorted(_ENDED)))
        folder = path_of("/api/v1/namespaces", namespace, "pods")
        path = f"{folder}?labelSelector={label}&fieldSelector={runs}&limit={MOST_PODS}"
        answer = await self._client.call("GET", path)
        found = (_pod(item) for item in objects(answer.get("items")))
        return sorted((pod for pod in found if pod), key=lambda pod: pod.name)

    async def mark_pod(self, namespace: str, pod: str, mark: str) -> None:
        """Change an annotation of a pod, so that its kubelet looks for changed files now.

        It is done by the part of the API that may change neither containers nor anything else of a pod's spec.
        """
        path = f"{path_of('/api/v1/namespaces', namespace, 'pods', pod)}/status"
        try:
            await self._client.call("PATCH", path, {"metadata": {"annotations": {REFRESH: mark}}}, _MERGE)
        except NotFound:
            return


def _pod(raw: Mapping[str, Any]) -> Pod | None:
    """Read a pod; None: it has ended, or is being deleted and does not run any more."""
    metadata, status = mapping(raw.get("metadata")), mapping(raw.get("status"))
    name, address, phase = metadata.get("name"), text(status.get("podIP")), status.get("phase")
    ends = text(metadata.get("deletionTimestamp")) or ""
    if phase in _ENDED or not is_name(name):
        return None
    if phase != "Running" or not address:
        return None if ends else Pod(str(name), "", waits=_why(status))
    states = (mapping(mapping(one.get("state")).get("running")) for one in objects(status.get("containerStatuses")))
    started = [moment for state in states if (moment := text(state.get("startedAt")))]
    if ends and not started and status.get("containerStatuses"):
        return None
    mark = text(mapping(metadata.get("annotations")).get(REFRESH)) or ""
    return Pod(str(name), address, max(started, default=text(status.get("startTime")) or ""), ends=ends, mark=mark)


def _why(status: Mapping[str, Any]) -> str:
    """Return why a pod does not run, by its containers or else by its conditions."""
    waiting = (mapping(mapping(one.get("state")).get("waiting")) for one in objects(status.get("containerStatuses")))
    failed = (one for one in objects(status.get("conditions")) if one.get("status") == "False")
    reasons = (text(one.get("reason"), _LONGEST_REASON) for one in (*waiting, *failed))
    return next((reason for reason in reasons if reason), "Pending")


def observed_of(raw: Mapping[str, Any], target: Target) -> Observed:
    """Read an object as the API server gives it.

    Raises:
        Unexpected: it has no uid, so it is no object.
    """
    metadata, data = mapping(raw.get("metadata")), mapping(raw.get("data"))
    uid = metadata.get("uid")
    if not is_uid(uid):
        raise Unexpected(f"the API server's response lacks the uid of {target}")
    values = {str(key): _value(value, target) for key, value in data.items()}
    values |= {str(key): decoded_base64(value) for key, value in mapping(raw.get("binaryData")).items()}
    login = values.get(LOGIN) if target.kind == "Secret" else None
    return Observed(
        uid=str(uid),
        version=version_of(raw),
        labels=_texts(metadata.get("labels")),
        annotations=_texts(metadata.get("annotations")),
        digests={key: digest_of(value or b"") for key, value in values.items()},
        login=Sealed(login.decode(errors="replace")) if login is not None else None,
    )


def _value(value: Any, target: Target) -> bytes | None:
    if target.kind == "Secret":
        return decoded_base64(value)
    return value.encode(errors="replace") if isinstance(value, str) else None


def _texts(value: Any) -> dict[str, str]:
    return {str(key): item for key, item in mapping(value).items() if isinstance(item, str)}


def _body(wanted: Wanted) -> dict[str, Any]:
    target, plain = wanted.target, {key: value.reveal() for key, value in wanted.data.items()}
    body: dict[str, Any] = {
        "apiVersion": "v1",
        "kind": target.kind,
        "metadata": {
            "name": target.name,
            "namespace": target.namespace,
            "labels": dict(wanted.labels),
            "annotations": dict(wanted.annotations),
        },
        "data": plain,
    }
    if target.kind == "Secret":
        body["type"] = "Opaque"
        body["data"] = {key: base64.b64encode(value.encode()).decode() for key, value in plain.items()}
    return body


def _path(target: Target) -> str:
    return path_of("/api/v1/namespaces", target.namespace, f"{target.kind.lower()}s", target.name)
