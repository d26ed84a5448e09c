"""Layers merged into one tree, as the OCI image-spec says."""

from __future__ import annotations

import time

import pytest

from registry_s3fs.errors import LayerError
from registry_s3fs.registry.layers import rootfs
from registry_s3fs.registry.layers.entries import Kind, LayerEntry
from registry_s3fs.registry.layers.rootfs import merge

OPAQUE = ".wh..wh..opq"


def file(path: str, data: str = "", **fields: object) -> LayerEntry:
    """A file whose blob tells which one it is."""
    return LayerEntry(path, "file", len(data), blob=data or path, offset=0)._replace(**fields)


def entry(path: str, kind: Kind, target: str | None = None) -> LayerEntry:
    return LayerEntry(path, kind, link_target=target)


def tree(*layers: list[LayerEntry]) -> dict[str, LayerEntry]:
    return {each.path: each for each in merge(layers)}


BASE = [file("a/b/c"), file("a/b/d"), file("a/e"), file("f")]


def test_a_whiteout_hides_lower_layers_alone() -> None:
    """Wherever it stands in its layer; a later layer may have the name again."""
    for layer in ([file("a/.wh.b"), file("a/b/new")], [file("a/b/new"), file("a/.wh.b")]):
        assert set(tree(BASE, layer)) == {"a", "a/b", "a/b/new", "a/e", "f"}
    assert tree(BASE, [file(".wh.f")], [file("f", "again")])["f"].blob == "again"
    assert tree(BASE, [file(".wh.f"), file("f", "kept")])["f"].blob == "kept"
    assert "f" not in tree(BASE, [file(".wh.f")], [file("x")])


def test_an_opaque_folder_hides_all_children_of_lower_layers() -> None:
    """Those of its own layer stay, and the folder itself."""
    for layer in ([file("a/b/new"), file(f"a/{OPAQUE}")], [file(f"a/{OPAQUE}"), file("a/b/new")]):
        assert set(tree(BASE, layer)) == {"a", "a/b", "a/b/new", "f"}
    assert set(tree(BASE, [file(OPAQUE), file("only")])) == {"only"}
    assert set(tree(BASE, [file(f"f/{OPAQUE}")])) == {"a", "a/b", "a/b/c", "a/b/d", "a/e", "f"}


@pytest.mark.parametrize(
    "marker",
    [".wh.", ".wh..", ".wh...", ".wh..wh.aufs", ".wh..wh.plnk/1.2", ".wh.gone/x", ".wh..wh..opq/x", "a/.wh.never"],
)
def test_other_markers_hide_nothing_and_are_never_shown(marker: str) -> None:
    """Those of AUFS, names of nothing, and whatever lies below one."""
    assert merge([BASE, [file(marker)]]) == merge([BASE])


def test_another_kind_replaces_what_was_there() -> None:
    """A file over a folder, a folder over a file, a link over a folder, within one layer too."""
    assert set(tree(BASE, [file("a", "now a file")])) == {"a", "f"}
    assert set(tree(BASE, [entry("f", "directory"), file("f/x")])) == {"a", "a/b", "a/b/c", "a/b/d", "a/e", "f", "f/x"}
    assert set(tree(BASE, [entry("a", "symlink", "f")])) == {"a", "f"}
    assert set(tree([*BASE, file("a"), entry("a", "directory")])) == {"a", "f"}
    assert tree([file("x", "first"), file("x", "second")])["x"].blob == "second"
    assert set(tree([file("x")], [file("x/y")])) == {"x", "x/y"}


def test_a_folder_of_an_upper_layer_replaces_what_the_lower_says_of_it() -> None:
    """Its children stay."""
    found = tree([entry("a", "directory"), file("a/x")], [entry("a", "directory")._replace(mode=0o700, uid=3)])
    assert (found["a"].mode, found["a"].uid, "a/x" in found) == (0o700, 3, True)


def test_folders_without_an_entry_are_made() -> None:
    """They belong to root, and everybody may read them."""
    found = tree([file("a/b/c")])
    assert found["a"] == LayerEntry("a", "directory") == LayerEntry("a", "directory", 0, 0o755, 0, 0, 0.0)
    assert set(found) == {"a", "a/b", "a/b/c"}


