"""Plans made from an inventory are those of a collector that reads the files, on random registries with damage."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any

import pytest
from fsspec.implementations.memory import MemoryFileSystem
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from registry_s3fs.model.registry_layout import Generation
from registry_s3fs.registry.garbage import collector
from registry_s3fs.registry.garbage.contents import Contents
from registry_s3fs.registry.garbage.differences import losses
from registry_s3fs.registry.garbage.from_tables import contents_of
from registry_s3fs.registry.garbage.safe import safe_plan
from registry_s3fs.registry.inventory import inventory
from tests.registries import MadeRegistry, Pushed
from tests.unit.registry.garbage.by_paths import ByPaths, EndsError

REPOSITORIES = ("app", "app-x", "app/sub", "0")
TAGS = ("v1", "v2", f"sha256-{'0' * 64}")


class Drawn:
    """A random registry."""

    def __init__(self, draw: Callable[[st.SearchStrategy[Any]], Any]) -> None:
        self.fs = MemoryFileSystem(skip_instance_cache=True)
        self.fs.store, self.fs.pseudo_dirs = {}, [""]
        self.made = MadeRegistry(self.fs)
        self.pushed: list[Pushed] = []
        self._draw = draw

    def exists(self, path: str) -> bool:
        """Whether there is such a file or folder. As on S3, there are no empty folders."""
        return any(f"{each}/".startswith(f"{path}/") for each in self.fs.store)

    def one_of(self, values: Any) -> Any:
        """One of some values."""
        return self._draw(st.sampled_from(list(values)))

    def do(self) -> None:
        """Something that happens to a registry."""
        repository = self.one_of(REPOSITORIES)
        tag = self.one_of((None, *TAGS))
        actions: dict[str, Callable[[], object]] = {
            "image": lambda: self.image(repository, tag),
            "again": lambda: self.again(repository, tag),
            "index": lambda: self.index(repository, tag),
            "mount": lambda: self.made.mount(repository, self.made.blob(self.one_of((b"a", b"b", b"m"))).digest),
            "delete": lambda: self.made.delete_manifest(repository, self.any().digest),
            "delete tag": lambda: self.made.delete_tag(repository, self.one_of(TAGS)),
            "lose": lambda: self.lose(),
            "empty": lambda: self.damage(self.one_of((b"", b"no digest", b"sha256:" + b"0" * 64 + b"\n"))),
            "alias": lambda: self.alias(repository),
            "no layers": lambda: self.made.remove_folder(f"{self.made.root}/repositories/{repository}/_layers"),
            "no tags": lambda: self.made.remove_folder(f"{self.made.root}/repositories/{repository}/_manifests/tags"),
            "schema 1": lambda: self.keep(self.made.schema1(repository, tag, signature=self.one_of((b"", b"signed")))),
            "junk": lambda: self.made.manifest(repository, self.one_of((b"{", b"[]", b"{}")), tag),
            "odd": lambda: self.made.manifest(repository, {"schemaVersion": 2, "mediaType": "application/odd"}, tag),
        }
        often = ["image", "again", "index", "delete"] * 3
        actions[self.one_of([*often, *actions])]()

    def keep(self, pushed: Pushed) -> None:
        """Note a manifest, for what happens later."""
        self.pushed.append(pushed)

    def any(self) -> Pushed:
        """A manifest that was pushed once, somewhere."""
        return self.one_of(self.pushed) if self.pushed else self.made.blob(b"{}")

    def image(self, repository: str, tag: str | None) -> None:
        layers = [self.made.blob(data) for data in self._draw(st.sets(st.sampled_from((b"a", b"b", b"c"))))]
        subject = self.one_of((None, None, self.any()))
        more: Any = {} if subject is None else {"subject": subject.descriptor()}
        self.keep(self.made.image(repository, tag, layers, config=self.one_of((b"1", b"2", b"3")), **more))

    def again(self, repository: str, tag: str | None) -> None:
        pushed = self.any()
        for layer in filter(None, (*pushed.layers, pushed.config)):
            self.made.mount(repository, layer.digest)
        self.made.manifest(repository, pushed.data, tag)

    def index(self, repository: str, tag: str | None) -> None:
        children = {each.digest: each for each in (self.any() for _ in range(self.one_of((1, 2, 3))))}
        self.keep(self.made.index(repository, tag, [(each, None) for each in children.values()]))

    def lose(self) -> None:
        blobs = sorted(path for path in self.fs.store if "/blobs/" in path)
        if blobs:
            self.made.remove(self.one_of(blobs))

    def damage(self, text: bytes) -> None:
        links = sorted(path for path in self.fs.store if path.endswith("/link"))
        if links:
            self.made.write(self.one_of(links), text)

    def alias(self, repository: str) -> None:
        target = self.any().digest
        path = self.one_of((self.made.revision_path, self.made.layer_path))(repository, f"sha512:{'0' * 128}")
        self.made.write(path, target.encode())


def end_of(run: ByPaths) -> str | None:
    """Where a run ends with an error, if it does."""
    try:
        run.run()
    except EndsError as error:
        return str(error)
    return None


def tagged(contents: Contents) -> Iterator[tuple[str, set[str]]]:
    """Each tag that can be asked for, and the blobs that it leads to."""
    for name, repository in contents.repositories.items():
        for tag, digest in repository.tags.items():
            if digest in repository.revisions:
                yield f"{name}:{tag}", closure(contents, repository.revisions[digest]) & contents.blobs.keys()


def closure(contents: Contents, digest: str) -> set[str]:
    """What a manifest leads to."""
    found, waiting = set[str](), [digest]
    while waiting:
        each = waiting.pop()
        if each not in found:
            found.add(each)
            waiting += contents.references(each)
    return found


@pytest.mark.parametrize("generation", ["2.8", "3"])
@settings(max_examples=40, suppress_health_check=[HealthCheck.too_slow])
@given(data=st.data())
def test_every_tag_that_loses_a_blob_is_named(generation: Generation, data: st.DataObject) -> None:
    """The safe plan takes nothing that a tag leads to; where the registry's own does, a warning names the tag."""
    drawn = Drawn(data.draw)
    for _ in range(data.draw(st.integers(1, 25))):
        drawn.do()
    contents = contents_of(inventory(drawn.fs, drawn.made.root), exists=drawn.exists, min_age=timedelta(0))
    for delete_untagged in (False, True):
        plan = collector.plan(contents, generation, delete_untagged=delete_untagged)
        safe = safe_plan(contents, delete_untagged=delete_untagged)
        named = {tag for loss in losses(contents, plan, safe) for tag in loss.affected_tags}
        for tag, blobs in tagged(contents):
            assert not blobs & safe.swept.keys()
            assert tag in named or not blobs & plan.swept.keys()


