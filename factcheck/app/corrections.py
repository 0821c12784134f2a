"""Decisions as tables that training, calibration and evaluation read, and to and from Label Studio."""

import csv
import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet as pq

from factcheck.app.decisions import Decision, DecisionLog, consensus
from factcheck.app.queue import ReviewQueue
from factcheck.errors import InputError
from factcheck.labels import ImageRelation, Stance
from retrieval.durable import replacing
from retrieval.errors import as_input_error

__all__ = ["corrections", "from_label_studio", "is_export", "to_label_studio", "write_corrections"]

#: Names of the choices in Label Studio's labelling interface.
_STANCE, _RELATION, _NOTE = "stance", "image_relation", "note"
LABEL_CONFIG = """<View>
  <Header value="Claim"/>
  <Text name="claim" value="$claim"/>
  <Header value="Evidence"/>
  <Text name="evidence" value="$evidence"/>
  <Choices name="stance" toName="claim" choice="single">
    <Choice value="support"/><Choice value="insufficient"/><Choice value="refute"/>
  </Choices>
  <Choices name="image_relation" toName="claim" choice="single">
    <Choice value="agree"/><Choice value="differ"/>
  </Choices>
  <TextArea name="note" toName="claim"/>
</View>"""


def corrections(queue: ReviewQueue, log: DecisionLog, *, every_row: bool = False) -> tuple[pa.Table, list[str]]:
    """The claims on which reviewers agree, with what they say as their label.

    Where a row has both images and its relation was not decided, the verdict's own relation completes the label.

    Args:
        queue: verdicts and claims.
        log: the decisions.
        every_row: also the rows that nobody decided or reviewers do not agree on, without a label: a table to evaluate all verdicts
            against, where the first form is one to train and calibrate on.

    Returns:
        A claims table (images as paths or bytes, as they came) with the columns ``reviewers`` and ``verdict`` beside its own, and
        the ids of rows that reviewers do not agree on.
    """
    by_row: dict[str, list[Decision]] = {}
    for decision in log.current().values():
        if decision.stance is not None:
            by_row.setdefault(decision.id, []).append(decision)
    rows: list[dict[str, Any]] = []
    disputed: list[str] = []
    for n, identifier in enumerate(queue.ids):
        agreed = consensus(by_row.get(identifier, ()))
        if agreed is None and identifier in by_row:
            disputed.append(identifier)
        if agreed is not None or every_row:
            rows.append(_corrected(queue, n, agreed))
    schema = pa.schema([queue.claims.schema.field(name) for name in _COLUMNS])
    for name in ("label", "reviewers", "verdict"):
        schema = schema.append(pa.field(name, pa.string()))
    return pa.Table.from_pylist(rows, schema=schema), disputed


def _corrected(queue: ReviewQueue, n: int, agreed: Decision | None) -> dict[str, Any]:
    """The claim of a verdict with the label that reviewers give it, if any."""
    claim = queue.claims.slice(queue.place_of(n), 1).to_pylist()[0]
    verdict = queue.verdicts.slice(n, 1).to_pylist()[0]
    label = None
    if agreed is not None:
        relation = agreed.image_relation or _relation(verdict["image_relation"])
        label = replace(agreed, image_relation=relation).label_name
    return {
        **{name: claim[name] for name in _COLUMNS},
        "label": label,
        "reviewers": agreed and agreed.reviewer,
        "verdict": verdict["label"],
    }


_LONGEST_LINE = 2**24
#: What a task has as it is exported; Label Studio's own exports have more.
_TASK, _TASK_DATA = {"data", "predictions", "annotations"}, {"id", "claim", "evidence"}
_COLUMNS = ("id", "claim", "claim_image", "document", "document_image", "claim_ocr", "document_ocr", "date")


def write_corrections(table: pa.Table, path: str | Path) -> None:
    """Write corrections as Parquet, JSONL or CSV, by the ending; in the last two images are their paths.

    Raises:
        InputError: another ending, images that are bytes in a text format, or the file cannot be written.
    """
    path = Path(path)
    suffix = path.suffix.lower()
    if suffix not in (".parquet", ".jsonl", ".csv"):
        raise InputError(f"{str(path)!r} has the ending {suffix!r}", field="out", hint="use .parquet, .jsonl or .csv")
    if suffix == ".parquet":
        with replacing(path) as partial:
            pq.write_table(table, partial, compression="zstd")
        return
    rows = table.to_pylist()
    for row in rows:
        for name in ("claim_image", "document_image"):
            cell = row[name] or {}
            if cell.get("bytes") is not None and cell.get("path") is None:
                raise InputError(
                    f"row {row['id']!r} has an image without a file", field="out", hint="write .parquet, which holds it"
                )
            row[name] = cell.get("path")
    with replacing(path) as partial:
        if suffix == ".jsonl":
            partial.write_text(
                "".join(json.dumps(row, ensure_ascii=False, default=str) + "\n" for row in rows), "utf-8"
            )
        else:
            flat = table.set_column(0, "id", table["id"])
            for name in ("claim_image", "document_image"):
                flat = flat.set_column(
                    flat.column_names.index(name), name, pa.array([row[name] for row in rows], pa.string())
                )
            pa.csv.write_csv(flat, partial)


