"""Describes failed connections to the API server: without class names, and without text that others wrote."""

import os
import ssl
from typing import Final

import aiohttp
from kubernetes.aio.client import exceptions as client_exceptions

_BY_TYPE: Final[dict[type[BaseException], str]] = {
    aiohttp.ServerFingerprintMismatch: "its certificate is not the expected one",
    aiohttp.InvalidURL: "its address is not a URL",
    aiohttp.ServerDisconnectedError: "it closed the connection without a response",
    aiohttp.ClientPayloadError: "its response was cut off",
    client_exceptions.OpenApiException: "the request could not be made",
    TimeoutError: "no response in time",
    aiohttp.ClientError: "it does not respond like an API server",
    OSError: "the connection failed",
    ValueError: "its response is not understood",
}
"""In the order in which they are tried: special ones first."""
_UNKNOWN: Final = "an unexpected error of the client"


def cause_of(error: BaseException) -> str:
    """Return why a request had no response, with the address if it is known.

    Args:
        error: what the client, or aiohttp under it, raised.
    """
    if isinstance(error, aiohttp.ClientConnectorCertificateError):
        return _not_trusted(error.certificate_error, error.host, error.port)
    if isinstance(error, aiohttp.ClientConnectorDNSError):
        return f"the name {error.host} cannot be resolved"
    if isinstance(error, aiohttp.ClientConnectorSSLError):
        return _not_trusted(error.os_error, error.host, error.port)
    if isinstance(error, aiohttp.ClientConnectorError):
        return f"no connection to {error.host}:{error.port}: {_code(error.os_error)}"
    if isinstance(error, ssl.SSLError):
        return f"TLS failed{_verification(error)}"
    text = next((text for kind, text in _BY_TYPE.items() if isinstance(error, kind)), _UNKNOWN)
    return _code(error) if isinstance(error, OSError) and error.errno else text


def _not_trusted(error: BaseException, host: str, port: int | None) -> str:
    return f"the certificate of {host}:{port} cannot be verified{_verification(error)}"


def _verification(error: BaseException) -> str:
    """Return what OpenSSL found wrong with a certificate; empty: it was something else."""
    message = getattr(error, "verify_message", "") if isinstance(error, ssl.SSLCertVerificationError) else ""
    return f": {message}" if message else ""


def _code(error: OSError) -> str:
    return os.strerror(error.errno).lower() if error.errno else "it failed"
