"""Figures of a run for machines: JSON for scripts, Prometheus text for a node exporter's folder."""

import resource
import sys
import time
from collections.abc import Iterator, Mapping
from typing import Any

from factcheck.verification.summary import RunSummary

__all__ = ["prometheus_text", "run_metrics"]


def run_metrics(summary: RunSummary) -> dict[str, Any]:
    """The figures of a finished run, JSON-ready; sizes in bytes, times in seconds."""
    return {
        "out": str(summary.out),
        "finished": time.time(),
        "rows": summary.rows,
        "rows_resumed": summary.resumed,
        "rows_taken_over": summary.taken_over,
        "abstained": summary.abstained,
        "duplicate_ids": summary.duplicate_ids,
        "chunks_remade": summary.remade,
        "statuses": dict(summary.statuses),
        "labels": dict(summary.labels),
        "reasons": dict(summary.reasons.most_common()),
        "seconds": round(summary.seconds, 3),
        "seconds_by_stage": {name: round(value, 3) for name, value in summary.stages.items()},
        "rows_per_second": round(summary.rows_per_second, 3),
        "peak_memory": _peak_memory(),
        "judge": dict(summary.judge),
        "made_with": dict(summary.facts),
    }


def prometheus_text(metrics: Mapping[str, Any]) -> str:
    """The figures of :func:`run_metrics` in Prometheus' text format, as gauges ``factcheck_…``."""
    return "".join(f"{line}\n" for line in _lines(metrics))


def _lines(metrics: Mapping[str, Any]) -> Iterator[str]:
    plain = {
        "rows": "rows in the verdict table",
        "rows_resumed": "rows that an interrupted run had finished",
        "rows_taken_over": "rows taken over from an earlier table",
        "abstained": "rows whose verdict is withheld, without those in error",
        "duplicate_ids": "rows whose id an earlier row has",
        "seconds": "wall-clock seconds of the last run",
        "rows_per_second": "rows verified a second in the last run",
        "peak_memory": "bytes of memory at most",
        "finished": "when the last run finished, in seconds since 1970",
    }
    for name, said in plain.items():
        yield f"# HELP factcheck_{name} {said}"
        yield f"# TYPE factcheck_{name} gauge"
        yield f"factcheck_{name} {metrics[name]}"
    labelled = {
        "statuses": ("rows_by_status", "status"),
        "labels": ("rows_by_label", "label"),
        "reasons": ("rows_by_reason", "reason"),
        "seconds_by_stage": ("stage_seconds", "stage"),
        "judge": ("judge", "count"),
    }
    for field, (name, label) in labelled.items():
        yield f"# TYPE factcheck_{name} gauge"
        for value, number in metrics[field].items():
            yield f'factcheck_{name}{{{label}="{_escaped(value)}"}} {number}'


def _escaped(text: str) -> str:
    return text.replace("\\", r"\\").replace('"', r"\"").replace("\n", r"\n")


def _peak_memory() -> int:
    """Bytes, of this process or of one of its children, whichever had more."""
    unit = 1 if sys.platform == "darwin" else 1024
    usages = (resource.getrusage(who).ru_maxrss for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    return max(usages) * unit
