"""The examples of docs/data-in-a-registry.md, from a push by the oras Python package to a table."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pandas
import pytest

from registry_s3fs.registry.filesystem import RegistryFileSystem
from testbed.servers import HOST
from tests.interop.conftest import PUSHED, ROOT, Running, on_bucket
from tests.libraries import library

PAGE = (Path(__file__).parents[2] / "docs" / "data-in-a-registry.md").read_text(encoding="utf-8")


@pytest.fixture
def own(running: Running) -> Iterator[Running]:
    """A registry on a bucket of its own; others are compared with what was pushed to theirs."""
    with on_bucket(running, "oras") as registry:
        yield registry


@pytest.mark.promise("Images and artifacts as files")
@pytest.mark.filterwarnings("ignore::ResourceWarning")  # of oras, which leaves its session open
def test_what_oras_pushes_is_read(own: Running, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What the oras Python package pushes to a registry is read by pandas from the registry's bucket.

    The page's examples are run as they stand. A folder that was pushed is a folder.
    """
    library("oras")
    frame = pandas.DataFrame({"name": ["a", "b"], "value": [1, 2], "other": [0.5, 1.5]})
    frame.to_parquet(tmp_path / "train.parquet")
    (tmp_path / "images" / "deep").mkdir(parents=True)
    (tmp_path / "images" / "deep" / "a.png").write_bytes(b"png")
    monkeypatch.chdir(tmp_path)
    names, *examples = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)
    assert set(re.findall(r"^(\w+) =", names, re.MULTILINE)) == {"registry", "bucket", "storage"}
    storage = {name: value for name, value in own.options.items() if name != "bucket"}
    found: dict[str, Any] = {
        "registry": f"{HOST}:{own.registry.port}",
        "bucket": f"registrys3://{own.options['bucket']}",
        "storage": {"registrys3": storage},
    }
    for example in examples:
        exec(example, found)
    pandas.testing.assert_frame_equal(found["frame"], frame[["name", "value"]])
    files = found["fs"]
    assert isinstance(files, RegistryFileSystem)
    assert found["names"] == [f"team/data:2026/{name}" for name in ("images/deep/a.png", "train.parquet")]
    assert files.cat_file("team/data:2026/images/deep/a.png") == b"png"
    pandas.testing.assert_frame_equal(pandas.read_parquet(found["pinned"], storage_options=found["storage"]), frame)
    assert ROOT in str(storage)


def test_images_that_skopeo_pushed_are_their_files(pushed: Running) -> None:
    """Each tag shows the merged files of its layers, by tag and by digest."""
    files = RegistryFileSystem(fs=pushed.fs)
    assert files.cat_file("hello:1.0/hello") == b"world"
    assert files.find("team/app:v2") == ["team/app:v2/app", "team/app:v2/base.so"]
    assert files.cat_file("team/app:v1/base.so") == files.cat_file("team/app:v2/base.so")
    for name, image in PUSHED.items():
        assert files.info(name)["digest"] == image.manifest.digest
        repository, _, tag = name.partition(":")
        found = files.find(f"{repository}@{image.manifest.digest}")
        assert [each.rpartition("/")[2] for each in found] == [each.rpartition("/")[2] for each in files.find(name)]
        assert name in files.ls(repository, detail=False), tag
