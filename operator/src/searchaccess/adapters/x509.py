"""Makes and reads the webhook's certificates."""

import ipaddress
from datetime import datetime, timedelta
from typing import Final

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from searchaccess.core.webhook.certificates import Certificate

_NAME: Final = "searchaccess webhook"
_LONGEST: Final = 64
"""Characters of a common name."""


def issue(names: tuple[str, ...], now: datetime, lifetime: float, backdated: float) -> Certificate:
    """Make a certificate, and an authority for it alone whose key nobody has afterwards.

    Args:
        names: DNS names and addresses that it is for.
        now: the time.
        lifetime: seconds for which it is valid.
        backdated: seconds for which it was valid before it was made, as far as clocks differ.
    """
    begins, ends = now - timedelta(seconds=backdated), now + timedelta(seconds=lifetime)
    signing, serving = ec.generate_private_key(ec.SECP256R1()), ec.generate_private_key(ec.SECP256R1())
    serial = x509.random_serial_number()
    # Authorities of one name would be mistaken for each other.
    authority_name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, f"{_NAME} {serial:x}"[:_LONGEST])])
    authority_id = x509.SubjectKeyIdentifier.from_public_key(signing.public_key())
    authority = (
        _builder(authority_name, authority_name, signing, begins, ends)
        .serial_number(serial)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(_usage(signs=True), critical=True)
        .add_extension(authority_id, critical=False)
        .sign(signing, hashes.SHA256())
    )
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, _NAME)])
    certificate = (
        _builder(subject, authority_name, serving, begins, ends)
        .serial_number(x509.random_serial_number())
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(_usage(signs=False), critical=True)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
        .add_extension(x509.SubjectAlternativeName([_general_name(name) for name in names]), critical=False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_subject_key_identifier(authority_id), critical=False)
        .sign(signing, hashes.SHA256())
    )
    key = serving.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    found = read_certificate(_pem(authority), _pem(certificate), key.decode())
    if found is None:
        raise ValueError("a certificate that was just made cannot be read")
    return found


def read_certificate(authority: str, chain: str, key: str) -> Certificate | None:
    """Read a certificate that was kept; None: it cannot be used, such as with a key that is not its own.

    Args:
        authority: as PEM.
        chain: as PEM.
        key: as PEM.
    """
    try:
        signer = x509.load_pem_x509_certificate(authority.encode())
        found = x509.load_pem_x509_certificate(chain.encode())
        own = serialization.load_pem_private_key(key.encode(), None).public_key()
        names = found.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
        found.verify_directly_issued_by(signer)
    except (ValueError, TypeError, x509.ExtensionNotFound, InvalidSignature):
        return None
    if own != found.public_key():
        return None
    listed = (*names.get_values_for_type(x509.DNSName), *map(str, names.get_values_for_type(x509.IPAddress)))
    begins, ends = found.not_valid_before_utc, found.not_valid_after_utc
    return Certificate(_pem(signer), _pem(found), key.strip(), tuple(sorted(listed)), begins, ends)


def read_authority(text: str) -> str:
    """Return the certificate of an authority that was kept, as PEM; empty: it cannot be read."""
    try:
        return _pem(x509.load_pem_x509_certificate(text.encode()))
    except ValueError:
        return ""


def _builder(
    subject: x509.Name,
    issuer: x509.Name,
    key: ec.EllipticCurvePrivateKey,
    begins: datetime,
    ends: datetime,
) -> x509.CertificateBuilder:
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key.public_key())
        .not_valid_before(begins)
        .not_valid_after(ends)
    )


def _usage(*, signs: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not signs,
        key_cert_sign=signs,
        crl_sign=False,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        encipher_only=False,
        decipher_only=False,
    )


def _general_name(name: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(name))
    except ValueError:
        return x509.DNSName(name)


def _pem(certificate: x509.Certificate) -> str:
    return certificate.public_bytes(serialization.Encoding.PEM).decode().strip()
