"""``factcheck calibrate``: what the confidences of a model or a judge are worth, on claims whose labels are known."""

import argparse
import shutil
from pathlib import Path
from typing import Any

from factcheck.commands.common import (
    add_reading_arguments,
    claims_format,
    counted,
    positive,
    probability,
    quiet_libraries,
)
from factcheck.commands.inputs import check_image_root, check_model
from factcheck.commands.judging import add_judge_arguments, judge_of, print_usage
from factcheck.errors import InputError
from factcheck.outputs import check_output_file, check_output_folder, is_json_with

__all__ = ["FEWEST_ROWS", "add_arguments", "run", "threshold_lines"]

#: Labelled rows that a calibration takes at least, unless told otherwise.
FEWEST_ROWS = 50


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.add_argument(
        "--on", nargs="+", required=True, metavar="CLAIMS", help="labelled claims tables that were not trained on"
    )
    parser.add_argument(
        "--out", required=True, help="model folder to write (with --judge: the judge's profile, a JSON file)"
    )
    parser.add_argument("--model", default="bundled", help="model folder, Hugging Face id, or 'bundled' (default)")
    parser.add_argument("--image-root", help="folder that image paths are relative to (default: each table's folder)")
    parser.add_argument("--columns", help="names of columns in the tables, as claim=text,document=body")
    add_reading_arguments(parser)
    parser.add_argument(
        "--target-precision",
        type=probability,
        metavar="P",
        help="abstain by default below the confidence at which verdicts are right this often",
    )
    parser.add_argument(
        "--min-rows",
        type=positive,
        default=FEWEST_ROWS,
        help=f"refuse fewer labelled rows than this (default {FEWEST_ROWS})",
    )
    parser.add_argument("--device", help="torch device (default: cpu)")
    add_judge_arguments(parser)


def run(args: argparse.Namespace) -> int:
    """Calibrate, write, and say what was found."""
    columns = claims_format(args)
    check_image_root(args.image_root)
    check_model(args.model)
    if args.judge is None:
        check_output_folder("out", args.out, "model folder", {"kind": "factcheck-verdict-model"})
    else:
        inputs = {f"the claims table {path}": path for path in args.on}
        check_output_file("out", args.out, inputs, own=is_json_with("judge", "calibration"), kind="a judge's profile")
    from factcheck.training.calibration import check_calibration_tables

    check_calibration_tables(args.on, args.target_precision, columns, args.min_rows)
    quiet_libraries()
    from factcheck.judges.usage import UsageMeter

    judge = judge_of(args)
    meter = UsageMeter(judge)
    from factcheck.verification.verifier import Verifier

    verifier = Verifier.load(args.model, judge=judge, attribution=False, device=args.device)
    options = {
        "image_root": args.image_root,
        "target_precision": args.target_precision,
        "columns": columns,
        "at_least": args.min_rows,
    }
    found = _of_model(verifier, args, options) if judge is None else _of_judge(verifier, args, options)
    print(f"{counted(found.rows or 0, 'labelled row')} -> {args.out}")
    print(f"  temperature of the stance {_temperatures(found)}")
    if judge is None and found.label != 1.0:
        print(f"  temperature of the five classes {found.label:.3g}")
    if found.pairs is not None:
        print(f"  with a pair of images {found.pairs.stance:.3g} ({counted(found.pairs.rows or 0, 'row')})")
    for line in threshold_lines(found) if args.target_precision is not None else ():
        print(f"  {line}")
    print_usage(meter.taken(), args.judge_price)
    return 0


def threshold_lines(calibration: Any) -> list[str]:
    """What the thresholds of a calibration are, a line for each kind of row that has one; none where none was chosen."""
    if calibration.target_precision is None:
        return []
    own = calibration.pairs
    kinds = [(" of rows without a pair of images" if own else "", calibration.abstain_below, calibration.coverage)]
    if own:
        kinds.append((" of rows with a pair of images", own.abstain_below, own.coverage))
    return [
        f"verdicts{kind} abstain below {threshold:.3f}: a precision of {calibration.target_precision:g} "
        f"on these rows, of which {coverage:.0%} keep their verdict"
        for kind, threshold, coverage in kinds
    ]


def _of_model(verifier: Any, args: argparse.Namespace, options: dict[str, Any]) -> Any:
    from factcheck.models.folder import resolve_model
    from factcheck.training.calibration import calibrate
    from retrieval.durable import replacing_folder

    found = calibrate(verifier, args.on, **options)
    source = resolve_model(args.model)
    if Path(args.out).exists() and Path(args.out).samefile(source):
        raise InputError(
            "`out` is the model itself; a calibrated model is a copy of it", field="out", hint="name another folder"
        )
    with replacing_folder(args.out) as folder:
        shutil.copytree(source, folder, dirs_exist_ok=True, ignore=shutil.ignore_patterns("__pycache__", "*.py"))
        found.write(folder)
    return found


def _of_judge(verifier: Any, args: argparse.Namespace, options: dict[str, Any]) -> Any:
    from factcheck.judges.calibrated import JudgeProfile
    from factcheck.training.calibration import calibrate_judge

    found = calibrate_judge(verifier, args.on, **options)
    JudgeProfile(verifier.judge.fingerprint, found).save(args.out)
    return found


def _temperatures(calibration: Any) -> str:
    if not calibration.stance_by_length:
        return f"{calibration.stance:.3g}"
    return ", ".join(f"{temperature:.3g} at {tokens} tokens" for tokens, temperature in calibration.stance_by_length)
