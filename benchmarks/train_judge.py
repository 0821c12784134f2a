"""Train a cross-encoder of the stance on a BERT encoder, small enough for one processor: low-rank updates of its upper layers.

    python benchmarks/train_judge.py multilingual train.jsonl --out judge/ --minutes 60 [--languages -en] [--adapter FILE]

Rows are JSONL as :func:`factcheck.data.read_claims_text` takes them. The base is ``bundled``, ``multilingual``, a folder or a Hugging
Face id of a BERT. Weights W of the upper layers become W + 2·B·A with A (r, in), B (out, r) (LoRA, Hu et al., arXiv 2106.09685); pooler
and classifier are trained whole. ``judge/`` is an ordinary Hugging Face folder for ``--judge hf:judge/``; the adapter holds what was
trained alone.
"""

import argparse
import math
import random
import time
from pathlib import Path

import torch
from safetensors.torch import save_file
from torch import Tensor, nn
from transformers import AutoModelForSequenceClassification

from factcheck.data.text_sets import NOT_SUPPORT, read_claims_text
from factcheck.judges.adapter import SCALE, add_adapter
from factcheck.labels import STANCES
from retrieval.encoders.batching import batches_by_length, pad
from retrieval.encoders.pretrained import load_pretrained, load_tokenizer, resolve_pretrained


class LowRank(nn.Module):
    """A linear layer that stays as it is, plus a product of two thin ones: (…, in) to (…, out)."""

    def __init__(self, linear: nn.Linear, rank: int) -> None:
        super().__init__()
        self.linear = linear
        self.a = nn.Parameter(torch.randn(rank, linear.in_features) / math.sqrt(linear.in_features))
        self.b = nn.Parameter(torch.zeros(linear.out_features, rank))

    def forward(self, x: Tensor) -> Tensor:
        low = nn.functional.linear(nn.functional.linear(x, self.a.to(x.dtype)), self.b.to(x.dtype))
        return self.linear(x) + SCALE * low


def with_low_rank(model: nn.Module, first_layer: int, rank: int) -> dict[str, LowRank]:
    """Put a :class:`LowRank` in the place of each linear layer from ``first_layer`` on; by name."""
    made = {}
    for name, module in list(model.named_modules()):
        parts = name.split(".")
        if isinstance(module, nn.Linear) and "layer" in parts and int(parts[parts.index("layer") + 1]) >= first_layer:
            made[name] = LowRank(module, rank)
            setattr(model.get_submodule(name.rpartition(".")[0]), parts[-1], made[name])
    return made


def loss_of(logits: Tensor, targets: Tensor) -> Tensor:
    """Cross-entropy of (B, 3) logits; a target of 3 says insufficient or refute."""
    known = logits.log_softmax(-1)
    open_or_refuted = torch.logsumexp(known[:, 1:], -1, keepdim=True)
    return -torch.cat([known, open_or_refuted], 1).gather(1, targets[:, None]).mean()


def read_rows(paths: list[Path], languages: str, seed: int) -> list[tuple[str, str, int, str]]:
    """Evidence, claim, target and language of each row in a random order; ``-en`` leaves nine English rows of ten out."""
    names = [str(stance) for stance in STANCES] + [NOT_SUPPORT]
    rows = []
    draw = random.Random(seed)
    for path in paths:
        for row in read_claims_text(path):
            language = row["language"] or "en"
            if languages == "-en" and language == "en" and draw.random() < 0.9:
                continue
            if languages not in ("-en", "all") and language not in languages.split(","):
                continue
            rows.append((" ".join(row["document"]), row["claim"], names.index(row["label"]), language))
    draw.shuffle(rows)
    return rows


