"""A registry's config.yml and its variables become driver parameters."""

from __future__ import annotations

import os
import subprocess
import sys
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


def test_what_registry_3_has_beside_the_block_is_no_driver_either(config: Path) -> None:
    """Its `tag:` is new; and `s3aws:` is the other name of the driver in both."""
    config.write_text(CONFIG.replace("s3:", "s3aws:").replace("  cache:", "  tag: {concurrencylimit: 8}\n  cache:"))
    assert DriverParameters.from_config(config, environ={}).bucket == "images"


def test_a_path_may_begin_at_home(config: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No shell expands the `~` of an option, of a variable, or behind `--config=`."""
    monkeypatch.setenv("HOME", str(config.parent))
    assert RegistryS3FileSystem(config="~/config.yml").parameters.bucket == "images"
    assert DriverParameters.from_config(Path("~/config.yml"), environ={}).bucket == "images"


@pytest.mark.promise("Configuration")
def test_variables_override_the_file(config: Path) -> None:
    """The registry's environment variables override its file, as in the registry. A variable that names no parameter
    is ignored.
    """
    environ = {
        "REGISTRY_STORAGE_S3_BUCKET": "other",
        "REGISTRY_STORAGE_S3_ENCRYPT": "off",
        "REGISTRY_STORAGE_S3_CHUNKSIZE": "6291456",
        "REGISTRY_STORAGE_S3_PORT_5000_TCP": "tcp://10.0.0.1:5000",
    }
    found = DriverParameters.from_config(config, environ)
    assert (found.bucket, found.encrypt, found.chunksize) == ("other", False, 6291456)


@pytest.mark.parametrize(
    ("variable", "text", "parameter", "value"),
    [
        ("CHUNKSIZE", "0x600000", "chunksize", 6291456),
        ("CHUNKSIZE", "6_291_456", "chunksize", 6291456),
        ("CHUNKSIZE", "", "chunksize", 10485760),
        ("ENCRYPT", "yes", "encrypt", True),
        ("ENCRYPT", "~", "encrypt", False),
        ("LOGLEVEL", "off", "loglevel", "off"),
        ("KEYID", "0123", "keyid", "0123"),
        ("KEYID", "0x10", "keyid", "0x10"),
        ("KEYID", "@a: b", "keyid", "@a: b"),
        ("USERAGENT", "a: b", "useragent", "a: b"),
        ("BUCKET", '"other"', "bucket", "other"),
        ("BUCKET", " 'other' ", "bucket", "other"),
        ("CHUNKSIZE", '"6291456"', "chunksize", 6291456),
        ("ENCRYPT", '"false"', "encrypt", False),
    ],
)
def test_variables_are_read_as_yaml(config: Path, variable: str, text: str, parameter: str, value: object) -> None:
    """Booleans, numbers, nothing and quoted text, as in the registry; but what is neither stays as it is."""
    found = DriverParameters.from_config(config, {f"REGISTRY_STORAGE_S3_{variable}": text})
    assert getattr(found, parameter) == value


def test_a_secret_that_is_no_yaml_is_taken_and_not_shown(config: Path) -> None:
    """Half of all secret keys have a character that YAML gives a meaning."""
    environ = {"REGISTRY_STORAGE_S3_ACCESSKEY": "AKID", "REGISTRY_STORAGE_S3_SECRETKEY": "%top/secret+[key=: "}
    with pytest.raises(ValueError, match="secretkey: has white space") as refused:
        DriverParameters.from_config(config, environ)
    assert "top" not in str(refused.value)
    environ["REGISTRY_STORAGE_S3_SECRETKEY"] = "%top/secret+[key="
    assert DriverParameters.from_config(config, environ).secretkey == "%top/secret+[key="


def test_the_storage_may_come_from_variables_alone(tmp_path: Path) -> None:
    """As with the registry's container image, whose file says filesystem: REGISTRY_STORAGE replaces the section."""
    path = tmp_path / "config.yml"
    path.write_text("storage: {filesystem: {rootdirectory: /var}, delete: {enabled: true}}")
    environ = {
        "REGISTRY_STORAGE": "s3",
        "REGISTRY_STORAGE_S3_BUCKET": "mine",
        "REGISTRY_STORAGE_S3_REGION": "us-east-1",
    }
    assert DriverParameters.from_config(path, environ).bucket == "mine"
    path.write_text("storage: s3")
    assert DriverParameters.from_config(path, {**environ, "REGISTRY_STORAGE": "{s3: {bucket: other}}"}).bucket == "mine"
    del environ["REGISTRY_STORAGE"]
    assert DriverParameters.from_config(path, environ).bucket == "mine"


@pytest.mark.parametrize("storage", ["", "storage:\n", "storage: {delete: {enabled: true}}\n"])
@pytest.mark.parametrize("driver", ["S3", "S3AWS"])
def test_variables_bring_the_driver_where_the_file_has_none(tmp_path: Path, storage: str, driver: str) -> None:
    """As in the registry; each of them, or all parameters in one."""
    path = tmp_path / "config.yml"
    path.write_text(f"version: 0.1\n{storage}")
    block = {f"REGISTRY_STORAGE_{driver}": "{bucket: mine, region: us-east-1}"}
    each = {f"REGISTRY_STORAGE_{driver}_BUCKET": "mine", f"REGISTRY_STORAGE_{driver}_REGION": "us-east-1"}
    for environ in (block, each):
        assert DriverParameters.from_config(path, environ).bucket == "mine"


def test_one_variable_replaces_the_whole_block(config: Path) -> None:
    """Nothing of the file's block is left; single variables override what it says."""
    environ = {"REGISTRY_STORAGE_S3": "{bucket: mine, region: us-east-1, chunksize: 6291456}"}
    found = DriverParameters.from_config(config, environ)
    assert found == DriverParameters(bucket="mine", region="us-east-1", chunksize=6291456)
    environ["REGISTRY_STORAGE_S3_BUCKET"] = "other"
    assert DriverParameters.from_config(config, environ).bucket == "other"
    with pytest.raises(ValueError, match="config.yml: storage: s3: has no parameters below it"):
        DriverParameters.from_config(config, {"REGISTRY_STORAGE_S3": "secret"})


def test_s3aws_has_its_own_variables(config: Path) -> None:
    """They are named after the block."""
    config.write_text(CONFIG.replace("s3:", "s3aws:"))
    environ = {"REGISTRY_STORAGE_S3_BUCKET": "no", "REGISTRY_STORAGE_S3AWS_ROOTDIRECTORY": "/other"}
    found = DriverParameters.from_config(config, environ)
    assert (found.bucket, found.rootdirectory) == ("images", "/other")


def test_fsspecs_own_variable_names_a_configuration(config: Path) -> None:
    """FSSPEC_REGISTRYS3_CONFIG: nothing is left to say in the program."""
    code = "import fsspec; print(fsspec.filesystem('registrys3').parameters.bucket)"
    environ = {**os.environ, "FSSPEC_REGISTRYS3_CONFIG": str(config)}
    done = subprocess.run([sys.executable, "-c", code], env=environ, check=True, capture_output=True, text=True)
    assert done.stdout.strip() == "images"


@pytest.mark.promise("Configuration")
def test_the_filesystem_takes_a_configuration(config: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A registry's `config.yml` is all the configuration that is needed.

    `config=` and `from_config` read it. Options that are given beside it override it.
    """
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
        ("storage: filesystem", "'filesystem'.*s3 and s3aws"),
    ],
)
def test_what_is_no_configuration_for_s3_is_told(tmp_path: Path, text: str, message: str) -> None:
    """The message names the file and what is wrong, never its text."""
    path = tmp_path / "config.yml"
    path.write_text(text)
    with pytest.raises(ValueError, match=f"config.yml: .*{message}") as refused:
        DriverParameters.from_config(path, environ={})
    assert "secret" not in str(refused.value)


@pytest.mark.parametrize(
    "text",
    [
        "{s3: {bucket: b, secretkey: SUPERSECRET",
        "s3: {bucket: b, bucket: c, secretkey: SUPERSECRET}",
        "[" * 5000 + "SUPERSECRET",
        "s3 secretkey SUPERSECRET",
    ],
)
@pytest.mark.parametrize("variable", ["REGISTRY_STORAGE", "REGISTRY_STORAGE_S3"])
def test_a_variable_that_is_no_yaml_shows_no_secret(tmp_path: Path, text: str, variable: str) -> None:
    """It is named, and the place in it."""
    path = tmp_path / "config.yml"
    path.write_text("storage: {s3: {bucket: b, region: us-east-1}}")
    with pytest.raises(ValueError, match=r"REGISTRY_STORAGE|storage: ") as error:
        DriverParameters.from_config(path, environ={variable: text})
    assert "SUPERSECRET" not in str(error.value)
    assert error.value.__cause__ is None


def test_a_file_of_values_nested_without_end_is_refused(tmp_path: Path) -> None:
    """With a word of what is wrong."""
    path = tmp_path / "config.yml"
    path.write_text("storage: {s3: {bucket: b, rootdirectory: " + "[" * 5000)
    with pytest.raises(ValueError, match="nested too deeply"):
        DriverParameters.from_config(path, environ={})
