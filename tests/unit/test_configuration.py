"""A registry's config.yml and its variables become driver parameters."""

from __future__ import annotations

from pathlib import Path

import pytest

from registry_s3fs import DriverParameters, RegistryS3FileSystem

CONFIG = """
version: 0.1
storage:
  s3:
    region: eu-central-1
    bucket: images
    rootdirectory: /registry
    encrypt: true
    chunksize: 5242880
    loglevel: off
  delete: {enabled: true}
  redirect: {disable: true}
  cache: {blobdescriptor: inmemory}
  maintenance: {uploadpurging: {enabled: false}}
http: {addr: ":5000"}
"""


@pytest.fixture
def config(tmp_path: Path) -> Path:
    path = tmp_path / "config.yml"
    path.write_text(CONFIG)
    return path


def test_the_block_is_read_and_what_stands_beside_it_is_not(config: Path) -> None:
    """storage: s3: gives the parameters; delete, redirect, cache and maintenance are no driver."""
    found = DriverParameters.from_config(config, environ={})
    assert (found.bucket, found.rootdirectory, found.encrypt, found.chunksize) == ("images", "/registry", True, 5242880)


def test_variables_override_the_file(config: Path) -> None:
    """As in the registry; a variable that names no parameter is ignored."""
    environ = {
        "REGISTRY_STORAGE_S3_BUCKET": "other",
        "REGISTRY_STORAGE_S3_ENCRYPT": "off",
        "REGISTRY_STORAGE_S3_CHUNKSIZE": "6291456",
        "REGISTRY_STORAGE_S3_PORT_5000_TCP": "tcp://10.0.0.1:5000",
    }
    found = DriverParameters.from_config(config, environ)
    assert (found.bucket, found.encrypt, found.chunksize) == ("other", False, 6291456)


def test_the_filesystem_takes_a_configuration(config: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """config= and from_config; options beside it win."""
    monkeypatch.delenv("REGISTRY_STORAGE_S3_BUCKET", raising=False)
    assert RegistryS3FileSystem(config=str(config)).parameters.bucket == "images"
    assert RegistryS3FileSystem.from_config(config, bucket="mine").parameters.bucket == "mine"


def test_an_unknown_key_is_named_with_the_closest_one(config: Path) -> None:
    """A typing mistake in the file does not pass silently, as it does in the registry."""
    config.write_text(CONFIG.replace("encrypt", "encrypted"))
    with pytest.raises(TypeError, match="'encrypted'.*'encrypt'"):
        DriverParameters.from_config(config, environ={})


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("storage: {filesystem: {rootdirectory: /var}}", "'filesystem'.*s3 and s3aws"),
        ("storage: {s3: {}, s3aws: {}}", "'s3', 's3aws'"),
        ("http: {}", "no 'storage:' section"),
        ("[1, 2]", "no 'storage:' section"),
        ("storage: {s3: text}", "no parameters below it"),
        ("storage: [secret", "line 1"),
    ],
)
def test_what_is_no_configuration_for_s3_is_told(tmp_path: Path, text: str, message: str) -> None:
    """The message names the file and what is wrong, never its text."""
    path = tmp_path / "config.yml"
    path.write_text(text)
    with pytest.raises(ValueError, match=f"config.yml: .*{message}") as refused:
        DriverParameters.from_config(path, environ={})
    assert "secret" not in str(refused.value)
