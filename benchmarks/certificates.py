"""A certificate for 127.0.0.1, by an authority of its own: some clients refuse one that signs itself."""

from __future__ import annotations

import ipaddress
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import NamedTuple

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

VALID = timedelta(days=1)


class Certificate(NamedTuple):
    """Files in PEM."""

    authority: Path
    """Who is to be trusted."""
    certificate: Path
    key: Path


def make(folder: Path) -> Certificate:
    """Write an authority, a certificate that it has signed, and that one's key."""
    files = Certificate(folder / "authority.pem", folder / "certificate.pem", folder / "key.pem")
    authority_key, key = (ec.generate_private_key(ec.SECP256R1()) for _ in range(2))
    authority = _builder("registry-s3fs benchmarks", authority_key).add_extension(
        x509.BasicConstraints(ca=True, path_length=0), critical=True
    )
    address = x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))])
    server = _builder("127.0.0.1", key).add_extension(address, critical=False)
    files.authority.write_bytes(_signed(authority, authority_key))
    files.certificate.write_bytes(_signed(server, authority_key))
    files.key.write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    return files


def _builder(name: str, key: ec.EllipticCurvePrivateKey) -> x509.CertificateBuilder:
    now = datetime.now(timezone.utc)
    builder = x509.CertificateBuilder(subject_name=_name(name), issuer_name=_name("registry-s3fs benchmarks"))
    builder = builder.public_key(key.public_key()).serial_number(x509.random_serial_number())
    return builder.not_valid_before(now - VALID).not_valid_after(now + VALID)


def _name(name: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, name)])


def _signed(builder: x509.CertificateBuilder, key: ec.EllipticCurvePrivateKey) -> bytes:
    return builder.sign(key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM)
