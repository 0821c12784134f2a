"""``factcheck export``: a training checkpoint into a model folder."""

import argparse
import contextlib
import dataclasses
import importlib
import os
import shutil
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from factcheck.commands.calibrate import FEWEST_ROWS, threshold_lines
from factcheck.commands.common import add_reading_arguments, claims_format, positive, probability, quiet_libraries
from factcheck.commands.inputs import check_checkpoint, check_image_root
from factcheck.data.claims import ClaimsFormat
from factcheck.errors import InputError
from factcheck.outputs import check_output_folder
from retrieval.arguments import checked_file

if TYPE_CHECKING:
    from factcheck.training.verdict.module import VerdictModule

__all__ = ["add_arguments", "run"]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.add_argument("checkpoint", help="checkpoint that 'factcheck fit' wrote")
    parser.add_argument("--out", required=True, help="model folder to write")
    parser.add_argument("--dtype", choices=("float32", "float16"), default="float32", help="how weights are stored")
    parser.add_argument(
        "--calibrate-on", nargs="+", metavar="CLAIMS", help="labelled tables, not trained on, to fit temperatures"
    )
    parser.add_argument(
        "--min-rows",
        type=positive,
        default=FEWEST_ROWS,
        help=f"refuse to calibrate on fewer labelled rows than this (default {FEWEST_ROWS})",
    )
    parser.add_argument(
        "--target-precision",
        type=probability,
        metavar="P",
        help="also store the threshold at which verdicts on those tables are right this often; verdicts under it abstain",
    )
    parser.add_argument(
        "--top-k", type=positive, metavar="K", help="evidence sentences a row (default: as in training)"
    )
    parser.add_argument(
        "--min-share",
        type=probability,
        metavar="P",
        help="leave out sentences that score less than this share of the best "
        "(default: as in the data settings of the training)",
    )
    parser.add_argument(
        "--columns",
        help="names of columns in those tables, as claim=text,document=body (default: those of the training data)",
    )
    add_reading_arguments(parser)
    parser.add_argument("--image-root", help="folder that image paths of those tables are relative to")
    parser.add_argument(
        "--module",
        metavar="CLASS",
        help="your own subclass of VerdictModule that the checkpoint is of, as package.module.Class; it is imported, from the working "
        "folder, too",
    )
    parser.add_argument("--card", help="Markdown file to use as the model card")
    parser.add_argument(
        "--languages",
        metavar="CODES",
        help="languages that the model reads, as en,de; rows in others are marked and abstain (default: those of the model folder that "
        "training started from; en if the text model is bundled)",
    )


def run(args: argparse.Namespace) -> int:
    """Load, write beside the output, calibrate, and only then put in place: an export that fails changes nothing."""
    if args.target_precision is not None and not args.calibrate_on:
        raise InputError("--target-precision needs --calibrate-on, the labelled tables that the threshold is chosen on")
    checkpoint, out = Path(args.checkpoint), Path(args.out)
    check_checkpoint(args.checkpoint)
    check_output_folder("out", out, "a model folder", {"kind": "factcheck-verdict-model"})
    if args.card:
        checked_file(f"`card` {args.card!r}", args.card, field="card")
    check_image_root(args.image_root)
    columns = _check_tables(args) if args.calibrate_on else ClaimsFormat()
    quiet_libraries()
    from factcheck.models.folder import fingerprint
    from factcheck.training.verdict.checkpoint import load_checkpoint

    module, selection = load_checkpoint(checkpoint, *([_module_class(args.module)] if args.module else []))
    given = {"top_k": args.top_k, "min_share": args.min_share}
    selection = dataclasses.replace(selection, **{name: value for name, value in given.items() if value is not None})
    preprocessing = dataclasses.asdict(selection)
    card = Path(args.card).read_text("utf-8") if args.card else _card(module, preprocessing, checkpoint)
    with _scratch_folder(out) as scratch:
        _write(scratch / "model", module, preprocessing, card, args, columns)
        _put_in_place(scratch / "model", out)
    size = sum(path.stat().st_size for path in out.rglob("*") if path.is_file())
    print(f"model {fingerprint(out)} -> {out} ({size / 2**20:.1f} MiB)")
    return 0


