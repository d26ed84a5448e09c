"""Credentials that are wrong, expire or come from elsewhere, and clocks that are off."""

from __future__ import annotations

import itertools
import sys
from collections import Counter
from collections.abc import Callable
from datetime import datetime, timedelta, timezone
from email.utils import format_datetime
from pathlib import Path

import boto3
import pytest

from registry_s3fs import RegistryS3FileSystem
from testbed.messages import Answer, Request
from testbed.plain_answers import fitted, plain, refusal, whole_object
from testbed.scripted_server import ScriptedServer
from tests.error_text import text_of

ACCESS_KEY = "AKIAWRONGWRONGWR0042"
KEYS = {"accesskey": ACCESS_KEY, "secretkey": "SecretThatNobodyShouldSee0123456789"}
LISTED = b"<ListBucketResult><IsTruncated>false</IsTruncated><Prefix/></ListBucketResult>"

HELPER = """
import json, pathlib, sys
count = pathlib.Path(sys.argv[1])
number = int(count.read_text() or 0) + 1
count.write_text(str(number))
print(json.dumps({"Version": 1, "AccessKeyId": "AKID", "SecretAccessKey": "secret",
                  "SessionToken": f"token{number}", "Expiration": sys.argv[2]}))
"""
"""Gives other credentials each time that it is asked, and counts."""

_numbers = itertools.count()


@pytest.fixture
def profile(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., str]:
    """Makes a profile whose credentials come from a program."""

    def make(*command: object) -> str:
        name = f"helped-{next(_numbers)}"  # a client is kept for each
        line = f"[profile {name}]\ncredential_process = {' '.join(str(word) for word in command)}\n"
        (tmp_path / "config").write_text(line)
        monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "config"))
        return name

    return make


def answering(answer: Answer) -> ScriptedServer:
    """A server that gives one answer to every request."""
    return ScriptedServer(lambda request: fitted(answer, request))


def token(request: Request) -> str:
    return request.header("x-amz-security-token") or request.query.get("X-Amz-Security-Token", "")


@pytest.mark.promise("Secrets and credentials")
def test_credentials_that_expire_are_renewed_in_a_long_run(profile: Callable[..., str], tmp_path: Path) -> None:
    """Credentials that expire are renewed in a long run. No signature that was made with older ones is sent again.

    None of the filesystem's credentials lives long. boto3 renews them, and each request works.
    """
    count = tmp_path / "count"
    count.write_text("0")
    (tmp_path / "helper.py").write_text(HELPER)
    soon = datetime.now(timezone.utc) + timedelta(minutes=5)  # botocore renews what has less than ten
    refused: Counter[str] = Counter()

    def answer(request: Request) -> Answer:
        if token(request) != f"token{count.read_text()}":  # an older one has expired
            refused[request.target] += 1
            return fitted(refusal(400, "ExpiredToken", "The provided token has expired."), request)
        return fitted(whole_object(b"abc"), request)

    with ScriptedServer(answer) as server:
        name = profile(sys.executable, tmp_path / "helper.py", count, soon.isoformat())
        fs = RegistryS3FileSystem(**server.options({}, profile=name, config_kwargs={}))
        for turn in range(3):
            for path in ("/f", "/g"):
                assert fs.cat_file(path) == b"abc"
                assert fs.info(path)["size"] == 3
            fs.pipe_file(f"/new{turn}", b"abc")
        assert fs.bucket.fast_path.is_open("HeadObject")
    assert refused.total() == 0


@pytest.mark.promise("Errors")
@pytest.mark.parametrize("command", ["/nowhere/helper", "false"])
def test_a_helper_that_fails_is_told_as_missing_credentials(profile: Callable[..., str], command: str) -> None:
    """A program for credentials that fails is a `PermissionError`. `exists` does not say False."""
    with answering(whole_object(b"abc")) as server:
        fs = RegistryS3FileSystem(**server.options({}, profile=profile(command)))
        for call in (fs.exists, fs.cat_file, fs.find):
            with pytest.raises(PermissionError, match="no usable credentials") as denied:
                call("/f")
            assert denied.value.filename == "/f"


def test_renewed_credentials_that_have_expired_are_told(profile: Callable[..., str], tmp_path: Path) -> None:
    """The helper's clock or cache is wrong."""
    (tmp_path / "count").write_text("0")
    (tmp_path / "helper.py").write_text(HELPER)
    past = datetime.now(timezone.utc) - timedelta(minutes=5)
    with answering(whole_object(b"abc")) as server:
        command = (sys.executable, tmp_path / "helper.py", tmp_path / "count", past.isoformat())
        fs = RegistryS3FileSystem(**server.options({}, profile=profile(*command)))
        for call in (fs.exists, fs.cat_file):
            with pytest.raises(PermissionError, match="expired"):
                call("/f")


@pytest.mark.promise("Errors")
@pytest.mark.parametrize("call", ["info", "exists", "cat_file", "ls", "open"])
def test_an_expired_session_is_a_permission_error(call: str) -> None:
    """An expired session is a `PermissionError`.

    S3 answers a HEAD, whose response has no body, with just a 400. That is a `PermissionError` too.
    """
    expired = refusal(400, "ExpiredToken", "The provided token has expired.", "<Token-0>TheWholeToken</Token-0>")
    with answering(expired) as server:
        fs = RegistryS3FileSystem(**server.options(KEYS, sessiontoken="TheWholeToken"))
        with pytest.raises(PermissionError, match="expired; renew them") as denied:
            getattr(fs, call)("/f")
    assert denied.value.filename == "/f"
    assert "TheWholeToken" not in text_of(denied.value)


