"""What counts as a certificate before anybody uses it."""

import base64

import pytest
from hypothesis import given
from hypothesis import strategies as st

from searchaccess.api.stores.vault import VaultStore
from searchaccess.core.clusters.cluster import cluster_from_object
from searchaccess.core.clusters.sources import Incomplete, holds_certificates
from searchaccess.core.clusters.vault import build_access
from tests.support.pem import CERTIFICATE, PLACEHOLDER
from tests.unit.builders import a_search_cluster

_BODY = base64.b64decode("".join(CERTIFICATE.splitlines()[1:-1]))


def _pem(body: bytes) -> str:
    return f"-----BEGIN CERTIFICATE-----\n{base64.b64encode(body).decode()}\n-----END CERTIFICATE-----\n"


@pytest.mark.parametrize("text", [CERTIFICATE, CERTIFICATE * 2, f"# ours\n{CERTIFICATE}", _pem(_BODY)])
def test_certificates_are_taken(text: str) -> None:
    assert holds_certificates(text)


@pytest.mark.parametrize(
    "text",
    [
        "",
        PLACEHOLDER,
        CERTIFICATE + PLACEHOLDER,
        CERTIFICATE + "-----BEGIN CERTIFICATE-----\n",
        "-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----",
        _pem(b""),
        _pem(b"0"),
        _pem(_BODY[:-1]),
        _pem(_BODY + b"0"),
        _pem(b"\x30\x02\x05\x00"),
        _pem(b"\x30\x88" + b"\xff" * 8),
    ],
    ids=range(11),
)
def test_what_only_looks_like_certificates_is_not(text: str) -> None:
    assert not holds_certificates(text)


@given(st.binary(max_size=40), st.text(max_size=40))
def test_anything_can_be_asked_about(body: bytes, text: str) -> None:
    holds_certificates(_pem(body))
    holds_certificates(f"-----BEGIN CERTIFICATE-----{text}-----END CERTIFICATE-----")


def test_a_search_cluster_with_a_placeholder_as_certificate_is_invalid() -> None:
    made = cluster_from_object(a_search_cluster(ca={"inline": PLACEHOLDER}))
    assert made.spec is None
    assert made.invalid.startswith("spec.ca.inline contains no readable certificate")


def test_a_placeholder_for_vault_is_named() -> None:
    store = VaultStore.model_validate(
        {"address": "https://vault:8200", "ca": {"inline": PLACEHOLDER}, "auth": {"kubernetes": {"role": "operator"}}}
    )
    with pytest.raises(Incomplete, match=r"ca\.inline contains no readable certificate"):
        build_access(store, {})