def _module_class(name: str) -> "type[VerdictModule]":
    """The class of that name, which the user trusts by naming it."""
    from factcheck.training.verdict.module import VerdictModule

    if os.getcwd() not in sys.path:
        sys.path.append(os.getcwd())
    path, _, last = name.rpartition(".")
    try:
        found = getattr(importlib.import_module(path), last)
    except (ImportError, AttributeError, ValueError) as error:
        raise InputError(f"`module` {name!r} cannot be imported: {error}", field="module") from None
    if not (isinstance(found, type) and issubclass(found, VerdictModule)):
        raise InputError(f"`module` {name!r} is not a subclass of VerdictModule", field="module")
    return found


def _check_tables(args: argparse.Namespace) -> ClaimsFormat:
    """Look at the tables to calibrate on before the model is loaded; returns how they are written: as those of the training, but
    for what the options say.
    """
    from factcheck.training.calibration import check_calibration_tables
    from factcheck.training.verdict.checkpoint import training_format

    given, stored = claims_format(args).to_dict(), training_format(args.checkpoint).to_dict()
    format = ClaimsFormat(**{**stored, **given})
    try:
        check_calibration_tables(args.calibrate_on, args.target_precision, format, args.min_rows)
    except InputError as error:
        if "columns" in given or "columns" not in stored or error.field != "columns":
            raise
        raise InputError(
            error.message, field="columns", hint="so it was called in training; `columns` tells what it is called here"
        ) from None
    return format


def _write(
    folder: Path,
    module: "VerdictModule",
    preprocessing: dict[str, Any],
    card: str,
    args: argparse.Namespace,
    columns: ClaimsFormat,
) -> None:
    """Write the whole model folder, calibrated if that was asked for."""
    import torch

    from factcheck.models.folder import save_model

    options: dict[str, Any] = {
        "preprocessing": preprocessing,
        "card": card,
        "dtype": getattr(torch, args.dtype),
        "tokenizer": module.input_builder.tokenizer,
        "languages": module.languages
        if args.languages is None
        else [code.strip() for code in args.languages.split(",")],
    }
    save_model(module.model, folder, **options)
    if not args.calibrate_on:
        return
    from factcheck.training.calibration import calibrate
    from factcheck.verification.verifier import Verifier

    # Of the weights as they are stored, which half precision rounds.
    found = calibrate(
        Verifier.load(folder),
        args.calibrate_on,
        image_root=args.image_root,
        target_precision=args.target_precision,
        columns=columns,
        at_least=args.min_rows,
    )
    save_model(module.model, folder, calibration=found.to_dict(), **options)
    print(f"temperatures: stance {found.stance:.3f}, five classes {found.label:.3f}")
    for line in threshold_lines(found):
        print(line)


@contextlib.contextmanager
def _scratch_folder(out: Path) -> Iterator[Path]:
    """A folder on the file system of ``out``, in it or in the nearest folder above it that exists; gone in the end."""
    near = next(path for path in (out, *out.absolute().parents) if path.is_dir())
    with tempfile.TemporaryDirectory(prefix=".export-", dir=near) as scratch:
        yield Path(scratch)


def _put_in_place(new: Path, out: Path) -> None:
    """Move a finished model folder to ``out``, or its files into ``out`` where that exists and may hold others, too.

    As in ``save_model``, ``config.json`` goes first and comes last: at no time does the folder pass for a model of files old and new.
    """
    from factcheck.models.folder import CONFIG

    if not out.exists():
        out.parent.mkdir(parents=True, exist_ok=True)
        new.rename(out)
        return
    (out / CONFIG).unlink(missing_ok=True)
    for path in sorted(new.iterdir(), key=lambda path: path.name == CONFIG):
        if (out / path.name).is_dir():
            shutil.rmtree(out / path.name)
        path.rename(out / path.name)


def _card(module: "VerdictModule", preprocessing: dict[str, Any], checkpoint: Path) -> str:
    """A model card of what is known; what only its maker can know is named as missing."""
    parameters = sum(p.numel() for p in module.model.parameters())
    groups: dict[str, Any] = {
        "network": module.network,
        "text": module.text,
        "optim": module.optim,
        "loss": module.loss,
    }
    named = {f"{name}.{field}": v for name, group in groups.items() for field, v in dataclasses.asdict(group).items()}
    settings = "\n".join(f"| {name} | {value} |" for name, value in sorted(named.items()))
    return f"""# Verdict model

Exported from `{checkpoint.name}` by `factcheck export`; {parameters / 1e6:.1f} M parameters.

Training data, their licences, figures and limits: not stated. Write them here before sharing this model.

Evidence selection: {preprocessing["retrieval_method"]}, {preprocessing["top_k"]} sentences, encoder `{preprocessing["retrieval_encoder"]}`.

| setting | value |
|---|---|
{settings}
"""
