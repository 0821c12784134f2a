"""``factcheck export``: a training checkpoint into a model folder."""

import argparse
from pathlib import Path

from factcheck.commands.common import probability, quiet_libraries
from factcheck.commands.inputs import check_checkpoint, check_image_root
from factcheck.errors import InputError
from factcheck.outputs import check_output_folder

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
        "--target-precision",
        type=probability,
        metavar="P",
        help="also store the threshold at which verdicts on those tables are right this often; verdicts under it abstain",
    )
    parser.add_argument("--image-root", help="folder that image paths of those tables are relative to")
    parser.add_argument("--card", help="Markdown file to use as the model card")


def run(args: argparse.Namespace) -> int:
    """Load, save, calibrate."""
    if args.target_precision is not None and not args.calibrate_on:
        raise InputError("--target-precision needs --calibrate-on, the labelled tables that the threshold is chosen on")
    checkpoint, out = Path(args.checkpoint), Path(args.out)
    check_checkpoint(args.checkpoint)
    check_output_folder("--out", out, "model folder", {"kind": "factcheck-verdict-model"})
    if args.card and not Path(args.card).is_file():
        raise InputError(f"--card {args.card!r}: no such file")
    check_image_root(args.image_root)
    from factcheck.data import open_claims

    for table in args.calibrate_on or ():
        open_claims(table, on_error="mark")  # mistakes show before the checkpoint is loaded
    import torch

    quiet_libraries()
    from factcheck.models.folder import fingerprint, save_model
    from factcheck.training.checkpoints import load_checkpoint
    from factcheck.verification.verifier import Verifier

    module, preprocessing = load_checkpoint(checkpoint)
    card = Path(args.card).read_text("utf-8") if args.card else _card(module, preprocessing, checkpoint)
    options = {
        "preprocessing": preprocessing,
        "card": card,
        "dtype": getattr(torch, args.dtype),
        "tokenizer": module.input_builder.tokenizer,
    }
    save_model(module.model, out, **options)
    if args.calibrate_on:
        from factcheck.training.calibration import calibrate

        found = calibrate(
            Verifier.load(out),
            args.calibrate_on,
            image_root=args.image_root,
            target_precision=args.target_precision,
        )
        save_model(module.model, out, calibration=found.to_dict(), **options)
        print(f"temperatures: stance {found.stance:.3f}, five classes {found.label:.3f}")
        if found.target_precision is not None:
            print(
                f"verdicts of a confidence under {found.abstain_below:.4f} abstain: precision {found.target_precision:g} "
                f"at a coverage of {found.coverage:.1%} of the rows calibrated on"
            )
    size = sum(path.stat().st_size for path in out.rglob("*") if path.is_file())
    print(f"model {fingerprint(out)} -> {out} ({size / 2**20:.1f} MiB)")
    return 0


def _card(module, preprocessing: dict, checkpoint: Path) -> str:
    """A model card of what is known; what only its maker can know is named as missing."""
    parameters = sum(p.numel() for p in module.model.parameters())
    settings = "\n".join(f"| {name} | {value} |" for name, value in sorted(module.hparams.items()))
    return f"""# Verdict model

Exported from `{checkpoint.name}` by `factcheck export`; {parameters / 1e6:.1f} M parameters.

Training data, their licences, figures and limits: not stated. Write them here before sharing this model.

Evidence selection: {preprocessing["retrieval_method"]}, {preprocessing["top_k"]} sentences, encoder `{preprocessing["retrieval_encoder"]}`.

| setting | value |
|---|---|
{settings}
"""
