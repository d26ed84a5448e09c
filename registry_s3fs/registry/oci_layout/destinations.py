"""Where the images of a layout go in a registry: which repository and tag each of them gets. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from registry_s3fs.errors import LayoutError
from registry_s3fs.model.references import DEFAULT_TAG, Reference, digest_of_tag, parse_reference
from registry_s3fs.registry.oci_layout.closures import Closures
from registry_s3fs.registry.oci_layout.names import ImageName

_MOST_SHOWN = 10


class LayoutImage(NamedTuple):
    """An image that ``index.json`` names."""

    digest: str
    name: ImageName | None

    def __str__(self) -> str:
        if self.name is None:
            return self.digest
        if self.name.repository is None:
            return str(self.name.tag)
        return str(Reference(self.name.repository, self.name.tag, None if self.name.tag else self.digest))


class Destination(NamedTuple):
    """An image, and where it goes."""

    repository: str
    tag: str | None
    digest: str

    def __str__(self) -> str:
        return str(Reference(self.repository, self.tag, None if self.tag else self.digest))


def destinations(images: Sequence[LayoutImage], closures: Closures, reference: str | None) -> list[Destination]:
    """Return where images go.

    Without another name, each goes where its own name says. One without a name goes along with what it is a part of
    or says something about; so do the signatures of an image that gets another name.

    Args:
        images: The images that are imported.
        closures: Their manifests.
        reference: Another name, as in ``team/app:1.2``; or of the repository alone, in which tags stay as they are.

    Raises:
        LayoutError: An image has no name, a tag alone, or the name of another image; or several images would get one
            name.
        InvalidReferenceError: The other name is none.
    """
    found = _renamed(images, closures, reference) if reference else _named(images, closures)
    meaning: dict[tuple[str, str], str] = {}
    for repository, tag, digest in found:
        if tag and meaning.setdefault((repository, tag), digest) != digest:
            raise LayoutError(
                f"the layout has two images {repository}:{tag}; choose one of them by its digest (--image)"
            )
    return list(dict.fromkeys(found))


def _named(images: Sequence[LayoutImage], closures: Closures) -> list[Destination]:
    placed = []
    for image in images:
        if image.name and image.name.repository is None:
            text = (
                f"the layout names an image {str(image)!r}, which is a tag alone; give the repository (--as REPOSITORY)"
            )
            raise LayoutError(text)
        if image.name and image.name.repository:
            placed.append(Destination(image.name.repository, image.name.tag, image.digest))
    nameless = [image.digest for image in images if image.name is None]
    return placed + _going_along(nameless, placed, closures)


def _going_along(nameless: Iterable[str], placed: Sequence[Destination], closures: Closures) -> list[Destination]:
    """Return where images without a name go: to the repositories of what they say something about.

    Those that are parts of placed images are left out, since they come with these.
    """
    having: dict[str, set[str]] = {}
    found: list[Destination] = []
    waiting = list(dict.fromkeys(nameless))
    new = list(placed)
    while new:
        for repository, _, digest in new:
            for node in closures.below(digest):
                having.setdefault(node.digest, set()).add(repository)
        waiting = [digest for digest in waiting if digest not in having]
        subjects = {digest: closures.nodes[digest].subject or "" for digest in waiting}
        new = [
            Destination(repository, None, digest)
            for digest, subject in subjects.items()
            for repository in sorted(having.get(subject, ()))
        ]
        found += new
    if waiting:
        raise LayoutError(f"the layout gives no name to the image {waiting[0]}; give one (--as REPOSITORY:TAG)")
    return found


def _renamed(images: Sequence[LayoutImage], closures: Closures, reference: str) -> list[Destination]:
    wanted = parse_reference(reference)
    has_tag = ":" in reference.rpartition("/")[2]
    if wanted.digest:
        raise LayoutError(f"{reference}: an image's digest is its own; give REPOSITORY or REPOSITORY:TAG")
    main = _main_images(images, closures)
    if has_tag and len(main) != 1:
        shown = ", ".join(map(str, main[:_MOST_SHOWN]))
        raise LayoutError(
            f"the layout has {len(main)} images ({shown}), which cannot all become {reference}; choose one (--image), "
            f"or give the repository alone (--as {wanted.repository})"
        )
    placed = []
    for image in images:
        own = image.name.tag if image.name else None
        if len(main) == 1 and image == main[0]:
            own = wanted.tag if has_tag else own or (DEFAULT_TAG if image.name is None else None)
        placed.append(Destination(wanted.repository, own, image.digest))
    return placed


def _main_images(images: Sequence[LayoutImage], closures: Closures) -> list[LayoutImage]:
    """Return the images that are no part of another one, and that do not say something about another one."""
    parts = {node.digest for image in images for node in closures.below(image.digest) if node.digest != image.digest}
    main = [
        image
        for image in images
        if not (image.name is None and image.digest in parts) and not _is_about_another(image, closures)
    ]
    return main or list(images)


def _is_about_another(image: LayoutImage, closures: Closures) -> bool:
    tag = image.name.tag if image.name else None
    return closures.nodes[image.digest].subject is not None or bool(tag and digest_of_tag(tag))
