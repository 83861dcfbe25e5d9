"""Where a gateway's pod has its files, and at which addresses it listens."""

from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True)
class Paths:
    """Files and addresses of a gateway's pod. The defaults are those of the chart; only tests have others."""

    bootstrap: str = "/etc/gateway/bootstrap"
    """Folder of the bootstrap and of ``certificate.yaml``."""
    dynamic: str = "/etc/gateway/dynamic"
    """Folder of ``listeners.yaml`` and ``clusters.yaml``, watched for renames into it."""
    login: str = "/etc/gateway/login"
    """Folder of ``login.yaml``, watched for renames into it."""
    tls: str = "/etc/gateway/tls"
    """Folder of ``tls.crt`` and ``tls.key``, watched for renames into it."""
    system_ca: str = "/etc/ssl/certs/ca-certificates.crt"
    """Certificate authorities of the image."""
    address: str = "0.0.0.0"  # noqa: S104 - a pod listens for others.
    """Where callers and health checks arrive."""
    port: int = 8443
    """For callers, with TLS."""
    admin_port: int = 9901
    """For Envoy's administration, at 127.0.0.1."""
    health_port: int = 9902
    """For ``/ready``, ``/stats/prometheus`` and ``/version``."""
    max_heap: int = 512 * 1024 * 1024
    """Bytes of memory; close to it, requests are refused."""
    iap_keys: str = "https://www.gstatic.com/iap/verify/public_key-jwk"
    """Where the Identity-Aware Proxy publishes its keys."""
    jwks_cache_seconds: int = 300
    """After how many seconds keys are read again; a key that was withdrawn is accepted that long."""
    connection_seconds: int = 600
    """How old a caller's connection gets; with the next one, the caller may reach another pod."""
    idle_seconds: int = 300
    """After how many seconds without a request a caller's connection ends."""


IN_THE_CHART: Final = Paths()
