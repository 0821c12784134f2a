"""What reviewers decide, in a file that a killed process does not damage, and what becomes of it."""

import contextlib
import fcntl
import json
import logging
import os
import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from itertools import combinations
from pathlib import Path
from typing import Any

from factcheck.errors import InputError
from factcheck.labels import STANCE_LABELS, FactifyLabel, ImageRelation, Stance, compose_label

__all__ = ["Decision", "DecisionLog", "agreement", "consensus"]

logger = logging.getLogger(__name__)

_LONGEST_NOTE = 10_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """What a reviewer says of one row.

    Attributes:
        id: the row's id in the verdict table.
        reviewer: who says so.
        stance: what the evidence says of the claim; None where the reviewer only notes something.
        image_relation: whether both photos show the same; None where there is no pair, or nothing was said.
        note: free text.
        time: when, in seconds since the epoch.
    """

    id: str
    reviewer: str
    stance: Stance | None = None
    image_relation: ImageRelation | None = None
    note: str = ""
    time: float = 0.0

    @property
    def label(self) -> FactifyLabel | Stance | None:
        """The five-class label where the relation is known or does not matter, else the stance alone."""
        if self.stance is None:
            return None
        return self.stance if self.image_relation is None else compose_label(self.stance, self.image_relation)

    @property
    def label_name(self) -> str | None:
        """The label as tables write it."""
        label = self.label
        return STANCE_LABELS[label] if isinstance(label, Stance) else None if label is None else label.value


class DecisionLog:
    """An append-only JSONL file of decisions, one line each, shared by reviewers and processes.

    A decision is on the disk when :meth:`add` returns. Nothing is rewritten: another decision on the same row counts instead of
    the one before, and taking one back is a line of its own. A line that a killed process left half written is cut off.

    Args:
        path: the file; it is made with the first decision.

    Raises:
        InputError: ``path`` is a folder, or its lines are not decisions.
    """

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path)
        if self.path.is_dir():
            raise InputError(f"decisions {str(path)!r} is a folder", field="decisions", hint="name a file in it")
        self._read = 0  # bytes of the file that are in _events
        self._events: list[dict[str, Any]] = []
        self.refresh()

    def add(self, decision: Decision) -> Decision:
        """Keep a decision; returns it with its time.

        Raises:
            InputError: no id or no reviewer, nothing decided, or a note of more than 10,000 characters.
            OSError: the disk is full or the file may not be written; nothing was kept then.
        """
        if not decision.id or not decision.reviewer.strip():
            raise InputError("a decision needs the `id` of a row and a `reviewer`", field="reviewer")
        if decision.stance is None and decision.image_relation is None and not decision.note.strip():
            raise InputError("a decision says something: a `stance`, an `image_relation` or a `note`", field="stance")
        if len(decision.note) > _LONGEST_NOTE:
            raise InputError(f"the `note` has {len(decision.note)} characters, {_LONGEST_NOTE} are kept", field="note")
        fields = asdict(decision) | {"time": decision.time or time.time()}
        self._append(fields)
        return _decision(fields)

    def undo(self, reviewer: str) -> Decision | None:
        """Take back the reviewer's last decision that still counts; returns it, or None where there is none."""
        self.refresh()
        standing = self._standing()
        mine = [fields for fields in standing if fields["reviewer"] == reviewer]
        if not mine:
            return None
        last = mine[-1]
        self._append({"undo": True, "id": last["id"], "reviewer": reviewer, "time": time.time()})
        return _decision(last)

    def current(self) -> dict[tuple[str, str], Decision]:
        """The decision that counts, by row and reviewer, in the order of the file."""
        self.refresh()
        found: dict[tuple[str, str], Decision] = {}
        for fields in self._standing():
            found.pop((fields["id"], fields["reviewer"]), None)
            found[fields["id"], fields["reviewer"]] = _decision(fields)
        return found

    def refresh(self) -> None:
        """Read what other processes have added.

        Raises:
            InputError: a line is not a decision.
        """
        if not self.path.is_file():
            return
        with self.path.open("rb") as file:
            file.seek(self._read)
            data = file.read()
        whole = data[: data.rfind(b"\n") + 1]
        for line in whole.splitlines():
            if not line.strip():
                continue
            try:
                fields = json.loads(line)
                if not fields.get("undo"):
                    _decision(fields)
            except (ValueError, TypeError, KeyError, AttributeError):
                raise InputError(
                    f"{str(self.path)!r} is not a file of decisions: {line[:60].decode('utf-8', 'replace')!r}",
                    field="decisions",
                    hint="name another file",
                ) from None
            self._events.append(fields)
        self._read += len(whole)

    def _standing(self) -> list[dict[str, Any]]:
        """The decisions that were not taken back, several of a row among them."""
        standing: list[dict[str, Any]] = []
        for fields in self._events:
            if fields.get("undo"):
                same = [
                    i for i, f in enumerate(standing) if (f["id"], f["reviewer"]) == (fields["id"], fields["reviewer"])
                ]
                if same:
                    del standing[same[-1]]
            else:
                standing.append(fields)
        return standing

    def _append(self, fields: Mapping[str, Any]) -> None:
        line = json.dumps(fields, ensure_ascii=False).encode("utf-8", "replace") + b"\n"
        with self._locked() as handle:
            size = os.fstat(handle).st_size
            whole = _whole_lines(handle, size)
            if whole < size:
                logger.warning("%s: cut off a line that was half written", self.path)
                os.ftruncate(handle, whole)
            try:
                view = memoryview(line)
                while view:
                    view = view[os.write(handle, view) :]
                os.fsync(handle)
            except OSError:
                os.ftruncate(handle, whole)
                raise
        self.refresh()

    @contextlib.contextmanager
    def _locked(self) -> Iterator[int]:
        handle = os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_NOFOLLOW, 0o666)
        try:
            fcntl.flock(handle, fcntl.LOCK_EX)
            yield handle
        finally:
            os.close(handle)


