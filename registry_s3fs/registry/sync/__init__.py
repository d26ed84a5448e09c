"""A registry copied to another filesystem, so that at any moment what is there is a registry."""

from registry_s3fs.registry.sync.core import sync
from registry_s3fs.registry.sync.result import Problem, Synced, SyncedTag

__all__ = ["Problem", "Synced", "SyncedTag", "sync"]
