"""Certificate authorities to trust in TLS."""

import re
import ssl

from searchaccess.ports.errors import LoginMissing


def trusting(ca: str, whose: str) -> ssl.SSLContext:
    """Return a context that trusts given authorities and no others.

    Args:
        ca: certificates in PEM form; empty: the system's.
        whose: for the message, such as ``spec.ca``.

    Raises:
        LoginMissing: the certificates cannot be read; the message says why.
    """
    try:
        return ssl.create_default_context(cadata=ca or None)
    except (ssl.SSLError, TypeError, ValueError) as error:
        # OpenSSL names the problem without the content. A TypeError means characters that PEM does not allow.
        cause = re.sub(r" ?\(_ssl\.c:\d+\)", "", str(error.args[-1] if error.args else "")).replace("cadata", "it")
        raise LoginMissing(f"{whose}: the certificates to trust cannot be read: {cause}") from None
