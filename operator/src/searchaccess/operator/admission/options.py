"""How the webhook is served."""

from dataclasses import dataclass
from pathlib import Path

from searchaccess.core.webhook.certificates import Pace


@dataclass(frozen=True, slots=True)
class AdmissionOptions:
    """How the webhook is served.

    Args:
        listen: address and port.
        certificate: folder with ``tls.crt`` and ``tls.key``; None: the operator makes the certificate.
        webhook: name of the ValidatingWebhookConfiguration, and of the Secret with a certificate that the operator
            makes.
        pace: how long such a certificate lasts.
    """

    listen: tuple[str, int]
    certificate: Path | None = None
    webhook: str = ""
    pace: Pace = Pace()
