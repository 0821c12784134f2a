"""Figures of a validation that several processes share: those of all rows, and the same keys everywhere."""

import json
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
from training_parts import data, module, trainer

from factcheck.errors import InputError
from factcheck.labels import FACTIFY_LABELS, IMAGE_RELATIONS, STANCES
from factcheck.models.verdict import VerdictOutput
from factcheck.training.callbacks import RandomStates
from factcheck.training.distributed import Tallies
from factcheck.training.verdict.losses import UNLABELLED
from factcheck.training.verdict.metrics import VerdictMetrics

# Right or wrong, by source: the ranks have rows of different sources, and different numbers of them.
ROWS = {0: [("a", True)] * 3 + [("b", False)], 1: [("a", False)] + [("c", True)] * 2}


def _batch(rows, photos):
    """A batch, and the output of a model that is right in every head where the row says so."""
    right = torch.tensor([r for _, r in rows])
    label = torch.arange(len(rows)) % len(FACTIFY_LABELS)
    targets = {"stance": torch.arange(len(rows)) % len(STANCES), "relation": torch.arange(len(rows)) % 2}
    targets["label"] = label if photos else torch.full_like(label, UNLABELLED)

    def logits(target, classes):
        return torch.nn.functional.one_hot((target + ~right) % classes, classes).float()

    output = VerdictOutput(
        logits(targets["stance"], len(STANCES)),
        logits(targets["relation"], len(IMAGE_RELATIONS)) if photos else None,
        logits(label, len(FACTIFY_LABELS)) if photos else None,
    )
    return targets | {"source": [source for source, _ in rows]}, output


def _figures(batches):
    """What is logged of these batches at the end of a validation."""
    metrics = VerdictMetrics()
    for batch, output in batches:
        metrics.add(output, batch)
    return metrics.figures()


def _run(rank, tiny_bert, folder):
    torch.set_num_threads(1)
    torch.distributed.init_process_group("gloo", init_method=f"file://{folder}/meet", rank=rank, world_size=2)
    # Rank 1 has no photos.
    found = _figures([_batch(ROWS[rank], photos=rank == 0)])
    _check_resumed_draws(tiny_bert, rank)
    Path(folder, f"{rank}.json").write_text(json.dumps(found), "utf-8")
    torch.distributed.destroy_process_group()


def _check_resumed_draws(tiny_bert, rank):
    """A process that resumes draws what it would have drawn, not what another would have."""
    model, states, checkpoint = module(tiny_bert, image_encoder=None), RandomStates(), {}
    run = SimpleNamespace(global_rank=rank)
    torch.manual_seed(rank)
    states.on_save_checkpoint(run, model, checkpoint)
    expected = torch.rand(3)
    torch.manual_seed(99)
    states.on_load_checkpoint(run, model, checkpoint)
    states.on_train_batch_start(run, model, None, 0)
    assert torch.equal(torch.rand(3), expected)
    states.on_train_batch_start(run, model, None, 1)  # once only
    assert not torch.equal(torch.rand(3), expected)


@pytest.mark.slow
def test_two_processes_report_the_figures_of_all_rows_and_resume_their_own_draws(tiny_bert, tmp_path):
    torch.multiprocessing.spawn(_run, (str(tiny_bert), str(tmp_path)), nprocs=2)
    first, second = (json.loads((tmp_path / f"{rank}.json").read_text("utf-8")) for rank in (0, 1))
    assert first == second
    assert first == _figures([_batch(ROWS[0], photos=True), _batch(ROWS[1], photos=False)])
    accuracies = {name.removeprefix("stance_accuracy"): v for name, v in first.items() if "stance" in name}
    assert accuracies == pytest.approx({"": 5 / 7, "/a": 3 / 4, "/b": 0.0, "/c": 1.0})
    assert {"image_accuracy", "weighted_f1"} < first.keys()


def test_rows_without_a_five_class_label_give_no_f1():
    batch, output = _batch(ROWS[0], photos=True)
    batch["label"].fill_(UNLABELLED)
    assert "weighted_f1" not in _figures([(batch, output)])


def test_tallies_are_means_over_rows():
    tallies = Tallies()
    tallies.add("a", 2.0, 3)
    tallies.add("a", 1.0)
    tallies.add("b", 0.0, 0)
    assert list(tallies.over_processes()) == ["a"]
    assert tallies.over_processes().mean("a") == 0.75


def test_fewer_rows_than_processes_are_refused(tiny_bert, factify_folder, tmp_path, monkeypatch):
    monkeypatch.setenv("FACTCHECK_CACHE", str(tmp_path))
    source = data(factify_folder, tiny_bert)
    source.trainer = trainer(tmp_path)
    monkeypatch.setattr(type(source.trainer), "world_size", 11)
    with pytest.raises(InputError, match=r"val.csv: 10 rows for 11 processes"):
        source.val_dataloader()
