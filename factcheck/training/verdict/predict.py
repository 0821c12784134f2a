"""``factcheck predict``: verdicts through Lightning, so that its devices and strategies can be used for verification."""

import contextlib
import re
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytorch_lightning as pl
from pytorch_lightning.callbacks import Callback
from torch.utils.data import IterableDataset

from factcheck.errors import InputError
from factcheck.verification.parts import locked_parts
from factcheck.verification.verdict_table import check_output, merge_parts, write_part

__all__ = ["ClaimChunks", "VerdictWriter"]

_CHUNK_NAME = re.compile(r"\d{15}\.(parquet|tmp)")


class ClaimChunks(IterableDataset):
    """A claims table in chunks with photos read: ``(number of the first row, table)``; each process has every n-th chunk."""

    def __init__(self, path: Path, image_root: Path, columns: dict[str, str] | None, size: int, rank: int, world: int):
        self.path, self.image_root, self.columns = path, image_root, columns
        self.size, self.rank, self.world = size, rank, world

    def __iter__(self) -> Iterator[tuple[int, pa.Table]]:
        from factcheck.data import load_images, open_claims

        row = 0
        for number, table in enumerate(
            open_claims(self.path, columns=self.columns, on_error="mark").batches(self.size)
        ):
            if number % self.world == self.rank:
                yield row, load_images(table, self.image_root)
            row += table.num_rows


class VerdictWriter(Callback):
    """Writes what ``predict_step`` returns: each process its chunks, then the first process the table in input order.

    Nothing is gathered between processes; chunks are named by their first row and lie in ``<out>.predict-parts/``. Meanwhile the
    first process holds the lock of the output, so that no other ``predict`` or ``verify`` writes to it.
    """

    def __init__(self) -> None:
        self._held = contextlib.ExitStack()

    def on_predict_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Check the output before the work, lock it, and make room for the chunks.

        Raises:
            InputError: the output cannot be written, another run is writing to it, or something else lies where chunks go.
        """
        out = Path(trainer.datamodule.predict_out)
        check_output(out, trainer.datamodule.predict and Path(trainer.datamodule.predict), field="predict_out")
        _in_first_process(trainer, lambda: self._held.enter_context(_room(out)))

    def on_predict_batch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule, outputs: Any, *_: Any) -> None:
        """Write one chunk."""
        row, verdicts = outputs
        write_part(_parts(Path(trainer.datamodule.predict_out)) / f"{row:015d}.parquet", verdicts)

    def on_predict_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Merge the chunks of all processes.

        Raises:
            InputError: the chunks are not the rows of the claims table, each once; the output is not written then.
        """
        trainer.strategy.barrier("verdict parts written")
        out = Path(trainer.datamodule.predict_out)

        def finish() -> None:
            # With a limit (a whole number of chunks) a part of the rows is what was asked for.
            if isinstance(trainer.limit_predict_batches, float):
                _check_rows(_parts(out), trainer.datamodule.predict, trainer.datamodule.columns)
            rows = sum(table.num_rows for table in merge_parts(_parts(out), out))
            pl_module.print(f"{rows} rows -> {out}")

        _in_first_process(trainer, finish)
        self._held.close()

    def on_exception(self, trainer: pl.Trainer, pl_module: pl.LightningModule, exception: BaseException) -> None:
        """Leave no chunks behind, which a later run could not use, and let others write."""
        self._held.close()


@contextlib.contextmanager
def _room(out: Path) -> Iterator[None]:
    """An empty folder for the chunks of ``out``, and its lock, which is that of ``factcheck verify``.

    Raises:
        InputError: another run is writing to ``out``, or something else has the name of a folder that is needed.
    """
    parts, lock = _parts(out), out.with_name(out.name + ".parts")
    with locked_parts(lock):
        try:
            if parts.exists():
                _clear(parts)
            parts.mkdir()
            yield
            shutil.rmtree(parts, ignore_errors=True)
        finally:
            # An interrupted `verify` may have left chunks there to go on from.
            if [path.name for path in lock.iterdir()] == [".lock"]:
                shutil.rmtree(lock, ignore_errors=True)


def _clear(parts: Path) -> None:
    """Remove the chunks that a killed run left.

    Raises:
        InputError: the folder holds anything else, or is none.
    """
    if not parts.is_dir() or any(not _CHUNK_NAME.fullmatch(path.name) for path in parts.iterdir()):
        raise InputError(
            f"{str(parts)!r}, where the chunks of the run would go, is there and holds something else; "
            "move it away, or name another predict_out"
        )
    shutil.rmtree(parts)


def _check_rows(parts: Path, claims: str, columns: dict[str, str] | None) -> None:
    """Refuse to merge chunks that are not the whole claims table.

    Raises:
        InputError: they have more or fewer rows.
    """
    from factcheck.data import open_claims

    expected = open_claims(Path(claims).expanduser(), columns=columns, on_error="mark").count()
    found = sum(pq.read_metadata(path).num_rows for path in parts.glob("*.parquet"))
    if found != expected:
        raise InputError(
            f"predict: verdicts of {found} rows for the {expected} rows of {claims}, so no table is written; run it again while "
            "nothing changes the table, with all processes on one file system"
        )


def _in_first_process(trainer: pl.Trainer, work: Callable[[], Any]) -> None:
    """Do ``work`` in the first process while the others wait for it.

    Raises:
        InputError: in every process, if the first one's work does: the others would wait for it forever.
    """
    problem = None
    if trainer.is_global_zero:
        try:
            work()
        except InputError as error:
            problem = str(error)
    problem = trainer.strategy.broadcast(problem)
    if problem is not None:
        raise InputError(problem)


def _parts(out: Path) -> Path:
    return out.with_name(out.name + ".predict-parts")
