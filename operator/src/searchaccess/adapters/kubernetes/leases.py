"""Leases of Kubernetes, by the official asynchronous client.

https://kubernetes.io/docs/concepts/architecture/leases/
"""

import math
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any, Final

from searchaccess.adapters.kubernetes.client import KubernetesClient
from searchaccess.api.constants import GROUP, MANAGED_BY, ROLE_PREFIX
from searchaccess.ports.errors import NotFound, Unexpected
from searchaccess.ports.leases import Lease

_INSTANCE: Final = f"{GROUP}/instance"


class KubernetesLeases:
    """Leases of one installation.

    Args:
        client: the API server.
        namespace: where they are.
        instance: name of the installation.
    """

    def __init__(self, client: KubernetesClient, namespace: str, instance: str) -> None:
        self._client = client
        self._path = f"/apis/coordination.k8s.io/v1/namespaces/{namespace}/leases"
        self._instance = instance
        self._prefix = f"{ROLE_PREFIX}-{instance}-"

    async def list(self) -> Sequence[Lease]:
        """Read all of them, from the newest state."""
        answer = await self._client.call("GET", f"{self._path}?labelSelector={_INSTANCE}={self._instance}")
        return [self._read(raw) for raw in answer.get("items") or []]

    def _read(self, raw: Any) -> Lease:
        try:
            metadata, spec = raw["metadata"], raw.get("spec") or {}
            name = str(metadata["name"]).removeprefix(self._prefix)
            transitions = int(spec.get("leaseTransitions") or 0)
            return Lease(name, str(spec.get("holderIdentity") or ""), str(metadata["resourceVersion"]), transitions)
        except (LookupError, TypeError, AttributeError, ValueError):
            raise Unexpected("the API server's answer is no Lease") from None

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
        """Give one a holder, or renew it, if nobody wrote it since it was read."""
        transitions = lease.transitions + (holder not in {"", lease.holder})
        body = self._body(lease.name, holder, duration, transitions)
        body["metadata"]["resourceVersion"] = lease.version
        return self._read(await self._client.call("PUT", f"{self._path}/{self._prefix}{lease.name}", body))

    async def delete(self, lease: Lease) -> None:
        """Delete one, if nobody wrote it since it was read."""
        options = {"preconditions": {"resourceVersion": lease.version}}
        try:
            await self._client.call("DELETE", f"{self._path}/{self._prefix}{lease.name}", options)
        except NotFound:
            return
