"""A registry's contents, made a push at a time. Blobs have names instead of bytes."""

from __future__ import annotations

from collections.abc import Iterable

from registry_s3fs.model import registry_layout
from registry_s3fs.registry.garbage.contents import BrokenLink, Contents, Repository

ROOT = registry_layout.ROOT


def digest(name: str) -> str:
    """The digest that stands for a name."""
    return registry_layout.digest(name.encode())


class Building:
    """A registry's contents on their way. Every blob has 100 bytes."""

    def __init__(self) -> None:
        self.contents = Contents(ROOT)
        self.names: dict[str, str] = {}

    def blob(self, name: str) -> str:
        """A blob, and its digest."""
        found = digest(name)
        self.names[found] = name
        self.contents.blobs[found] = 100
        return found

    def image(self, name: str, *layers: str, subject: str | None = None) -> str:
        """A manifest with a config of its own, and layers that others may have, too."""
        manifest = self.blob(name)
        self.contents.files[manifest] = [self.blob(f"{name}-config"), *map(self.blob, layers)]
        if subject:
            self.contents.subjects[manifest] = digest(subject)
        return manifest

    def index(self, name: str, *children: str) -> str:
        """An index of some manifests."""
        manifest = self.blob(name)
        self.contents.children[manifest] = list(map(digest, children))
        return manifest

    def push(self, repository: str, *names: str, tag: str | None = None) -> Repository:
        """Manifests that are pushed to a repository; the tag is moved to each of them."""
        found = self.contents.repository(repository)
        found.has_manifests = found.has_layers = True
        for manifest in map(digest, names):
            found.revisions[manifest] = manifest
            found.layers.update({each: each for each in self.contents.files.get(manifest, ())})
            if tag:
                found.has_tags = True
                found.tags[tag] = manifest
                found.tag_index.setdefault(manifest, []).append(tag)
        return found

    def named(self, digests: Iterable[str]) -> set[str]:
        """The names that digests stand for."""
        return {self.names.get(each, each) for each in digests}


def broken_link(repository: str, area: str, name: str) -> BrokenLink:
    """A link that is empty."""
    return BrokenLink(f"{ROOT}/repositories/{repository}/{area}/sha256/{digest(name)[7:]}/link", "it is empty")
