"""Leases of Kubernetes, by the official asynchronous client.

https://kubernetes.io/docs/concepts/architecture/leases/
"""

import math
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any, Final

from searchaccess.adapters.kubernetes.client import KubernetesClient
from searchaccess.adapters.kubernetes.paths import parameter, path_of
from searchaccess.api.constants import GROUP, MANAGED_BY, ROLE_PREFIX
from searchaccess.core.model.intake.reading import is_name, mapping, objects, text, whole_number
from searchaccess.ports.errors import NotFound, Unexpected
from searchaccess.ports.leases import Lease

_INSTANCE: Final = f"{GROUP}/instance"
_MOST: Final = 2**31 - 2
"""Transitions of a Lease are 32-bit numbers, and the next one is to fit too."""


class KubernetesLeases:
    """Leases of one installation.

    Args:
        client: the API server.
        namespace: where they are.
        instance: name of the installation.
    """

    def __init__(self, client: KubernetesClient, namespace: str, instance: str) -> None:
        self._client = client
        self._path = path_of("/apis/coordination.k8s.io/v1/namespaces", namespace, "leases")
        self._instance = instance
        self._prefix = f"{ROLE_PREFIX}-{instance}-"

    async def list(self) -> Sequence[Lease]:
        """Read all of them, from the newest state."""
        selector = parameter(f"{_INSTANCE}={self._instance}")
        answer = await self._client.call("GET", f"{self._path}?labelSelector={selector}")
        if "items" not in answer:
            raise Unexpected("the API server's response is not a list of Leases")
        found = (lease_of(raw, self._prefix) for raw in objects(answer["items"]))
        # An unreadable Lease cannot be renewed: it exists, so creating it is refused.
        return [lease for lease in found if lease is not None]

    def _read(self, raw: Any) -> Lease:
        found = lease_of(raw, self._prefix)
        if found is None:
            raise Unexpected("the API server's response is not a Lease")
        return found

    def _body(self, name: str, holder: str, duration: float, transitions: int) -> dict[str, Any]:
        now = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
        spec: dict[str, Any] = {"leaseTransitions": transitions, "renewTime": now}
        if holder:
            spec |= {"holderIdentity": holder, "leaseDurationSeconds": math.ceil(duration)}
        return {
            "apiVersion": "coordination.k8s.io/v1",
            "kind": "Lease",
            "metadata": {
                "name": self._prefix + name,
                "labels": {"app.kubernetes.io/managed-by": MANAGED_BY, _INSTANCE: self._instance},
            },
            "spec": spec,
        }

    async def create(self, name: str, holder: str, duration: float) -> Lease:
        """Make one."""
        return self._read(await self._client.call("POST", self._path, self._body(name, holder, duration, 0)))

    async def write(self, lease: Lease, holder: str, duration: float) -> Lease:
        """Set the holder of one, or renew it, if nobody wrote it since it was read."""
        transitions = lease.transitions + (holder not in {"", lease.holder})
        body = self._body(lease.name, holder, duration, transitions)
        body["metadata"]["resourceVersion"] = lease.version
        return self._read(await self._client.call("PUT", self._path_of(lease), body))

    async def delete(self, lease: Lease) -> None:
        """Delete one, if nobody wrote it since it was read."""
        options = {"preconditions": {"resourceVersion": lease.version}}
        try:
            await self._client.call("DELETE", self._path_of(lease), options)
        except NotFound:
            return

    def _path_of(self, lease: Lease) -> str:
        return path_of(self._path, self._prefix + lease.name)


def lease_of(raw: Any, prefix: str) -> Lease | None:
    """Read a Lease as the API server gives it; None: it is none of ours.

    Args:
        raw: what it gives.
        prefix: of the names of all of ours.
    """
    metadata, spec = mapping(mapping(raw).get("metadata")), mapping(mapping(raw).get("spec"))
    name, version = metadata.get("name"), text(metadata.get("resourceVersion"))
    if not is_name(name) or not str(name).startswith(prefix) or not version:
        return None
    holder = text(spec.get("holderIdentity"))
    transitions = whole_number(spec.get("leaseTransitions"), _MOST) or 0
    return Lease(str(name).removeprefix(prefix), holder or "", version, transitions)
