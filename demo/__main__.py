"""``python -m demo``: fills an S3 server of its own with a small registry, then uses it as you would use yours."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import fsspec
import pandas as pd

from demo import registry
from registry_s3fs.cli.main import main as registry_s3fs
from registry_s3fs.model import registry_layout
from registry_s3fs.registry.inventory import inventory
from testbed import servers

BUCKET = "demo"
URL = f"registrys3://{BUCKET}"
MIB = 1024 * 1024
HERE = Path(__file__).parents[1]
LEFT = HERE / "build" / "demo"
"""What stays when the demo has ended."""


def main() -> None:
    """Start an S3 server, fill it, and show."""
    with servers.moto() as server:
        server.create_bucket(BUCKET)
        options = server.options(BUCKET)
        print(f"An S3 server of its own, moto's, listens on {server.endpoint}; nothing leaves this machine.")
        fs = fsspec.filesystem("registrys3", **options)
        headline("A registry's tree, as pushes would leave it")
        stored = registry.fill(fs)
        print(f"{stored} objects: two images that share a layer, and one OCI artifact whose layer is a Parquet file.")
        print("Beside them is what a push left that was interrupted.")
        del options["bucket"]  # from here on it is the URL that names it
        show_repositories(fs)
        show_storage(fs)
        parquet = show_artifact(fs)
        frame = show_pandas(parquet, options)
        show_writing(frame, options)
        inventory(fs).write(str(LEFT / "inventory"))
    print("\nThe same calls work on your bucket: only the storage options differ.")
    show_command()


def show_repositories(fs: Any) -> None:
    """List repositories and tags with ls and glob."""
    headline("Repositories and tags")
    code(f'fs.ls("{registry_layout.REPOSITORIES}", detail=False)')
    for name in fs.ls(registry_layout.REPOSITORIES, detail=False):
        print(f"   {name}")
    code(f'fs.glob("{registry_layout.TAG_LINKS}")')
    links = fs.glob(registry_layout.TAG_LINKS)
    for path, digest in fs.cat(links).items():
        if tag := registry_layout.tag_of(path):
            print(f"   {f'{tag.repository}:{tag.name}':<20} -> {digest.decode()[:30]}...")


def show_storage(fs: Any) -> None:
    """Bytes stored, and every blob checked against the digest in its path."""
    headline("What is stored")
    code(f'fs.du("{registry_layout.BLOBS}")')
    sizes = fs.du(registry_layout.BLOBS, total=False)
    print(f"   {sum(sizes.values()):,} bytes in {len(sizes)} blobs")
    digests = {path: registry_layout.blob_digest(path) or "" for path in sizes}
    largest = max(sizes, key=lambda path: sizes[path])
    links = fs.glob(registry_layout.layer_link("**", digests[largest]))
    owners = " and ".join(path.removeprefix(registry_layout.REPOSITORIES + "/").split("/_layers/")[0] for path in links)
    print(f"   the largest, {sizes[largest]:,} bytes, is stored once and shared by {owners}")
    good = [registry_layout.digest(data) == digests[path] for path, data in fs.cat(list(sizes)).items()]
    print(f"   {sum(good)} of {len(good)} blobs hold the bytes that their digest names")


def show_artifact(fs: Any) -> str:
    """From a tag to its manifest to the path of its layer."""
    headline("From a tag to the bytes of its layer")
    code(f'fs.cat("{registry_layout.tag_link("ci/builds", "2026")}")')
    digest = fs.cat(registry_layout.tag_link("ci/builds", "2026")).decode()
    manifest = json.loads(fs.cat(registry_layout.blob_path(digest)))
    found: dict[str, Any] = manifest["layers"][0]
    print(f"   {manifest['artifactType']}, one layer: {found['mediaType']}, {found['size']:,} bytes")
    return registry_layout.blob_path(found["digest"])


def show_pandas(path: str, options: dict[str, Any]) -> pd.DataFrame:
    """Read the Parquet layer by its URL."""
    headline("pandas reads the layer by its URL")
    code(f'pd.read_parquet("{URL}{path}", storage_options=options)')
    frame = pd.read_parquet(URL + path, storage_options=options)
    print(indented(frame.to_string(index=False)))
    return frame


def show_writing(frame: pd.DataFrame, options: dict[str, Any]) -> None:
    """Write a result beside it; a write that fails half-way publishes nothing."""
    headline("pandas writes a result back")
    url = f"{URL}/reports/seconds-by-branch.csv"
    code(f'frame.groupby("branch").seconds.mean().to_csv("{url}", storage_options=options)')
    frame.groupby("branch").seconds.mean().round(1).to_csv(url, storage_options=options)
    with fsspec.open(url, "rt", **options) as file:
        print(indented(file.read()))

    headline("A write that fails half-way publishes nothing")
    big = f"{URL}/reports/big.bin"
    code(f'with fsspec.open("{big}", "wb", **options) as file:  # 25 MiB, then an exception')
    try:
        with fsspec.open(big, "wb", **options) as file:
            file.write(bytes(25 * MIB))
            raise RuntimeError("the program fails here")
    except RuntimeError as error:
        fs = fsspec.filesystem("registrys3", bucket=BUCKET, **options)
        print(f"   {error!r}; exists: {fs.exists('/reports/big.bin')}; ls: {fs.ls('/reports', detail=False)}")


def show_command() -> None:
    """What each repository weighs, and a page that shows it, of the inventory that was written."""
    headline("What each repository weighs, by the command")
    tables, report = (str((LEFT / name).relative_to(HERE)) for name in ("inventory", "report.html"))
    command("repos", "--from", tables, "--sort", "fair")
    command("report", "--from", tables, "--price", "0.023", "--currency", "USD", report)
    print(f"\nThe report for your browser: {(LEFT / 'report.html').as_uri()}")


def command(*words: str) -> None:
    """Run a command of the shell, in this process."""
    print(f"$ registry-s3fs {' '.join(words)}")
    if status := registry_s3fs(words):
        raise SystemExit(status)


def headline(text: str) -> None:
    print(f"\n── {text} {'─' * (92 - len(text))}")


def code(text: str) -> None:
    print(f">>> {text}")


def indented(text: str) -> str:
    return "\n".join(f"   {line}" for line in text.rstrip("\n").splitlines())


if __name__ == "__main__":
    main()
