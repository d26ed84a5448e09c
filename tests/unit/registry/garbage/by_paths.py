"""The registry's own collector once more, on the files themselves: slow, and without tables or plans.

It walks, reads links and looks for files as the registry does on S3 (``garbagecollect.go``, ``catalog.go``,
``linkedblobstore.go``, ``manifeststore.go``, ``tagstore.go`` and ``s3.go`` of 2.8.2 and 3.0.0). What it would delete is
compared with the plans that are made from an inventory.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

SCHEMA_2 = {
    "application/vnd.docker.distribution.manifest.v2+json",
    "application/vnd.docker.distribution.manifest.list.v2+json",
    "application/vnd.oci.image.manifest.v1+json",
    "application/vnd.oci.image.index.v1+json",
}
DIGEST = re.compile(r"sha256:[0-9a-f]{64}|sha384:[0-9a-f]{96}|sha512:[0-9a-f]{128}")


class EndsError(Exception):
    """The run ends with an error; the text is the path at which it does."""


@dataclass
class ByPaths:
    """One run over the files of a registry: path below the root -> bytes."""

    files: Mapping[str, bytes]
    generation: str
    delete_untagged: bool = False
    marked: set[str] = field(default_factory=set)
    candidates: list[tuple[str, str]] = field(default_factory=list)
    layer_links: list[tuple[str, str]] = field(default_factory=list)

    def run(self) -> None:
        """Mark all that is marked. `EndsError` is raised where the registry ends."""
        for repository in list(self._repositories()):
            self._mark(repository)
        for path in self._below("blobs"):
            if path.endswith("/data") and not DIGEST.fullmatch(self._blob(path)):
                raise EndsError(path)

    @property
    def swept(self) -> set[str]:
        """The digests of the blobs that are deleted."""
        return {self._blob(path) for path in self._below("blobs") if path.endswith("/data")} - self.marked

    @property
    def removed(self) -> list[tuple[str, str]]:
        """Repository and digest of the manifests that are removed."""
        if self.generation == "2.8":
            return self.candidates
        return [each for each in self.candidates if each[1] not in self.marked]

    def _below(self, folder: str) -> list[str]:
        return sorted(path for path in self.files if path.startswith(f"{folder}/"))

    def _blob(self, path: str) -> str:
        _, algorithm, _, encoded, _ = path.split("/")
        return f"{algorithm}:{encoded}"

    def _repositories(self) -> Iterator[str]:
        """In the order of the walk: by directories in 2.8, by keys in 3."""
        area = "_layers" if self.generation == "2.8" else "_manifests"
        paths = self._below("repositories")
        if self.generation == "2.8":
            paths.sort(key=lambda path: path.split("/"))
        seen = set()
        for path in paths:
            parts = path.split("/")[1:]
            at = next(number for number, part in enumerate(parts) if part.startswith("_"))
            name = "/".join(parts[:at])
            if parts[at] == area and name not in seen:
                seen.add(name)
                yield name

    def _read(self, path: str) -> str | None:
        """What a link says, or None where there is none."""
        if path not in self.files:
            return None
        text = self.files[path].decode()
        if not DIGEST.fullmatch(text):
            raise EndsError(path)
        return text

    def _link(self, repository: str, area: str, digest: str) -> str:
        return f"repositories/{repository}/{area}/{digest.replace(':', '/')}/link"

    def _stat(self, repository: str, digest: str, *areas: str) -> str | None:
        """The blob by which a repository has a digest."""
        for area in areas:
            target = self._read(self._link(repository, area, digest))
            if target is not None:
                return target if self._bytes(target) is not None else None
        return None

    def _bytes(self, digest: str) -> bytes | None:
        algorithm, _, encoded = digest.partition(":")
        return self.files.get(f"blobs/{algorithm}/{encoded[:2]}/{encoded}/data")

    def _linked(self, repository: str, area: str, *areas: str) -> Iterator[tuple[str, str]]:
        for path in self._below(f"repositories/{repository}/{area}"):
            if path.endswith("/link"):
                digest = self._read(path)
                assert digest
                blob = self._stat(repository, digest, *areas)
                if blob:
                    yield digest, blob

    def _mark(self, repository: str) -> None:
        revisions = "_manifests/revisions"
        areas = (revisions, "_layers") if self.generation == "2.8" else (revisions,)
        for digest, blob in self._linked(repository, revisions, *areas):
            if self.delete_untagged and digest not in self._current(repository):
                if self._below(f"repositories/{repository}/_manifests/tags"):
                    self.candidates.append((repository, digest))
                elif self.generation == "2.8":
                    raise EndsError(f"repositories/{repository}/_manifests/tags")
                continue
            self.marked.add(digest)
            self._mark_references(repository, digest, blob)
        if self.generation == "3":
            for digest, _ in self._linked(repository, "_layers", "_layers"):
                if digest not in self.marked:
                    self.layer_links.append((repository, digest))

    def _current(self, repository: str) -> set[str]:
        tags = f"repositories/{repository}/_manifests/tags"
        names = {path.removeprefix(f"{tags}/").split("/")[0] for path in self._below(tags)}
        return {digest for tag in sorted(names) if (digest := self._read(f"{tags}/{tag}/current/link"))}

    def _mark_references(self, repository: str, digest: str, blob: str) -> None:
        for reference in self._references(repository, digest, blob):
            if self.generation == "2.8":
                self.marked.add(reference)
            elif reference not in self.marked:
                self.marked.add(reference)
                child = self._child(repository, reference)
                if child:
                    self._mark_references(repository, reference, child)

    def _child(self, repository: str, digest: str) -> str | None:
        try:
            return self._stat(repository, digest, "_manifests/revisions")
        except EndsError:
            return None

    def _references(self, repository: str, digest: str, blob: str) -> list[str]:
        bad = EndsError(self._link(repository, "_manifests/revisions", digest))
        data = self._bytes(blob)
        assert data is not None
        try:
            manifest: dict[str, Any] = json.loads(data)
            version, media_type = manifest["schemaVersion"], manifest.get("mediaType")
        except (ValueError, KeyError, TypeError):
            raise bad from None
        if version == 1 and self.generation == "2.8":
            return [layer["blobSum"] for layer in manifest["fsLayers"]]
        if version != 2 or media_type not in SCHEMA_2:
            raise bad
        if "manifests" in manifest:
            return [each["digest"] for each in manifest["manifests"]]
        return [manifest["config"]["digest"], *(each["digest"] for each in manifest["layers"])]
