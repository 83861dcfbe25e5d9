"""How the webhook is served."""

from dataclasses import dataclass
from pathlib import Path
from typing import Final

LIFETIME: Final = 90 * 24 * 3600.0
"""Seconds for which a certificate is valid that the operator makes."""


@dataclass(frozen=True, slots=True)
class AdmissionOptions:
    """How the webhook is served.

    Args:
        listen: address and port.
        certificate: folder with ``tls.crt`` and ``tls.key``; None: the operator makes the certificate.
        webhook: name of the ValidatingWebhookConfiguration, and of the Secret with a certificate that the operator
            makes.
        lifetime: seconds for which such a certificate is valid.
    """

    listen: tuple[str, int]
    certificate: Path | None = None
    webhook: str = ""
    lifetime: float = LIFETIME
