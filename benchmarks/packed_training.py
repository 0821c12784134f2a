"""Train a verdict model's text side on a GPU that loaders cannot feed: draw and tokenize once, then train on arrays.

    python benchmarks/packed_training.py pack --config configs/stance.yaml --data DATA --out PACK [--workers 16]
    python benchmarks/packed_training.py train --config configs/stance.yaml --pack PACK --out MODEL [--minutes 4.5] [--fold 0]

``pack`` draws an epoch of the configuration with its own data module (sampler, augmentation, token relations) and keeps every row
once, about 240 bytes a row before compression; texts alone, so that the images are left to a second run. ``train`` is the
configuration's module, rates, loss and moving average on these draws: batches of like length are cut from memory of the device,
nothing waits for a loader. Rates fall to 0 over the steps or over ``--minutes``, whichever is done first. ``--fold`` leaves out what
benchmarks/leave_one_source_out.py leaves out of that fold (sentences of such a document may still stand in another row as evidence
that is beside the point). With ``factcheck fit`` and the same configuration the same rows are drawn, in another order.
"""

import argparse
import dataclasses
import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch
import yaml
from leave_one_source_out import FOLDS, held_out
from numpy.typing import NDArray
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from factcheck.models.folder import save_model
from factcheck.models.verdict import VerdictConfig
from factcheck.training.verdict.data import VerdictDataModule
from factcheck.training.verdict.loading import Item, RowDataset
from factcheck.training.verdict.losses import verdict_loss
from factcheck.training.verdict.module import VerdictModule
from factcheck.training.verdict.optim import parameter_groups

CHUNK = 256
_ARRAYS = ("ids", "relations", "lengths", "stances", "soft", "sources", "draws")


def module_of(config: dict[str, Any], text_model: str | None = None) -> VerdictModule:
    options = dict(config["model"]["init_args"])
    network = VerdictConfig(**options.pop("network"))
    options.pop("init_from", None)
    return VerdictModule(network=dataclasses.replace(network, text_model=text_model or network.text_model), **options)


@dataclasses.dataclass
class AsTrainer:
    """What a data module asks of its trainer."""

    lightning_module: VerdictModule
    training: bool = True
    max_epochs: int = 1
    global_rank: int = 0
    world_size: int = 1
    current_epoch: int = 0


