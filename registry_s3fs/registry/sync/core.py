"""`sync`: a registry copied to another filesystem: blobs, then links, then what tags have meant, then tags."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from typing import TYPE_CHECKING

from registry_s3fs import errors
from registry_s3fs.model.registry_layout import (
    ROOT,
    Blob,
    LayerLink,
    Link,
    RevisionLink,
    SignatureLink,
    TagIndexLink,
    TagLink,
)
from registry_s3fs.registry import collector
from registry_s3fs.registry.progress import Progress, silent
from registry_s3fs.registry.sync import places
from registry_s3fs.registry.sync.blobs import Copying, Way
from registry_s3fs.registry.sync.closures import Closures
from registry_s3fs.registry.sync.destination import There, read_destination
from registry_s3fs.registry.sync.result import Problem, Synced, SyncedTag
from registry_s3fs.registry.sync.source import (
    CopiedLink,
    Links,
    chosen_by,
    links_now,
    meanings_now,
    read_source_links,
    source_blobs,
)
from registry_s3fs.registry.writing import Writer, remove_leftovers

if TYPE_CHECKING:
    from fsspec import AbstractFileSystem

LINKS_AT_ONCE = 1000


def sync(
    source_fs: AbstractFileSystem,
    destination_fs: AbstractFileSystem,
    *,
    source_root: str = ROOT,
    destination_root: str = ROOT,
    include: str | re.Pattern[str] | None = None,
    dry_run: bool = False,
    keep_going: bool = False,
    verify: bool | None = None,
    progress: Progress | None = None,
) -> Synced:
    """Copy a registry to another place, or what has changed since the last time. Nothing is deleted there.

    Blobs are copied first, then links to layers and manifests, then what tags have meant, then tags. So whenever it
    ends, by SIGKILL too, the destination is a registry whose tags can be pulled. Another run copies what is missing.

    Args:
        source_fs: The filesystem of the registry to copy.
        destination_fs: The filesystem to copy it to.
        source_root: The path that ``blobs`` and ``repositories`` lie below.
        destination_root: The same at the destination, where nothing need be.
        include: A regular expression. Only repositories in whose names it is found are copied, with the blobs that
            their manifests need.
        dry_run: Whether to write nothing, and only tell what would be copied.
        keep_going: Whether to copy what is whole where something else is not.
        verify: Whether to compare blobs with their digests. By default, those that pass through this process are
            compared, and those that the server copies itself, within one bucket, only if the source's filesystem has
            `verify_digests`.
        progress: What is called with a stage, how many of its items are done, and how many there are, or None.

    Raises:
        ValueError: `include` is no regular expression, or one registry lies in the other.
        NotInRegistryError: There is no registry at the source, or none of its repositories is chosen. Or a tag needs a
            blob that is missing, without ``keep_going``; no tag was written then.
        OSError: Something cannot be read or written, without ``keep_going``; or a server cannot be reached.
    """
    source, destination = places.place(source_fs, source_root), places.place(destination_fs, destination_root)
    places.check_apart(source, destination)
    is_chosen = chosen_by(include)
    if verify is None and getattr(getattr(source_fs, "parameters", None), "verify_digests", False):
        verify = True
    way = Way(source, destination, places.copied_by_server(source, destination), verify)
    with collector.seldom():
        told = progress or silent
        links = read_source_links(source, is_chosen, told)
        if not links.repositories and (include is not None or not source_fs.exists(source.layout.blobs)):
            raise _nothing_there(source.root, include)
        run = _Run(way, links, keep_going=keep_going, progress=told)
        run.plan(has_all=include is None)
        return run.told(dry_run=True) if dry_run else run.carried_out()


def _nothing_there(root: str, include: str | re.Pattern[str] | None) -> OSError:
    if include is None:
        return errors.not_in_registry("no registry is there to copy; give the folder that has blobs", root)
    pattern = include if isinstance(include, str) else include.pattern
    return errors.not_in_registry(f"no repository has a name in which {pattern!r} is found", root)


class _Run:
    """One run: what there is, what is to be copied, and what came of it."""

    def __init__(self, way: Way, links: Links, *, keep_going: bool, progress: Progress) -> None:
        self._way = way
        self._links = links
        self._keep_going = keep_going
        self._progress = progress
        self._blobs = source_blobs(way.source, progress)
        self._there: There = read_destination(way.destination, links, progress)
        self._closures = Closures(way.source, way.destination, self._blobs, self._there.blobs)
        self._writer = Writer(way.destination.fs)
        self._copying = Copying(way, self._writer, self._closures.failed, keep_going=keep_going)
        self._problems = links.problems
        self._tags = {tag: digest for tag, digest in links.tags.items() if self._there.tags.get(tag) != digest}
        """The tags to write."""
        self._wanted: dict[str, int] = self._blobs
        """The blobs that the destination is to have."""
        self._left_out = self._written = 0
        self._changed: list[str] = []

    # What to do

    def plan(self, *, has_all: bool) -> None:
        """Find out what is to be copied.

        Raises:
            OSError: A tag that is to be copied is not whole at the source, without ``keep_going``.
        """
        roots = set(self._tags.values())
        if not has_all:
            roots |= set(self._links.tags.values())
            roots |= {link.digest for link in self._links.said if isinstance(link, RevisionLink)}
        self._closures.read(roots, self._progress)
        if not has_all:
            self._wanted = self._needed_by(roots)
        self._look_for_links()
        self._give_up(self._incomplete_tags())

    def _needed_by(self, roots: Iterable[str]) -> dict[str, int]:
        """Return the blobs of the closures of manifests, and the signatures of those of schema 1."""
        needed = {digest for root in roots for digest in self._closures.of(root)}
        needed |= {link.signature for link in self._links.said if isinstance(link, SignatureLink)}
        return {digest: self._blobs[digest] for digest in needed if digest in self._blobs}

    def _look_for_links(self) -> None:
        """Look once more for the links that tags need and the listing did not have, as they were pushed meanwhile."""
        needed = (link for tag, digest in self._tags.items() for link in self._links_of(tag, digest))
        lacking = {link for link in needed if link not in self._links.said}
        self._links.said.update(links_now(self._way.source, lacking))

    def _links_of(self, tag: TagLink, digest: str) -> Iterator[CopiedLink]:
        """Yield the links by which a repository has what a tag leads to."""
        for each in self._closures.of(digest):
            is_manifest = each == digest or self._closures.is_manifest(each)
            yield RevisionLink(tag.repository, each) if is_manifest else LayerLink(tag.repository, each)

    def _incomplete_tags(self) -> list[Problem]:
        """Return why tags that are to be written cannot be pulled, in the order of what is missing."""
        affected: dict[tuple[str, str, str], list[str]] = {}
        problems: list[Problem] = []
        for tag, digest in self._tags.items():
            lacking = self._closures.lacking(digest)
            for each, (code, detail) in lacking.items():
                affected.setdefault((each, code, detail), []).append(f"{tag.repository}:{tag.tag}")
            if not lacking:
                problems += self._unlinked(tag, digest)
        for (digest, code, detail), tags in affected.items():
            problems.append(self._of_blob(code, digest, detail, tuple(sorted(tags))))
        return sorted(problems, key=lambda problem: (problem.code, problem.key))

    def _unlinked(self, tag: TagLink, digest: str) -> Iterator[Problem]:
        """Yield a problem for each manifest that a tag leads to, and that its repository has no link to."""
        for link in self._links_of(tag, digest):
            if isinstance(link, RevisionLink) and link not in self._links.said:
                is_tags = link.digest == digest
                detail = f"{tag.repository} has no link to the manifest {link.digest}"
                yield Problem(
                    "tag_dangling" if is_tags else "child_missing", tag.repository, tag.tag, link.digest, detail,
                    (f"{tag.repository}:{tag.tag}",), link.at(self._way.source.root),
                )  # fmt: skip

    def _give_up(self, problems: list[Problem]) -> None:
        """Leave out the tags that problems hurt. One that has moved or gone meanwhile is no problem.

        Raises:
            OSError: A tag is hurt, without ``keep_going``.
        """
        tag_of = {f"{tag.repository}:{tag.tag}": tag for tag in self._tags}
        hurt = {name for problem in problems for name in problem.affected_tags}
        now = meanings_now(self._way.source, (tag_of[name] for name in sorted(hurt)))
        changed = {f"{tag.repository}:{tag.tag}" for tag, digest in now.items() if digest != self._tags[tag]}
        self._changed += sorted(changed)
        for name in hurt:
            del self._tags[tag_of[name]]
        for problem in problems:
            still = tuple(name for name in problem.affected_tags if name not in changed)
            if still:
                self._problems.append(problem._replace(affected_tags=still))
        hurting = [problem for problem in self._problems if problem.affected_tags]
        if hurting and not self._keep_going:
            raise hurting[0].as_error(len(hurting) - 1)

    # Doing it

    def carried_out(self) -> Synced:
        """Copy what is to be copied, and return what was."""
        missing = self._missing_blobs()
        self._copying.copy(missing, len(missing), self._progress)
        self._give_up(self._incomplete_tags())
        self._tell_of_failed_blobs()
        for kinds in ((LayerLink,), (RevisionLink, SignatureLink), (TagIndexLink,)):
            self._write_links(link for link in self._links.said if isinstance(link, kinds))
        self._write_tags()
        remove_leftovers(self._way.destination.fs, self._there.leftovers)
        return self.told(dry_run=False)

    def _missing_blobs(self) -> list[tuple[str, int]]:
        return [(digest, size) for digest, size in self._wanted.items() if self._there.blobs.get(digest) != size]

    def _tell_of_failed_blobs(self) -> None:
        """Add the problems of blobs that no tag needs."""
        told = {problem.digest for problem in self._problems}
        for digest, (code, detail) in sorted(self._closures.failed.items()):
            if digest not in told and code != "blob_missing":
                self._problems.append(self._of_blob(code, digest, detail, ()))

    def _of_blob(self, code: str, digest: str, detail: str, tags: tuple[str, ...]) -> Problem:
        """Return the problem of a blob, with its path where the fault is."""
        place = self._way.destination if code == "not_stored" else self._way.source
        return Problem(code, None, None, digest, detail, tags, Blob(digest).at(place.root))

    def _is_stored(self, digest: str) -> bool:
        """Return whether the destination has a blob now, or will have it."""
        return digest not in self._closures.failed and (digest in self._wanted or digest in self._there.blobs)

    def _write_links(self, links: Iterable[CopiedLink]) -> None:
        """Write those of the links that the destination lacks, and whose blobs it has."""
        wanted = ((link, digest) for link in links if (digest := self._due(link)))
        for batch in iter(lambda: list(islice(wanted, LINKS_AT_ONCE)), []):
            failed = self._write(batch)
            self._written += len(batch) - len(failed)
            self._progress("links", self._written, None)
            repositories = {link.repository for link in failed}
            for tag in [tag for tag in self._tags if tag.repository in repositories]:
                del self._tags[tag]

    def _due(self, link: CopiedLink) -> str | None:
        """Return the digest that a link has to say at the destination, or None where nothing is to be written."""
        digest = self._links.said[link]
        if digest is None:
            return None
        if isinstance(link, TagIndexLink) and not self._will_have(TagLink(link.repository, link.tag)):
            return None
        if not self._is_stored(digest):
            self._left_out += 1
            return None
        return digest

    def _will_have(self, tag: TagLink) -> bool:
        return tag in self._tags or self._there.tags.get(tag) is not None

    def _write(self, batch: Sequence[tuple[Link, str]]) -> list[Link]:
        """Write links, and return those that the destination refused."""
        root = self._way.destination.root
        link_at = {link.at(root): link for link, _ in batch}
        failed = self._writer.store({link.at(root): digest.encode() for link, digest in batch})
        for path, error in failed.items():
            if not self._keep_going:
                raise error
            link = link_at[path]
            tag = link.tag if isinstance(link, (TagLink, TagIndexLink)) else None
            affected = (f"{link.repository}:{tag}",) if isinstance(link, TagLink) else ()
            told = error.strerror or str(error)
            self._problems.append(Problem("not_stored", link.repository, tag, None, told, affected, path))
        return [link_at[path] for path in failed]

    def _write_tags(self) -> None:
        waiting = iter(list(self._tags.items()))
        for batch in iter(lambda: list(islice(waiting, LINKS_AT_ONCE)), []):
            for link in self._write(batch):
                if isinstance(link, TagLink):
                    del self._tags[link]
            self._progress("tags", len(batch), len(self._tags))

    # What came of it

    def told(self, *, dry_run: bool) -> Synced:
        """Return what was copied, or would be."""
        missing = self._missing_blobs() if dry_run else []
        copying = self._copying
        links = sum(self._due(link) is not None for link in self._links.said) if dry_run else self._written
        tags = [
            SyncedTag(tag.repository, tag.tag, digest, self._there.tags.get(tag)) for tag, digest in self._tags.items()
        ]
        return Synced(
            dry_run,
            len(self._links.repositories),
            len(missing) if dry_run else copying.blobs,
            sum(size for _, size in missing) if dry_run else copying.bytes,
            links,
            sorted(tags),
            sum(self._there.blobs.get(digest) == size for digest, size in self._wanted.items()),
            self._way.by_server is not None,
            copying.unverified,
            self._left_out,
            self._links.unknown,
            self._changed,
            self._problems,
        )
