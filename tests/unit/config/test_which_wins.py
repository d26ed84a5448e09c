"""Every place that an option may come from, and which of two wins: docs/configuration.md, one test for each row."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import fsspec
import fsspec.config
import pytest

from registry_s3fs import RegistryS3FileSystem

CONFIG = "storage:\n  s3:\n    bucket: demo\n    region: eu-west-1\n    rootdirectory: /of-config\n"


class Places:
    """Writes an option into one of the places, nearest first in `ORDER`."""

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.folder, self.monkeypatch = folder, monkeypatch
        self.name = "region"
        self.options: dict[str, Any] = {}
        (folder / "fsspec").mkdir()

    def option(self, value: str) -> None:
        """An option of the call."""
        self.options[self.name] = value

    def fsspec_variable(self, value: str) -> None:
        """A variable for one option."""
        self.monkeypatch.setenv(f"FSSPEC_REGISTRYS3_{self.name.upper()}", value)

    def fsspec_json(self, value: str) -> None:
        """A variable for all options."""
        self.monkeypatch.setenv("FSSPEC_REGISTRYS3", json.dumps({self.name: value}))

    def fsspec_ini(self, value: str) -> None:
        """The file that comes last by its name."""
        (self.folder / "fsspec" / "b.ini").write_text(f"[registrys3]\n{self.name} = {value}\n")

    def fsspec_file(self, value: str) -> None:
        """The file that comes first by its name."""
        (self.folder / "fsspec" / "a.json").write_text(json.dumps({"registrys3": {self.name: value}}))

    def registry_variable(self, value: str) -> None:
        """The registry's variable for one parameter."""
        self._config()
        self.monkeypatch.setenv(f"REGISTRY_STORAGE_S3_{self.name.upper()}", value)

    def registry_block(self, value: str) -> None:
        """The registry's variable for all parameters."""
        self._config()
        self.monkeypatch.setenv("REGISTRY_STORAGE_S3", f"{{bucket: demo, {self.name}: {json.dumps(value)}}}")

    def config(self, value: str) -> None:
        """The registry's file."""
        self._config(value)

    def aws_region(self, value: str) -> None:
        """The variable of most AWS SDKs."""
        self.monkeypatch.setenv("AWS_REGION", value)

    def aws_default_region(self, value: str) -> None:
        """The variable that boto3 knows."""
        self.monkeypatch.setenv("AWS_DEFAULT_REGION", value)

    def profile(self, value: str) -> None:
        """The usual profile, as no other is named."""
        (self.folder / "aws").write_text(f"[default]\nregion = {value}\n")
        self.monkeypatch.setenv("AWS_CONFIG_FILE", str(self.folder / "aws"))

    def _config(self, value: str = "") -> None:
        path = self.folder / "config.yml"
        if not path.exists() or value:
            option = f", {self.name}: {json.dumps(value)}" if value else ""
            path.write_text(f"storage: {{s3: {{bucket: demo{option}}}}}")
        self.options["config"] = str(path)

    def filesystem(self) -> RegistryS3FileSystem:
        """What a program that starts now gets: fsspec reads its own configuration when it is imported."""
        found: dict[str, dict[str, Any]] = {}
        fsspec.config.set_conf_files(str(self.folder / "fsspec"), found)
        fsspec.config.set_conf_env(found)
        options = fsspec.config.apply_config(RegistryS3FileSystem, {"bucket": "demo", **self.options}, found)
        return RegistryS3FileSystem(**options)


ORDER: tuple[Callable[[Places, str], None], ...] = (
    Places.option,
    Places.fsspec_variable,
    Places.fsspec_json,
    Places.fsspec_ini,
    Places.fsspec_file,
    Places.registry_variable,
    Places.registry_block,
    Places.config,
    Places.aws_region,
    Places.aws_default_region,
    Places.profile,
)


