"""Keeps signatures, tokens and keys out of text: log lines and exception messages."""

from __future__ import annotations

import logging
import re

MASK = "***"

_SECRETS = re.compile(
    r"""
    (?P<keep>
        Signature=                                # Authorization header of version 4, query of version 2
      | X-Amz-Signature=
      | X-Amz-Security-Token=
      | AWS\ [^\s:'",]+:                          # Authorization header of version 2: AWS key:signature
      | x-amz-security-token['"]?\s*[:=]\s*b?['"]?
      | (?:Signature|signature|StringToSign|SignatureProvided)['"]?:\s*['"]?
      | (?:secret_key|secretkey|aws_secret_access_key|sessiontoken|token)['"]?\s*[:=]\s*['"]?
    )
    (?P<secret>[A-Za-z0-9+/=%_.~-]+)
    """,
    re.VERBOSE | re.IGNORECASE,
)

SIGNING_LOGGERS = ("botocore", "boto3", "urllib3", "s3transfer")
"""Whoever logs below these names may log a signed request."""


def redact(text: str) -> str:
    """`text` with whatever could sign or replay a request masked.

    >>> redact("GET /b/k?X-Amz-Signature=0af3&x=1")
    'GET /b/k?X-Amz-Signature=***&x=1'
    >>> redact("'Authorization': b'AWS AKIDEXAMPLE:frJIUN8DYpKDtOLCwo//yllqDzg='")
    "'Authorization': b'AWS AKIDEXAMPLE:***'"
    """
    return _SECRETS.sub(lambda found: found["keep"] + MASK, text)


class RedactingFilter(logging.Filter):
    """Masks secrets in every record of the loggers it is put on; drops none."""

    def filter(self, record: logging.LogRecord) -> bool:
        record.msg, record.args = redact(record.getMessage()), ()
        return True


_FILTER = RedactingFilter()


def guard_loggers() -> None:
    """Put the filter on each logger that may log a signed request.

    A filter holds for its own logger only, not for those below it, so each one that
    exists is visited; doing it again is harmless.
    """
    for name in list(logging.root.manager.loggerDict):
        if name.split(".")[0] in SIGNING_LOGGERS:
            logging.getLogger(name).addFilter(_FILTER)
