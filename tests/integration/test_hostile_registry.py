"""A registry that strangers filled: documents, links, names, digests, sizes and times that nobody should have written.

All of it goes through all that reads a registry's contents. What is wrong is an entry in `problems` or a typed error.
"""

from __future__ import annotations

import itertools
import json
import os
import re
import resource
import tracemalloc
from collections.abc import Callable, Iterator
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
from fsspec.implementations.local import LocalFileSystem
from fsspec.implementations.memory import MemoryFileSystem

from registry_s3fs.cli.main import main
from registry_s3fs.registry import uploads
from registry_s3fs.registry.catalog import Catalog
from registry_s3fs.registry.contents import MAX_TEXT
from registry_s3fs.registry.garbage import collector, safe
from registry_s3fs.registry.garbage.differences import losses
from registry_s3fs.registry.garbage.explain import explain
from registry_s3fs.registry.garbage.from_tables import contents_of
from registry_s3fs.registry.inventory import inventory
from registry_s3fs.registry.report.page import page
from registry_s3fs.registry.tables import SCHEMAS, Tables
from registry_s3fs.registry.verify import verify
from tests.registries import OCI_CONFIG, OCI_INDEX, OCI_LAYER, OCI_MANIFEST, MadeRegistry, Pushed
from tests.thoroughly import thorough

pytestmark = pytest.mark.promise("Registry contents")

EVIL = "<script>alert(1)</script>\x1b]0;x\x07\x9b2J\u202e\n\"'><img src=x onerror=alert(1)>{{7*7}}"
IMAGE: dict[str, object] = {"schemaVersion": 2, "mediaType": OCI_MANIFEST}
INDEX: dict[str, object] = {"schemaVersion": 2, "mediaType": OCI_INDEX}
TITLE = "org.opencontainers.image.title"
GIB = 1 << 30

ODD_DIGESTS = (
    *("../../x", "sha256:../../../etc/passwd", "/etc/passwd", "sha256:", "::", "a" * 1024, EVIL, "\ud800"),
    *("sha512:" + "a" * 128, "blake3:" + "a" * 64, "sha256:" + "A" * 64, "sha256:" + "a" * 63 + "\0"),
)
ODD_SIZES = (-1, 2**63, 2**64, 1e300, 10**39, "1", True, 1.5, [], {})
ODD_DOCUMENTS = (
    *(b"[" * 10_000 + b"]" * 10_000, b'{"a":' * 10_000 + b"1" + b"}" * 10_000, b"", b"null", b"[]", b'"x"', b"{"),
    *(b"\xff\xfe", b"\0" * 100, b'{"schemaVersion":2,"x":NaN}', b'{"schemaVersion":2,"x":1e999999}'),
    *(b'{"schemaVersion":2,"x":' + b"9" * 5000 + b"}", b'{"schemaVersion":2,"layers":[null]}'),
    *(b'{"schemaVersion":2,"config":[]}', b'{"schemaVersion":1,"fsLayers":[{"blobSum":7}]}'),
    b'{"schemaVersion":2,"mediaType":"' + b"m" * 3_000_000 + b'"}',
)
ODD_LINKS = (
    *(b"", b"garbage", b"\xff\0" * 30, b"sha256:" + b"a" * 64 + b"\n", b"../../x", EVIL.encode()),
    *(b"sha256:" + b"z" * 64, b"x" * 71, b"y" * 1025),
)
ODD_TIMES = (
    *("", "garbage", "0001-01-01T00:00:00Z", "9999-12-31T23:59:59Z", "99999-01-01T00:00:00Z", "-1", "1" * 65, EVIL),
    *("0001-01-01T00:00:00+23:59", "9999-12-31T23:59:59-23:59", "2026-02-30T00:00:00Z", "20260101"),
)
ODD_NAMES = (
    *("..a", "a\x1b[2Jb", "<script>alert(1)<", "a b", "ü", "-x", "x" * 200, "%2e%2e%2fx", "a:b", "a\\b", "\u202etxt"),
    *("a\nb", "a'\"b", "{{7*7}}", "=cmd|x", "C:", os.fsdecode(b"a\xff\xfeb")),
)


def digest(letter: str) -> str:
    return "sha256:" + 64 * letter


def fill(made: MadeRegistry) -> Pushed:
    """Fill a registry with one good image, and with all else that can be stored in memory and on a disk."""
    good = made.image("team/app", "good", [b"a", b"b"])
    documents(made, good)
    configs(made)
    graphs(made, good)
    links(made, good)
    return good