@pytest.fixture
def places(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Places:
    """No place says anything yet."""
    return Places(tmp_path, monkeypatch)


@pytest.mark.promise("Configuration")
@pytest.mark.parametrize("nearest", ORDER, ids=lambda place: place.__name__)
def test_the_nearest_place_wins(nearest: Callable[[Places, str], None], places: Places) -> None:
    """An option of the call wins over fsspec's variables, and these over fsspec's files.

    They win over the registry's variables, these over `config.yml`, that over `AWS_*`, which wins over the profile.
    """
    there = ORDER[ORDER.index(nearest) :]
    for number, place in enumerate(there):
        place(places, f"eu-west-{number + 1}" if number < 3 else "us-east-1")
    assert places.filesystem().parameters.region == "eu-west-1"


@pytest.mark.promise("Configuration")
@pytest.mark.parametrize("text", ['{"read_timeout": 7}', "{read_timeout: 7}"])
@pytest.mark.parametrize("place", ORDER[: ORDER.index(Places.config) + 1], ids=lambda place: place.__name__)
def test_a_mapping_may_be_text_in_every_place(place: Callable[[Places, str], None], text: str, places: Places) -> None:
    """`config_kwargs` may be text in JSON or YAML in every place, as variables and INI files hold nothing else."""
    places.options["region"] = "eu-west-1"
    places.name = "config_kwargs"
    place(places, text)
    assert places.filesystem().parameters.config_kwargs == {"read_timeout": 7}


def test_a_mapping_given_as_text_counts_where_the_environment_is_read(places: Places) -> None:
    """Its word on configured endpoints is one for this filesystem, too."""
    places.monkeypatch.setenv("AWS_ENDPOINT_URL", "http://all:1")
    places.options |= {"region": "eu-west-1", "config_kwargs": '{"ignore_configured_endpoint_urls": true}'}
    assert places.filesystem().parameters.is_aws


def test_what_a_nearer_place_does_not_say_comes_from_a_farther_one(places: Places) -> None:
    """Options are taken one by one, and not a place at a time."""
    (places.folder / "config.yml").write_text(CONFIG)
    places.options["config"] = str(places.folder / "config.yml")
    places.monkeypatch.setenv("FSSPEC_REGISTRYS3_CHUNKSIZE", "6291456")
    places.monkeypatch.setenv("REGISTRY_STORAGE_S3_STORAGECLASS", "STANDARD_IA")
    found = places.filesystem().parameters
    assert (found.rootdirectory, found.chunksize, found.storageclass) == ("/of-config", 6291456, "STANDARD_IA")
    assert found.region == "eu-west-1"


@pytest.mark.promise("Configuration")
def test_fsspecs_own_configuration_reaches_every_program(tmp_path: Path) -> None:
    """A file below `~/.config/fsspec`, or the folder that `FSSPEC_CONFIG_DIR` names, is all that a program needs."""
    (tmp_path / "registry.json").write_text(json.dumps({"registrys3": {"region": "eu-west-3", "encrypt": "true"}}))
    code = "import fsspec; print(fsspec.url_to_fs('registrys3://demo/a')[0].parameters)"
    environ = {**os.environ, "FSSPEC_CONFIG_DIR": str(tmp_path)}
    done = subprocess.run([sys.executable, "-c", code], env=environ, check=True, capture_output=True, text=True)
    assert done.stdout == "DriverParameters(region='eu-west-3', bucket='demo', encrypt=True)\n"


def test_none_is_not_given(places: Places) -> None:
    """It takes back what a farther place says."""
    places.monkeypatch.setenv("FSSPEC_REGISTRYS3_ENCRYPT", "true")
    places.options |= {"region": "us-east-1", "encrypt": None}
    assert not places.filesystem().parameters.encrypt


def test_the_urls_bucket_wins(monkeypatch: pytest.MonkeyPatch) -> None:
    """Over that of a configuration, which is of the registry that one usually looks into."""
    monkeypatch.setitem(fsspec.config.conf, "registrys3", {"bucket": "theirs", "region": "us-east-1"})
    assert RegistryS3FileSystem().parameters.bucket == "theirs"
    fs, _ = fsspec.url_to_fs("registrys3://mine/a")
    assert fs.parameters.bucket == "mine"


@pytest.mark.promise("Configuration")
@pytest.mark.parametrize(
    ("given", "kept"),
    [
        ({"profile": "mine"}, {"profile": "mine"}),
        ({"anon": "true"}, {"anon": True}),
        ({"accesskey": "b", "secretkey": "c"}, {"accesskey": "b", "secretkey": "c"}),
        ({"anon": "false"}, {"accesskey": "a", "secretkey": "s", "sessiontoken": "t"}),
        ({}, {"accesskey": "a", "secretkey": "s", "sessiontoken": "t"}),
    ],
)
def test_credentials_beside_a_config_replace_its_own(
    places: Places, given: dict[str, Any], kept: dict[str, Any]
) -> None:
    """Credentials that are given beside a `config.yml` replace its own, whatever kind they are of."""
    (places.folder / "aws").write_text("[profile mine]\nregion = eu-west-1\n")
    places.monkeypatch.setenv("AWS_CONFIG_FILE", str(places.folder / "aws"))
    (places.folder / "config.yml").write_text(CONFIG + "    accesskey: a\n    secretkey: s\n    sessiontoken: t\n")
    found = RegistryS3FileSystem(config=str(places.folder / "config.yml"), **given).parameters
    names = ("accesskey", "secretkey", "sessiontoken", "profile", "anon")
    assert {name: getattr(found, name) for name in names if getattr(found, name)} == kept


@pytest.mark.promise("Configuration")
@pytest.mark.parametrize("of_file", ["accesskey: a, secretkey: s, sessiontoken: t", "profile: theirs", "anon: true"])
@pytest.mark.parametrize(
    ("given", "told"), [("accesskey", "secretkey"), ("secretkey", "accesskey"), ("sessiontoken", "sessiontoken")]
)
def test_half_of_a_key_is_not_completed_from_a_config(given: str, told: str, of_file: str, places: Places) -> None:
    """Half of a key pair, or a token alone, is refused beside a `config.yml`, whose credentials are another key's."""
    (places.folder / "config.yml").write_text(f"storage: {{s3: {{bucket: demo, region: eu-west-1, {of_file}}}}}")
    with pytest.raises(ValueError, match=f"^{told}: "):
        RegistryS3FileSystem(config=str(places.folder / "config.yml"), **{given: "new"})


def test_keys_beside_a_config_replace_its_profile(places: Places) -> None:
    """They are refused only where one place gives both."""
    (places.folder / "config.yml").write_text(CONFIG + "    profile: theirs\n")
    found = RegistryS3FileSystem(config=str(places.folder / "config.yml"), accesskey="a", secretkey="s").parameters
    assert (found.accesskey, found.profile) == ("a", "")


ENDPOINTS = {
    "option": "http://option:1",
    "AWS_ENDPOINT_URL_S3": "http://s3:1",
    "AWS_ENDPOINT_URL": "http://all:1",
    "services": "http://services:1",
    "profile": "http://profile:1",
}


@pytest.mark.promise("Configuration")
@pytest.mark.parametrize("nearest", ENDPOINTS)
def test_the_nearest_endpoint_wins(nearest: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """`regionendpoint` wins over `AWS_ENDPOINT_URL_S3`, that over `AWS_ENDPOINT_URL`, and that over the profile's.

    Such a store is asked as one that `regionendpoint` names: by path, and without AWS's own checksums.
    """
    there = list(ENDPOINTS)[list(ENDPOINTS).index(nearest) :]
    for name in there:
        if name.startswith("AWS_"):
            monkeypatch.setenv(name, ENDPOINTS[name])
    section = f"services = mine\nendpoint_url = {ENDPOINTS['profile']}\n"
    services = f"[services mine]\ns3 =\n  endpoint_url = {ENDPOINTS['services']}\n" if "services" in there else ""
    (tmp_path / "aws").write_text(f"[default]\n{section}{services or '[services mine]'}\n")
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "aws"))
    options = {"regionendpoint": ENDPOINTS["option"]} if "option" in there else {}
    fs = RegistryS3FileSystem(bucket="demo", accesskey="a", secretkey="s", **options)
    assert fs.sign("/a").startswith(f"{ENDPOINTS[nearest]}/demo/a?")
    assert not fs.parameters.is_aws


