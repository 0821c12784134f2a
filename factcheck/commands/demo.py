"""``factcheck demo``: the main job on the bundled sample with the bundled model, offline."""

import argparse
import shutil
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from factcheck.commands import common
from factcheck.commands.common import counted, quiet_libraries
from factcheck.commands.progress import progress_bar
from factcheck.commands.verify import print_summary
from factcheck.labels import parse_label, stance_of
from factcheck.outputs import check_output_file, check_output_folder, is_report

if TYPE_CHECKING:
    from rich.table import Table

    from factcheck.evaluation.metrics import Classification

__all__ = ["add_arguments", "run"]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.add_argument(
        "--out", default="demo-output", help="folder for the verdict table and the report (default: demo-output)"
    )


def run(args: argparse.Namespace) -> int:
    """Verify the sample, print every verdict, write table and report."""
    check_output_folder("out", args.out, "a folder")
    if Path(args.out).is_dir():
        check_output_file("out", Path(args.out) / "report.html", own=is_report, kind="a report")
    quiet_libraries()
    from factcheck.data import open_claims
    from factcheck.evaluation.report import write_report
    from factcheck.evaluation.scoring import score
    from factcheck.sample import sample_folder
    from factcheck.verification.stream import verify_file
    from factcheck.verification.verdict_table import read_verdicts
    from factcheck.verification.verifier import Verifier

    claims = sample_folder() / "claims.csv"
    folder = Path(args.out)
    folder.mkdir(parents=True, exist_ok=True)
    out, report = folder / "verdicts.parquet", folder / "report.html"
    with progress_bar("verifying", resumes=True) as progress:
        summary = verify_file(Verifier.load("bundled"), claims, out, fresh=True, progress=progress)
    given = [row for table in open_claims(claims, on_error="mark").batches() for row in table.to_pylist()]
    verdicts = read_verdicts(out).to_pylist()
    common.console(180).print(_table(verdicts, given))
    print_summary(summary)
    scores = score(out, claims)
    write_report(report, out, claims, title="Bundled sample, bundled model")
    stance, five = scores.stance, scores.five_class
    assert five is not None, "the sample's labels are five-class"
    print(
        f"on the sample's gold labels: stance accuracy {stance.accuracy:.2f} (always the most frequent stance: "
        f"{max(stance.support) / stance.rows:.2f}), five-class weighted F1 {five.weighted_f1:.2f} (always the most frequent "
        f"class: {_majority_f1(five):.2f}); {counted(scores.rows, 'row')}. {scores.image_remark or 'Every row has a pair of photos'}. "
        "The sample is hard on purpose: its claims differ in one number, name or word."
    )
    print(_abstentions(verdicts, [claim["label"] for claim in given]))
    print(f"verdict table: {out}\nreport: {report}")
    if hint := _activation():
        print(f"to use the factcheck command from here on: {hint}")
    return 0


def _table(verdicts: list[dict[str, Any]], given: list[dict[str, Any]]) -> "Table":
    """Every verdict beside its claim."""
    from rich.table import Table

    from factcheck.evaluation.examples import best_evidence

    table = Table(show_lines=False)
    for name in (
        "id",
        "claim",
        "gold",
        "verdict",
        "confidence",
        "evidence of highest attribution",
        "differences",
        "status",
    ):
        table.add_column(name, justify="right" if name == "confidence" else "left", overflow="fold")
    for row, claim in zip(verdicts, given, strict=True):
        table.add_row(
            row["id"],
            _short(claim["claim"] or "", 60),
            claim["label"] or "-",
            f"{row['label'] or '-'}{' (abstains)' if row['abstained'] else ''}",
            "-" if row["confidence"] is None else f"{row['confidence']:.2f}",
            _short(best_evidence(row) or "-", 50),
            _short(row["explanation"] or "-", 60),
            row["status"] if row["reason"] is None else f"{row['status']}: {row['reason']}",
        )
    return table


def _abstentions(verdicts: list[dict[str, Any]], labels: list[str | None]) -> str:
    """On how many rows the model abstains, and what the verdicts that it gives are worth."""
    gold = [stance_of(parse_label(label)).value if label else None for label in labels]
    labelled = [(row, stance) for row, stance in zip(verdicts, gold, strict=True) if stance and row["stance"]]
    given = [row["stance"] == stance for row, stance in labelled if not row["abstained"]]
    right = f"of the {len(given)} verdicts that it gives, the stance of {sum(given)} is right"
    rows = counted(len(labelled), "row")
    return f"The model abstains on {len(labelled) - len(given)} of {rows}; {right if given else 'it gives no verdict'}."


def _majority_f1(part: "Classification") -> float:
    """Weighted F1 of naming the most frequent class every time: its F1 counts by its share, the others are 0."""
    share = max(part.support) / part.rows
    return share * 2 * share / (1 + share)


def _activation() -> str | None:
    """How to activate the virtual environment that runs this, where ``factcheck`` is not on the path yet."""
    found = shutil.which("factcheck")
    if sys.prefix == sys.base_prefix or (found and Path(found).resolve().is_relative_to(Path(sys.prefix).resolve())):
        return None
    prefix = Path(sys.prefix)
    if prefix.is_relative_to(Path.cwd()):
        prefix = prefix.relative_to(Path.cwd())
    return str(prefix / "Scripts" / "activate") if sys.platform == "win32" else f". {prefix}/bin/activate"


def _short(text: str, length: int) -> str:
    text = " ".join(text.split())
    return text if len(text) <= length else text[: length - 1] + "…"
