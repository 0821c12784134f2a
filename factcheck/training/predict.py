"""``factcheck predict``: verdicts through Lightning, so that its devices and strategies can be used for verification."""

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytorch_lightning as pl
from pytorch_lightning.callbacks import Callback
from torch.utils.data import IterableDataset

from factcheck.verification.writers import check_output, merge_parts, write_part

__all__ = ["ClaimChunks", "VerdictWriter"]


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

    Nothing is gathered between processes; chunks are named by their first row.
    """

    def on_predict_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Check the output before the work, and make room for the chunks."""
        out = Path(trainer.datamodule.predict_out)
        check_output(out, trainer.datamodule.predict and Path(trainer.datamodule.predict), name="predict_out")
        if trainer.is_global_zero:
            shutil.rmtree(_parts(out), ignore_errors=True)
            _parts(out).mkdir()
        trainer.strategy.barrier("verdict parts")

    def on_predict_batch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule, outputs: Any, *_: Any) -> None:
        """Write one chunk."""
        row, verdicts = outputs
        write_part(_parts(Path(trainer.datamodule.predict_out)) / f"{row:015d}.parquet", verdicts)

    def on_predict_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Merge the chunks of all processes."""
        trainer.strategy.barrier("verdict parts written")
        if trainer.is_global_zero:
            out = Path(trainer.datamodule.predict_out)
            rows = sum(table.num_rows for table in merge_parts(_parts(out), out))
            shutil.rmtree(_parts(out))
            pl_module.print(f"{rows} rows -> {out}")


def _parts(out: Path) -> Path:
    return out.with_name(out.name + ".predict-parts")
