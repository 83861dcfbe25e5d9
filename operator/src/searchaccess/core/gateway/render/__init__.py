"""Renders the configuration of a gateway: the files that Envoy watches, its bootstrap, and its login."""

from dataclasses import dataclass

from searchaccess.core.gateway.render.login import render_login
from searchaccess.core.gateway.render.paths import Paths
from searchaccess.core.gateway.settings import GatewaySettings

__all__ = ["Paths", "Rendered", "loaded_version", "render", "render_bootstrap", "render_login"]


@dataclass(frozen=True, slots=True)
class Rendered:
    """What the operator writes into the ConfigMap of a gateway."""

    listeners: str
    """The file ``listeners.yaml``."""
    clusters: str
    """The file ``clusters.yaml``."""
    version: str
    """Digest of both, which is ``version_info`` in both."""


def render(settings: GatewaySettings, paths: Paths = Paths()) -> Rendered:
    """Return the configuration of a gateway: the same text for the same settings.

    Args:
        settings: what it depends on.
        paths: files and addresses of the pod.
    """
    raise NotImplementedError


def render_bootstrap(paths: Paths = Paths()) -> str:
    """Return the static file with which Envoy starts. It names the files that it watches."""
    raise NotImplementedError


def loaded_version(answer: str) -> str:
    """Return which version a pod serves, from its answer at ``/version``.

    Args:
        answer: the body: Envoy's statistics about both files, a line each.

    Returns:
        The ``version`` of what was rendered; empty while it has not loaded both files of one version, or still
        prepares to serve them.
    """
    raise NotImplementedError
