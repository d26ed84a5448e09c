"""The examples of docs/registry.md run, and say what is there."""

from __future__ import annotations

import builtins
import doctest
import re
from pathlib import Path

from registry_s3fs import RegistryS3FileSystem, errors
from registry_s3fs.model import registry_layout
from registry_s3fs.registry import documents, manifests
from registry_s3fs.registry.catalog import Catalog
from tests.registries import AMD64, ARM64, MadeRegistry

PAGE = (Path(__file__).parents[3] / "docs" / "registry.md").read_text(encoding="utf-8")


def test_the_examples_give_what_the_page_says(fs: RegistryS3FileSystem) -> None:
    """On a registry with some images."""
    made = MadeRegistry(fs)
    made.image("team/base", "1", [b"base"])
    made.image("team/app", "1.1", [b"base", b"app"])
    image = made.image("team/app", "1.2", [b"base", b"app1.2"])
    arm = made.image("team/app", None, [b"arm"], platform=ARM64)
    made.index("team/app", "multi", [(image, AMD64), (arm, ARM64)])
    made.artifact("team/app", None, {"sbom.json": b"{}"}, subject=image, artifact_type="application/spdx+json")
    test = doctest.DocTestParser().get_doctest(PAGE, {"fs": fs}, "registry.md", None, 0)
    result = doctest.DocTestRunner().run(test)
    assert (result.failed, result.attempted >= 14) == (0, True)


def test_the_page_names_every_file_and_method() -> None:
    """Of the layout and the catalog; and the errors are also what the page says."""
    classes = {name for name, value in vars(registry_layout).items() if isinstance(value, type)}
    kinds = set(re.findall(r"\| `(\w+)` \|", PAGE)) & classes
    every = {kind.__name__ for kind in registry_layout.RegistryFile.__args__}
    assert kinds == every
    methods = {name for name in vars(Catalog) if not name.startswith("_")}
    assert set(re.findall(r"^\| `(\w+)\(", PAGE, re.MULTILINE)) == methods
    rows = re.findall(r"^\| (`\w+Error`.*?) \| (`\w+Error`.*?) \|", PAGE, re.MULTILINE)
    assert len(rows) == 9
    every_error = {**vars(builtins), **vars(errors)}
    for ours, others in rows:
        for name in re.findall(r"\w+", ours):
            kind = getattr(errors, name)
            assert all(issubclass(kind, every_error[base]) for base in re.findall(r"\w+", others)), name


def test_the_bounds_are_those_of_the_code() -> None:
    """Each number has one owner."""
    assert f"At most {documents.MAX_BYTES // 2**20} MiB, {documents.MAX_DEPTH} levels and" in PAGE
    assert f"{documents.MAX_VALUES:,} values" in PAGE
    assert f"cut at {manifests.MAX_ANNOTATIONS:,} of them" in PAGE
    assert f"at {manifests.MAX_ANNOTATION_CHARACTERS:,} characters" in PAGE
