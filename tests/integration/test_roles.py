"""Roles of containers, instances and web identities, whose services are scripted servers on 127.0.0.1."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from datetime import datetime, timedelta, timezone
from pathlib import Path
from urllib.parse import parse_qsl

import pytest

from registry_s3fs import RegistryS3FileSystem
from testbed.messages import Answer, Request
from testbed.plain_answers import fitted, plain, refusal, whole_object, xml
from testbed.scripted_server import ScriptedServer
from tests.error_text import text_of
from tests.thoroughly import thorough

ROLE = "arn:aws:iam::123456789012:role/reader"
IMDS_TOKEN, IDENTITY, POD_TOKEN = "TheMetadataToken", "TheWebIdentity", "ThePodToken"


class Service:
    """Gives other credentials each time that it is asked. None of them is good for longer than until the next ones."""

    def __init__(self) -> None:
        self.given = 0
        self.refused = 0
        self.is_down = False
        self.denied = 0
        """How often it was asked while it was down."""

    def answering(self, answer: Callable[[Request], Answer]) -> Callable[[Request], Answer]:
        """The answers of the service, or refusals while it is down."""

        def answer_or_refuse(request: Request) -> Answer:
            self.denied += self.is_down
            return refusal(403, "AccessDenied") if self.is_down else answer(request)

        return answer_or_refuse

    def credentials(self, token: str = "Token") -> dict[str, str]:
        """The next ones, in the form that containers and instances get."""
        self.given += 1
        soon = datetime.now(timezone.utc) + timedelta(minutes=5)  # botocore renews what has less than ten
        return {
            "Code": "Success",
            "AccessKeyId": "ASIATESTTESTTEST0001",
            "SecretAccessKey": "SecretThatNobodyShouldSee",
            token: f"token{self.given}",
            "Expiration": soon.strftime("%Y-%m-%dT%H:%M:%SZ"),
        }

    def container(self, request: Request) -> Answer:
        """What the agent of ECS, or of EKS's pod identities, answers."""
        if request.header("Authorization") != POD_TOKEN:
            return refusal(401, "Unauthorized")
        return plain(200, json.dumps(self.credentials()).encode())

    def instance(self, request: Request) -> Answer:
        """What the metadata service of EC2 answers, version 2: first a session's token, then all else with it."""
        if request.method == "PUT" and request.path == "/latest/api/token":
            return plain(200, IMDS_TOKEN.encode())
        if request.header("x-aws-ec2-metadata-token") != IMDS_TOKEN:
            return plain(401)
        if request.path.endswith("/security-credentials/"):
            return plain(200, b"reader")
        return plain(200, json.dumps(self.credentials()).encode())

    def sts(self, request: Request) -> Answer:
        """What STS answers to AssumeRole, which is signed, and to AssumeRoleWithWebIdentity, which is not."""
        asked = dict(parse_qsl(request.body.decode()))
        name, is_signed = asked["Action"], "Credential=BASE/" in request.header("Authorization")
        if not (is_signed if name == "AssumeRole" else asked["WebIdentityToken"] == IDENTITY):
            return refusal(403, "AccessDenied")
        given = self.credentials("SessionToken")
        fields = "".join(f"<{name}>{value}</{name}>" for name, value in given.items())
        return xml(f"{name}Response", f"<{name}Result><Credentials>{fields}</Credentials></{name}Result>")

    def s3(self, request: Request) -> Answer:
        """What S3 answers: nothing to credentials that are not the newest."""
        if request.header("x-amz-security-token") != f"token{self.given}":
            self.refused += 1
            return fitted(refusal(400, "ExpiredToken", "The provided token has expired."), request)
        return fitted(whole_object(b"abc"), request)


@pytest.fixture
def service() -> Service:
    """A service that has given nothing yet."""
    return Service()


