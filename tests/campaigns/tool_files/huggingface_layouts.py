"""Write pictures in the layouts that people have from Hugging Face's `datasets`.

    python huggingface_layouts.py WORKS.json PHOTOS FOLDER

Runs in an environment that has datasets, without the project. What is laid out by hand (imagefolder) is read by the library
once, so that it is what it is said to be.
"""

import json
import shutil
import sys
from pathlib import Path
from typing import Any

TEST_SHARE = 3
CARD = """---
license: other
configs:
- config_name: default
  data_files:
  - split: train
    path: data/train-*
  - split: test
    path: data/test-*
---
# Photographs
"""


def main(works_file: Path, photos: Path, folder: Path) -> None:
    """Write every layout below a folder, and hold what the library reads against the works."""
    from datasets import ClassLabel, Dataset, DatasetDict, Features, Image, Sequence, Value, load_dataset
    from datasets.table import embed_table_storage

    works = json.loads(works_file.read_text(encoding="utf-8"))
    texts = {name: Value("string") for name in ("title", "creator", "licence")}
    subjects = sorted({work["subject"] for work in works})

    def embed(rows: Any) -> Any:
        """Bytes of the files into the table, as `push_to_hub` does before it writes Parquet."""
        return rows.with_format("arrow").map(embed_table_storage, batched=True).with_format(None)

    def record(work: dict[str, str], **image: Any) -> dict[str, Any]:
        return image | {name: work[name] for name in texts}

    features = Features({"image": Image(), **texts, "label": ClassLabel(names=subjects)})
    rows = Dataset.from_list(
        [record(work, image=str(photos / work["file"]), label=work["subject"]) for work in works], features=features
    )
    splits = DatasetDict(
        {
            "train": rows.select(range(len(works) // TEST_SHARE, len(works))),
            "test": rows.select(range(len(works) // TEST_SHARE)),
        }
    )
    rows.save_to_disk(folder / "saved")
    splits.save_to_disk(folder / "saved-splits", num_shards={"train": 2, "test": 1})

    repository = folder / "repository"
    (repository / "data").mkdir(parents=True)
    (repository / "README.md").write_text(CARD, encoding="utf-8")
    (repository / ".gitattributes").write_text("*.parquet filter=lfs diff=lfs merge=lfs -text\n", encoding="utf-8")
    for split, count in (("train", 2), ("test", 1)):
        for number in range(count):
            shard = embed(splits[split].shard(count, number))
            shard.to_parquet(repository / "data" / f"{split}-{number:05d}-of-{count:05d}.parquet")
    embed(rows).rename_column("image", "img").to_parquet(folder / "img.parquet")
    # Without `embed`, the table names files of this machine and holds none.
    rows.to_parquet(folder / "paths-only.parquet")
    lists = Features({"images": Sequence(Image()), **texts})
    embed(Dataset.from_list([record(work, images=[str(photos / work["file"])]) for work in works], features=lists)).to_parquet(
        folder / "images.parquet"
    )

    write_imagefolders(works, photos, folder)
    Dataset.from_list([record(work, file_name=work["file"]) for work in works]).to_parquet(
        folder / "imagefolder-parquet" / "metadata.parquet"
    )
    for name in ("imagefolder-splits", "imagefolder-classes", "imagefolder-parquet"):
        read = load_dataset("imagefolder", data_dir=str(folder / name))
        assert sum(len(split) for split in read.values()) == len(works), (name, read)
    read = load_dataset(str(repository))
    assert sum(len(split) for split in read.values()) == len(works), read


def write_imagefolders(works: list[dict[str, str]], photos: Path, folder: Path) -> None:
    """Write imagefolders with splits, with class folders, and one that still lacks its metadata.parquet."""
    (folder / "imagefolder-parquet").mkdir(parents=True)
    for number, work in enumerate(works):
        split = "test" if number < len(works) // TEST_SHARE else "train"
        split_folder = folder / "imagefolder-splits" / split
        class_folder = folder / "imagefolder-classes" / split / work["subject"]
        for target in (split_folder, class_folder, folder / "imagefolder-parquet"):
            target.mkdir(parents=True, exist_ok=True)
            shutil.copy(photos / work["file"], target)
        with (split_folder / "metadata.jsonl").open("a", encoding="utf-8") as lines:
            fields = {name: work[name] for name in ("title", "creator", "licence")}
            lines.write(json.dumps({"file_name": work["file"], **fields}) + "\n")


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]), Path(sys.argv[3]))
