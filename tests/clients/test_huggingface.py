"""Hugging Face's datasets read and write by URL and storage_options."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pandas
import pytest

from registry_s3fs import RegistryS3FileSystem
from tests.libraries import library

FORMATS = {"csv": "csv", "parquet": "parquet", "json": "jsonl", "text": "txt"}
"""What `load_dataset` calls a format -> the ending of its files."""


@pytest.fixture
def datasets(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Any:
    """The library; what it caches is this test's own, and it reports to nobody."""
    monkeypatch.setenv("HF_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("HF_HUB_DISABLE_TELEMETRY", "1")
    datasets = library("datasets")
    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", tmp_path / "cache")
    datasets.disable_progress_bars()
    return datasets


def stored(fs: RegistryS3FileSystem, frame: pandas.DataFrame, ending: str) -> list[dict[str, Any]]:
    """Store the rows as two files below /d, and return what a reader must see."""
    halves = frame.iloc[:2], frame.iloc[2:]
    for number, half in enumerate(halves):
        url, options = fs.unstrip_protocol(f"/d/{number}.{ending}"), fs.storage_options
        if ending == "csv":
            half.to_csv(url, index=False, storage_options=options)
        elif ending == "parquet":
            half.to_parquet(url, index=False, storage_options=options)
        elif ending == "jsonl":
            half.to_json(url, orient="records", lines=True, storage_options=options)
        else:
            fs.write_text(f"/d/{number}.{ending}", "".join(f"{name}\n" for name in half["name"]), encoding="utf-8")
    return [{"text": name} for name in frame["name"]] if ending == "txt" else frame.to_dict(orient="records")


@pytest.mark.parametrize("streaming", [False, True], ids=["plain", "streaming"])
@pytest.mark.parametrize("name", FORMATS)
def test_a_dataset_is_loaded_by_url(
    datasets: Any, fs: RegistryS3FileSystem, frame: pandas.DataFrame, name: str, streaming: bool
) -> None:
    """From one file, from a list of files and from a pattern, downloaded first or read as it goes."""
    rows = stored(fs, frame, FORMATS[name])
    one, two = (fs.unstrip_protocol(f"/d/{number}.{FORMATS[name]}") for number in range(2))
    for files, expected in ((one, rows[:2]), ([one, two], rows), (fs.unstrip_protocol(f"/d/*.{FORMATS[name]}"), rows)):
        options = dict(fs.storage_options)
        loaded = datasets.load_dataset(
            name, data_files=files, storage_options=options, streaming=streaming, split="train"
        )
        assert list(loaded) == expected


def test_a_compressed_dataset_is_loaded_plain(datasets: Any, fs: RegistryS3FileSystem, frame: pandas.DataFrame) -> None:
    """Downloaded, then unpacked."""
    rows = stored(fs, frame, "csv")
    frame.to_csv(fs.unstrip_protocol("/d/all.csv.gz"), index=False, storage_options=fs.storage_options)
    url = fs.unstrip_protocol("/d/all.csv.gz")
    assert (
        list(datasets.load_dataset("csv", data_files=url, storage_options=dict(fs.storage_options), split="train"))
        == rows
    )


def test_a_dataset_is_saved_and_loaded(datasets: Any, fs: RegistryS3FileSystem, frame: pandas.DataFrame) -> None:
    """`save_to_disk` and `load_from_disk` take our URLs too, and so do the exports."""
    data, url = datasets.Dataset.from_pandas(frame), fs.unstrip_protocol("/saved")
    data.save_to_disk(url, storage_options=dict(fs.storage_options))
    assert list(datasets.load_from_disk(url, storage_options=dict(fs.storage_options))) == frame.to_dict("records")
    data.to_parquet(fs.unstrip_protocol("/p.parquet"), storage_options=dict(fs.storage_options))
    pandas.testing.assert_frame_equal(pandas.read_parquet(fs.open("/p.parquet")), frame)


def test_a_dataset_is_prepared_in_the_bucket(datasets: Any, fs: RegistryS3FileSystem, frame: pandas.DataFrame) -> None:
    """`download_and_prepare` writes Parquet shards where it is told to, under their last names."""
    stored(fs, frame, "csv")
    url = fs.unstrip_protocol("/d/*.csv")
    builder = datasets.load_dataset_builder("csv", data_files=url, storage_options=dict(fs.storage_options))
    target, options = fs.unstrip_protocol("/prepared"), dict(fs.storage_options)
    builder.download_and_prepare(target, storage_options=options, file_format="parquet")
    assert fs.ls("/prepared", detail=False) == ["/prepared/csv-train.parquet", "/prepared/dataset_info.json"]
    assert len(pandas.read_parquet(fs.open("/prepared/csv-train.parquet"))) == 4


def test_what_datasets_put_into_the_options_is_told(
    datasets: Any, fs: RegistryS3FileSystem, frame: pandas.DataFrame
) -> None:
    """`load_dataset` writes an entry `hf` into the dictionary that it was given; the next one is told so."""
    stored(fs, frame, "csv")
    options = dict(fs.storage_options)
    datasets.load_dataset("csv", data_files=fs.unstrip_protocol("/d/0.csv"), storage_options=options, split="train")
    if "hf" not in options:
        pytest.skip("this release of datasets leaves the dictionary as it was")
    with pytest.raises(TypeError, match="'hf' is no parameter of registrys3; Hugging Face's load_dataset put it"):
        pandas.read_csv(fs.unstrip_protocol("/d/0.csv"), storage_options=options)


def test_a_streamed_text_has_the_encoding_that_was_asked_for(datasets: Any, fs: RegistryS3FileSystem) -> None:
    """datasets give it to the filesystem, among the storage options."""
    fs.pipe("/a.txt", "é\n".encode("latin-1"))
    loaded = datasets.load_dataset(
        "text",
        data_files=fs.unstrip_protocol("/a.txt"),
        storage_options=dict(fs.storage_options),
        encoding="latin-1",
        streaming=True,
        split="train",
    )
    assert list(loaded) == [{"text": "é"}]