def test_a_refusal_without_a_reason_names_the_usual_ones() -> None:
    """Where a listing says no more than the HEAD."""

    def answer(request: Request) -> Answer:
        return fitted(plain(400) if request.method == "HEAD" else plain(200, LISTED), request)

    with (
        ScriptedServer(answer) as server,
        pytest.raises(ValueError, match="expired session credentials or a wrong region"),
    ):
        RegistryS3FileSystem(**server.options(KEYS)).info("/f")


@pytest.mark.promise("Errors")
@pytest.mark.parametrize("call", ["info", "exists", "cat_file", "ls", "open"])
def test_a_clock_that_is_off_is_told(call: str) -> None:
    """An error that comes of a clock that is off says so, and says to set it.

    S3 answers a HEAD with a 403 that has no body. There the date of the answer shows that the clock is off.
    """
    date = format_datetime(datetime.now(timezone.utc) - timedelta(hours=1), usegmt=True)
    skewed = refusal(403, "RequestTimeTooSkewed", "The difference ... is too large.", Date=date)
    with answering(skewed) as server:
        fs = RegistryS3FileSystem(**server.options(KEYS))
        with pytest.raises(PermissionError, match=r"clock.*15 minutes apart; set it"):
            getattr(fs, call)("/f")


@pytest.mark.parametrize("offset_minutes", [-14, 0, 14])
def test_a_denied_head_is_not_blamed_on_a_good_clock(offset_minutes: int) -> None:
    """S3 takes 15 minutes."""
    date = format_datetime(datetime.now(timezone.utc) + timedelta(minutes=offset_minutes), usegmt=True)
    denied = refusal(403, "AccessDenied", Date=date)
    with answering(denied) as server, pytest.raises(PermissionError, match="access denied; check"):
        RegistryS3FileSystem(**server.options(KEYS)).info("/f")


QUOTING = {
    "InvalidAccessKeyId": refusal(
        403,
        "InvalidAccessKeyId",
        f"The key {ACCESS_KEY} does not exist in our records.",
        f"<AWSAccessKeyId>{ACCESS_KEY}</AWSAccessKeyId>",
    ),
    "SignatureDoesNotMatch": refusal(
        403,
        "SignatureDoesNotMatch",
        f"We expected Signature=ThatOtherSignature0123456789 of {ACCESS_KEY}.",
        f"<AWSAccessKeyId>{ACCESS_KEY}</AWSAccessKeyId><SignatureProvided>ThatOtherSignature0123456789"
        f"</SignatureProvided><StringToSign>AWS4-HMAC-SHA256 x-amz-security-token:TheWholeToken</StringToSign>"
        f"<StringToSignBytes>54 68 65 57 68 6f</StringToSignBytes><CanonicalRequest>GET\nx-amz-security-token:"
        f"TheWholeToken\n</CanonicalRequest><CanonicalRequestBytes>54 68 65 57 68 6f</CanonicalRequestBytes>",
    ),
}
"""The longest that servers say; AWS's messages quote less than its other elements."""


@pytest.mark.promise("Secrets and credentials")
@pytest.mark.parametrize("code", QUOTING)
def test_a_wrong_key_is_named_by_its_last_four_characters_at_most(code: str, caplog: pytest.LogCaptureFixture) -> None:
    """A wrong access key is named by its last four characters at most.

    The server may quote all of the key. The error, what led to it and the log at DEBUG do not.
    """
    caplog.set_level("DEBUG")
    with answering(QUOTING[code]) as server:
        fs = RegistryS3FileSystem(**server.options(KEYS, sessiontoken="TheWholeToken"))
        for call in (fs.cat_file, fs.find, fs.exists, lambda path: fs.pipe_file(path, b"1"), fs.rm_file):
            with pytest.raises(PermissionError) as denied:
                call("/f")
            text = text_of(denied.value)
            for secret in (ACCESS_KEY[:-4], "ThatOtherSignature", "TheWholeToken", "54 68 65 57", KEYS["secretkey"]):
                assert secret not in text
        with pytest.raises(PermissionError, match=f"S3 said {code}"):
            fs.cat_file("/f")
    for secret in (ACCESS_KEY[:-4], "ThatOtherSignature", "TheWholeToken", "54 68 65 57", KEYS["secretkey"]):
        assert secret not in caplog.text
    assert f"<AWSAccessKeyId>***{ACCESS_KEY[-4:]}</AWSAccessKeyId>" in caplog.text


@pytest.mark.parametrize("level", ["WARNING", "DEBUG"])
def test_a_token_with_a_line_break_is_not_quoted(
    level: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """http.client refuses such a header and quotes it, in an error that boto3 passes on."""
    caplog.set_level(level)
    monkeypatch.setattr(boto3, "DEFAULT_SESSION", None)  # it would keep them for other tests
    for name, value in (
        ("ACCESS_KEY_ID", "AKID"),
        ("SECRET_ACCESS_KEY", "secret"),
        ("SESSION_TOKEN", "TheWhole\nToken"),
    ):
        monkeypatch.setenv(f"AWS_{name}", value)
    with answering(refusal(403, "AccessDenied")) as server:
        fs = RegistryS3FileSystem(**server.options({}))
        with pytest.raises(OSError, match="Invalid header value") as failed:
            fs.cat_file("/f")
    assert "TheWhole" not in text_of(failed.value)
    assert "TheWhole" not in caplog.text