def is_export(path: Path) -> bool:
    """Whether a file is what :func:`write_corrections` wrote, or the tasks of :func:`to_label_studio`."""
    suffix = path.suffix.lower()
    try:
        if suffix == ".json":
            tasks = json.loads(path.read_bytes())
            return isinstance(tasks, list) and all(
                task.keys() <= _TASK and task["data"].keys() == _TASK_DATA for task in tasks
            )
        if suffix == ".parquet":
            found = set(pq.read_schema(path).names)
        else:
            with path.open(encoding="utf-8", newline="") as lines:
                first = lines.readline(_LONGEST_LINE)
            found = set(json.loads(first) if suffix == ".jsonl" else next(csv.reader([first])))
    except (pa.ArrowException, OSError, ValueError, TypeError, KeyError, AttributeError, csv.Error, StopIteration):
        return False
    return {"id", "claim", "reviewers", "verdict"} <= found


def to_label_studio(queue: ReviewQueue, log: DecisionLog) -> list[dict[str, Any]]:
    """Tasks as Label Studio imports them: verdicts as predictions, decisions as annotations (see :data:`LABEL_CONFIG`)."""
    said: dict[str, list[Decision]] = {}
    for decision in log.current().values():
        said.setdefault(decision.id, []).append(decision)
    tasks = []
    for n, identifier in enumerate(queue.ids):
        verdict = queue.verdicts.slice(n, 1).to_pylist()[0]
        claim = queue.claims["claim"][queue.place_of(n)].as_py()
        evidence = "\n".join(f"{i}. {one['text']}" for i, one in enumerate(verdict["evidence"] or [], 1))
        task: dict[str, Any] = {"data": {"id": identifier, "claim": claim or "", "evidence": evidence}}
        if verdict["stance"] is not None:
            result = _results(verdict["stance"], verdict["image_relation"], "")
            task["predictions"] = [
                {"model_version": verdict["model"], "score": verdict["confidence"], "result": result}
            ]
        if identifier in said:
            task["annotations"] = [
                {"completed_by": {"email": d.reviewer}, "result": _results(d.stance, d.image_relation, d.note)}
                for d in said[identifier]
            ]
        tasks.append(task)
    return tasks


def from_label_studio(tasks: Any, known: Sequence[str]) -> list[Decision]:
    """The decisions in an export of Label Studio (its JSON format).

    Args:
        tasks: the parsed file.
        known: ids of the rows that may be decided.

    Raises:
        InputError: it is not such an export, names an unknown row, or a choice that is no stance or relation.
    """
    if not isinstance(tasks, list):
        raise InputError("not an export of Label Studio: expected a list of tasks", field="tasks")
    rows = set(known)
    decisions = []
    for place, task in enumerate(tasks):
        data = task.get("data") if isinstance(task, dict) else None
        identifier = str(data.get("id")) if isinstance(data, dict) else None
        if identifier not in rows:
            raise InputError(
                f"task {place}: no row has the id {identifier!r}",
                field="tasks",
                hint="give the export of these verdicts",
            )
        for annotation in task.get("annotations") or []:
            if annotation.get("was_cancelled"):
                continue
            wrong = (ValueError, LookupError, TypeError, AttributeError)
            with as_input_error(f"task {place}: an annotation cannot be read", *wrong, field="tasks"):
                decisions.append(_annotated(identifier, annotation))
    return [d for d in decisions if d.stance is not None or d.image_relation is not None or d.note]


def _annotated(identifier: str, annotation: Mapping[str, Any]) -> Decision:
    chosen: dict[str, Any] = {}
    for result in annotation["result"]:
        value = result["value"]
        chosen[result["from_name"]] = (value.get("choices") or value.get("text") or [None])[0]
    who = annotation.get("completed_by")
    reviewer = who.get("email") or who.get("id") if isinstance(who, dict) else who
    return Decision(
        id=identifier,
        reviewer=str(reviewer or "label-studio"),
        stance=None if chosen.get(_STANCE) is None else Stance(chosen[_STANCE]),
        image_relation=_relation(chosen.get(_RELATION)),
        note=str(chosen.get(_NOTE) or ""),
    )


def _relation(name: str | None) -> ImageRelation | None:
    return None if name is None else ImageRelation(name)


def _results(stance: str | None, relation: str | None, note: str) -> list[dict[str, Any]]:
    choices = [
        {"from_name": name, "to_name": "claim", "type": "choices", "value": {"choices": [str(value)]}}
        for name, value in ((_STANCE, stance), (_RELATION, relation))
        if value is not None
    ]
    if note:
        choices.append({"from_name": _NOTE, "to_name": "claim", "type": "textarea", "value": {"text": [note]}})
    return choices
