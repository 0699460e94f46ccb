"""Describe a zip of pictures and a table beside it as Croissant, by mlcroissant.

    python croissant_description.py WORKS.json PHOTOS FOLDER

Runs in an environment that has mlcroissant, without the project. The library reads its own description once.
"""

import csv
import hashlib
import json
import sys
import zipfile
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

COLUMNS = ("file", "title", "creator", "licence")


def digest(path: Path) -> str:
    """SHA-256 of a file, in hex."""
    return hashlib.sha256(path.read_bytes()).hexdigest()


def main(works_file: Path, photos: Path, folder: Path) -> None:
    """Write `croissant.json` with its two files, joined by the file's name."""
    import mlcroissant as mlc

    works = json.loads(works_file.read_text(encoding="utf-8"))
    with zipfile.ZipFile(folder / "pictures.zip", "w") as archive:
        for work in works:
            archive.write(photos / work["file"], f"pictures/{work['file']}")
    with (folder / "works.csv").open("w", newline="", encoding="utf-8") as table:
        writer = csv.DictWriter(table, COLUMNS, extrasaction="ignore")
        writer.writeheader()
        writer.writerows(works)

    def column(name: str) -> Any:
        return mlc.Source(file_object="table", extract=mlc.Extract(column=name))

    def file_property(name: str) -> Any:
        return mlc.Source(file_set="pictures", extract=mlc.Extract(file_property=getattr(mlc.FileProperty, name)))

    def field(name: str, source: Any, kind: Any = mlc.DataType.TEXT, **more: Any) -> Any:
        return mlc.Field(id=f"works/{name}", name=name, data_types=[kind], source=source, **more)

    metadata = mlc.Metadata(
        name="photographs",
        description="Photographs and what is known of them.",
        url="https://example.org/photographs",
        license=["https://creativecommons.org/publicdomain/zero/1.0/"],
        version="1.0.0",
        date_published=datetime(2026, 1, 1, tzinfo=UTC),
        cite_as="none",
        creators=[mlc.Person(name="Maker of the set")],
        distribution=[
            mlc.FileObject(
                id="archive",
                name="archive",
                content_url="pictures.zip",
                encoding_formats=["application/zip"],
                sha256=digest(folder / "pictures.zip"),
            ),
            mlc.FileSet(
                id="pictures",
                name="pictures",
                contained_in=["archive"],
                encoding_formats=["image/jpeg"],
                includes="pictures/*.jpg",
            ),
            mlc.FileObject(
                id="table",
                name="table",
                content_url="works.csv",
                encoding_formats=["text/csv"],
                sha256=digest(folder / "works.csv"),
            ),
        ],
        record_sets=[
            mlc.RecordSet(
                id="works",
                name="works",
                fields=[
                    field("file", file_property("filename"), references=column("file")),
                    field("image", file_property("content"), mlc.DataType.IMAGE_OBJECT),
                    *(field(name, column(name)) for name in COLUMNS[1:]),
                ],
            )
        ],
    )
    description = folder / "croissant.json"
    description.write_text(json.dumps(metadata.to_json(), indent=2, default=str), encoding="utf-8")
    read = list(mlc.Dataset(str(description)).records("works"))
    assert len(read) == len(works), len(read)


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]), Path(sys.argv[3]))
