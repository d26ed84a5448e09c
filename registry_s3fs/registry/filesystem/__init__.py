"""The filesystem ``registryfile://``: what images and artifacts of a registry hold, as files that are read."""

from registry_s3fs.registry.filesystem.core import RegistryFileSystem

__all__ = ["RegistryFileSystem"]