def test_a_hard_link_keeps_the_bytes_of_its_target() -> None:
    """Also where a later layer hides or replaces the target; owner, mode and time are the target's."""
    base = [file("t", "bytes", mode=0o4711, uid=4), entry("l", "hardlink", "t")._replace(mode=0o1, uid=9)]
    for upper in ([], [file(".wh.t")], [file("t", "others")]):
        link = tree(base, upper)["l"]
        assert (link.kind, link.blob, link.size, link.mode, link.uid) == ("hardlink", "bytes", 5, 0o4711, 4)
        assert link.link_target == "t"
    link = tree(base, [entry("again", "hardlink", "l")])["again"]
    assert (link.blob, link.link_target) == ("bytes", "l")


def test_hard_links_to_what_has_no_bytes() -> None:
    """Links to links and devices become such; a link to nothing has no blob; one to itself is what it was."""
    base = [entry("s", "symlink", "x"), entry("n", "character_device")._replace(device=(1, 3))]
    found = tree(base, [entry("ls", "hardlink", "s"), entry("ln", "hardlink", "n"), entry("no", "hardlink", "gone")])
    assert (found["ls"].kind, found["ls"].link_target, found["ln"].device) == ("symlink", "x", (1, 3))
    assert (found["no"].kind, found["no"].blob, found["no"].size) == ("hardlink", None, 0)
    hidden = tree([file("t", "x")], [file(".wh.t"), entry("l", "hardlink", "t")])
    assert (hidden["l"].blob, "t" in hidden) == (None, False)
    assert tree([file("t", "x")], [entry("t", "hardlink", "t")])["t"].blob == "x"


def test_entries_below_links_lie_where_these_lead_inside_the_image() -> None:
    """As with a merged /usr: an upper layer may still say bin/tool."""
    base = [entry("bin", "symlink", "usr/bin"), entry("usr/lib", "symlink", "/lib64"), entry("up", "symlink", "../..")]
    found = tree(base, [file("bin/tool"), file("usr/lib/so"), file("up/top"), entry("l", "hardlink", "bin/tool")])
    assert {path for path, each in found.items() if each.kind == "file"} == {"usr/bin/tool", "lib64/so", "top"}
    assert found["l"].link_target == "usr/bin/tool"
    assert found["bin"].kind == "symlink"
    assert "usr/bin/tool" not in tree(base, [file("bin/tool")], [file("bin/.wh.tool")])
    assert "bin/tool" in tree(base, [entry("bin", "directory"), file("bin/tool")])


@pytest.mark.parametrize("links", [{"a": "a"}, {"a": "b", "b": "a"}, {"a": "a/x"}, {"a": "b/b", "b": "c/c", "c": "a"}])
def test_links_in_circles_are_refused(links: dict[str, str]) -> None:
    """Where something lies below them; else they are links as any other."""
    layer = [entry(path, "symlink", target) for path, target in links.items()]
    assert len(tree(layer)) == len(links)
    with pytest.raises(LayerError, match="go in circles"):
        tree(layer, [file("a/x")])


def test_an_image_may_not_have_more_than_fits(monkeypatch: pytest.MonkeyPatch) -> None:
    """Folders that are made count, and what was removed does not."""
    monkeypatch.setattr(rootfs, "MAX_ENTRIES", 10)
    assert len(tree([file("a/b/c/d/e/f/g/h/i/j")])) == 10
    with pytest.raises(LayerError, match="over 10 entries"):
        tree([file("a/b/c/d/e/f/g/h/i/j/k")])
    layers = [[file(f"{number}"), file(f".wh.{number - 1}")] for number in range(100)]
    assert set(tree(*layers)) == {"99"}
    monkeypatch.setattr(rootfs, "MAX_TEXT_BYTES", 20)
    with pytest.raises(LayerError, match="paths of over 20"):
        tree([file("x" * 21)])


def test_fifty_thousand_entries_are_merged_in_a_moment() -> None:
    """The time is linear, with whiteouts and links too."""
    base = [file(f"usr/share/{number % 500}/{number}") for number in range(50_000)]
    upper = [each for number in range(0, 500, 2) for each in (file(f"usr/share/.wh.{number}"), file(f"n/{number}"))]
    begun = time.process_time()
    assert len(merge([base, upper])) == 25_000 + 250 + 250 + 3
    assert time.process_time() - begun < 1