class Packed(Dataset[list[tuple[Any, ...]]]):
    """Chunks of drawn rows as arrays without padding."""

    def __init__(self, items: list[Item], rows: RowDataset, builder: Any) -> None:
        self.items, self.rows, self.builder = items, rows, builder

    def __len__(self) -> int:
        return -(-len(self.items) // CHUNK)

    def __getitem__(self, number: int) -> list[tuple[Any, ...]]:
        loaded = [self.rows[item].row for item in self.items[number * CHUNK : (number + 1) * CHUNK]]
        made: list[tuple[Any, ...]] = [()] * len(loaded)
        order = sorted(range(len(loaded)), key=lambda i: loaded[i].characters)
        for start in range(0, len(order), 64):
            part = order[start : start + 64]
            tensors = self.builder.texts([loaded[i].text for i in part])
            for i, ids, relations, mask in zip(
                part,
                tensors["input_ids"],
                tensors["token_relations"],
                tensors["attention_mask"].bool(),
                strict=True,
            ):
                row = loaded[i]
                soft = row.soft or (np.nan,) * 3
                made[i] = (ids[mask].numpy().astype(np.uint16), relations[mask].numpy().astype(np.uint8), row.stance)
                made[i] += (soft, row.source)
        return made


def as_it_is(rows: list[Any]) -> list[Any]:
    return rows


def pack(args: argparse.Namespace) -> None:
    config = yaml.safe_load(args.config.read_text("utf-8"))
    module = module_of(config, args.text_model)
    data = VerdictDataModule(**config["data"]["init_args"] | {"root": str(args.data), "num_workers": 0})
    data.trainer = AsTrainer(module)  # type: ignore[assignment]
    loader = data.train_dataloader().loader
    items: list[Item] = [item for batch in loader.batch_sampler or () for item in batch]
    # A row that is drawn as it was read is kept once, however often it is drawn.
    plain = [item.change._replace(images=True) == Item(0).change for item in items]
    kept = sorted({item.row for item, is_plain in zip(items, plain, strict=True) if is_plain})
    changed = [item for item, is_plain in zip(items, plain, strict=True) if not is_plain]
    packed = Packed([Item(row) for row in kept] + changed, loader.dataset, module.input_builder)  # type: ignore[arg-type]
    print(f"{len(items)} draws: {len(kept)} rows as they are, {len(changed)} changed", flush=True)
    chunks = DataLoader(packed, batch_size=None, num_workers=args.workers, collate_fn=as_it_is)
    ids, relations, stances, soft, sources = zip(*(row for chunk in chunks for row in chunk), strict=True)
    names = sorted(set(sources))
    place, numbers = {row: number for number, row in enumerate(kept)}, iter(range(len(kept), len(kept) + len(changed)))
    arrays = {
        "ids": np.concatenate(ids),
        "relations": np.concatenate(relations),
        "lengths": np.array([len(row) for row in ids], np.uint16),
        "stances": np.array(stances, np.int8),
        "soft": np.array(soft, np.float16),
        "sources": np.array([names.index(source) for source in sources], np.uint8),
        "draws": np.array([place[i.row] if p else next(numbers) for i, p in zip(items, plain, strict=True)], np.uint32),
    }
    args.out.mkdir(parents=True, exist_ok=True)
    for name, array in arrays.items():
        np.save(args.out / f"{name}.npy", array)
    (args.out / "sources.json").write_text(json.dumps(names) + "\n", "utf-8")


class Pack:
    """The arrays on a device, from which batches are cut."""

    def __init__(self, folder: Path, device: str, separator: int) -> None:
        arrays = {name: np.load(folder / f"{name}.npy") for name in _ARRAYS}
        self.names: list[str] = json.loads((folder / "sources.json").read_text("utf-8"))
        self.draws, self.sources = arrays["draws"], arrays["sources"]
        self.lengths: NDArray[np.int64] = arrays["lengths"].astype(np.int64)
        self.device, self.separator = device, separator
        self.offsets = self._on_device(np.cumsum(self.lengths) - self.lengths)
        self.sizes, self.stances = self._on_device(self.lengths), self._on_device(arrays["stances"].astype(np.int64))
        self.ids, self.relations = self._on_device(arrays["ids"].astype(np.int32)), self._on_device(arrays["relations"])
        self.soft = self._on_device(arrays["soft"].astype(np.float32))

    def without(self, sources: list[str]) -> NDArray[np.uint32]:
        """The draws but those of some sources."""
        left_out = np.isin(self.sources, [self.names.index(name) for name in sources if name in self.names])
        return self.draws[~left_out[self.draws]]

    def batches(self, draws: NDArray[np.uint32], size: int, seed: int) -> list[NDArray[np.uint32]]:
        """All draws in random order, those of like length together."""
        rng = np.random.default_rng(seed)
        shuffled, batches = rng.permutation(draws), []
        for start in range(0, len(shuffled), size * 64):
            part = shuffled[start : start + size * 64]
            part = part[np.argsort(self.lengths[part], kind="stable")]
            batches += [part[i : i + size] for i in range(0, len(part), size)]
        return [batches[i] for i in rng.permutation(len(batches))]

    def batch(self, rows: NDArray[np.uint32]) -> dict[str, Tensor]:
        """Inputs (B, T) and targets of rows, as :class:`~factcheck.training.verdict.loading.Collate` makes them."""
        index = self._on_device(rows.astype(np.int64))
        positions = torch.arange(-(-int(self.lengths[rows].max()) // 8) * 8, device=self.device)
        mask = (positions[None] < self.sizes[index][:, None]).long()
        places = (self.offsets[index][:, None] + positions[None]) * mask
        ids = self.ids[places].long() * mask
        ends = (ids == self.separator).long()  # of the claim first, then of the evidence
        return {
            "input_ids": ids,
            "attention_mask": mask,
            "token_type_ids": (ends.cumsum(1) > ends).long() * mask,
            "token_relations": self.relations[places].long() * mask,
            "stance": self.stances[index],
            "soft": self.soft[index],
        }

    def _on_device(self, array: NDArray[Any]) -> Tensor:
        return torch.from_numpy(array).to(self.device)


def average_of(config: dict[str, Any]) -> tuple[float, int]:
    """Decay and first step of the moving average that a configuration asks for."""
    for callback in config["trainer"].get("callbacks+", []):
        if callback["class_path"].endswith("EMAWeightAveraging"):
            return callback["init_args"]["decay"], callback["init_args"]["update_starting_at_step"]
    raise SystemExit("the configuration has no EMAWeightAveraging among its callbacks")


def steps_within(batches: list[Any], seconds: float) -> Iterator[tuple[int, Any, float]]:
    """Step, batch and the share of the run that is over, until all batches or the time are used up."""
    start = time.monotonic()
    for step, batch in enumerate(batches):
        done = max(step / len(batches), (time.monotonic() - start) / seconds)
        if done >= 1:
            return
        yield step, batch, done


def train(args: argparse.Namespace) -> None:
    config = yaml.safe_load(args.config.read_text("utf-8"))
    device = "cuda" if torch.cuda.is_available() else "cpu"
    torch.manual_seed(config["seed_everything"])
    torch.backends.cuda.matmul.allow_tf32 = True
    module = module_of(config, args.text_model).to(device).train()
    tokenizer = module.input_builder.tokenizer
    arrays = Pack(args.pack, device, tokenizer.sep_token_id)
    draws = arrays.draws if args.fold is None else arrays.without(held_out(args.fold))
    batches = arrays.batches(draws, args.batch, config["seed_everything"])
    groups = parameter_groups(module.model, module.optim)
    peaks = [group["lr"] for group in groups]
    trained: list[Tensor] = [parameter for group in groups for parameter in group["params"]]
    optimizer = torch.optim.AdamW(groups, betas=(0.9, 0.98), eps=1e-6, fused=device == "cuda")
    decay, first = average_of(config)
    first, warmup = min(first, len(batches) // 4), module.optim.warmup
    average: list[Tensor] = []
    print(f"{len(draws)} draws, {len(batches)} steps", flush=True)
    start, seconds = time.monotonic(), 60 * args.minutes
    for step, rows, done in steps_within(batches, seconds):
        factor = min(1.0, (step + 1) / (warmup * len(batches)), (1 - done) / (1 - warmup))
        for group, peak in zip(optimizer.param_groups, peaks, strict=True):
            group["lr"] = peak * factor
        batch = arrays.batch(rows)
        with torch.autocast(device, dtype=torch.bfloat16):
            output = module(batch)
        loss = verdict_loss(output, batch, module.loss)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(trained, 1.0)
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)
        if step == first:
            average = [tensor.detach().clone() for tensor in trained]
        elif average:
            torch._foreach_lerp_(average, [tensor.detach() for tensor in trained], 1 - decay)
        if step % 250 == 0:
            passed = time.monotonic() - start
            print(f"step {step} of {len(batches)}, {passed:.0f} s, loss {loss.item():.3f}", flush=True)
    if average:
        with torch.no_grad():
            for tensor, mean in zip(trained, average, strict=True):
                tensor.copy_(mean)
    save(args, config, module)


def save(args: argparse.Namespace, config: dict[str, Any], module: VerdictModule) -> None:
    # Under the name that the configuration gives the text model, not where it lay.
    module.model.config = VerdictConfig(**config["model"]["init_args"]["network"])
    selection = {
        "top_k": config["data"]["init_args"]["selection"]["top_k"],
        "min_share": 0.0,
        "retrieval_encoder": "bundled",
        "retrieval_method": "hybrid",
    }
    languages = config["data"]["init_args"].get("languages")
    save_model(
        module.model,
        args.out,
        preprocessing=selection,
        dtype=torch.float16,
        tokenizer=module.input_builder.tokenizer,
        languages=languages,
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    commands = parser.add_subparsers(required=True)
    one = commands.add_parser("pack", help="draw an epoch and keep it as arrays")
    one.add_argument("--data", type=Path, required=True)
    one.add_argument("--workers", type=int, default=0)
    two = commands.add_parser("train", help="train on what pack kept")
    two.add_argument("--pack", type=Path, required=True)
    two.add_argument("--batch", type=int, default=192, help="rows a step")
    two.add_argument("--minutes", type=float, default=float("inf"))
    two.add_argument("--fold", type=int, choices=range(len(FOLDS)), help="leave out the sources of this fold")
    for command, run in ((one, pack), (two, train)):
        command.add_argument("--config", type=Path, required=True)
        command.add_argument("--text-model", help="folder of the text model, in place of the id in the configuration")
        command.add_argument("--out", type=Path, required=True)
        command.set_defaults(run=run)
    args = parser.parse_args()
    args.run(args)


if __name__ == "__main__":
    main()
