"""fsspec's own conformance suite for `get`, on an artifact and on an image."""

from __future__ import annotations

import posixpath
from collections.abc import Callable
from pathlib import Path

import fsspec.tests.abstract as abstract
import pytest
from fsspec.implementations.local import LocalFileSystem

from registry_s3fs.registry.filesystem import RegistryFileSystem
from tests.registries import MadeRegistry

from . import trees


class TestGet(abstract.AbstractGetTests, abstract.AbstractFixtures):
    """The suite, whose trees are made locally and pushed. One test makes its tree itself, by writing."""

    test_get_directory_recursive = None  # type: ignore[assignment]  # not run: see above

    @pytest.fixture(params=["artifact", "image"])
    def kind(self, request: pytest.FixtureRequest) -> str:
        return str(request.param)

    @pytest.fixture
    def made(self) -> MadeRegistry:
        return MadeRegistry()

    @pytest.fixture
    def fs(self, made: MadeRegistry) -> RegistryFileSystem:
        return RegistryFileSystem(fs=made.fs, root=made.root)

    @pytest.fixture
    def fs_path(self) -> str:
        return "team/data:1"

    @pytest.fixture
    def fs_join(self) -> Callable[..., str]:
        return posixpath.join

    @pytest.fixture
    def supports_empty_directories(self) -> bool:
        return False

    @pytest.fixture
    def push(self, made: MadeRegistry, kind: str, tmp_path: Path) -> Callable[[Callable[..., str]], str]:
        def pushed(scenario: Callable[..., str]) -> str:
            top = tmp_path / "pushed"
            source = scenario(LocalFileSystem(auto_mkdir=True), posixpath.join, str(top))
            if kind == "artifact":
                trees.push_titles(made, "team/data:1", top)
            else:
                trees.push_image(made, "team/data:1", trees.tar_of(top))
            return f"team/data:1/{Path(source).relative_to(top)}"

        return pushed

    @pytest.fixture
    def fs_bulk_operations_scenario_0(self, push: Callable[[Callable[..., str]], str]) -> str:
        return push(self._bulk_operations_scenario_0)

    @pytest.fixture
    def fs_glob_edge_cases_files(self, push: Callable[[Callable[..., str]], str]) -> str:
        return push(self._glob_edge_cases_files)

    @pytest.fixture
    def fs_dir_and_file_with_same_name_prefix(self, push: Callable[[Callable[..., str]], str]) -> str:
        return push(self._dir_and_file_with_same_name_prefix)

    @pytest.fixture
    def fs_10_files_with_hashed_names(self, push: Callable[[Callable[..., str]], str]) -> str:
        return push(self._10_files_with_hashed_names)
