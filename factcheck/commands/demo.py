"""``factcheck demo``: the main job on the bundled sample with the bundled model, offline."""

import argparse
from pathlib import Path

from factcheck.commands.common import progress_bar, quiet_libraries
from factcheck.commands.verify import print_summary

__all__ = ["add_arguments", "run"]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.add_argument(
        "--out", default="demo-output", help="folder for the verdict table and the report (default: demo-output)"
    )


def run(args: argparse.Namespace) -> int:
    """Verify the sample, print every verdict, write table and report."""
    quiet_libraries()
    from rich.console import Console
    from rich.table import Table

    from factcheck.data import open_claims
    from factcheck.evaluation.report import write_report
    from factcheck.evaluation.scoring import score
    from factcheck.sample import sample_folder
    from factcheck.verification.stream import verify_file
    from factcheck.verification.verifier import Verifier
    from factcheck.verification.writers import read_verdicts

    claims = sample_folder() / "claims.csv"
    folder = Path(args.out)
    folder.mkdir(parents=True, exist_ok=True)
    out, report = folder / "verdicts.parquet", folder / "report.html"
    with progress_bar("verifying") as progress:
        summary = verify_file(Verifier.load("bundled"), claims, out, resume=False, progress=progress)
    texts = [text for table in open_claims(claims, on_error="mark").batches() for text in table["claim"].to_pylist()]
    table = Table(show_lines=False)
    for name in ("id", "claim", "label", "confidence", "evidence", "status"):
        table.add_column(name, justify="right" if name == "confidence" else "left", overflow="fold")
    for row, text in zip(read_verdicts(out).to_pylist(), texts, strict=True):
        best = max(row["evidence"], key=lambda item: item["attribution"] or 0, default=None)
        table.add_row(
            row["id"],
            _short(text or "", 60),
            row["label"] or "-",
            "-" if row["confidence"] is None else f"{row['confidence']:.2f}",
            _short(best["text"], 50) if best else "-",
            row["status"] if row["reason"] is None else f"{row['status']}: {row['reason']}",
        )
    Console(width=None if Console().is_terminal else 180).print(table)
    print_summary(summary)
    scores = score(out, claims)
    write_report(scores, report, title="Bundled sample, bundled model")
    print(
        f"on the sample's gold labels: stance accuracy {scores.stance.accuracy:.2f}, five-class weighted F1 "
        f"{scores.five_class.weighted_f1:.2f} ({scores.rows} rows, rows without photos count as wrong there). "
        "The sample is hard on purpose: its claims differ in one number, name or word."
    )
    print(f"verdict table: {out}\nreport: {report}")
    return 0


def _short(text: str, length: int) -> str:
    text = " ".join(text.split())
    return text if len(text) <= length else text[: length - 1] + "…"
