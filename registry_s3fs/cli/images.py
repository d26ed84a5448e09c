"""The commands on one image: `inspect`, `tree` and `history`."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, NamedTuple

from registry_s3fs.cli.columns import Column, Row, for_terminal
from registry_s3fs.cli.image_sources import Image, LiveSource, Source, catalog_of, source_of
from registry_s3fs.cli.options import Commands, output
from registry_s3fs.cli.output import Node, Output, drawn
from registry_s3fs.cli.tables import add_command, is_registry_named, words_of
from registry_s3fs.cli.text import aligned
from registry_s3fs.model.text import printable

if TYPE_CHECKING:
    from registry_s3fs.registry.manifests import Descriptor

MOST_NESTED = 8
PARTS = (
    *(
        Column("role"),
        Column("size", "bytes"),
        Column("image_bytes", "bytes", "image"),
        Column("digest", "digest"),
        Column("platform"),
        Column("title"),
    ),
    *(Column("media_type"), Column("declared_size", "bytes", shown=False), Column("annotations", shown=False)),
)
INSTRUCTIONS = (
    *(Column("created", "time"), Column("size", "bytes"), Column("created_by")),
    *(
        Column("digest", "digest", shown=False),
        Column("empty_layer", "flag", shown=False),
        Column("comment", shown=False),
    ),
)
HISTORY = (
    *(Column("tagged_at", "time", "tagged"), Column("digest", "digest"), Column("current", "flag")),
    *(Column("still_there", "flag"), Column("repository", shown=False), Column("tag", shown=False)),
)
PLATFORM = "of a multi-arch image, the one for this platform, such as linux/arm64"


class Part(NamedTuple):
    """A part of an image, with what it has itself."""

    role: str
    descriptor: Descriptor
    size: int | None = None
    parts: tuple[Part, ...] = ()

    def row(self) -> Row:
        """Return it by the columns' names."""
        named = self.descriptor
        return {
            "role": self.role,
            "digest": named.digest,
            "size": self.size,
            "declared_size": named.size,
            "image_bytes": total(self) if self.parts else None,
            "media_type": named.media_type,
            "platform": str(named.platform) if named.platform else None,
            "title": named.title,
            "annotations": dict(named.annotations),
        }

    def all(self) -> Iterator[Part]:
        """Yield it, and all parts below it."""
        yield self
        for part in self.parts:
            yield from part.all()


def add(commands: Commands) -> None:
    """Add the commands."""
    parser = add_command(
        commands, "inspect", _inspect, "show what an image is made of",
        "With --from, what its tag keeps alone is told, too.", words="REF",
        meaning="such as team/app:1.2 or team/app@sha256:...", examples=(
            "inspect --config config.yml team/app:1.2",
            "inspect --config config.yml team/app:1.2 --platform linux/arm64 --image-config",
            "inspect --config config.yml team/app:1.2 --raw | sha256sum",
        ),
    )  # fmt: skip
    parser.add_argument("--platform", metavar="P", help=PLATFORM)
    what = parser.add_mutually_exclusive_group()
    what.add_argument("--raw", action="store_true", help="the manifest's own bytes")
    what.add_argument("--image-config", action="store_true", help="the image's config")
    add_command(
        commands, "tree", _tree, "draw an image: its platforms, layers, signatures",
        words="REF", meaning="such as team/app:1.2", examples=("tree --config config.yml team/app:1.2",),
    )  # fmt: skip
    parser = add_command(
        commands, "history", _history, "show what each instruction of an image weighs, and what its tag meant before",
        "The instructions are in the image's config, which an inventory does not have.", words="REF",
        meaning="such as team/app:1.2", examples=("history --config config.yml team/app:1.2 --platform linux/amd64",),
    )  # fmt: skip
    parser.add_argument("--platform", metavar="P", help=PLATFORM)


def _inspect(arguments: argparse.Namespace) -> None:
    (text,) = words_of(arguments, 1, 1)
    out = output(arguments, PARTS)
    if arguments.raw or arguments.image_config:
        live = LiveSource(catalog_of(arguments))
        text = live.whole(text)
        if arguments.raw:
            _write_raw(live.catalog.resolve(text, arguments.platform).data)
        else:
            out.lines([json.dumps(live.catalog.config(text, arguments.platform), indent=2)])
    else:
        source = source_of(arguments)
        image = _for_platform(source, source.resolve(text), arguments.platform)
        whole = part_of(source, image)
        document = _document(source, image, whole)
        out.document(document, [part.row() for part in whole.parts], PARTS, _described(out, document, whole), "digest")


def _write_raw(data: bytes) -> None:
    """Write bytes as they are; on a terminal, as text that it need not obey."""
    if sys.stdout.isatty():
        print(*map(printable, data.decode(errors="backslashreplace").split("\n")), sep="\n")
    else:
        sys.stdout.buffer.write(data)


