"""References to Secrets and certificates, wherever they are."""

from collections.abc import Callable
from typing import Any

from tests.integration.kinds.cases.common import Cases

CERTIFICATE = "-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n"
KEY = {"namespace": "searchaccess-system", "name": "authority"}

Wrap = Callable[[dict[str, Any]], dict[str, Any]]
"""Gives the fields of a SearchCluster's spec that have a part in their place."""


def reject_reference(cases: Cases, what: str, wrap: Wrap, **more: int) -> None:
    """Add references to an object, each with one field that is missing, empty or too long."""
    for field, most in ({"namespace": 63, "name": 253} | more).items():
        texts = [("", "should be at least 1 chars long"), ("a" * (most + 1), f"more than {most}")]
        for text, says in texts:
            cases.cluster(f"{what} with a {field} of {len(text)} characters", wrap(KEY | {field: text}), says)
        if field in KEY:
            rest = {key: value for key, value in KEY.items() if key != field}
            cases.cluster(f"{what} without a {field}", wrap(rest), f"{field}: Required value")


def reject_certificates(cases: Cases, whose: str, wrap: Wrap) -> None:
    """Add certificates that cannot be, or are nowhere."""
    one = "exactly one of inline, secretRef and configMapRef"
    cases.cluster(f"an empty ca{whose}", wrap({}), one)
    cases.cluster(f"certificates in two places{whose}", wrap({"inline": CERTIFICATE, "secretRef": KEY}), one)
    for place in ("secretRef", "configMapRef"):
        # A lambda would see the last place only.
        def within(reference: dict[str, Any], place: str = place) -> dict[str, Any]:
            return wrap({place: reference})

        reject_reference(cases, f"certificates in a {place}{whose}", within, key=253)
    cases.cluster(f"a file name as ca{whose}", wrap({"inline": "/etc/ca.crt"}), "write certificates in PEM form")
    placeholder = "-----BEGIN CERTIFICATE-----\nREPLACE WITH THE CERTIFICATE\n-----END CERTIFICATE-----\n"
    cases.cluster(f"a placeholder as ca{whose}", wrap({"inline": placeholder}), "write certificates in PEM form")
    key = f"{CERTIFICATE}-----BEGIN PRIVATE KEY-----\nMIIE\n-----END PRIVATE KEY-----\n"
    cases.cluster(f"a private key in ca{whose}", wrap({"inline": key}), "a private key does not belong here")
    big = {"inline": CERTIFICATE.ljust(65537, "\n")}
    cases.cluster(f"a ca of more than 64 KiB{whose}", wrap(big), "may not be more than 65536")