def documents(made: MadeRegistry, good: Pushed) -> None:
    assert good.config
    layer, config = good.layers[0].digest, good.config.descriptor()
    for at, data in enumerate(ODD_DOCUMENTS):
        made.manifest(f"evil/document{at}", data, "t")
    for at, size in enumerate(ODD_SIZES):
        layers: list[dict[str, object]] = [{"mediaType": OCI_LAYER, "digest": layer, "size": size}]
        made.manifest(f"evil/size{at}", {**IMAGE, "config": config, "layers": layers}, "t")
    layers = [{"mediaType": OCI_LAYER, "digest": each, "size": 1} for each in ODD_DIGESTS]
    made.manifest("evil/digests", {**IMAGE, "config": {**config, "digest": "../../x"}, "layers": layers}, "t")
    layers = [{"mediaType": OCI_LAYER, "digest": layer, "size": 2**63 - 1}] * 100
    made.manifest("evil/sums", {**IMAGE, "config": config, "layers": layers}, "t")
    made.manifest("evil/count", {**IMAGE, "config": config, "layers": [{"digest": layer, "size": 1}] * 20_000}, "t")
    titled = [{"mediaType": EVIL, "digest": layer, "size": 1, "annotations": {TITLE: EVIL}}]
    more = {"annotations": {f"{EVIL}{at}": EVIL for at in range(2000)}, "artifactType": EVIL}
    made.manifest("evil/titles", {**IMAGE, "config": config, "layers": titled, **more}, "t")
    long = {"annotations": {"a": "x" * 2_000_000, "y" * 500_000: EVIL}}
    made.manifest("evil/long", {**IMAGE, "config": config, "layers": [], **long}, "t")
    platform = {"os": EVIL, "architecture": EVIL, "variant": EVIL}
    made.manifest("evil/platform", {**INDEX, "manifests": [{**good.descriptor(), "platform": platform}]}, "t")
    for algorithm in ("sha512", "sha384"):
        MadeRegistry(made.fs, made.root, algorithm).image(f"evil/{algorithm}", "t", [b"q"])
    for unknown in ("blake3:" + "e" * 64, "md5+x.y:" + "abc" * 20):
        store(made, f"evil/{unknown[:3]}", unknown, {**IMAGE, "config": config, "layers": []})


def configs(made: MadeRegistry) -> None:
    step = {"created": EVIL, "created_by": EVIL, "comment": EVIL}
    history = [step, {"created_by": "z" * 1_000_000, "empty_layer": "x"}, {"created_by": 7}, None, 5]
    odd: list[dict[str, object] | bytes] = [
        {"created": EVIL, "os": EVIL, "architecture": EVIL, "variant": [1], "history": history, "config": EVIL},
        {"created": "9999-12-31T23:59:59-23:59", "os": 5, "history": "x" * 1000},
        {"created": "0001-01-01T00:00:00+23:59", "history": {"a": 1}, "rootfs": {"diff_ids": 5}},
        {"history": [{"created_by": "x"}] * 20_000},
        b"[" * 10_000,
        b"",
    ]
    for at, config in enumerate(odd):
        made.image(f"evil/config{at}", "t", [b"a"], config=config)


def graphs(made: MadeRegistry, good: Pushed) -> None:
    """Circles of indexes, of subjects and of one manifest, chains of both, and doubled doublings."""
    a, b, c = map(digest, "abc")
    to_a, to_b = ({"mediaType": OCI_INDEX, "digest": each, "size": 1} for each in (a, b))
    store(made, "evil/circle", a, {**INDEX, "manifests": [to_b], "subject": to_a})
    store(made, "evil/circle", b, {**INDEX, "manifests": [to_a, to_b], "subject": to_a})
    itself = {"mediaType": OCI_CONFIG, "digest": c, "size": 1}
    store(made, "evil/itself", c, {**IMAGE, "config": itself, "layers": [itself], "subject": itself})
    nested = doubled = about = good
    for at in range(150):
        nested = made.index("evil/nested", "t" if at == 149 else None, [(nested, None)])
    for at in range(40):
        doubled = made.index("evil/doubled", "t" if at == 39 else None, [(doubled, None)] * 2)
        about = made.image("evil/about", "t" if at == 39 else None, [b"a"], subject=about.descriptor())


