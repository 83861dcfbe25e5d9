"""Finds a GKE cluster's API server with the official asynchronous client, and gets a token for it.

https://cloud.google.com/kubernetes-engine/docs/concepts/network-isolation#access_to_the_control_plane
"""

import asyncio
import base64
from dataclasses import dataclass
from typing import Any, Final

from google.api_core.client_options import ClientOptions
from google.cloud.container_v1 import ClusterManagerAsyncClient

from searchaccess.adapters.googlecloud.account import OperatorAccount
from searchaccess.adapters.googlecloud.endpoint import GkeEndpoint
from searchaccess.adapters.googlecloud.errors import mapped
from searchaccess.ports.errors import LoginMissing, Unexpected

TIMEOUT: Final = 10.0
"""Seconds."""
SCOPES: Final = (
    "https://www.googleapis.com/auth/cloud-platform",
    # Without it the API server identifies a service account by its number, and not by the name that RBAC uses.
    # https://cloud.google.com/kubernetes-engine/docs/how-to/role-based-access-control
    "https://www.googleapis.com/auth/userinfo.email",
)


@dataclass(frozen=True, slots=True)
class ControlPlane:
    """How to reach an API server."""

    host: str
    """Its URL."""
    ca: str
    """Certificate authority to trust, PEM; empty: those that are publicly trusted."""


def control_plane_of(cluster: Any, wanted: GkeEndpoint) -> ControlPlane:
    """Choose one of a cluster's endpoints.

    Args:
        cluster: as the API describes it.
        wanted: which to choose.

    Raises:
        LoginMissing: the cluster has no such endpoint.
        Unexpected: its certificate authority cannot be read.
    """
    hosts = _hosts(cluster)
    order = (GkeEndpoint.DNS, GkeEndpoint.PUBLIC, GkeEndpoint.PRIVATE) if wanted is GkeEndpoint.AUTO else (wanted,)
    for endpoint in order:
        if not hosts[endpoint]:
            continue
        if endpoint is GkeEndpoint.DNS:
            # Google's own front, with a certificate that everybody trusts.
            return ControlPlane(f"https://{hosts[endpoint]}", "")
        try:
            ca = base64.b64decode(cluster.master_auth.cluster_ca_certificate, validate=True).decode("ascii")
        except ValueError:
            raise Unexpected(f"the GKE cluster {cluster.name}: its certificate authority cannot be read") from None
        return ControlPlane(f"https://{hosts[endpoint]}", ca)
    have = ", ".join(endpoint for endpoint, host in hosts.items() if host) or "none"
    raise LoginMissing(f"the GKE cluster {cluster.name} has no open {wanted} endpoint (open: {have})")


def _hosts(cluster: Any) -> dict[GkeEndpoint, str]:
    dns = cluster.control_plane_endpoints_config.dns_endpoint_config
    addresses = cluster.control_plane_endpoints_config.ip_endpoints_config
    older = cluster.private_cluster_config
    by_address = addresses.enabled if "enabled" in addresses else True
    is_public = addresses.enable_public_endpoint if "enable_public_endpoint" in addresses else True
    only_private = older.enable_private_endpoint or not is_public
    private = addresses.private_endpoint or older.private_endpoint
    public = addresses.public_endpoint or older.public_endpoint or ("" if only_private else cluster.endpoint)
    return {
        GkeEndpoint.DNS: dns.endpoint if dns.allow_external_traffic else "",
        GkeEndpoint.PUBLIC: public if by_address and not only_private else "",
        GkeEndpoint.PRIVATE: private if by_address else "",
    }


class GkeCluster:
    """One GKE cluster.

    Args:
        name: its full name, ``projects/P/locations/L/clusters/C``.
        endpoint: which of its endpoints to use.
        api: in place of ``container.googleapis.com``, such as one of Private Service Connect.
        account: account of the requests and of the login.
    """

    def __init__(
        self, name: str, endpoint: GkeEndpoint = GkeEndpoint.AUTO, api: str = "", account: OperatorAccount | None = None
    ) -> None:
        self._name = name
        self._endpoint = endpoint
        self._api = api
        self._account = account or OperatorAccount(SCOPES)
        self._known: ControlPlane | None = None
        self._asking = asyncio.Lock()

    async def control_plane(self) -> ControlPlane:
        """Return how to reach it; it is read from Google once.

        Raises:
            LoginMissing: it has no such endpoint, or this process has no account.
            ExternalError: Google does not say.
        """
        async with self._asking:
            if self._known is None:
                self._known = control_plane_of(await self._read(), self._endpoint)
            return self._known

    async def _read(self) -> Any:
        with mapped(f"Kubernetes Engine, {self._name}"):
            options = ClientOptions(api_endpoint=self._api or None)
            client = ClusterManagerAsyncClient(credentials=await self._account.credentials(), client_options=options)
            try:
                return await client.get_cluster(name=self._name, retry=None, timeout=TIMEOUT)
            finally:
                await client.transport.close()

    async def token(self) -> str:
        """Return a valid token.

        Raises:
            ExternalError: there is none.
        """
        with mapped("the login to Kubernetes Engine"):
            return str((await self._account.credentials()).token)
