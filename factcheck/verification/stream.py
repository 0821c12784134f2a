"""Streaming verification of a claims file: constant memory, resumable after any interruption."""

import contextlib
import hashlib
import json
import shutil
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import pyarrow as pa

from factcheck._version import __version__
from factcheck.data import load_images, open_claims
from factcheck.errors import InputError
from factcheck.verification.verdict_table import check_output, merge_parts, reason_kinds, write_part
from retrieval.durable import only_one
from retrieval.search.select import SELECTION_VERSION

if TYPE_CHECKING:
    from factcheck.verification.verifier import Verifier

__all__ = ["RunSummary", "locked_parts", "verify_file"]

_KEY, _LOCK = "run.json", ".lock"
_CHANGED = "changed while it was read{}; run the command again once nothing writes to it"
# Rows whose photo files are read together, and bytes of photos from which a chunk is verified in parts.
_ROWS_READ = 16
_PHOTO_BYTES = 256 * 2**20


@dataclass
class RunSummary:
    """What a run did.

    Attributes:
        rows: rows in the verdict table.
        resumed: rows of them taken over from an interrupted run.
        dropped: complete chunks of an earlier, interrupted run that were thrown away: of other input, model or options, or because
            the run was to start over.
        labels, statuses, reasons: counts by value (reasons with their detail cut off).
        out: the verdict table.
    """

    out: Path
    rows: int = 0
    resumed: int = 0
    dropped: int = 0
    labels: Counter[str] = field(default_factory=Counter)
    statuses: Counter[str] = field(default_factory=Counter)
    reasons: Counter[str] = field(default_factory=Counter)


def verify_file(
    verifier: "Verifier",
    claims: str | Path,
    out: str | Path,
    *,
    columns: Mapping[str, str] | None = None,
    image_root: str | Path | None = None,
    on_error: str = "mark",
    chunk_size: int = 256,
    resume: bool = True,
    progress: Callable[[int, int | None], None] | None = None,
) -> RunSummary:
    """Verify every row of a claims file and write the verdict table.

    Each chunk of rows becomes a file in ``<out>.parts/``; when all are there they are merged into ``out``, which appears in
    one step. A run that was interrupted, however hard, goes on after its last complete chunk, if input, model and options
    are the same.

    Args:
        verifier: a loaded verifier.
        claims: CSV, TSV, JSONL or Parquet file.
        out: verdict table; its ending (``.parquet``, ``.csv``, ``.tsv``, ``.jsonl``) chooses the format.
        columns: names of columns in the file, as ``{"claim": "text"}``.
        image_root: folder that image paths are relative to; by default the folder of the file.
        on_error: ``mark`` turns bad rows into rows with status ``error``; ``fail`` stops at the first.
        chunk_size: rows held in memory at once.
        resume: false starts over.
        progress: called after each chunk with the rows done and the rows in all (None if unknown).

    Raises:
        InputError: the file cannot be read, or changes while it is; ``out`` cannot be written, has an unknown ending, or is a file
            other than a verdict table (the claims, for one); or, with ``on_error="fail"``, a row is bad.
    """
    claims, out = Path(claims), Path(out)
    if chunk_size < 1:
        raise InputError(f"chunk_size must be at least 1, found {chunk_size}")
    check_output(out, claims)
    source = open_claims(claims, columns=columns, on_error=on_error)
    root = Path(image_root) if image_root is not None else claims.parent
    if not root.is_dir():
        raise InputError(f"image root {str(root)!r} is no folder")
    parts = out.with_name(out.name + ".parts")
    stamp = _stamp(claims)
    identity = _identity(verifier, claims, stamp, columns, root, on_error, chunk_size)
    with locked_parts(parts):
        done, dropped = _prepare(parts, identity, resume)
        summary = RunSummary(out, resumed=done * chunk_size, dropped=dropped)
        total = source.count()
        number = done
        rows = done * chunk_size if total is None else min(done * chunk_size, total)
        if progress:
            progress(done * chunk_size, total)
        try:
            for table in source.batches(chunk_size, skip=done * chunk_size):
                verdicts = pa.concat_tables(verifier.verify_batch(part) for part in _with_photos(table, root))
                # Before the part is kept: a table that changed hours ago shows now, and not at the end.
                _check_unchanged(claims, stamp)
                write_part(parts / f"{number:08d}.parquet", verdicts)
                number += 1
                rows += table.num_rows
                if progress:
                    progress(rows, total)
            _check_unchanged(claims, stamp)
        except InputError:
            if number == 0:  # nothing that a later run could go on from
                shutil.rmtree(parts)
            raise
        if total is not None and rows != total:
            # They carry the stamp that the table still has: a later run would trust them.
            shutil.rmtree(parts)
            raise InputError(f"{claims} {_CHANGED.format(f' ({total} rows were counted, {rows} read)')}")
        for verdicts in merge_parts(parts, out):
            summary.rows += verdicts.num_rows
            summary.labels.update(label or "(none)" for label in verdicts["label"].to_pylist())
            summary.statuses.update(verdicts["status"].to_pylist())
            for reason in verdicts["reason"].to_pylist():
                summary.reasons.update(reason_kinds(reason))
        summary.resumed = min(summary.resumed, summary.rows)
        shutil.rmtree(parts)
    return summary


