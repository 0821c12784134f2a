"""The finished part of a run on disk: a file a chunk of rows, each checked before it is trusted, and what all were made with."""

import contextlib
import hashlib
import json
import re
import shutil
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from factcheck.errors import InputError
from factcheck.verification.summary import Counts
from factcheck.verification.verdict_table import write_part
from retrieval.durable import only_one, replacing

__all__ = ["Part", "Parts", "locked_parts"]

_KEY, _LOCK = "run.json", ".lock"
_OURS = re.compile(r"run\.json|\.lock|\d{12}\.(?:parquet|json)|\..*\.partial(?:\.parquet|\.json)?")


@dataclass(frozen=True, slots=True)
class Part:
    """The verdicts of consecutive rows.

    Attributes:
        first: number of its first row in the claims table, from 0.
        rows: how many.
        sha256: of its file.
        counts: what they hold.
    """

    first: int
    rows: int
    sha256: str
    counts: Counts

    @property
    def stop(self) -> int:
        """Number of the row after its last."""
        return self.first + self.rows


class Parts:
    """The folder ``<out>.parts`` of a run.

    A part is two files: the verdicts, and written after them what they are, with a hash. Only parts whose hash is right count;
    what is damaged is made anew.

    Args:
        folder: the folder, which :meth:`locked` makes.

    Attributes:
        remade: parts of an earlier run that :meth:`begin` found damaged, to be made anew.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.remade = 0

    @contextlib.contextmanager
    def locked(self) -> Iterator[None]:
        """Make the folder, and keep other runs out of it meanwhile.

        Raises:
            InputError: something else has that name or lies in it, or another run is writing there.
        """
        with locked_parts(self.folder):
            yield

    def begin(self, facts: Mapping[str, Any], fresh: bool = False) -> list[Part]:
        """The parts of an earlier run that this one goes on from, by their first rows; none overlap.

        Args:
            facts: all that the parts must have been made with, by what messages call it.
            fresh: start over; what is there is removed.

        Raises:
            InputError: the parts were made with something else; names it. They stay as they are.
        """
        if fresh:
            self.clear()
        found, damaged = self._read()
        stored = self._stored_facts()
        if found and stored != json.loads(json.dumps(facts)):
            done = sum(part.rows for part in found)
            raise InputError(
                f"{str(self.folder)!r} holds {done} finished rows of a run with {_difference(stored, facts)}",
                field="fresh",
                hint="go on with what that run had, name another output, or give `fresh` to start over without them",
            )
        for path in damaged:
            path.unlink(missing_ok=True)
        with replacing(self.folder / _KEY) as partial:
            partial.write_text(json.dumps({"facts": facts}), "utf-8")
        return found

    def write(self, first: int, verdicts: pa.Table, counts: Counts) -> Part:
        """Keep the verdicts of the rows from ``first`` on; they are on the disk when this returns.

        Raises:
            InputError: the system refuses to write.
        """
        path = self._verdicts(first)
        write_part(path, verdicts)
        part = Part(first, verdicts.num_rows, _sha256(path), counts)
        with replacing(self._description(first)) as partial:
            described = {"rows": part.rows, "sha256": part.sha256, "counts": counts.to_dict()}
            partial.write_text(json.dumps(described), "utf-8")
        return part

    def tables(self, parts: Sequence[Part]) -> Iterator[pa.Table]:
        """The verdicts of parts, in order.

        Raises:
            InputError: one is not what was written.
        """
        for part in parts:
            try:
                data = self._verdicts(part.first).read_bytes()
            except OSError:
                data = b""
            if hashlib.sha256(data).hexdigest() != part.sha256:
                raise InputError(
                    f"{str(self._verdicts(part.first))!r} has been changed since it was written",
                    hint="run the command again, which makes it anew",
                )
            yield pq.read_table(pa.BufferReader(data))

    def clear(self) -> None:
        """Remove what is in the folder."""
        for path in self.folder.iterdir():
            if path.name != _LOCK:
                path.unlink(missing_ok=True)

    def remove(self) -> None:
        """Remove the folder."""
        shutil.rmtree(self.folder, ignore_errors=True)

    def _read(self) -> tuple[list[Part], list[Path]]:
        """The good parts, and the files of which no part is made."""
        good: list[Part] = []
        used = {_KEY, _LOCK}
        for path in sorted(self.folder.glob("*.json")):
            if path.name == _KEY:
                continue
            part = self._checked(path)
            if part is None or (good and good[-1].stop > part.first):
                self.remade += 1
            else:
                good.append(part)
                used |= {path.name, self._verdicts(part.first).name}
        return good, [path for path in self.folder.iterdir() if path.name not in used]

    def _checked(self, path: Path) -> Part | None:
        """The part that a file describes, or None if its verdicts are not those described."""
        try:
            said = json.loads(path.read_text("utf-8"))
            part = Part(int(path.stem), int(said["rows"]), str(said["sha256"]), Counts.from_dict(said["counts"]))
            same = _sha256(self._verdicts(part.first)) == part.sha256
        except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError):
            return None
        return part if same and part.rows > 0 else None

    def _stored_facts(self) -> dict[str, Any] | None:
        try:
            facts = json.loads((self.folder / _KEY).read_text("utf-8"))["facts"]
        except (OSError, ValueError, KeyError, TypeError, RecursionError):
            return None
        return facts if isinstance(facts, dict) else None

    def _verdicts(self, first: int) -> Path:
        return self.folder / f"{first:012d}.parquet"

    def _description(self, first: int) -> Path:
        return self.folder / f"{first:012d}.json"


@contextlib.contextmanager
def locked_parts(folder: Path) -> Iterator[None]:
    """Make the folder of parts and keep other runs out of it.

    Raises:
        InputError: something else has that name or lies in it, or another run is writing there.
    """
    taken = folder.exists() and not folder.is_dir()
    if taken or (folder.is_dir() and any(not _OURS.fullmatch(path.name) for path in folder.iterdir())):
        raise InputError(
            f"{str(folder)!r}, where the finished part of the run would go, exists and holds something else",
            hint="move it away, or name another output",
        )
    folder.mkdir(parents=True, exist_ok=True)
    busy = f"another run is writing to {str(folder)!r}; wait for it to end, or name another output"
    with only_one(folder / _LOCK, busy):
        yield


def _difference(stored: Mapping[str, Any] | None, wanted: Mapping[str, Any]) -> str:
    """The first fact in which two runs differ, for a message."""
    if stored is None:
        return "options that are no longer known (its run.json is missing or damaged)"
    for name in wanted:
        if stored.get(name) != json.loads(json.dumps(wanted[name])):
            if name == "claims":
                return "another content of the claims table"
            old, new = (json.dumps(value, ensure_ascii=False) for value in (stored.get(name), wanted[name]))
            return f"`{name}` {old}, this run has {new}"
    return "other options"


def _sha256(path: Path) -> str:
    with path.open("rb") as data:
        return hashlib.file_digest(data, "sha256").hexdigest()
