"""README.md and the site's pages: their code runs, prints what they say, and is understood."""

from __future__ import annotations

import ast
import os
from collections.abc import Iterator
from pathlib import Path

import fsspec.config
import pytest

from testbed import servers
from testbed.servers import Moto, Server
from tests.documents import pages
from tests.documents.pages import HERE, Block

OWN_TESTS = {
    "docs/clients.md": "tests/clients/test_smart_open.py",
    "docs/commands.md": "tests/unit/cli/test_page.py",
    "docs/data-in-a-registry.md": "tests/interop/test_oras.py",
    "docs/from-s3fs.md": "tests/clients/test_from_s3fs.py",
}
"""Pages whose code others run."""
DOCUMENTS = sorted(path.relative_to(HERE).as_posix() for path in (HERE / "README.md", *HERE.glob("docs/**/*.md")))
WITH_CODE = [name for name in DOCUMENTS if name not in OWN_TESTS and pages.blocks((HERE / name).read_text())]


@pytest.fixture(scope="module")
def moto_of_pages() -> Iterator[Moto]:
    """A server of this module's own, which is emptied before each page."""
    with servers.moto() as server:
        yield server


@pytest.fixture
def server(moto_of_pages: Moto, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Server:
    """An empty server, which takes the place of the stores that a page names."""
    moto_of_pages.forget_all()
    monkeypatch.chdir(tmp_path)
    monkeypatch.setitem(fsspec.config.conf, "registrys3", {"regionendpoint": moto_of_pages.endpoint})
    monkeypatch.setenv("HF_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("HF_HUB_DISABLE_TELEMETRY", "1")
    return moto_of_pages


@pytest.mark.promise("Other libraries")
@pytest.mark.parametrize("name", WITH_CODE)
@pytest.mark.filterwarnings("ignore:unclosed.*:ResourceWarning")  # of other libraries
def test_the_code_of_each_page_runs_and_prints_what_the_page_says(
    name: str, server: Server, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """The code of README.md and of each page of the site runs, and prints what the page says.

    Commands in the shell are understood.
    """
    text = (HERE / name).read_text(encoding="utf-8")
    found = pages.blocks(text)
    for library in sorted(set().union(*map(libraries, found))):
        pytest.importorskip(library, reason=f"{library} is not installed")
    if "datasets" in set().union(*map(libraries, found)):
        keep_datasets_here(monkeypatch, tmp_path)
    environment: dict[str, str] = {}
    pages.prepare(server, text, environment)
    for variable, value in environment.items():
        monkeypatch.setenv(variable, value)
    names: dict[str, object] = {}
    for block in found:
        check(block, server, names)


def check(block: Block, server: Server, names: dict[str, object]) -> None:
    """Run a block, and compare."""
    if block.language == "console":
        assert pages.masked(pages.console(block, server)) == pages.masked(block.text)
    elif block.language == "sh":
        for words in pages.commands(block._replace(text=pages.here(block.text, server))):
            pages.output(words)
    elif pages.NOT_RUN.match(block.text):
        compile(block.text, "page", "exec")
    elif ">>> " not in block.text:
        printed = pages.run(pages.here(block.text, server), names)
        assert block.printed is None or printed == block.printed


def libraries(block: Block) -> set[str]:
    """Give the libraries that a block of Python imports."""
    if block.language != "python" or ">>> " in block.text:
        return set()
    nodes = list(ast.walk(ast.parse(block.text)))
    names = [node.module or "" for node in nodes if isinstance(node, ast.ImportFrom)]
    names += [alias.name for node in nodes if isinstance(node, ast.Import) for alias in node.names]
    return {name.partition(".")[0] for name in names}


def keep_datasets_here(monkeypatch: pytest.MonkeyPatch, folder: Path) -> None:
    """Let what Hugging Face's library caches be this test's own."""
    import datasets

    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", folder / "cache")
    datasets.disable_progress_bars()


def test_pages_that_others_run_have_their_tests() -> None:
    """And are there."""
    for page, test in OWN_TESTS.items():
        assert Path(page).name in (HERE / test).read_text() or "commands_page" in (HERE / test).read_text()
        assert (HERE / page).exists()


def test_what_is_not_run_says_why() -> None:
    """A block that cannot run says so in its first line, for the reader to see."""
    every = [block for name in DOCUMENTS for block in pages.blocks((HERE / name).read_text())]
    left_out = [block for block in every if block.text.startswith("# not run")]
    assert left_out
    assert all(pages.NOT_RUN.match(block.text) for block in left_out)


def test_a_block_that_fails_is_noticed(server: Server) -> None:
    """What prints something else, does not compile, or is no command."""
    with pytest.raises(AssertionError):
        check(Block("python", "print(1)\n", "2\n"), server, {})
    with pytest.raises(SyntaxError):
        check(Block("python", "# not run: it is elsewhere\nprint(\n", None), server, {})
    with pytest.raises(ValueError, match="--nothing"):
        check(Block("sh", "registry-s3fs ls --nothing\n", None), server, {})


def test_the_page_of_the_tutorial_is_where_it_was(server: Server) -> None:
    """Its numbers alone may be others."""
    assert pages.masked("3 tags of 12.5 KiB in sha256:ab12") == pages.masked("4 tags of 1 B in sha256:cd")
    assert pages.masked("3 tags") != pages.masked("3 blobs")
    assert os.environ.get("AWS_ACCESS_KEY_ID") is None