@pytest.mark.parametrize("generation", ["2.8", "3"])
@settings(max_examples=40, suppress_health_check=[HealthCheck.too_slow])
@given(data=st.data())
def test_a_plan_is_what_a_collector_does_that_reads_the_files(generation: Generation, data: st.DataObject) -> None:
    """It marks, deletes and removes the same, and ends where that one does."""
    drawn = Drawn(data.draw)
    for _ in range(data.draw(st.integers(1, 25))):
        drawn.do()
    files = {path.removeprefix(f"{drawn.made.root}/"): file.getvalue() for path, file in drawn.fs.store.items()}
    contents = contents_of(inventory(drawn.fs, drawn.made.root), exists=drawn.exists)
    for delete_untagged in (False, True):
        plan = collector.plan(contents, generation, delete_untagged=delete_untagged)
        run = ByPaths(files, generation, delete_untagged)
        end = end_of(run)
        if end:
            assert f"{drawn.made.root}/{end}" in [abort.key for abort in plan.aborts if "s3" in abort.drivers]
            continue
        assert plan.ends_at("s3") is None
        assert plan.marked.keys() == run.marked
        assert plan.swept.keys() == run.swept
        assert [(each.repository, each.digest) for each in plan.manifests] == run.removed
        assert [tuple(each) for each in plan.layer_links] == run.layer_links
