"""Every public method that takes a path: one call for each place where a path can stand."""

from __future__ import annotations

import io
from collections.abc import Callable
from datetime import timedelta
from typing import Any

from registry_s3fs import RegistryS3FileSystem, StorageDriver

FETCHED = "fetched"
"""Where files are fetched to, in the current folder."""

FILESYSTEM: dict[str, Callable[[Any, Any], Any]] = {
    "info": lambda fs, url: fs.info(url),
    "exists": lambda fs, url: fs.exists(url),
    "isfile": lambda fs, url: fs.isfile(url),
    "isdir": lambda fs, url: fs.isdir(url),
    "ls": lambda fs, url: fs.ls(url),
    "find": lambda fs, url: fs.find(url),
    "iter_find": lambda fs, url: list(fs.iter_find(url)),
    "walk": lambda fs, url: list(fs.walk(url)),
    "glob": lambda fs, url: fs.glob(url + "/*"),
    "du": lambda fs, url: fs.du(url),
    "cat": lambda fs, url: fs.cat(url),
    "cat list": lambda fs, url: fs.cat(["/fine", url]),
    "cat_file": lambda fs, url: fs.cat_file(url),
    "cat_ranges": lambda fs, url: fs.cat_ranges([url], [0], [1], on_error="raise"),
    "head": lambda fs, url: fs.head(url),
    "tail": lambda fs, url: fs.tail(url),
    "pipe": lambda fs, url: fs.pipe({url: b""}),
    "pipe_file": lambda fs, url: fs.pipe_file(url, b""),
    "open rb": lambda fs, url: fs.open(url, "rb").close(),
    "open wb": lambda fs, url: fs.open(url, "wb").close(),
    "open ab": lambda fs, url: fs.open(url, "ab").close(),
    "open xt": lambda fs, url: fs.open(url, "xt").close(),
    "get": lambda fs, url: fs.get(url, FETCHED),
    "get_file": lambda fs, url: fs.get_file(url, FETCHED),
    "put": lambda fs, url: fs.put(__file__, url),
    "put_file": lambda fs, url: fs.put_file(__file__, url),
    "cp_file from": lambda fs, url: fs.cp_file(url, "/x"),
    "copy to": lambda fs, url: fs.copy("/x", url),
    "mv": lambda fs, url: fs.mv(url, "/x"),
    "rm": lambda fs, url: fs.rm(url),
    "rm recursive": lambda fs, url: fs.rm(url, recursive=True),
    "rm list": lambda fs, url: fs.rm([url]),
    "rm_file": lambda fs, url: fs.rm_file(url),
    "touch": lambda fs, url: fs.touch(url),
    "mkdir": lambda fs, url: fs.mkdir(url),
    "makedirs": lambda fs, url: fs.makedirs(url),
    "rmdir": lambda fs, url: fs.rmdir(url),
    "cat recursive": lambda fs, url: fs.cat(url, recursive=True),
    "cat_file of a version": lambda fs, url: fs.cat_file(url, version_id="v"),
    "info of a version": lambda fs, url: fs.info(url, version_id="v"),
    "file_info": lambda fs, url: fs.file_info(url),
    "file_head": lambda fs, url: fs.file_head(url),
    "open rb of a version": lambda fs, url: fs.open(url, "rb", version_id="v").close(),
    "open in gzip": lambda fs, url: fs.open(url, "wt", compression="gzip").close(),
    "get to a file object": lambda fs, url: fs.get_file(url, io.BytesIO(), version_id="v"),
    "get list": lambda fs, url: fs.get(["/fine", url], FETCHED),
    "put list": lambda fs, url: fs.put([__file__], [url]),
    "pipe create": lambda fs, url: fs.pipe_file(url, b"", mode="create"),
    "cp_file to": lambda fs, url: fs.cp_file("/x", url),
    "cp": lambda fs, url: fs.cp(url, "/x"),
    "copy list": lambda fs, url: fs.copy(["/fine", url], ["/x", "/y"]),
    "mv to": lambda fs, url: fs.mv("/x", url),
    "mv recursive": lambda fs, url: fs.mv(url, "/x", recursive=True),
    "rename": lambda fs, url: fs.rename(url, "/x"),
    "delete": lambda fs, url: fs.delete(url),
    "expand_path": lambda fs, url: fs.expand_path(url, recursive=True),
    "read_block": lambda fs, url: fs.read_block(url, 0, 1),
    "read_bytes": lambda fs, url: fs.read_bytes(url),
    "write_bytes": lambda fs, url: fs.write_bytes(url, b""),
    "read_text": lambda fs, url: fs.read_text(url),
    "write_text": lambda fs, url: fs.write_text(url, ""),
    "size": lambda fs, url: fs.size(url),
    "sizes": lambda fs, url: fs.sizes([url]),
    "abort_multipart_upload": lambda fs, url: fs.abort_multipart_upload(url, "none"),
    "stat": lambda fs, url: fs.stat(url),
    "lexists": lambda fs, url: fs.lexists(url),
    "mkdirs": lambda fs, url: fs.mkdirs(url),
    "disk_usage": lambda fs, url: fs.disk_usage(url),
    "listdir": lambda fs, url: fs.listdir(url),
    "tree": lambda fs, url: fs.tree(url),
    "get_mapper": lambda fs, url: fs.get_mapper(url),
    "makedir": lambda fs, url: fs.makedir(url),
    "move": lambda fs, url: fs.move(url, "/x"),
    "download": lambda fs, url: fs.download(url, FETCHED),
    "upload": lambda fs, url: fs.upload(__file__, url),
    "metadata": lambda fs, url: fs.metadata(url),
    "getxattr": lambda fs, url: fs.getxattr(url, "a"),
    "setxattr": lambda fs, url: fs.setxattr(url, a="1"),
    "get_tags": lambda fs, url: fs.get_tags(url),
    "put_tags": lambda fs, url: fs.put_tags(url, {}),
    "object_version_info": lambda fs, url: fs.object_version_info(url),
    "list_multipart_uploads": lambda fs, url: fs.list_multipart_uploads(url),
    "clear_multipart_uploads": lambda fs, url: fs.clear_multipart_uploads(url, older_than=timedelta(0)),
    "created": lambda fs, url: fs.created(url),
    "modified": lambda fs, url: fs.modified(url),
    "checksum": lambda fs, url: fs.checksum(url),
    "ukey": lambda fs, url: fs.ukey(url),
    "sign": lambda fs, url: fs.sign(url),
    "url": lambda fs, url: fs.url(url),
    "unstrip_protocol": lambda fs, url: fs.unstrip_protocol(url),
    "invalidate_cache": lambda fs, url: fs.invalidate_cache(url),
}
FILESYSTEM = {name: call for name, call in FILESYSTEM.items() if hasattr(RegistryS3FileSystem, name.split()[0])}
"""Older fsspec lacks some."""

DRIVER: dict[str, Callable[[StorageDriver, str], Any]] = {
    "get_content": lambda driver, path: driver.get_content(path),
    "put_content": lambda driver, path: driver.put_content(path, b""),
    "reader": lambda driver, path: driver.reader(path).close(),
    "writer": lambda driver, path: driver.writer(path).commit(),
    "stat": lambda driver, path: driver.stat(path),
    "list": lambda driver, path: driver.list(path),
    "move from": lambda driver, path: driver.move(path, "/a"),
    "move to": lambda driver, path: driver.move("/a", path),
    "delete": lambda driver, path: driver.delete(path),
    "redirect_url": lambda driver, path: driver.redirect_url(path),
    "redirect_url PUT": lambda driver, path: driver.redirect_url(path, "PUT"),
    "walk": lambda driver, path: driver.walk(path, lambda info: None),
}


def public(kind: type) -> set[str]:
    """The names of a class's public methods."""
    return {name for name in dir(kind) if not name.startswith("_") and callable(getattr(kind, name))}


def tried(calls: dict[str, Any]) -> set[str]:
    """The methods that a table calls."""
    return {name.split()[0] for name in calls}
