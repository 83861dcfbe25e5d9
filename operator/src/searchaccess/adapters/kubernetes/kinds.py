"""CustomResourceDefinitions, written by server-side apply."""

from collections.abc import Mapping
from typing import Any, Final

from searchaccess.adapters.kubernetes.client import APPLY, KubernetesClient
from searchaccess.adapters.kubernetes.paths import path_of
from searchaccess.ports.errors import NotFound

_PATH: Final = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"


class KubernetesKinds:
    """The kinds that an API server knows.

    Args:
        client: the API server.
    """

    def __init__(self, client: KubernetesClient) -> None:
        self._client = client

    async def find(self, name: str) -> dict[str, Any] | None:
        """Return a definition; None: there is none. Raises only ``ExternalError``."""
        try:
            return await self._client.call("GET", path_of(_PATH, name))
        except NotFound:
            return None

    async def apply(self, crd: Mapping[str, Any]) -> dict[str, Any]:
        """Create or change a definition, whoever wrote it before; return it as it is then.

        Raises only ``ExternalError``.
        """
        path = path_of(_PATH, str(crd["metadata"]["name"]))
        return await self._client.call("PATCH", f"{path}?force=true", dict(crd), APPLY)
