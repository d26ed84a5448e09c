"""The certificate of the tests' own servers: it is for 127.0.0.1, signs itself, and is made once a process.

`testbed.authority` makes it. Where `cryptography` is not installed, the program ``openssl`` makes it.
"""

from __future__ import annotations

import ssl
import subprocess
import tempfile
from functools import cache
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
        from testbed import authority
    except ImportError:
        return by_openssl()
    return authority.self_signed()


def certificate() -> str:
    """The certificate alone, for clients that are to trust it."""
    text = self_signed().decode()
    return text[text.index("-----BEGIN CERTIFICATE-----") :]


def by_openssl() -> bytes:
    with tempfile.TemporaryDirectory() as folder:
        key, made = Path(folder, "key.pem"), Path(folder, "certificate.pem")
        command = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", str(DAYS)]
        names = ["-subj", "/CN=127.0.0.1", "-addext", "subjectAltName=IP:127.0.0.1"]
        subprocess.run([*command, *names, "-keyout", key, "-out", made], check=True, capture_output=True)
        return key.read_bytes() + made.read_bytes()
