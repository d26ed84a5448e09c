"""A certificate for 127.0.0.1 that signs itself, made once a process."""

from __future__ import annotations

import ssl
import subprocess
import tempfile
from datetime import datetime, timedelta, timezone
from functools import cache
from ipaddress import ip_address
from pathlib import Path

DAYS = 2


def server_context() -> ssl.SSLContext:
    """What a server needs to speak TLS."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder, "both.pem")
        file.write_bytes(self_signed())
        context.load_cert_chain(file)
    return context


@cache
def self_signed() -> bytes:
    """A key and a certificate, in PEM; by `cryptography` if it is installed, else by the program ``openssl``."""
    try:
        import cryptography  # noqa: F401  # what is here decides
    except ImportError:
        return by_openssl()
    return _by_cryptography()


def certificate() -> str:
    """The certificate alone, for clients that are to trust it."""
    text = self_signed().decode()
    return text[text.index("-----BEGIN CERTIFICATE-----") :]


def _by_cryptography() -> bytes:
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec

    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "127.0.0.1")])
    now = datetime.now(timezone.utc)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=DAYS))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ip_address("127.0.0.1"))]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    return private + made.public_bytes(serialization.Encoding.PEM)


def by_openssl() -> bytes:
    with tempfile.TemporaryDirectory() as folder:
        key, made = Path(folder, "key.pem"), Path(folder, "certificate.pem")
        command = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", str(DAYS)]
        names = ["-subj", "/CN=127.0.0.1", "-addext", "subjectAltName=IP:127.0.0.1"]
        subprocess.run([*command, *names, "-keyout", key, "-out", made], check=True, capture_output=True)
        return key.read_bytes() + made.read_bytes()
