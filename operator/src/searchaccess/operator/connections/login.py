"""How this process logs in to Kubernetes."""

import asyncio
import datetime as dt
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

from searchaccess.adapters.googlecloud.endpoint import GkeEndpoint
from searchaccess.adapters.kubernetes.client import load_configuration, new_configuration
from searchaccess.adapters.kubernetes.kubeconfig import DEFAULT_NAMESPACE, namespace_of

if TYPE_CHECKING:
    from kubernetes.aio.client import Configuration

    from searchaccess.adapters.googlecloud.gke import GkeCluster

LIFETIME: Final = dt.timedelta(minutes=10)
"""How long a login is used: a pod's token file is renewed by the kubelet about every hour."""
GKE_LIFETIME: Final = dt.timedelta(minutes=3)
"""The same for a Google token, which is valid for at least 225 s when it is returned."""


@dataclass(frozen=True, slots=True)
class KubernetesOptions:
    """Where the API server is.

    Args:
        kubeconfig: file to use instead of the pod's service account.
        context: of the kubeconfig, which is then used in a pod too; empty: its current one.
        gke: full name of a GKE cluster to use instead, ``projects/P/locations/L/clusters/C``.
        gke_endpoint: which of its endpoints to use.
        container_endpoint: address of the Kubernetes Engine API; Google's when empty.
    """

    kubeconfig: Path | None = None
    context: str = ""
    gke: str = ""
    gke_endpoint: GkeEndpoint = GkeEndpoint.AUTO
    container_endpoint: str = ""


def _open_cluster(options: KubernetesOptions) -> "GkeCluster":
    # Google's library takes a second and tens of MiB, and many do not need it.
    from searchaccess.adapters.googlecloud.gke import GkeCluster  # noqa: PLC0415 - see above

    return GkeCluster(options.gke, options.gke_endpoint, options.container_endpoint)


class KubernetesLogin:
    """Provides what the official client and kopf need to log in.

    Args:
        options: where the API server is.
    """

    def __init__(self, options: KubernetesOptions) -> None:
        self._options = options
        self._cluster: GkeCluster | None = None

    @property
    def lifetime(self) -> dt.timedelta:
        """How long the result of ``configuration`` may be used."""
        return GKE_LIFETIME if self._options.gke else LIFETIME

    @property
    def namespace(self) -> str:
        """The namespace that kubectl would use for objects without one."""
        return DEFAULT_NAMESPACE if self._options.gke else namespace_of(self._options.kubeconfig, self._options.context)

    async def configuration(self) -> "Configuration":
        """Return how to connect.

        Raises:
            LoginMissing: there is no login.
            ExternalError: Google does not return the cluster's address, or a token.
        """
        if not self._options.gke:
            return await load_configuration(self._options.kubeconfig, self._options.context)
        if self._cluster is None:
            self._cluster = await asyncio.to_thread(_open_cluster, self._options)
        cluster = self._cluster
        plane = await cluster.control_plane()
        configuration = new_configuration()
        configuration.host = plane.host
        configuration.ca_cert_data = plane.ca or None

        async def renew(owner: "Configuration") -> None:
            owner.api_key["BearerToken"] = f"Bearer {await cluster.token()}"

        await renew(configuration)
        # Called before each request of the official client.
        configuration.refresh_api_key_hook = renew  # type: ignore[assignment]  # the client calls it None only
        return configuration
