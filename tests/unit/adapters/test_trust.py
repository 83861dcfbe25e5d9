"""Certificates that cannot be read say why, and nothing of what they hold."""

import pytest

from searchaccess.adapters.elasticsearch.client import ElasticsearchClient
from searchaccess.adapters.trust import trusting
from searchaccess.core.clusters.connection import Connection
from searchaccess.ports.errors import LoginMissing

BEGIN, END = "-----BEGIN CERTIFICATE-----", "-----END CERTIFICATE-----"


@pytest.mark.parametrize(
    ("ca", "why"),
    [
        (f"{BEGIN}\n…\n{END}\n", "ASCII"),
        (f"{BEGIN}\nhunter2\n{END}\n", "does not contain a certificate"),
        (f"{BEGIN}\n", "does not contain a certificate"),
        ("hunter2", "does not contain a certificate"),
        (f"{BEGIN}\n\ud800\n{END}\n", "ASCII"),
    ],
    ids=["a placeholder", "no base64", "no end", "no PEM", "half a character"],
)
def test_the_cause_is_said(ca: str, why: str) -> None:
    with pytest.raises(LoginMissing, match=why) as caught:
        trusting(ca, "spec.ca")
    assert caught.value.message.startswith("spec.ca: the certificates to trust cannot be read: ")
    assert "hunter2" not in caught.value.message
    assert "_ssl" not in caught.value.message


async def test_a_client_with_such_certificates_is_not_made() -> None:
    with pytest.raises(LoginMissing, match="does not contain a certificate"):
        ElasticsearchClient(Connection(("https://search:9200",), ca=f"{BEGIN}\nhunter2\n{END}"))


@pytest.mark.parametrize("url", ["https://u:hunter2@search:99999", "https://[::1", "https://"])
async def test_an_address_that_cannot_be_is_said_without_its_password(url: str) -> None:
    with pytest.raises(LoginMissing, match=r"spec\.urls: ") as caught:
        ElasticsearchClient(Connection((url,)))
    assert "hunter2" not in caught.value.message