@pytest.mark.parametrize(
    ("environ", "options"),
    [
        ({}, {"regionendpoint": ""}),
        ({}, {"config_kwargs": {"ignore_configured_endpoint_urls": True}}),
        ({"AWS_IGNORE_CONFIGURED_ENDPOINT_URLS": "true"}, {}),
    ],
)
def test_a_configured_endpoint_is_left_out_on_demand(
    environ: dict[str, str], options: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """By an empty option, or as boto3's users say it."""
    for name, value in {"AWS_ENDPOINT_URL": "http://all:1", **environ}.items():
        monkeypatch.setenv(name, value)
    fs = RegistryS3FileSystem(bucket="demo", region="eu-west-1", accesskey="a", secretkey="s", **options)
    assert fs.sign("/a").startswith("https://demo.s3.eu-west-1.amazonaws.com/a?")


def test_an_endpoint_that_was_found_goes_along(monkeypatch: pytest.MonkeyPatch) -> None:
    """Another process may have another environment; so does one that never had it."""
    keys = {"bucket": "demo", "region": "eu-west-1", "accesskey": "a", "secretkey": "s"}
    plain = RegistryS3FileSystem(**keys)
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://all:1")
    text = RegistryS3FileSystem(**keys).to_json()
    assert plain.sign("/a").startswith("https://demo.s3.")
    monkeypatch.delenv("AWS_ENDPOINT_URL")
    assert json.loads(text)["regionendpoint"] == "http://all:1"
    assert RegistryS3FileSystem.from_json(text).sign("/a").startswith("http://all:1/demo/a?")
    assert RegistryS3FileSystem(**keys).sign("/a").startswith("https://demo.s3.")


VARIANTS = {
    "usefipsendpoint": ("AWS_USE_FIPS_ENDPOINT", "use_fips_endpoint", "s3-fips"),
    "usedualstack": ("AWS_USE_DUALSTACK_ENDPOINT", "use_dualstack_endpoint", "dualstack"),
}


@pytest.mark.promise("Configuration")
@pytest.mark.parametrize("option", VARIANTS)
def test_variants_of_endpoints_are_the_environments_or_the_profiles(
    option: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`AWS_USE_FIPS_ENDPOINT` and `AWS_USE_DUALSTACK_ENDPOINT`, or the profile's settings, hold without an option."""
    variable, setting, host = VARIANTS[option]
    keys = {"bucket": "demo", "region": "us-east-1", "accesskey": "a", "secretkey": "s"}
    (tmp_path / "aws").write_text(f"[default]\n{setting} = true\n")
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "aws"))
    assert host in RegistryS3FileSystem(**keys).sign("/a")
    monkeypatch.setenv(variable, "false")
    assert host not in RegistryS3FileSystem(**keys).sign("/a")
    monkeypatch.setenv(variable, "true")
    assert host in RegistryS3FileSystem(**keys).sign("/a")
    assert host not in RegistryS3FileSystem(**keys, **{option: False}).sign("/a")
    assert host not in RegistryS3FileSystem(**keys, regionendpoint="http://store:1").sign("/a")


