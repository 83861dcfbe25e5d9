"""Whether a connection is private, and whether it may be made if it is not."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from ipaddress import IPv4Network, IPv6Address, ip_address
from typing import Final
from urllib.parse import urlsplit

from searchaccess.api.searchcluster import Exposure, SearchClusterSpec
from searchaccess.core.clusters.connection import Connection

_INSIDE: Final = (IPv4Network("199.36.153.4/30"), IPv4Network("199.36.153.8/30"))
"""Public addresses that are routed only inside Google's network.
https://cloud.google.com/vpc/docs/configure-private-google-access#ip-addr-defaults"""


@dataclass(frozen=True, slots=True)
class Exposed:
    """One way in which a connection is not private."""

    how: Exposure
    what: str


def hosts_of(connection: Connection) -> list[str]:
    """Return the hosts of the connections, without duplicates."""
    return list(dict.fromkeys(urlsplit(url).hostname or "" for url in connection.urls))


def is_public(address: str) -> bool:
    """Return whether the internet can reach an address.

    By the registries of special addresses: private, shared (100.64.0.0/10), loopback and link-local ones are not.
    https://www.iana.org/assignments/iana-ipv4-special-registry, …/iana-ipv6-special-registry

    Args:
        address: IPv4 or IPv6, as a resolver gives it.
    """
    found = ip_address(address)
    if isinstance(found, IPv6Address):
        found = found.ipv4_mapped or found
    return found.is_global and not any(found in network for network in _INSIDE if found.version == network.version)


def find_exposures(connection: Connection, addresses: Mapping[str, Sequence[str]]) -> tuple[Exposed, ...]:
    """Return all ways in which a connection is not private.

    Args:
        connection: the connection to check.
        addresses: by host, what it resolves to; empty: it does not resolve, so it cannot be connected to.
    """
    found = [Exposed(Exposure.PLAIN_HTTP, url) for url in connection.urls if not url.startswith("https://")]
    if not connection.verify:
        found.append(Exposed(Exposure.INSECURE_SKIP_VERIFY, "certificates are not verified"))
    for host in hosts_of(connection):
        public = next((address for address in addresses.get(host, ()) if is_public(address)), "")
        if public:
            what = host if public == host else f"{host} ({public})"
            found.append(Exposed(Exposure.PUBLIC_ADDRESS, f"{what} is a public address"))
    return tuple(found)


def allowed_exposures(spec: SearchClusterSpec) -> frozenset[Exposure]:
    """Return what a SearchCluster allows: what it names, and with a Cloud ID a public address."""
    implied = {Exposure.PUBLIC_ADDRESS} if spec.cloud_id else set()
    return frozenset({*spec.allow_exposure, *implied})


def describe_exposures(exposed: Iterable[Exposed]) -> str:
    """Describe exposures in words."""
    return "; ".join(item.what for item in exposed)


def refusal(exposed: Iterable[Exposed], allowed: frozenset[Exposure]) -> str:
    """Return why a connection must not be made; empty: it may be made."""
    refused = [item for item in exposed if item.how not in allowed]
    if not refused:
        return ""
    names = ", ".join(dict.fromkeys(item.how for item in refused))
    text = f"{describe_exposures(refused)}; the login is not sent"
    return f"{text}. If this is intended, set spec.allowExposure: [{names}]"