def train(model: nn.Module, tokenizer, rows, arguments: argparse.Namespace) -> int:
    """Until the minutes are over or the rows are, in whole batches of like length; the rate falls with the time."""
    trained = [p for p in model.parameters() if p.requires_grad]
    optimiser = torch.optim.AdamW(trained, lr=arguments.rate, weight_decay=0.01)
    start, seen, smooth = time.monotonic(), 0, 0.0
    step = 0
    for first in range(0, len(rows), 1024):
        part = rows[first : first + 1024]
        encoded = tokenizer([r[0] for r in part], [r[1] for r in part], return_attention_mask=False, verbose=False)
        types = encoded.get("token_type_ids")
        batches = list(batches_by_length(encoded["input_ids"], arguments.batch, None))
        random.Random(first).shuffle(batches)
        for numbers, ids in batches:
            if max(map(len, ids)) > arguments.length:
                continue
            done = max((time.monotonic() - start) / 60 / arguments.minutes, seen / len(rows))
            if done >= 1:
                return seen
            for group in optimiser.param_groups:
                group["lr"] = arguments.rate * min(1, (step + 1) / 50) * (1 - done)
            tokens, mask = (torch.from_numpy(x) for x in pad(ids, tokenizer.pad_token_id or 0))
            inputs = {"input_ids": tokens, "attention_mask": mask}
            if types is not None:
                inputs["token_type_ids"] = torch.from_numpy(pad([types[i] for i in numbers], 0)[0])
            with torch.autocast("cpu", torch.bfloat16):
                logits = model(**inputs).logits.float()
            loss = loss_of(logits, torch.tensor([part[i][2] for i in numbers]))
            optimiser.zero_grad()
            loss.backward()
            nn.utils.clip_grad_norm_(trained, 1.0)
            optimiser.step()
            step, seen = step + 1, seen + len(ids)
            smooth = loss.item() if step == 1 else 0.98 * smooth + 0.02 * loss.item()
            if step % 50 == 0:
                print(
                    f"{step} steps, {seen} rows, {(time.monotonic() - start) / 60:.1f} min, loss {smooth:.3f}",
                    flush=True,
                )
    return seen


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("base")
    parser.add_argument("tables", nargs="+", type=Path)
    parser.add_argument("--out", required=True, type=Path)
    parser.add_argument("--adapter", type=Path, help="also write what was trained alone, in half precision")
    parser.add_argument("--languages", default="all", help="'all', '-en', or codes as de,fr")
    parser.add_argument("--minutes", type=float, default=60)
    parser.add_argument("--rank", type=int, default=16)
    parser.add_argument("--first-layer", type=int, default=4)
    parser.add_argument("--length", type=int, default=128, help="batches with a longer row are left out")
    parser.add_argument("--batch", type=int, default=16)
    parser.add_argument("--rate", type=float, default=5e-4)
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    torch.manual_seed(arguments.seed)
    torch.set_num_threads(1)
    rows = read_rows(arguments.tables, arguments.languages, arguments.seed)
    folder = resolve_pretrained(arguments.base)
    tokenizer = load_tokenizer(folder)
    stances = dict(enumerate(map(str, STANCES)))
    names = {"id2label": stances, "label2id": {v: k for k, v in stances.items()}}
    model = load_pretrained(AutoModelForSequenceClassification, folder, **names)
    model.bert.requires_grad_(False)
    with_low_rank(model, arguments.first_layer, arguments.rank)
    model.bert.pooler.requires_grad_(True)
    for p in model.parameters():
        if not p.requires_grad:  # four times as fast where the processor multiplies in bfloat16
            p.data = p.data.bfloat16()
    model.train()
    print(
        f"{len(rows)} rows, {sum(p.numel() for p in model.parameters() if p.requires_grad)} weights trained", flush=True
    )
    seen = train(model, tokenizer, rows, arguments)
    trained = {name: p.detach().half() for name, p in model.named_parameters() if p.requires_grad}
    model = load_pretrained(AutoModelForSequenceClassification, folder, **names)
    add_adapter(model, trained)
    languages = sorted({row[3] for row in rows[:seen]})
    model.half().save_pretrained(arguments.out)
    tokenizer.save_pretrained(arguments.out)
    listed = "".join(f"- {code}\n" for code in languages)
    (arguments.out / "README.md").write_text(
        f"---\nlanguage:\n{listed}pipeline_tag: text-classification\n---\n\nStance of evidence to a claim; {seen} training rows.\n"
    )
    if arguments.adapter is not None:
        save_file(trained, arguments.adapter)
    print(f"{seen} rows seen; {', '.join(languages)} -> {arguments.out}")


if __name__ == "__main__":
    main()
