"""Renders the configuration of a gateway: the files that Envoy watches, its bootstrap, and its login."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

from searchaccess.core.gateway.render.bootstrap import loaded_version, render_bootstrap
from searchaccess.core.gateway.render.certificate import render_certificate
from searchaccess.core.gateway.render.clusters import clusters
from searchaccess.core.gateway.render.documents import Json, to_text
from searchaccess.core.gateway.render.listener import listener, with_version
from searchaccess.core.gateway.render.login import render_login
from searchaccess.core.gateway.render.paths import IN_THE_CHART, Paths
from searchaccess.core.gateway.settings import GatewaySettings

__all__ = ["Paths", "Rendered", "loaded_version", "render", "render_bootstrap", "render_certificate", "render_login"]

_DIGITS: Final = 32


@dataclass(frozen=True, slots=True)
class Rendered:
    """What the operator writes into the ConfigMap of a gateway."""

    listeners: str
    """The file ``listeners.yaml``."""
    clusters: str
    """The file ``clusters.yaml``."""
    version: str
    """Digest of both, which is ``version_info`` in both; with the number of the write, if it has one."""

    def numbered(self, number: str) -> "Rendered":
        """Return the same for one write: a pod that says that it has this version has no earlier one of the same.

        Args:
            number: digits, of which no two writes of the same content have the same; empty: of no write.
        """
        version = f"{self.version}.{number}" if number else self.version
        texts = (text.replace(self.version, version) for text in (self.listeners, self.clusters))
        return replace(self, listeners=next(texts), clusters=next(texts), version=version)


def render(settings: GatewaySettings, paths: Paths = IN_THE_CHART) -> Rendered:
    """Return the configuration of a gateway: the same text for the same settings.

    Args:
        settings: what it depends on.
        paths: files and addresses of the pod.
    """
    upstream, callers = clusters(settings, paths), listener(settings, paths)
    without_version = to_text({"listeners": [callers], "clusters": upstream})
    version = hashlib.sha256(without_version.encode()).hexdigest()[:_DIGITS]
    return Rendered(_file(version, [with_version(callers, version)]), _file(version, upstream), version)


def _file(version: str, resources: Sequence[Json]) -> str:
    return to_text({"version_info": version, "resources": list(resources)})