def links(made: MadeRegistry, good: Pushed) -> None:
    for at, data in enumerate(ODD_LINKS):
        linked = digest(f"{at:x}")
        made.write(made.tag_path("evil/links", f"t{at}"), data)
        made.write(made.tag_index_path("evil/links", f"t{at}", linked), data)
        made.write(made.revision_path("evil/links", linked), data)
        made.write(made.layer_path("evil/links", linked), data)
    for at, text in enumerate(ODD_TIMES):
        folder = f"{made.root}/repositories/evil/uploads/_uploads/u{at}"
        made.write(f"{folder}/startedat", text.encode())
        made.write(f"{folder}/hashstates/sha256/{'9' * (10 + at)}", b"x")
    for name in ODD_NAMES:
        made.write(made.tag_path("evil/tags", name), good.digest.encode())
        made.write(made.tag_path(f"odd/{name}", "t"), good.digest.encode())
        made.write(made.revision_path(f"odd/{name}", good.digest), good.digest.encode())
        made.write(f"{made.root}/repositories/evil/uploads/_uploads/{name}/startedat", b"2026-01-01T00:00:00Z")
        made.write(f"{made.root}/blobs/sha256/aa/{name}/data", b"x")
        made.write(f"{made.root}/{name}", b"x")
    made.write(made.tag_path("evil/tags", "a/b/../c" if isinstance(made.fs, MemoryFileSystem) else "a/b/c"), b"x")
    made.write(made.tag_path("d/" * 300 + "d", "t"), good.digest.encode())
    for name in ("_layers", "_manifests", "_uploads"):
        made.write(made.tag_path(name, "t"), b"x")
        made.write(made.tag_path(f"evil/{name}", "t"), b"x")


def store(made: MadeRegistry, repository: str, name: str, document: dict[str, object]) -> None:
    """Store a manifest under a digest that need not be its own, with the tag `t`."""
    made.write(made.blob_path(name), json.dumps(document).encode())
    made.write(made.revision_path(repository, name), name.encode())
    made.tag(repository, "t", name)


def sparse(path: str, size: int) -> str:
    Path(path).parent.mkdir(parents=True, exist_ok=True)
    with Path(path).open("wb") as file:
        file.truncate(size)
    return path


def fill_disk(made: MadeRegistry) -> None:
    """Add what a disk can hold: files that are far larger than the memory, odd times, and links that lead round."""
    sparse(made.blob_path(digest("d")), 100 << 20)
    made.write(made.revision_path("evil/large", digest("d")), digest("d").encode())
    made.tag("evil/large", "manifest", digest("d"))
    sparse(made.tag_path("evil/large", "link"), GIB)
    sparse(made.revision_path("evil/large", digest("e")), GIB)
    sparse(made.layer_path("evil/large", digest("e")), GIB)
    sparse(made.tag_index_path("evil/large", "link", digest("e")), GIB)
    sparse(f"{made.root}/repositories/evil/large/_uploads/u/startedat", GIB)
    for at, when in enumerate((-(10**10), 0, 10**10, 253_402_300_800)):
        path = made.write(f"{made.root}/repositories/evil/times/_uploads/u{at}/startedat", b"")
        for each in (path, made.blob_path(made.blob(b"time%d" % at).digest)):
            os.utime(each, (when, when))
    os.symlink(made.root, f"{made.root}/repositories/evil/loop")
    os.symlink("/nonexistent", f"{made.root}/repositories/evil/dangling")


