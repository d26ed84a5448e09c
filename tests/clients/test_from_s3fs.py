"""The page on moving from s3fs: its code does the same on both, and its table has the messages that one meets."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from registry_s3fs import InvalidPathError, RegistryS3FileSystem
from tests.libraries import library

PAGE = (Path(__file__).parents[2] / "docs" / "from-s3fs.md").read_text()
BEFORE, AFTER = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)
ROWS = re.findall(r"^\| `(.+?)` \| (.+) \|$", PAGE, re.MULTILINE)


def ran(code: str, options: dict[str, Any], folder: Path) -> dict[str, Any]:
    """What the page's code finds."""
    folder.mkdir()
    names = {
        "KEY": options["accesskey"], "SECRET": options["secretkey"], "ENDPOINT": options["regionendpoint"],
        "BUCKET": options["bucket"], "FOLDER": str(folder),
    }  # fmt: skip
    exec(code, names)  # of our own page
    found: dict[str, Any] = names["found"]
    return found


def test_the_code_does_the_same_on_both(options: dict[str, Any], tmp_path: Path) -> None:
    """Forty lines, of which only the first few change."""
    library("s3fs")
    calls = BEFORE[BEFORE.index("fs.pipe(") :]
    assert len(BEFORE.splitlines()) >= 40
    theirs = ran(BEFORE, options, tmp_path / "theirs")
    assert ran(AFTER + calls, options, tmp_path / "ours") == theirs


def test_the_messages_are_those_that_one_meets(options: dict[str, Any]) -> None:
    """One after the other, each of which says what the next change is."""
    given: dict[str, Any] = {
        "key": options["accesskey"], "secret": options["secretkey"], "endpoint_url": options["regionendpoint"],
        "client_kwargs": {"region_name": "us-east-1"}, "default_block_size": 8 * 2**20,
    }  # fmt: skip
    met = []
    for name, value in list(given.items()):
        with pytest.raises(TypeError) as caught:
            RegistryS3FileSystem(**given)
        met.append(str(caught.value))
        del given[name]
        told = re.search(r"it is '(\w+)' here", met[-1])
        given |= {told[1]: value} if told else {"region": value["region_name"]}
    with pytest.raises(ValueError, match="bucket: required") as missing:
        RegistryS3FileSystem(**given)
    fs = RegistryS3FileSystem(**given, bucket=options["bucket"])
    with pytest.raises(InvalidPathError) as foreign:
        fs.ls(f"s3://{options['bucket']}/data")
    met += [str(missing.value), str(foreign.value)]
    assert len(met) == len(ROWS)
    for (row, _), message in zip(ROWS, met, strict=True):
        assert message.startswith(row.removesuffix("..."))
