"""Options of the admission webhook."""

from pathlib import Path

import pytest
import typer

from searchaccess.cli.options.reading import address
from searchaccess.cli.options.webhook import options

LISTEN = ("0.0.0.0", 9443)  # noqa: S104 - as in a pod
DAY = 86_400.0


def test_it_is_not_served_by_default() -> None:
    assert options(None, None, "", DAY, "") is None


def test_the_certificate_is_read_or_made() -> None:
    read, made = options(LISTEN, Path("/tls"), "", DAY, ""), options(LISTEN, None, "hook", DAY, "search")
    assert read
    assert made
    assert (read.listen, read.certificate) == (LISTEN, Path("/tls"))
    assert (made.webhook, made.lifetime) == ("hook", DAY)


@pytest.mark.parametrize(
    ("listen", "folder", "name", "lifetime", "namespace", "says"),
    [
        (None, Path("/tls"), "", DAY, "", "requires --admission"),
        (None, None, "hook", DAY, "search", "requires --admission"),
        (LISTEN, None, "", DAY, "search", "requires --admission-certificate or --admission-webhook"),
        (LISTEN, Path("/tls"), "hook", DAY, "search", "and not both"),
        (LISTEN, None, "hook", DAY, "", "set --lease-namespace"),
        (LISTEN, None, "../hook", DAY, "search", "write the name of a ValidatingWebhookConfiguration"),
        (LISTEN, None, "hook", 9.0, "search", "is at least 10s"),
        (LISTEN, None, "hook", DAY * 36_500, "search", "at most 87600h"),
    ],
)
def test_what_does_not_go_together_is_told(
    listen: tuple[str, int] | None, folder: Path | None, name: str, lifetime: float, namespace: str, says: str
) -> None:
    with pytest.raises(typer.BadParameter, match=says):
        options(listen, folder, name, lifetime, namespace)


@pytest.mark.parametrize("text", ["9443", "0.0.0.0:", "0.0.0.0:x", "0.0.0.0:65536"])
def test_an_address_that_is_none_is_told(text: str) -> None:
    with pytest.raises(typer.BadParameter, match="write an address and a port"):
        address(text, "--admission")
    assert address("[::]:9443", "--admission") == ("::", 9443)