def _for_platform(source: Source, image: Image, platform: str | None) -> Image:
    """Return the image for a platform, of an index, and without a platform the image itself."""
    from registry_s3fs.registry.platforms import choose, parse_platform

    if not platform or image.manifest.kind != "index":
        return image
    child = choose(image.manifest, parse_platform(platform), str(image))
    manifest = source.manifest(image.repository, child.digest)
    if manifest is None:
        raise FileNotFoundError(2, f"the image for {platform} is missing, or cannot be read", child.digest)
    return Image(image.repository, image.tag, child.digest, manifest)


def part_of(source: Source, image: Image) -> Part:
    """Return an image with all parts, and the size of each that is stored."""
    from registry_s3fs.registry.manifests import Descriptor

    manifest = image.manifest
    itself = Descriptor(image.digest, None, manifest.media_type, manifest.annotations, None, manifest.artifact_type)
    whole = _parts(source, image.repository, manifest.kind, itself, MOST_NESTED)
    sizes = source.sizes({part.descriptor.digest for part in whole.all()})
    return _with_sizes(whole, sizes)


def _parts(source: Source, repository: str, role: str, named: Descriptor, most: int) -> Part:
    is_manifest = role not in ("config", "layer") and most > 0
    manifest = source.manifest(repository, named.digest) if is_manifest else None
    if manifest is None:
        return Part(role, named)
    references = [(kind, each) for kind, each in manifest.references() if kind != "subject"]
    return Part(role, named, None, tuple(_parts(source, repository, kind, each, most - 1) for kind, each in references))


def _with_sizes(part: Part, sizes: Mapping[str, int]) -> Part:
    below = tuple(_with_sizes(each, sizes) for each in part.parts)
    return part._replace(size=sizes.get(part.descriptor.digest), parts=below)


def total(part: Part) -> int:
    """Return the bytes of a part and all below it, each digest once."""
    return sum({each.descriptor.digest: each.size or 0 for each in part.all()}.values())


def _document(source: Source, image: Image, whole: Part) -> Row:
    by_role = {role: [part for part in whole.parts if part.role == role] for role in ("config", "layer", "child")}
    manifest, tag = image.manifest, source.tag(image)
    is_tags = tag.get("digest") == image.digest  # not so of one platform's image: the tag means the index
    return {
        "repository": image.repository,
        "tag": image.tag,
        "digest": image.digest,
        "kind": manifest.kind,
        "media_type": manifest.media_type,
        "artifact_type": manifest.artifact_type,
        "size": whole.size,
        "image_bytes": total(whole),
        **{name: tag[name] for name in ("pushed_at", *(["unique_bytes"] if is_tags else [])) if name in tag},
        "config": next((part.row() for part in by_role["config"]), None),
        "layers": [part.row() for part in by_role["layer"]],
        "children": [part.row() for part in by_role["child"]],
        "subject": manifest.subject.digest if manifest.subject else None,
        "annotations": dict(manifest.annotations),
    }


def _described(out: Output, document: Row, whole: Part) -> Iterator[str]:
    for name, value in document.items():
        if name not in ("config", "layers", "children", "annotations") and value is not None:
            column = Column(name, "bytes" if name.endswith(("size", "bytes")) else "text")
            yield f"{name.replace('_', ' ') + ':':16} {out.cell(value, column)}"
    for name, value in whole.descriptor.annotations.items():
        yield f"{'annotation:':16} {printable(f'{name}={value}')}"
    if whole.parts:
        known = [column for column in PARTS if column.shown and any(part.row()[column.name] for part in whole.parts)]
        cells = [[out.cell(part.row()[column.name], column) for column in known] for part in whole.parts]
        yield ""
        yield from aligned([[column.heading for column in known], *cells], [column.is_right for column in known])


def _tree(arguments: argparse.Namespace) -> None:
    (text,) = words_of(arguments, 1, 1)
    out = output(arguments, PARTS)
    source = source_of(arguments)
    image = source.resolve(text)
    whole = part_of(source, image)
    referrers = [_referrer(source, image, each.digest, each.artifact_type) for each in source.referrers(image)]
    parts = [*whole.all(), *(part for each in referrers for part in each.all())]
    document = {**_nested(whole), "referrers": list(map(_nested, referrers))}
    nodes = [Node(printable(str(image)), [_node(out, whole), *(_node(out, each) for each in referrers)])]
    out.document(document, [part.row() for part in parts], PARTS, drawn(nodes), "digest")