def consensus(decisions: Sequence[Decision]) -> Decision | None:
    """What more than half of the reviewers of one row say; None where they do not agree.

    The stance and the image relation are counted apart: reviewers may agree on one and not on the other.
    """
    stance = _majority([d.stance for d in decisions if d.stance is not None])
    if stance is None:
        return None
    relation = _majority([d.image_relation for d in decisions if d.image_relation is not None])
    names = "+".join(sorted({d.reviewer for d in decisions}))
    last = max(decisions, key=lambda d: d.time)
    return Decision(id=last.id, reviewer=names, stance=stance, image_relation=relation, time=last.time)


def agreement(decisions: Sequence[Decision]) -> list[dict[str, Any]]:
    """Cohen's kappa on the stance for every two reviewers with rows in common.

    Returns:
        For each pair ``reviewers``, ``rows``, ``agreed`` (a share) and ``kappa``, which is None where chance cannot be told
        from agreement (both always say the same one thing).
    """
    by_reviewer: dict[str, dict[str, str]] = {}
    for decision in decisions:
        if decision.stance is not None:
            by_reviewer.setdefault(decision.reviewer, {})[decision.id] = decision.stance.value
    found: list[dict[str, Any]] = []
    for one, other in combinations(sorted(by_reviewer), 2):
        rows = sorted(by_reviewer[one].keys() & by_reviewer[other].keys())
        if not rows:
            continue
        first, second = ([by_reviewer[name][row] for row in rows] for name in (one, other))
        from sklearn.metrics import cohen_kappa_score

        agreed = sum(a == b for a, b in zip(first, second, strict=True)) / len(rows)
        kappa = None if len({*first, *second}) == 1 else float(cohen_kappa_score(first, second))
        found.append({"reviewers": (one, other), "rows": len(rows), "agreed": agreed, "kappa": kappa})
    return found


def _majority(values: Sequence[Any]) -> Any:
    if not values:
        return None
    value, count = Counter(values).most_common(1)[0]
    return value if 2 * count > len(values) else None


def _decision(fields: Mapping[str, Any]) -> Decision:
    stance, relation = fields.get("stance"), fields.get("image_relation")
    return Decision(
        id=str(fields["id"]),
        reviewer=str(fields["reviewer"]),
        stance=None if stance is None else Stance(stance),
        image_relation=None if relation is None else ImageRelation(relation),
        note=str(fields.get("note") or ""),
        time=float(fields.get("time") or 0.0),
    )


def _whole_lines(handle: int, size: int) -> int:
    """Bytes up to the end of the last whole line."""
    step, end = 65536, size
    while end > 0:
        start = max(0, end - step)
        cut = os.pread(handle, end - start, start).rfind(b"\n")
        if cut >= 0:
            return start + cut + 1
        end = start
    return 0
