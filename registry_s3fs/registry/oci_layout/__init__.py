"""Images out of a registry into an OCI image layout, and back: a folder or a tar, in any fsspec filesystem."""

from registry_s3fs.registry.oci_layout.exporting import Export, ExportedImage, export_images
from registry_s3fs.registry.oci_layout.importing import Import, ImportedImage, import_images

__all__ = ["Export", "ExportedImage", "Import", "ImportedImage", "export_images", "import_images"]