def _with_photos(table: pa.Table, root: Path) -> Iterator[pa.Table]:
    """A chunk with its photo files read, as one table, or as several where the files are so large that memory must be spared."""
    held: list[pa.Table] = []
    size = 0
    for start in range(0, table.num_rows, _ROWS_READ):
        held.append(load_images(table.slice(start, _ROWS_READ), root))
        size += held[-1].nbytes
        if size > _PHOTO_BYTES:
            yield pa.concat_tables(held)
            held, size = [], 0
    if held:
        yield pa.concat_tables(held)


def _stamp(claims: Path) -> tuple[int, int]:
    """Size in bytes and time of the last change in nanoseconds of a claims table; of a saved data set, those of its list of files."""
    stat = (claims / "state.json" if claims.is_dir() else claims).stat()
    return stat.st_size, stat.st_mtime_ns


def _check_unchanged(claims: Path, stamp: tuple[int, int]) -> None:
    """Refuse a claims table that is no longer the one with that :func:`_stamp`: the verdicts would be of both, with rows lost.

    Raises:
        InputError: it was written to or removed.
    """
    try:
        same = _stamp(claims) == stamp
    except OSError:
        same = False
    if not same:
        raise InputError(f"{claims} {_CHANGED.format('')}")


def _identity(
    verifier: "Verifier",
    claims: Path,
    stamp: tuple[int, int],
    columns: Mapping[str, str] | None,
    root: Path,
    on_error: str,
    chunk_size: int,
) -> str:
    """A hash of everything that chunks written by an earlier run must agree with."""
    evidence = verifier.evidence
    facts = [
        __version__,
        SELECTION_VERSION,
        getattr(verifier.encoder, "fingerprint", type(verifier.encoder).__name__),
        str(claims.resolve()),
        *stamp,
        dict(columns or {}),
        str(root.resolve()),
        on_error,
        chunk_size,
        verifier.fingerprint,
        verifier.options.top_k,
        verifier.options.retrieval_method,
        verifier.options.min_share,
        verifier.options.attribution,
        verifier.options.photo_attribution,
        verifier.abstain_below,
        getattr(evidence, "fingerprint", type(evidence).__name__),
    ]
    return hashlib.sha256(json.dumps(facts).encode()).hexdigest()


@contextlib.contextmanager
def locked_parts(parts: Path) -> Iterator[None]:
    """Make the folder of parts and keep other runs out of it.

    Raises:
        InputError: something else has that name, or another run is writing there.
    """
    if parts.exists() and not (parts.is_dir() and ((parts / _KEY).is_file() or not _content(parts))):
        raise InputError(
            f"{str(parts)!r}, where the chunks of the run would go, is there and holds something else; "
            "move it away, or name another output"
        )
    parts.mkdir(parents=True, exist_ok=True)
    with only_one(
        parts / _LOCK, f"another run is writing to {str(parts)!r}; wait for it to end, or name another output"
    ):
        yield


def _content(parts: Path) -> list[Path]:
    return [path for path in parts.iterdir() if path.name != _LOCK]


def _prepare(parts: Path, identity: str, resume: bool) -> tuple[int, int]:
    """Make the parts of an earlier run ready; returns how many of its complete ones are taken over, and how many dropped."""
    key = parts / _KEY
    stored = None
    if key.is_file():
        try:
            stored = json.loads(key.read_text("utf-8")).get("identity")
        except ValueError:
            stored = None  # killed while writing it: nothing was verified yet
    dropped = 0
    if not resume or stored != identity:
        for path in _content(parts):
            dropped += path.suffix == ".parquet"
            path.unlink()
    key.write_text(json.dumps({"identity": identity}), "utf-8")
    done = 0
    while (parts / f"{done:08d}.parquet").is_file():
        done += 1
    return done, dropped