@contextmanager
def container(service: Service, folder: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The role of an ECS task or an EKS pod, as their agents set the environment."""
    (folder / "token").write_text(POD_TOKEN)
    with ScriptedServer(service.answering(service.container)) as server:
        monkeypatch.setenv("AWS_CONTAINER_CREDENTIALS_FULL_URI", f"{server.endpoint}/v1/credentials")
        monkeypatch.setenv("AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE", str(folder / "token"))
        yield


@contextmanager
def instance(service: Service, folder: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The role of an EC2 instance."""
    monkeypatch.setattr("random.randint", lambda low, high: 0)  # by which botocore spreads instances' renewals
    with ScriptedServer(service.answering(service.instance)) as server:
        monkeypatch.delenv("AWS_EC2_METADATA_DISABLED")
        monkeypatch.setenv("AWS_EC2_METADATA_SERVICE_ENDPOINT", server.endpoint)
        yield


@contextmanager
def web_identity(service: Service, folder: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A role for a token of Kubernetes, or of a CI's, as IRSA and GitHub's actions set the environment."""
    (folder / "identity").write_text(IDENTITY)
    with _sts(service, monkeypatch):
        monkeypatch.setenv("AWS_ROLE_ARN", ROLE)
        monkeypatch.setenv("AWS_WEB_IDENTITY_TOKEN_FILE", str(folder / "identity"))
        yield


@contextmanager
def role_of_profile(service: Service, folder: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A role that the usual profile assumes with another's keys."""
    base = "[profile base]\naws_access_key_id = BASE\naws_secret_access_key = secret\n"
    (folder / "config").write_text(f"[default]\nrole_arn = {ROLE}\nsource_profile = base\n{base}")
    monkeypatch.setenv("AWS_CONFIG_FILE", str(folder / "config"))
    with _sts(service, monkeypatch):
        yield


@contextmanager
def _sts(service: Service, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    with ScriptedServer(service.answering(service.sts)) as server:
        monkeypatch.setenv("AWS_ENDPOINT_URL_STS", server.endpoint)
        monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
        yield


ROLES = {
    "role of the profile": role_of_profile,
    "web identity": web_identity,
    "container": container,
    "instance": instance,
}


ASKED_AT_MOST = 3
"""How often botocore asks a service until it gives up, and asks no other before the next try."""


@pytest.mark.promise("Configuration")
@pytest.mark.parametrize("fast_path", [True, *thorough(False)])
@pytest.mark.parametrize("role", ROLES)
def test_credentials_that_cannot_be_renewed_end_all_requests_at_once(
    role: str, fast_path: bool, service: Service, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where a role's credentials cannot be renewed, the requests of a call fail together.

    The service that gives them is asked for one of them, and not for each, one after the other.
    """
    with ROLES[role](service, tmp_path, monkeypatch), ScriptedServer(service.s3) as server:
        fs = RegistryS3FileSystem(**server.options({}, fast_path=fast_path, config_kwargs={}))
        assert fs.cat_file("/a") == b"abc"
        service.is_down = True
        monkeypatch.setattr("registry_s3fs.s3.botocore_private.FAILURE_SHARED_S", 60.0)  # on a busy machine, too
        found = fs.cat([f"/{name}" for name in range(20)], on_error="return")
        failed = [each for each in found.values() if each != b"abc"]  # the others' credentials were still good
        assert failed
        assert all(isinstance(each, OSError) for each in failed)
        assert 0 < service.denied <= ASKED_AT_MOST
        monkeypatch.setattr("registry_s3fs.s3.botocore_private.FAILURE_SHARED_S", 0.0)
        service.is_down = False
        assert fs.cat_file("/a") == b"abc"


@pytest.mark.promise("Configuration")
@pytest.mark.parametrize("fast_path", [True, False])
@pytest.mark.parametrize("role", ROLES)
def test_credentials_of_a_role_are_taken_and_renewed(
    role: str, fast_path: bool, service: Service, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Roles of containers (ECS, EKS pod identities), instances (IMDSv2), web identities and profiles give credentials.

    They are renewed before they expire, by the fast path and by boto3 alike. No request is signed with older ones.
    """
    with ROLES[role](service, tmp_path, monkeypatch), ScriptedServer(service.s3) as server:
        fs = RegistryS3FileSystem(**server.options({}, fast_path=fast_path, config_kwargs={}))
        for number in range(3):
            before = service.given
            assert fs.cat_file("/f") == b"abc"
            assert fs.info("/f")["size"] == 3
            fs.pipe_file(f"/new{number}", b"abc")
            assert service.given > before
        assert fs.bucket.fast_path.is_open("HeadObject") == fast_path
    assert service.refused == 0


@pytest.mark.parametrize("role", ROLES)
def test_a_role_that_gives_nothing_is_told_as_missing_credentials(
    role: str, service: Service, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is a `PermissionError`, and shows no token. `exists` does not say False."""

    def refused(request: Request) -> Answer:
        wrapped = xml("ErrorResponse", "<Error><Code>AccessDenied</Code><Message>not you</Message></Error>", 403)
        return wrapped if request.path == "/" else plain(403)

    for name in ("container", "instance", "sts"):
        monkeypatch.setattr(service, name, refused)
    monkeypatch.setattr("botocore.utils.ContainerMetadataFetcher.SLEEP_TIME", 0)  # between its tries
    with ROLES[role](service, tmp_path, monkeypatch), ScriptedServer(service.s3) as server:
        fs = RegistryS3FileSystem(**server.options({}))
        with pytest.raises(PermissionError) as denied:
            fs.exists("/f")
        assert denied.value.filename == "/f"
    for secret in (IMDS_TOKEN, IDENTITY, POD_TOKEN):
        assert secret not in text_of(denied.value)


KEYED = {"option": "OPTION", "profile of an option": "MINE", "variables": "VARIABLES", "keys of the profile": "USUAL"}
"""Places of keys, and the access key of each."""
NEARER_FIRST = (
    *("option", "profile of an option", "variables", "role of the profile"),
    *("web identity", "keys of the profile", "container", "instance"),
)


@pytest.mark.promise("Configuration")
@pytest.mark.parametrize("nearest", NEARER_FIRST)
def test_the_nearest_credentials_win(
    nearest: str, service: Service, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of credentials, keys of an option, then its profile, win over `AWS_ACCESS_KEY_ID`.

    Then come the role of the usual profile, a web identity, the profile's keys, the role of a container, and that of
    the instance: boto3's own order.
    """
    there = NEARER_FIRST[NEARER_FIRST.index(nearest) :]
    asked = _asked(service, monkeypatch)
    with ExitStack() as stack:
        for name in there:
            if name in ROLES:
                stack.enter_context(ROLES[name](service, tmp_path, monkeypatch))
        options = _keys(there, tmp_path, monkeypatch)
        server = stack.enter_context(ScriptedServer(lambda request: fitted(whole_object(b"abc"), request)))
        RegistryS3FileSystem(**server.options(options)).exists("/f")
        signed = server.requests[0].header("Authorization")
    assert f"Credential={KEYED.get(nearest, 'ASIATESTTESTTEST0001')}/" in signed
    services = {"role of the profile": "AssumeRole", "web identity": "AssumeRoleWithWebIdentity"}
    assert set(asked) == ({services.get(nearest, nearest)} if nearest in ROLES else set())


def _asked(service: Service, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Give a list to which the name of each service that is asked for credentials will come."""
    asked: list[str] = []

    def counting(name: str, answer: Callable[[Request], Answer]) -> Callable[[Request], Answer]:
        def of(request: Request) -> Answer:
            asked.append(dict(parse_qsl(request.body.decode())).get("Action", name))
            return answer(request)

        return of

    for name in ("sts", "container", "instance"):
        monkeypatch.setattr(service, name, counting(name, getattr(service, name)))
    return asked


def _keys(there: tuple[str, ...], folder: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    """Put keys into the places among these names; give the options."""
    secret = "aws_secret_access_key = secret\n"
    if "variables" in there:
        monkeypatch.setenv("AWS_ACCESS_KEY_ID", KEYED["variables"])
        monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret")
    if "keys of the profile" in there:
        lines = f"[default]\naws_access_key_id = USUAL\n{secret}[mine]\naws_access_key_id = MINE\n{secret}"
        (folder / "credentials").write_text(lines)
        monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(folder / "credentials"))
    if "option" in there:  # a profile does not go with them
        return {"accesskey": KEYED["option"], "secretkey": "secret"}
    return {"profile": "mine"} if "profile of an option" in there else {}
