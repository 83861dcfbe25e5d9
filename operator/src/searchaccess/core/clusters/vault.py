"""What is needed to reach Vault: from what a SearchCluster says and what Secrets have."""

from dataclasses import dataclass, field

from searchaccess.api.stores.vault import VaultStore
from searchaccess.core.clusters.sources import (
    NO_CERTIFICATE,
    Contents,
    Incomplete,
    Source,
    certificates_of,
    certificates_place,
    header_text_of,
    holds_certificates,
    secret_source,
)


@dataclass(frozen=True, slots=True)
class VaultAccess:
    """What is kept outside of the SearchCluster."""

    ca: str = ""
    """Certificates in PEM form; empty: the system's."""
    token: str = field(default="", repr=False)
    """Vault's own token; empty: there is another way to log in."""


def sources_of(store: VaultStore) -> tuple[Source, ...]:
    """List all that must be read before Vault can be used."""
    token, ca = secret_source(store.auth.token_secret_ref), certificates_place(store.ca)
    return (*([token] if token else []), *([ca[0]] if ca else []))


def build_access(store: VaultStore, read: Contents) -> VaultAccess:
    """Build the connection parameters.

    Args:
        store: what the SearchCluster says.
        read: what each source has.

    Raises:
        Incomplete: something is missing or cannot be used.
    """
    place, source = certificates_place(store.ca), secret_source(store.auth.token_secret_ref)
    inline = (store.ca.inline if store.ca else None) or ""
    if inline and not holds_certificates(inline):
        raise Incomplete(f"ca.inline {NO_CERTIFICATE}")
    return VaultAccess(
        ca=certificates_of(place, read) if place else inline,
        token=header_text_of(source, "token", read) if source else "",
    )
