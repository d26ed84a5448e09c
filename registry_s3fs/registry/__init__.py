"""What a registry's storage holds, over any fsspec filesystem: repositories, tags, manifests and what each weighs.

A public name is imported when it is first asked for: what needs pyarrow does not get in the way of what does not.
"""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from registry_s3fs.registry.catalog import Catalog
    from registry_s3fs.registry.filesystem import RegistryFileSystem
    from registry_s3fs.registry.tables import Tables
else:
    _MODULE_OF = {"Catalog": "catalog", "RegistryFileSystem": "filesystem", "Tables": "tables"}

    def __getattr__(name: str) -> object:
        import importlib

        if name not in _MODULE_OF:
            raise AttributeError(f"registry_s3fs.registry.{name}", name=name)
        return getattr(importlib.import_module(f"registry_s3fs.registry.{_MODULE_OF[name]}"), name)


__all__ = ["Catalog", "RegistryFileSystem", "Tables"]