def _referrer(source: Source, image: Image, digest: str, artifact_type: str | None) -> Part:
    manifest = source.manifest(image.repository, digest)
    from registry_s3fs.registry.manifests import Descriptor

    if manifest is None:
        return Part("referrer", Descriptor(digest, None, artifact_type))
    found = part_of(source, Image(image.repository, None, digest, manifest))
    return found._replace(role="referrer", descriptor=found.descriptor._replace(media_type=artifact_type))


def _nested(part: Part) -> dict[str, object]:
    return {**part.row(), "parts": list(map(_nested, part.parts))}


def _node(out: Output, part: Part) -> Node:
    """Return a part as a line of the tree: what it is, its digest, and what it weighs with all below it."""
    named = part.descriptor
    what = [
        part.role,
        str(named.platform or ""),
        named.title or "",
        named.media_type or "" if part.role == "referrer" else "",
    ]
    digest = out.cell(named.digest, Column("digest", "digest"))
    label = " ".join(filter(None, [*what, digest]))
    size = "missing" if part.size is None else out.size(total(part))
    return Node(for_terminal(label), [_node(out, each) for each in part.parts], size)


def _history(arguments: argparse.Namespace) -> None:
    (text,) = words_of(arguments, 1, 1)
    out = output(arguments, INSTRUCTIONS)
    source = source_of(arguments)
    image = source.resolve(text)
    before = source.tag_history(image.repository, image.tag) if image.tag else []
    before = sorted(before, key=lambda row: str(row["tagged_at"]), reverse=True)
    instructions, problem = _instructions(arguments, source, image)
    document = {
        "repository": image.repository,
        "tag": image.tag,
        "digest": image.digest,
        "instructions": instructions,
        "tag_history": before,
    }
    lines = _history_lines(out, instructions, before, problem)
    if instructions or not before:
        out.document(document, instructions, INSTRUCTIONS, lines, "digest")
    else:
        out.document(document, before, HISTORY, lines, "digest")


def _instructions(arguments: argparse.Namespace, source: Source, image: Image) -> tuple[list[Row], str]:
    """Return the instructions of an image, the newest first; or why they are not known."""
    from registry_s3fs.errors import PlatformError

    if arguments.inventory and not is_registry_named(arguments):
        return [], "the instructions are not known: an inventory has no configs; name the registry, too"
    catalog = catalog_of(arguments)
    try:
        named = f"{image.repository}@{image.digest}"
        found = catalog.resolve(named, arguments.platform)
        config = catalog.config(named, arguments.platform)
    except (OSError, ValueError) as error:
        if isinstance(error, PlatformError) and arguments.platform:
            raise
        return [], f"the instructions are not known: {error}"
    layers = found.manifest.layers or catalog.resolve(named, _platform(config)).manifest.layers
    sizes = source.sizes({layer.digest for layer in layers})
    return instructions_of(config, layers, sizes)[::-1], ""


def _platform(config: Mapping[str, object]) -> str:
    return f"{config.get('os')}/{config.get('architecture')}"


def instructions_of(config: Mapping[str, object], layers: Iterable[Descriptor], sizes: Mapping[str, int]) -> list[Row]:
    """Return a row for each instruction in the history of a config, the oldest first.

    An instruction that made a layer has its digest and size. Where the history is missing or has another number of
    layers, the layers that are left come after it.
    """
    history = config.get("history")
    left = list(layers)
    found: list[Row] = []
    for step in history if isinstance(history, list) else []:
        if isinstance(step, dict):
            is_empty = step.get("empty_layer") is True
            layer = left.pop(0) if left and not is_empty else None
            found.append(_instruction(step, layer, sizes))
    return found + [_instruction({}, layer, sizes) for layer in left]


def _instruction(step: Mapping[str, object], layer: Descriptor | None, sizes: Mapping[str, int]) -> Row:
    texts = {
        name: step[name] if isinstance(step.get(name), str) else None for name in ("created", "created_by", "comment")
    }
    size = 0 if layer is None else sizes.get(layer.digest)
    return {**texts, "size": size, "digest": layer.digest if layer else None, "empty_layer": layer is None}


def _history_lines(out: Output, instructions: list[Row], before: list[Row], problem: str) -> Iterator[str]:
    blocks = [
        _block(out, instructions, INSTRUCTIONS),
        [printable(problem)] if problem else [],
        _block(out, before, HISTORY),
    ]
    for number, block in enumerate(filter(None, blocks)):
        yield from [""] if number else []
        yield from block


def _block(out: Output, rows: list[Row], columns: Sequence[Column]) -> list[str]:
    known = [column for column in columns if column.shown]
    cells = [[out.cell(row.get(column.name), column) for column in known] for row in out.chosen(rows, columns)]
    heading = [[column.heading for column in known]] if cells else []
    return aligned([*heading, *cells], [column.is_right for column in known])
