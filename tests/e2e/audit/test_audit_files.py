"""What stands beside audit.json: results and pairs as Parquet, and audits of extraction."""

from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
from PIL import Image
from typer.testing import CliRunner

from services.audit.audits.audit import audit_extraction, audit_model
from services.audit.commands.options import known_sampler
from services.audit.reports.kinds.audit_report import write_report
from services.audit.sampling.sample_shards import begin_shards, load_samples, save_shard
from services.audit.sampling.samples import export_pngs, sample_model
from services.audit.training_sets.sealed_set import load_sealed_set, load_views
from services.commands.main import app
from shared.canonical import sha256_hex
from shared.errors import InputError
from shared.vision.views import ViewRecipe
from shared.workspace import Workspace
from tests.e2e.conftest import CONFIG, GENERATIONS, SLICE, STEPS, audit_context, save_noisy_copies
from tests.support.log_entries import open_entry


def test_results_say_what_audit_json_says(audited_workspace: Workspace, tmp_path: Path) -> None:
    samples = save_noisy_copies(audited_workspace, tmp_path / "samples")
    audit, content = audit_model(audit_context(audited_workspace, all_pairs=True), "model-a", samples)
    folder = audited_workspace.home / audit.folder
    data = (folder / "results.parquet").read_bytes()
    assert content["results"]["sha256"] == sha256_hex(data)
    rows = pq.read_table(folder / "results.parquet").to_pylist()
    assert len(rows) == content["results"]["rows"] == SLICE * len(content["rules"])
    for at, row in enumerate(rows):
        one = content["generations"][at // len(content["rules"])]
        assert (row["generation"], row["seed"], row["copy"], row["best_item"]) == (
            one["index"],
            one["seed"],
            one["copy"],
            one["item"],
        )
        assert row["ssim"] == one["metrics"]["ssim"]
        finding = one["rules"][row["rule"]]
        assert (row["verdict"], row["score"], row["item"]) == (finding["verdict"], finding["score"], finding["item"])
        assert (row["reason"] is None) == (row["verdict"] != "undefined")
    schema = pq.read_schema(folder / "results.parquet")
    assert all(field.metadata[b"description"] for field in schema)

    pairs = pq.read_table(folder / "pairs.parquet")
    assert pairs.schema.metadata[b"audit_sha256"].decode() == audit.report_sha256
    assert pairs.num_rows == SLICE * SLICE
    best = [max(rows, key=lambda row: row["ssim"]) for rows in np.array_split(np.array(pairs.to_pylist()), SLICE)]
    assert [row["item"] for row in best] == [one["item"] for one in content["generations"]]
    assert [row["ssim"] for row in best] == pytest.approx([one["metrics"]["ssim"] for one in content["generations"]], abs=1e-6)

    # The same findings give the same bytes.
    before = (folder / "pairs.parquet").read_bytes()
    audit_model(audit_context(audited_workspace, all_pairs=True), "model-a", samples)
    assert (folder / "pairs.parquet").read_bytes() == before


def save_shared(workspace: Workspace, folder: Path) -> Path:
    """Save generations of which one training picture is drawn 12 times, another 11 times, and the rest are noise."""
    sealed = load_sealed_set(workspace, "small")
    views = np.asarray(load_views(workspace, sealed, ViewRecipe(resolution_px=CONFIG.resolution, channels=CONFIG.channels)))
    rng = np.random.default_rng(0)
    copies = np.concatenate([np.repeat(views[:1], 12, axis=0), np.repeat(views[1:2], 11, axis=0)])
    noisy = np.clip(copies + rng.normal(0, 4, copies.shape), 0, 255).astype(np.uint8)
    images = np.concatenate([rng.integers(0, 256, (20, *views.shape[1:]), dtype=np.uint8), noisy])
    drawn = load_samples(sample_model(workspace, "model-a", GENERATIONS, 0, STEPS))
    settings = drawn.settings | {"count": len(images)}
    save_shard(folder, settings, begin_shards(folder, settings), images, np.arange(100, 100 + len(images), dtype=np.int64))
    return folder


def test_extraction_finds_what_is_shared_and_is_named_so_everywhere(audited_workspace: Workspace, tmp_path: Path) -> None:
    samples = save_shared(audited_workspace, tmp_path / "samples")
    extraction = audit_extraction(audit_context(audited_workspace), "model-a", samples, clique_size=10, distance=0.15)
    assert extraction is not None
    audit, content = extraction
    ids = [item.id for item in load_sealed_set(audited_workspace, "small").items]
    assert [one["item"] for one in content["generations"]] == ids[:2]
    assert all(one["copy"] and one["seed"] == 100 + one["index"] >= 120 for one in content["generations"])
    assert (content["attack_kind"], content["unit"]) == ("extraction", "extracted pictures")
    assert [clique["generations"] for clique in content["extraction"]["cliques"]] == [12, 11]
    entry = open_entry(audited_workspace, audit.entry_id)
    assert entry.body["attack"] == "extraction"
    write_report(audited_workspace, [(audit, content, samples)], tmp_path / "report.html")
    page = (tmp_path / "report.html").read_text(encoding="utf-8")
    assert "2 of 2</b> extracted pictures" in page
    assert "extraction on purpose: of 43 seeds" in page


def test_without_anything_shared_nothing_is_recorded(audited_workspace: Workspace, tmp_path: Path) -> None:
    samples = save_noisy_copies(audited_workspace, tmp_path / "samples")
    size = audited_workspace.log.size
    context = audit_context(audited_workspace)
    assert audit_extraction(context, "model-a", samples, clique_size=10, distance=0.15) is None
    assert audited_workspace.log.integrate().size == size


def test_images_are_written_by_their_seeds(
    audited_workspace: Workspace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("services.audit.commands.sample.open_home", lambda: audited_workspace)
    arguments = [
        "sample",
        "model-a",
        "--count",
        "3",
        "--seed",
        "7",
        "--steps",
        "2",
        "--sampler",
        "ddpm",
        "--png",
        str(tmp_path),
    ]
    assert CliRunner().invoke(app, ["audit", *arguments]).exit_code == 0
    samples = load_samples(sample_model(audited_workspace, "model-a", 3, 7, 2, sampler="ddpm"))
    assert (samples.settings["sampler"], samples.settings["batch_size"]) == ("ddpm", 64)
    names = [f"seed-{seed:010d}.png" for seed in (7, 8, 9)]
    assert sorted(path.name for path in tmp_path.glob("*.png")) == names
    for name, image in zip(names, samples.images, strict=True):
        with Image.open(tmp_path / name) as picture:
            np.testing.assert_array_equal(np.asarray(picture).transpose(2, 0, 1), image)
    (tmp_path / names[1]).unlink()
    stamp = (tmp_path / names[0]).stat().st_mtime_ns
    export_pngs(samples, tmp_path)
    assert sorted(path.name for path in tmp_path.glob("*.png")) == names
    assert (tmp_path / names[0]).stat().st_mtime_ns == stamp
    with pytest.raises(InputError, match="one of ddim, ddpm"):
        known_sampler("euler")
