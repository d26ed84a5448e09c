"""Certificates for 127.0.0.1, made by `cryptography`, which must be installed.

Benchmarks use a certificate that an authority of its own has signed (`make`). Tests use one that signs itself, which
`testbed.certificates` takes from here where it can.
"""

from __future__ import annotations

import ipaddress
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import NamedTuple

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

VALID = timedelta(days=2)
AUTHORITY = "registry-s3fs testbed"
ADDRESS = "127.0.0.1"


class Certificate(NamedTuple):
    """Files in PEM."""

    authority: Path
    """Who is to be trusted."""
    certificate: Path
    key: Path


def make(folder: Path) -> Certificate:
    """Write an authority, a certificate that it has signed, and that one's key.

    Some clients refuse a certificate that signs itself.
    """
    files = Certificate(folder / "authority.pem", folder / "certificate.pem", folder / "key.pem")
    authority_key, key = (ec.generate_private_key(ec.SECP256R1()) for _ in range(2))
    authority = _builder(AUTHORITY, AUTHORITY, authority_key).add_extension(
        x509.BasicConstraints(ca=True, path_length=0), critical=True
    )
    server = _builder(ADDRESS, AUTHORITY, key).add_extension(_address(), critical=False)
    files.authority.write_bytes(_signed(authority, authority_key))
    files.certificate.write_bytes(_signed(server, authority_key))
    files.key.write_bytes(_private(key))
    return files


def self_signed() -> bytes:
    """A key and a certificate, in PEM."""
    key = ec.generate_private_key(ec.SECP256R1())
    builder = _builder(ADDRESS, ADDRESS, key).add_extension(_address(), critical=False)
    builder = builder.add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
    return _private(key) + _signed(builder, key)


def _builder(name: str, issuer: str, key: ec.EllipticCurvePrivateKey) -> x509.CertificateBuilder:
    now = datetime.now(timezone.utc)
    builder = x509.CertificateBuilder(subject_name=_name(name), issuer_name=_name(issuer))
    builder = builder.public_key(key.public_key()).serial_number(x509.random_serial_number())
    return builder.not_valid_before(now - VALID).not_valid_after(now + VALID)


def _name(name: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, name)])


def _address() -> x509.SubjectAlternativeName:
    return x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address(ADDRESS))])


def _signed(builder: x509.CertificateBuilder, key: ec.EllipticCurvePrivateKey) -> bytes:
    return builder.sign(key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM)


def _private(key: ec.EllipticCurvePrivateKey) -> bytes:
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
