"""The redaction of signatures, tokens and keys in log lines and exception messages."""

from __future__ import annotations

import logging
import re
from collections.abc import Iterator

MASK = "***"

_SECRETS = re.compile(
    r"""
    (?P<keep>
        (?: signature(?:provided)?                    # Authorization header and query of versions 4 and 2; S3's errors
          | (?<!continuation)(?<!continuation-)token(?:-\d+)?  # session, web identity, SSO, metadata; S3's errors
          | secret_?(?:access_?)?key | client_?secret | password
        )
        \\?(?:['"]|&quot;)?\s*[:=>]\s*b?\\?(?:['"]|&quot;)?  # of a header, a query, JSON, XML, a dictionary
      | AWS\ [^\s:'",]+:                              # Authorization header of version 2: AWS key:signature
    )
    (?P<secret>[A-Za-z0-9+/=%_.~-]+)
    | (?P<quoted>Invalid\ header\ value\ )b?(?P<mark>['"]).*?(?P=mark)   # http.client, of a token with a line break
    | (?P<bytes>(?:StringToSign|CanonicalRequest)Bytes['"]?\s*[:=>]\s*['"]?)[0-9A-Fa-f ]+
    """,
    re.VERBOSE | re.IGNORECASE,
)
_ACCESS_KEYS = re.compile(
    r"""
    (?P<keep>Credential= | access_?key(?:_?id)?['"]?\s*[:=>]\s*b?['"]? | \bAWS\ (?=[^\s:'",]+:)
      | \b(?=A[KS]IA[A-Z0-9]{16}\b))                  # AWS's own, wherever they stand
    (?P<key>[A-Za-z0-9+=_.~-]+)
    """,
    re.VERBOSE | re.IGNORECASE,
)
_PASSWORDS = re.compile(r"(?P<keep>://[^\s/:@'\"]*:)[^\s/@'\"]+(?=@)")
"""The password in a URL, as in those of FTP."""
_SHOWN = 4
"""The number of last characters of an access key that are shown, to tell which key it is.

Nothing is shown of a key shorter than `_LONG`.
"""
_LONG = 16

_MOST_KNOWN = 64
_known: dict[str, None] = {}
"""The secrets that are in use, the newest last."""

LOGGERS = ("botocore", "boto3", "urllib3", "s3transfer", "registry_s3fs")
"""The loggers below which a signed request may be logged."""


def know(*secrets: str) -> None:
    """Mask these secrets wherever they stand, as a server may repeat one without a name beside it."""
    for secret in secrets:
        if len(secret) >= _LONG:
            _known.pop(secret, None)  # so that it is the newest
            _known[secret] = None
    for oldest in list(_known)[:-_MOST_KNOWN]:
        _known.pop(oldest, None)


def redact(text: str) -> str:
    """Return `text` with its secrets masked.

    Whatever could sign or replay a request is masked, and access keys are masked except for their ends.

    >>> redact("GET /b/k?X-Amz-Signature=0af3&x=1")
    'GET /b/k?X-Amz-Signature=***&x=1'
    >>> redact("'Authorization': b'AWS AKIDEXAMPLE00001:frJIUN8DYpKDtOLCwo//yllqDzg='")
    "'Authorization': b'AWS ***0001:***'"
    >>> redact("<AWSAccessKeyId>AKIDEXAMPLE00001</AWSAccessKeyId><SignatureProvided>0af3</SignatureProvided>")
    '<AWSAccessKeyId>***0001</AWSAccessKeyId><SignatureProvided>***</SignatureProvided>'
    >>> redact("ftp://user:pass@host/file")
    'ftp://user:***@host/file'
    """
    for secret in list(_known):
        text = text.replace(secret, MASK)
    text = _PASSWORDS.sub(lambda found: found["keep"] + MASK, text)
    text = _SECRETS.sub(lambda found: (found["keep"] or found["quoted"] or found["bytes"]) + MASK, text)
    return _ACCESS_KEYS.sub(lambda found: found["keep"] + _end(found["key"]), text)


def _end(key: str) -> str:
    return MASK + (key[-_SHOWN:] if len(key) >= _LONG else "")


def scrub(error: BaseException) -> None:
    """Redact the texts of an exception and of those that led to it, in place, as tracebacks show them all."""
    for each in chain(error):
        each.args = tuple(redact(arg) if isinstance(arg, str) else arg for arg in each.args)


def chain(error: BaseException, until: BaseException | None = None) -> Iterator[BaseException]:
    """Yield an exception and all that led to it, except for `until` and what led to that."""
    found = [error]
    for each in found:
        yield each
        led = (each.__cause__, each.__context__)
        found += [one for one in led if one is not None and one is not until and one not in found]


class RedactingFilter(logging.Filter):
    """A filter that masks secrets in every record of its loggers, and in the record's traceback; it drops none."""

    def filter(self, record: logging.LogRecord) -> bool:
        """Mask the secrets of a record, and return True."""
        record.msg, record.args = redact(record.getMessage()), ()
        if record.exc_info and record.exc_info[1] is not None:
            scrub(record.exc_info[1])
        return True


_FILTER = RedactingFilter()


def show_log(logger: logging.Logger) -> None:
    """Have a logger log at DEBUG, to standard error where the program has no handler for it."""
    logger.setLevel(logging.DEBUG)
    if not logger.hasHandlers():
        handler = logging.StreamHandler()
        handler.addFilter(_FILTER)
        handler.setFormatter(logging.Formatter("%(asctime)s %(name)s %(levelname)s %(message)s"))
        logger.addHandler(handler)


def guard_loggers() -> None:
    """Put the filter on each logger that may log a signed request.

    A filter holds for its own logger only, not for those below it. So each logger that exists is visited. Doing it
    again is harmless.
    """
    for name in list(logging.root.manager.loggerDict):
        if name.split(".")[0] in LOGGERS:
            logging.getLogger(name).addFilter(_FILTER)
