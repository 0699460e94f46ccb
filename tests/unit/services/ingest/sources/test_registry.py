"""Sources are recognised by what is there; what could be two kinds is refused."""

from pathlib import Path

import pytest

from services.ingest.sources.registry import default_name, kind_names, load_kinds, open_source, recognise
from shared.errors import InputError
from tests.support.factories import imagefolder
from tests.support.paths import ROOT
from tests.unit.services.ingest.small_sources import huggingface_rows, opened, options, sample, write_parquet, write_tar


def test_each_kind_is_recognised(tmp_path: Path) -> None:
    imagefolder(tmp_path / "folder", 1)
    write_tar(tmp_path / "one.tar", sample("0", 0))
    write_parquet(tmp_path / "one.parquet", huggingface_rows(1))
    (tmp_path / "faces" / "img_align_celeba").mkdir(parents=True)
    (tmp_path / "described").mkdir()
    for name in ("croissant.json", "metadata.jsonl"):
        (tmp_path / "described" / name).write_text("{}", encoding="utf-8")
    (tmp_path / "list.csv").write_text("url\nhttps://example.org/a.png\n", encoding="utf-8")
    (tmp_path / "rows.jsonl").write_text("{}\n", encoding="utf-8")
    names = ("folder", "one.tar", "one.parquet", "faces", "described", "list.csv", "rows.jsonl")
    found = {name: opened(tmp_path / name).kind for name in names}
    assert found == {
        "folder": "imagefolder",
        "one.tar": "webdataset",
        "one.parquet": "parquet",
        "faces": "celeba",
        "described": "croissant",
        "list.csv": "url_list",
        "rows.jsonl": "jsonl",
    }
    assert opened(tmp_path / "described" / "croissant.json").kind == "croissant"
    assert set(found.values()) <= load_kinds().keys()


def test_a_parquet_file_of_urls_is_a_list_unless_it_has_images(tmp_path: Path) -> None:
    write_parquet(tmp_path / "urls.parquet", [{"URL": "https://example.org/a.png", "TEXT": "A"}])
    write_parquet(tmp_path / "both.parquet", huggingface_rows(1))
    write_parquet(tmp_path / "neither.parquet", [{"words": "a"}])
    kinds = {name: opened(tmp_path / f"{name}.parquet").kind for name in ("urls", "both", "neither")}
    assert kinds == {"urls": "url_list", "both": "parquet", "neither": "parquet"}


def test_the_status_files_that_img2dataset_writes_do_not_hide_its_tars(tmp_path: Path) -> None:
    write_tar(tmp_path / "00000.tar", sample("0", 0))
    write_parquet(tmp_path / "00000.parquet", [{"status": "success"}])
    assert opened(tmp_path).kind == "webdataset"


def test_what_is_unclear_is_refused_and_can_be_said(tmp_path: Path) -> None:
    imagefolder(tmp_path / "both", 2)
    write_tar(tmp_path / "both" / "one.tar", sample("0", 0))
    (tmp_path / "empty").mkdir()
    (tmp_path / "words.txt").write_text("words", encoding="utf-8")
    codes = {}
    for name in ("both", "empty", "words.txt", "nowhere"):
        with pytest.raises(InputError) as caught:
            opened(tmp_path / name)
        codes[name] = caught.value.code
    unclear = "source_unclear"
    assert codes == {"both": unclear, "empty": unclear, "words.txt": unclear, "nowhere": "source_missing"}
    assert open_source(tmp_path / "both", options(), "imagefolder").count() == 2
    assert open_source(tmp_path / "both", options(), "webdataset").count() == 1
    with pytest.raises(InputError):
        open_source(tmp_path / "both", options(), "folder")


def test_the_docs_have_a_row_for_each_kind() -> None:
    page = (ROOT / "docs" / "sources.md").read_text(encoding="utf-8")
    [table] = [part for part in page.split("\n\n") if part.startswith("| kind |")]
    assert {line.split("`")[1] for line in table.splitlines()[2:]} == set(load_kinds())


def test_the_modules_of_the_folder_are_all_that_names_a_kind() -> None:
    assert kind_names() == list(load_kinds())
    endings = {ending for kind in load_kinds().values() for ending in kind.endings}
    assert endings == {".tar", ".zip", ".parquet", ".arrow", ".csv", ".tsv", ".jsonl", ".ndjson"}
    for ending in endings:
        assert default_name(Path(f"/data/icons{ending}")) == "icons"
    assert default_name(Path("/data/v1.0")) == "v1.0"
    assert default_name(Path("/data/icons/croissant.json")) == "icons"


def test_a_folder_that_describes_itself_is_what_it_says(tmp_path: Path) -> None:
    imagefolder(tmp_path / "both", 2)
    (tmp_path / "both" / "croissant.json").write_text("{}", encoding="utf-8")
    assert recognise(tmp_path / "both").name == "croissant"
