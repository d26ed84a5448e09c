"""The commands `export` and `import`: images as an OCI image layout, a folder or a tar."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from typing import TYPE_CHECKING

from registry_s3fs.cli import progress
from registry_s3fs.cli.columns import Column, Row
from registry_s3fs.cli.options import Commands, output
from registry_s3fs.cli.places import is_url, new_registry, one_side, registry
from registry_s3fs.cli.tables import URL, directory_place
from registry_s3fs.model.text import counted, printable
from registry_s3fs.redaction import redact

if TYPE_CHECKING:
    from registry_s3fs.cli.output import Output
    from registry_s3fs.registry.oci_layout import Export, Import

EXPORTED = (
    *(Column("reference"), Column("digest", "digest"), Column("kind"), Column("manifests", "number")),
    *(Column("bytes", "bytes"), Column("is_referrer", "flag", shown=False)),
)
IMPORTED = (
    *(Column("reference"), Column("digest", "digest"), Column("kind"), Column("manifests", "number")),
    *(Column("bytes", "bytes"), Column("repository", shown=False), Column("tag", shown=False)),
)
STANDARD_OUTPUT = "-"
"""What tar(1) and skopeo take as a name for it."""
EXPORT = """\
OUT is a folder, or a tar where its name ends in .tar, here or at a URL of any fsspec filesystem. An index comes
with all its images. To a folder that is a layout, the images are added. Other tools name an image in it as it is
named here:

  skopeo inspect oci:FOLDER:team/app:1.2          skopeo inspect oci-archive:FILE.tar:team/app:1.2"""
IMPORT = """\
IN is a folder or a tar with an index.json: what `export`, skopeo, podman, buildah, oras or docker (25 or later)
wrote. The files in the registry's storage are those that a push writes. All is compared with its digest before
any tag is written; an import that was interrupted copies what lacks when it is begun again.

Images go where their names in the layout say: team/app:1.2, or quay.io/team/app:1.2 without its host. --as gives
another name, and is needed where they have none, or only a tag."""


def add(commands: Commands) -> None:
    """Add the commands."""
    parser = commands.add(
        "export", _export, "write images and artifacts into an OCI image layout", EXPORT,
        words="[URL] REF... OUT[.tar]", examples=(
            "export --config config.yml team/app:1.2 ./layout",
            "export --config config.yml --referrers team/app:1.2 team/tools:latest registrys3://backup/images.tar",
        ),
    )  # fmt: skip
    parser.add_argument(
        "--referrers", action="store_true", help="also what says something about the images: signatures, SBOMs"
    )
    parser.add_argument("--platform", metavar="P", help="of an index, only the image for this one, as in linux/arm64")
    parser.add_argument(
        "words", nargs="+", metavar="[URL] REF OUT",
        help=f"images by tag or digest, then the folder or tar to write; before them {URL}",
    )  # fmt: skip
    parser = commands.add(
        "import", _import, "store the images of an OCI image layout in a registry", IMPORT,
        words="IN [DST]", examples=(
            "import --config config.yml ./layout",
            "import --config config.yml --as team/app:1.2 image.tar",
            "import ./layout registrys3://my-bucket -o region=eu-central-1",
        ),
    )  # fmt: skip
    parser.add_argument(
        "--as", dest="reference", metavar="REPOSITORY[:TAG]",
        help="the name that the image gets; a repository alone has all images of the layout, with their own tags",
    )  # fmt: skip
    parser.add_argument(
        "--image", dest="images", metavar="NAME", action="append", default=[],
        help="only this image of the layout, by its name there or its digest; repeatable",
    )  # fmt: skip
    parser.add_argument(
        "--platform", metavar="P",
        help="of an index, only the image for this one, as in linux/arm64; the layout need not have the others",
    )  # fmt: skip
    parser.add_argument(
        "words", nargs="+", metavar="IN [DST]",
        help="the layout, a folder, file or URL; then the registry, where neither --config nor -o names it: a URL, a "
        "config.yml, or a folder",
    )  # fmt: skip


def _export(arguments: argparse.Namespace) -> None:
    out = output(arguments, EXPORTED)
    *words, target = arguments.words
    url = words.pop(0) if words and is_url(words[0]) else None
    if not words or any(map(is_url, words)):
        arguments.parser.error("one or more images, please, and behind them the folder or tar to write")
    if target == STANDARD_OUTPUT:
        arguments.parser.error("a layout is not written to standard output; name a folder or a tar")
    found = registry(url, arguments)
    from registry_s3fs.cli.image_sources import LiveSource
    from registry_s3fs.registry.catalog import Catalog
    from registry_s3fs.registry.oci_layout import export_images

    place = directory_place(target, arguments)
    source = LiveSource(Catalog(found.fs, found.root))
    with progress.of_steps(arguments) as told:
        result = export_images(
            found.fs, [source.whole(word) for word in words], place.path, root=found.root, target_fs=place.fs,
            referrers=arguments.referrers, platform=arguments.platform, progress=told,
        )  # fmt: skip
    rows: list[Row] = [image._asdict() for image in result.images]
    _tell(out, result, rows, EXPORTED, target)


def _import(arguments: argparse.Namespace) -> None:
    out = output(arguments, IMPORTED)
    if len(arguments.words) > 2:
        arguments.parser.error("one layout, please, and behind it the registry")
    source, *url = arguments.words
    place = directory_place(source, arguments)
    found = new_registry(*one_side(url[0], arguments.config, arguments.options) if url else (None, arguments))
    from registry_s3fs.registry.oci_layout import import_images

    with progress.of_steps(arguments) as told:
        result = import_images(
            found.fs, place.path, root=found.root, source_fs=place.fs,
            reference=arguments.reference, images=arguments.images, platform=arguments.platform,
            progress=told,
        )  # fmt: skip
    rows: list[Row] = [{"reference": image.reference, **image._asdict()} for image in result.images]
    _tell(out, result, rows, IMPORTED, source)


def _tell(out: Output, result: Export | Import, rows: Sequence[Row], columns: Sequence[Column], place: str) -> None:
    """Write what became of the images: one document as JSON, and else a row for each image."""
    place = redact(place)
    if out.format == "json":
        document = {**result._asdict(), "layout": place, "images": rows}
        out.document(document, rows, columns, ())
        return
    kept = f"; {counted(result.kept, 'blob')} there already" if result.kept else ""
    written = f"{counted(result.blobs, 'blob')}, {out.size(result.bytes)}{kept}"
    notes = [printable(f"{place}: {counted(len(rows), 'image')}; written: {written}")]
    if result.foreign:
        notes.append(f"left out, as clients fetch them from elsewhere: {counted(len(result.foreign), 'foreign layer')}")
    out.rows(rows, columns, notes)