@pytest.fixture(scope="module", params=[*thorough("memory"), "local"])
def filled(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[MadeRegistry]:
    if request.param == "memory":
        made = MadeRegistry()
    else:
        made = MadeRegistry(LocalFileSystem(), f"{tmp_path_factory.mktemp('hostile')}/docker/registry/v2")
        fill_disk(made)
    fill(made)
    yield made
    if request.param == "memory":
        MemoryFileSystem.store.clear()
        MemoryFileSystem.pseudo_dirs[:] = [""]


@pytest.fixture(scope="module")
def tables(filled: MadeRegistry) -> Tables:
    return inventory(filled.fs, filled.root)


def problems(tables: Tables) -> set[tuple[str, str | None]]:
    return {(row["repository"], row["code"]) for row in tables.problems.to_pylist()}


def test_what_is_wrong_is_a_problem(tables: Tables, filled: MadeRegistry) -> None:
    """Documents, sizes, digests and links that are none are in `problems`, and the good image is whole."""
    found = problems(tables)
    unreadable = {repository for repository, code in found if code == "manifest_unreadable"}
    assert {f"evil/document{at}" for at in range(len(ODD_DOCUMENTS))} <= unreadable
    assert {f"evil/size{at}" for at in range(len(ODD_SIZES))} <= unreadable
    assert {
        ("evil/digests", "blob_missing"),
        ("evil/sums", "size_mismatch"),
        ("evil/circle", "digest_mismatch"),
        ("evil/itself", "digest_mismatch"),
        ("evil/links", "link_empty"),
        ("evil/links", "link_target_differs"),
        (None, "unknown_key"),
    } <= found
    assert not {code for repository, code in found if repository == "team/app"}
    if isinstance(filled.fs, LocalFileSystem):
        assert {("evil/large", "manifest_unreadable"), ("evil/large", "link_target_differs")} <= found


def test_bytes_add_up(tables: Tables) -> None:
    """The identity of bytes holds whatever is stored, and each detail of a problem is short."""
    snapshot = tables.snapshot.to_pylist()[0]
    said = json.loads(snapshot["options"])
    fair = sum(tables.repositories["fair"].to_pylist())
    unmarked = sum(row["size"] for row in tables.blobs.to_pylist() if not row["marked"])
    others = sum(said[name] for name in ("link_bytes", "upload_bytes", "unknown_bytes"))
    assert fair + unmarked + others == snapshot["bytes"]
    assert max(map(len, tables.problems["detail"].to_pylist())) < 5000


def test_inventories_go_on_from_another(filled: MadeRegistry, tables: Tables, tmp_path: Path) -> None:
    """Tables are written and read as they are, and `previous` and `configs` take what strangers wrote."""
    tables.write(str(tmp_path))
    again = Tables.read(str(tmp_path))
    assert all(getattr(again, name).equals(getattr(tables, name)) for name in SCHEMAS)
    repeated = inventory(filled.fs, filled.root, previous=again, configs=True)
    errors = [row["error"] for row in repeated.manifests.to_pylist() if (row["error"] or "").startswith("config: ")]
    assert len(errors) == 2
    assert problems(repeated) >= problems(tables)


@pytest.mark.parametrize("delete_untagged", [False, True])
@pytest.mark.parametrize("generation", ["2.8", "3"])
def test_plans_end(tables: Tables, generation: Any, delete_untagged: bool) -> None:
    """The plans of both generations, the safe one and the reasons come to an end, in circles and deep indexes."""
    contents = contents_of(tables)
    plan = collector.plan(contents, generation, delete_untagged=delete_untagged)
    careful = safe.safe_plan(contents, delete_untagged=delete_untagged)
    losses(contents, plan, careful)
    for each in tables.blobs["digest"].to_pylist()[::10]:
        assert explain(contents, plan, each)
    assert plan.aborts


def test_verification_goes_on(filled: MadeRegistry, tables: Tables, tmp_path: Path) -> None:
    """Blobs under other digests are found, beside digests that nothing could be stored under."""
    done = verify(filled.fs, tables, resume=str(tmp_path / "state"))
    found = {finding.digest for finding in done.findings}
    assert {digest("a"), digest("b"), digest("c"), "../../x", "sha256:../../../etc/passwd"} <= found


def test_the_catalog_raises_typed_errors(filled: MadeRegistry) -> None:
    """Each tag of each repository is answered, or raises an `OSError` or `ValueError` of a short text."""
    catalog = Catalog(filled.fs, filled.root)
    asked: tuple[Callable[[str], object], ...] = (catalog.resolve, catalog.config, catalog.referrers)
    repositories = catalog.repositories()
    assert "team/app" in repositories
    answered, refused = 0, []
    for name in repositories:
        list(catalog.manifests(name))
        for tag in catalog.tag_digests(name):
            for ask in asked:
                try:
                    ask(f"{name}:{tag}")
                    answered += 1
                except (OSError, ValueError) as error:
                    refused.append(str(error))
    assert answered > 20
    assert max(map(len, refused)) < 5000
    assert uploads.read(filled.fs, filled.root)


class Elements(HTMLParser):
    """Collects what a browser would find in a page: elements, attributes that run or load something, scripts."""

    def __init__(self) -> None:
        super().__init__()
        self.names: list[str] = []
        self.bad: list[tuple[str, str | None]] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.names.append(tag)
        loads = ("src", "srcset", "action", "formaction", "data", "srcdoc")
        self.bad += [each for each in attrs if each[0].startswith("on") or each[0] in loads]
        self.bad += [each for each in attrs if "javascript:" in (each[1] or "").lower()]


def test_the_report_runs_nothing_of_strangers(tables: Tables) -> None:
    """The page has one script, its own, no element that loads anything, and no character that a reader misses."""
    text = page(tables)
    found = Elements()
    found.feed(text)
    assert found.names.count("script") == 1
    assert not found.bad
    assert not {"img", "iframe", "object", "embed", "base", "link", "form"} & set(found.names)
    assert "script&gt;" in text
    assert not re.search("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]", text)
    assert len(text.encode()) < 400_000


ALL = (
    *(["repos"], ["layers"], ["check"], ["uploads", "list"], ["tags", "evil/links"], ["tags", "evil/tags"]),
    *(["freed", "evil/**"], ["freed", "**"], ["freed", "evil/circle:t"], ["freed", EVIL], ["tags", EVIL]),
    *(["gc", "--dry-run"], ["gc", "--dry-run", "--registry", "3", "--delete-untagged"]),
    *(["gc", "--dry-run", "--explain", "../../x"], ["gc", "--dry-run", "--explain", digest("a")]),
)
OF_IMAGES = (
    *("digests", "sums", "titles", "long", "platform", "circle", "itself", "nested", "doubled", "about", "sha512"),
    *("config0", "config1", "config2", "config3", "config4", "config5", "document0", "size0", "bla"),
    *("links:t0", "links:t5", "large:manifest", "large:link"),
)


def test_every_command_ends_as_it_says(
    filled: MadeRegistry, tables: Tables, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The status is 0, 1 or 3, and nothing that is written would be obeyed by a terminal; JSON and CSV are whole."""
    protocol = "memory" if isinstance(filled.fs, MemoryFileSystem) else "file"
    url = f"{protocol}://{filled.root.removesuffix('/docker/registry/v2')}"
    tables.write(str(tmp_path / "tables"))
    images = [f"evil/{each}" if ":" in each else f"evil/{each}:t" for each in OF_IMAGES]
    commands = [[*words, "--from", str(tmp_path / "tables")] for words in ALL]
    commands += [[words, url, image] for words in ("inspect", "tree", "history") for image in images]
    commands += [["inspect", "--from", str(tmp_path / "tables"), image] for image in images]
    commands += [["inspect", "--platform", EVIL, url, image] for image in images]
    commands += [["report", "--from", str(tmp_path / "tables"), str(tmp_path / "page.html")]]
    statuses = set()
    forms = ("json",) if protocol == "memory" else ("table", "csv")
    for form, words in itertools.product(forms, commands):
        status = main([*words, "--format", form] if words[0] != "report" else words)
        said = capsys.readouterr()
        assert status in (0, 1, 3), (words, said.err)
        assert said.out.replace("\n", "").isprintable(), words
        assert said.err.replace("\n", "").isprintable(), words
        assert bool(said.err) >= (status == 1), words
        assert len(said.err) < 5000, words
        if form == "table":
            assert max(map(len, said.out.split("\n"))) < 100_000, words
        if form == "json" and status != 1 and words[0] != "report":
            json.loads(said.out)
        statuses.add(status)
    assert statuses == {0, 1, 3}


def test_large_files_take_no_memory(tmp_path: Path) -> None:
    """A manifest of 100 MB, links and times of 1 GB are never read: the memory stays within 30 MiB."""
    made = MadeRegistry(LocalFileSystem(), f"{tmp_path}/docker/registry/v2")
    made.image("team/app", "good")
    fill_disk(made)
    inventory(made.fs, made.root)  # so that all modules are imported
    catalog = Catalog(made.fs, made.root)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    tracemalloc.start()
    try:
        found = inventory(made.fs, made.root, configs=True)
        for tag in ("manifest", "link"):
            with pytest.raises(OSError, match="large|more than|at most"):
                catalog.resolve(f"evil/large:{tag}")
        assert tracemalloc.get_traced_memory()[1] < 30 << 20
    finally:
        tracemalloc.stop()
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 60 << 10
    assert found.uploads.num_rows == 5


def test_an_inventory_keeps_few_annotations_of_a_manifest() -> None:
    """Megabytes of annotations do not become memory: of one manifest, the first 128 Ki characters are kept."""
    MemoryFileSystem.store.clear()
    made = MadeRegistry()
    layer = made.layer("a", b"x")
    layers = [layer.descriptor(annotations={TITLE: f"{at}" + "t" * 60_000}) for at in range(60)]
    short = [layer.descriptor(annotations={TITLE: "short"})]
    made.manifest("a", {**IMAGE, "layers": [*layers, *short], "annotations": {"own": "kept"}}, "t")
    tables = inventory(made.fs, made.root)
    titles = tables.references["title"].to_pylist()
    assert [len(title or "") for title in titles] == [60_001, 60_001, *[0] * 58, len("short")]
    assert tables.manifests["annotations"].to_pylist() == [[("own", "kept")]]
    assert tables.references.nbytes < 4 * MAX_TEXT