@pytest.mark.promise("Configuration")
@pytest.mark.parametrize(("of_file", "given"), [("accesskey", "secretkey"), ("secretkey", "accesskey")])
def test_a_config_may_have_one_half_of_a_key_alone(of_file: str, given: str, places: Places) -> None:
    """A `config.yml` that has one half of a key pair and no other credentials takes the other half from elsewhere."""
    (places.folder / "config.yml").write_text(f"storage: {{s3: {{bucket: demo, region: eu-west-1, {of_file}: a}}}}")
    found = RegistryS3FileSystem(config=str(places.folder / "config.yml"), **{given: "b"}).parameters
    assert {of_file: getattr(found, of_file), given: getattr(found, given)} == {of_file: "a", given: "b"}


@pytest.mark.promise("Configuration")
@pytest.mark.parametrize(
    ("option", "profile", "shown"),
    [
        ("usefipsendpoint", "use_fips_endpoint = {}", "s3-fips"),
        ("usedualstack", "use_dualstack_endpoint = {}", "dualstack"),
        ("usedualstack", "s3 =\n  use_dualstack_endpoint = {}", "dualstack"),
        ("accelerate", "s3 =\n  use_accelerate_endpoint = {}", "s3-accelerate"),
        ("forcepathstyle", "s3 =\n  addressing_style = {}", "amazonaws.com/demo/"),
    ],
)
def test_an_option_wins_over_the_profile_in_what_kind_of_endpoint_is_meant(
    option: str, profile: str, shown: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`usedualstack`, `usefipsendpoint`, `accelerate` and `forcepathstyle` win over the profile, also as `False`."""
    on, off = ("path", "virtual") if option == "forcepathstyle" else ("true", "false")
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "aws"))
    for value, said in ((False, on), (True, off)):
        (tmp_path / "aws").write_text(f"[default]\n{profile.format(said)}\n")
        keys = {"bucket": "demo", "region": "us-east-1", "accesskey": "a", "secretkey": "s", option: value}
        fs = RegistryS3FileSystem(**keys, useragent=str(tmp_path))  # no other test's client
        assert (shown in fs.sign("/a")) is value


def test_the_section_s3_of_a_profile_turns_on_nothing_else(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """boto3 reads no more there, either."""
    (tmp_path / "aws").write_text("[default]\ns3 =\n  use_fips_endpoint = true\n")
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "aws"))
    keys = {"bucket": "demo", "region": "us-east-1", "accesskey": "a", "secretkey": "s"}
    assert not RegistryS3FileSystem(**keys).parameters.usefipsendpoint


def test_the_section_s3_of_a_profile_turns_on_dualstack(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where neither an option nor a variable says otherwise; `config_kwargs` has the last word."""
    keys = {"bucket": "demo", "region": "us-east-1", "accesskey": "a", "secretkey": "s"}
    (tmp_path / "aws").write_text("[default]\ns3 =\n  use_dualstack_endpoint = true\n")
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "aws"))
    assert RegistryS3FileSystem(**keys).parameters.usedualstack
    monkeypatch.setenv("AWS_USE_DUALSTACK_ENDPOINT", "false")
    assert not RegistryS3FileSystem(**keys).parameters.usedualstack
    last = {"use_dualstack_endpoint": True}
    for more in (last, {"s3": last}):
        assert "dualstack" in RegistryS3FileSystem(**keys, usedualstack=False, config_kwargs=more).sign("/a")


def test_files_that_change_are_read_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As of a notebook, whose user corrects a profile."""
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "aws"))
    for region in ("eu-west-1", "eu-north-1"):
        (tmp_path / "aws").write_text(f"[default]\nregion = {region}\n")
        assert RegistryS3FileSystem(bucket="demo", skip_instance_cache=True).parameters.region == region
