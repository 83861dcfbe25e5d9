"""The certificate that the webhook serves: replaced while it runs."""

import ssl
import tempfile
from pathlib import Path

from searchaccess.ports.errors import TlsNotVerified


class ServedCertificate:
    """What new connections get; existing ones keep what they have."""

    def __init__(self) -> None:
        self.context = _new_context()
        self._served = ""

    @property
    def is_ready(self) -> bool:
        """Whether there is a certificate."""
        return bool(self._served)

    def serve(self, chain: str, key: str) -> bool:
        """Serve a certificate; return whether it is another than before.

        Args:
            chain: the certificate and those of its authorities, as PEM.
            key: its private key, as PEM.

        Raises:
            TlsNotVerified: it cannot be used; the former one is still served.
        """
        both = f"{chain.strip()}\n{key.strip()}\n"
        if both == self._served:
            return False
        # Python reads certificates only from files.
        with tempfile.TemporaryDirectory(prefix="searchaccess-") as folder:
            file = Path(folder) / "tls.pem"
            file.touch(mode=0o600)
            file.write_text(both)
            try:
                # A certificate without its key would replace the former one before it is noticed.
                _new_context().load_cert_chain(file)
                self.context.load_cert_chain(file)
            except (ssl.SSLError, OSError) as error:
                why = getattr(error, "reason", "") or type(error).__name__
                raise TlsNotVerified(f"the webhook's certificate cannot be used ({why})") from None
        self._served = both
        return True


def _new_context() -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    # API servers do not resume sessions, so that tickets would be made for nobody.
    context.num_tickets = 0
    return context
