"""The files of images and artifacts, as one filesystem shows them; what was read is kept."""

from __future__ import annotations

from collections import OrderedDict, defaultdict

from registry_s3fs.errors import IncompleteError, NotInRegistryError
from registry_s3fs.model.references import Reference
from registry_s3fs.registry.catalog import Catalog, StoredManifest
from registry_s3fs.registry.filesystem import views
from registry_s3fs.registry.filesystem.views import Files, View
from registry_s3fs.registry.layers.store import Layers
from registry_s3fs.threads.fork import Guard

MAX_KEPT_ENTRIES = 2_000_000
"""The entries of all images and artifacts that are kept. Those used last are kept in any case."""
_MAX_KEPT_MANIFESTS = 1000


class Contents:
    """The images and artifacts of a registry.

    A tag is resolved when it is first asked for, and means the same digest until `forget` is called.

    Args:
        catalog: The registry.
        layers: Its layers.
        view: How manifests are shown.
        platform: Which manifest of an index is shown.
    """

    def __init__(self, catalog: Catalog, layers: Layers, view: View, platform: str | None) -> None:
        self.catalog = catalog
        self.layers = layers
        self._view = view
        self._platform = platform
        self._manifests: OrderedDict[Reference, StoredManifest] = OrderedDict()
        self._files: OrderedDict[Reference, Files] = OrderedDict()
        self._guard = Guard()
        self._loading: defaultdict[Reference, Guard] = defaultdict(Guard)

    def forget(self) -> None:
        """Forget what tags mean. What digests mean never changes; it is forgotten all the same."""
        with self._guard.lock:
            self._manifests.clear()
            self._files.clear()

    def manifest(self, reference: Reference) -> StoredManifest:
        """Return the manifest that a reference names: the index itself, where it names one.

        Raises:
            OSError: As `Catalog.resolve`.
            ValueError: As `Catalog.resolve`.
        """
        found = self._manifests.get(reference)
        if found is None:
            read = self.catalog.resolve(reference)
            with self._guard.lock:
                found = self._manifests.setdefault(reference, read)
                while len(self._manifests) > _MAX_KEPT_MANIFESTS:
                    self._manifests.popitem(last=False)
        return found

    def files(self, reference: Reference, path: str = "") -> Files:
        """Return what the image or artifact holds that a reference names.

        Args:
            reference: The reference.
            path: The file that is asked for. Where the manifest alone tells of it, no more is read.

        Raises:
            IncompleteError: It is there, and a blob or manifest that belongs to it is not.
            PlatformError: It is an index, and the platform is missing.
            RefusedNameError: It has a name that no file may have.
            OSError: As `Catalog.resolve` and `Layers.entries`.
            ValueError: As `Catalog.resolve`.
        """
        found = self._kept(reference)
        if found is None or not found.has(path):
            found = self._load_once(reference, path)
        return found

    def _load_once(self, reference: Reference, path: str) -> Files:
        """Load what another thread may be loading just now."""
        try:
            with self._loading[reference].lock:
                found = self._kept(reference)
                if found is None or not found.has(path):
                    found = self._keep(reference, self._load(reference, path))
                return found
        finally:
            self._loading.pop(reference, None)

    def _kept(self, reference: Reference) -> Files | None:
        with self._guard.lock:
            found = self._files.get(reference)
            if found is not None:
                self._files.move_to_end(reference)
            return found

    def _keep(self, reference: Reference, files: Files) -> Files:
        with self._guard.lock:
            self._files[reference] = files
            while len(self._files) > 1 and sum(len(each.tree) for each in self._files.values()) > MAX_KEPT_ENTRIES:
                self._files.popitem(last=False)
        return files

    def _for_platform(self, stored: StoredManifest) -> StoredManifest:
        try:
            return self.catalog.for_platform(stored, self._platform)
        except NotInRegistryError as error:  # the index is there
            raise IncompleteError(error.errno, error.strerror, error.filename) from error

    def _load(self, reference: Reference, path: str) -> Files:
        stored = self._for_platform(self.manifest(reference))
        source = views.Source(self.catalog, self.layers, stored, str(reference))
        view = self._view if self._view != "auto" else views.view_of(stored.manifest)
        if view == "rootfs":
            return views.rootfs(source)
        if view == "layers":
            return views.layers(source)
        files = views.raw_files(source)
        return files if files.has(path) else views.artifact(source, files)
