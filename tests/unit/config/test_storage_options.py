"""Signature, help and types of the options: all of them say what the table of parameters says."""

from __future__ import annotations

import inspect
from dataclasses import fields
from pathlib import Path

import pytest

import registry_s3fs
from registry_s3fs import DriverParameters, RegistryS3FileSystem, errors
from registry_s3fs.config.storage_options import BESIDE_THE_TABLE, FSSPEC_OPTIONS, StorageOptions, rows

TABLE = [row.name for row in fields(DriverParameters)]


@pytest.mark.promise("Configuration")
def test_the_types_name_every_option() -> None:
    """The signature and the types of the storage options name every option.

    So editors complete each option, and none that no longer exists.
    """
    assert list(StorageOptions.__annotations__) == list(rows())[: len(TABLE)] + [
        name for name in StorageOptions.__annotations__ if name in BESIDE_THE_TABLE
    ]
    assert set(StorageOptions.__annotations__) == set(rows())
    assert set(rows()) >= FSSPEC_OPTIONS


def test_the_signature_has_every_option_with_its_default() -> None:
    """As keywords."""
    parameters = inspect.signature(RegistryS3FileSystem).parameters
    assert list(parameters) == list(rows())
    assert parameters["chunksize"].default == 10 * 2**20
    assert parameters["encrypt"].annotation == "bool"
    assert {each.kind for each in parameters.values()} == {inspect.Parameter.KEYWORD_ONLY}


def test_help_has_a_line_for_every_option() -> None:
    """With type, default and meaning; of the parameters alone where they are meant."""
    for kind, names in ((RegistryS3FileSystem, list(rows())), (DriverParameters, TABLE)):
        text = inspect.getdoc(kind) or ""
        for name in names:
            assert f"\n    {name} ({rows()[name][0]}, " in text
    assert "chunksize (int, 10485760): part size of uploads." in (inspect.getdoc(DriverParameters) or "")


def test_every_error_class_is_at_top_level() -> None:
    """Users catch them."""
    kinds = {
        name for name, kind in vars(errors).items()
        if isinstance(kind, type) and issubclass(kind, Exception) and kind.__module__ == errors.__name__
    }  # fmt: skip
    assert kinds <= set(registry_s3fs.__all__)
    assert registry_s3fs.DigestMismatch is registry_s3fs.DigestMismatchError


def test_a_notebook_shows_a_table_without_secrets() -> None:
    """Of what differs from the defaults; and nothing in it is markup."""
    fs = RegistryS3FileSystem(bucket="demo", region="us-east-1", accesskey="KEY", secretkey="SECRET", useragent="<b>")
    text = fs._repr_html_()
    assert "registrys3://demo" in text
    assert "&lt;b&gt;" in text
    assert "KEY" not in text
    assert "SECRET" not in text


def test_each_row_of_the_clients_page_has_its_test() -> None:
    """At least 24 rows, each of which names one that is there."""
    here = Path(__file__).parents[3]
    named = [
        line.rsplit("`", 2)[1] for line in (here / "docs" / "clients.md").read_text().splitlines() if "::test_" in line
    ]
    assert len(named) >= 24
    for each in named:
        file, _, test = each.partition("::")
        assert f"def {test}(" in (here / file).read_text(), each
