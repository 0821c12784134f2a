"""Training rows: gold-labelled claims with their evidence selected once and kept on disk."""

import contextlib
import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from factcheck.data import ClaimsFormat, open_claims, read_claims_text, read_entailment
from factcheck.errors import InputError
from factcheck.labels import (
    FACTIFY_LABELS,
    IMAGE_RELATIONS,
    STANCES,
    FactifyLabel,
    Stance,
    five_class_labels,
    label_names,
    parse_label,
    relation_of,
    stance_of,
)
from factcheck.models.inputs import TextRow
from factcheck.training.facts import make_fact
from factcheck.training.verdict.losses import NOT_SUPPORT, UNLABELLED
from retrieval.arguments import checked_choice, checked_file, checked_int, checked_share
from retrieval.durable import replacing
from retrieval.search.select import METHODS, SELECTION_VERSION, select_evidence
from retrieval.tables.content import Content
from retrieval.tables.formats import format_of
from retrieval.tables.jsonl import JsonTable

__all__ = [
    "EvidenceSelection",
    "Reading",
    "TrainingRow",
    "made_rows",
    "read_training_rows",
    "with_evidence",
    "with_soft_labels",
]


@dataclass(frozen=True, kw_only=True)
class EvidenceSelection:
    """Which sentences of a document are a claim's evidence; an exported model keeps it."""

    top_k: int = 5
    """Evidence sentences a row."""
    min_share: float = 0.0
    """For ``predict`` and exported models: leave out sentences that score less than this share of the best, in [0, 1]. Training
    leaves none out."""
    retrieval_encoder: str = "bundled"
    """Text encoder that scores sentences: ``bundled``, a folder or a Hugging Face id."""
    retrieval_method: str = "hybrid"
    """``hybrid``, ``dense`` or ``bm25``."""

    def __post_init__(self) -> None:
        checked_int("top_k", self.top_k, 1)
        checked_share("min_share", self.min_share)
        checked_choice("retrieval_method", self.retrieval_method, METHODS)


@dataclass(frozen=True, kw_only=True)
class Reading:
    """How files are written, as far as they do not say so themselves; the same as ``verify`` and ``evaluate`` take."""

    format: str | None = None
    """``csv``, ``tsv``, ``jsonl``, ``json``, ``parquet``, ``xlsx`` or ``datasets``; null to tell by the file."""
    quoting: str = "auto"
    """Of CSV and TSV: ``quoted``, ``none`` (quotation marks are letters), or ``auto``, which the whole file decides."""
    header: str = "first"
    """``none``: the tables have no header; their columns are called 1, 2, 3, … and named by ``columns``."""
    labels: dict[str, str] = field(default_factory=dict)
    """Names of labels that are not known, as ``{mixture: insufficient}``."""
    date_order: str = "auto"
    """Of dates such as 5/3/2020: ``dmy``, ``mdy``, ``ymd``, or ``auto``, which the whole column decides."""
    delimiter: str = "auto"
    """Of CSV and TSV: ``comma``, ``tab``, ``semicolon``, ``pipe``, or ``auto``, which the header decides."""

    def __post_init__(self) -> None:
        self.claims_format(None)

    def claims_format(self, columns: Mapping[str, str] | None) -> ClaimsFormat:
        """The same with the names of columns, as readers of claims take it."""
        return ClaimsFormat(
            columns, self.format, self.quoting, self.header, self.labels or None, self.date_order, self.delimiter
        )


@dataclass(frozen=True, slots=True)
class TrainingRow:
    """One labelled row.

    Attributes:
        text: claim, OCR and (once selected) evidence, cleaned.
        document: the document's sentences, or its whole text as the only element with ``split`` true.
        claim_image, document_image: path, encoded bytes, or None.
        stance, relation, label: targets of the three heads, or ``UNLABELLED``.
        source: data set the row comes from.
        soft: another model's probabilities of the three stances, or None.
        language: ISO 639-1 code, where the file states one.
    """

    id: str
    text: TextRow
    document: tuple[str, ...]
    claim_image: str | bytes | None
    document_image: str | bytes | None
    stance: int
    relation: int
    label: int
    source: str
    split: bool = False
    soft: tuple[float, float, float] | None = None
    language: str | None = None

    @property
    def characters(self) -> int:
        """Characters of claim and evidence: about what the row costs."""
        return len(self.text.claim) + sum(map(len, self.text.evidence))


def read_training_rows(
    path: str | Path, *, columns: Mapping[str, str] | None = None, unlabelled: bool = False
) -> list[TrainingRow]:
    """Read a labelled file: a claims table (see :func:`factcheck.data.open_claims`), claims as text or an entailment set (see
    :mod:`factcheck.data.text_sets`).

    Args:
        path: the file.
        columns: names of columns, as ``{"claim": "text"}``; or a :class:`factcheck.data.ClaimsFormat`, which says more.
        unlabelled: accept rows of a claims table without a label; they supervise no head by themselves.

    Raises:
        InputError: the file cannot be read, or a row has no label.
    """
    path = Path(path)
    names = label_names(columns.labels) if isinstance(columns, ClaimsFormat) else None
    if _is_entailment(path):
        return [_text_row(number, row) for number, row in enumerate(read_entailment(path, names))]
    if _is_claims_text(path):
        return [_text_row(number, row) for number, row in enumerate(read_claims_text(path, names))]
    with _words_of_training(path):
        rows, labels = _claims_rows(path, columns, unlabelled)
    if not rows:
        raise InputError(f"{path}: no rows; training needs at least one")
    pairs = [row.claim_image is not None and row.document_image is not None for row in rows]
    return [_with_label(row, label) for row, label in zip(rows, five_class_labels(labels, pairs), strict=True)]


@contextlib.contextmanager
def _words_of_training(path: Path) -> Iterator[None]:
    """Readers' errors with what there is to do in a training: no bad row is passed over, and sentence pairs go elsewhere."""
    try:
        yield
    except InputError as error:
        hint = error.hint
        if error.field == "columns" and _looks_like_pairs(path):
            hint = (
                "sentence pairs are read from JSON Lines alone: write them as objects with premise, hypothesis and label, one a "
                "line, to a file whose name ends in .jsonl"
            )
        elif error.field == "columns":
            hint = "name the column with `columns`, as in {claim: text}"
        elif error.field == "on_error":
            hint = "correct the row or leave it out: training takes no bad rows"
        raise InputError(error.message, field=error.field, hint=hint) from None


def _claims_rows(
    path: Path, columns: Mapping[str, str] | None, unlabelled: bool
) -> tuple[list[TrainingRow], list[FactifyLabel | Stance | None]]:
    """The rows of a claims table without their five-class labels, and the label of each."""
    table_source = open_claims(path, columns=columns)
    sources = table_source.fields("source")
    rows: list[TrainingRow] = []
    labels: list[FactifyLabel | Stance | None] = []
    for table in table_source.batches(512):
        for item in table.to_pylist():
            if item["label"] is None and not unlabelled:
                raise InputError(f"{path}, row {len(rows)}: no label; training needs one in every row")
            labels.append(parse_label(item["label"]) if item["label"] is not None else None)
            source = str(sources[len(rows)] or path.parent.name) if sources else path.parent.name
            rows.append(_claims_row(item, labels[-1], source))
    return rows, labels


def _claims_row(item: dict[str, Any], label: FactifyLabel | Stance | None, source: str) -> TrainingRow:
    from factcheck.data import clean_claim, clean_text

    relation = relation_of(label) if label is not None else None
    spans, document = item["document_spans"], item["document"] or ""
    claim_ocr, document_ocr = (clean_text(item[f"{side}_ocr"] or "") for side in ("claim", "document"))
    return TrainingRow(
        id=item["id"],
        text=TextRow(clean_claim(item["claim"]), (), claim_ocr, document_ocr),
        document=tuple(document[s["start"] : s["end"]] for s in spans) if spans is not None else (document,),
        claim_image=_image(item["claim_image"]),
        document_image=_image(item["document_image"]),
        stance=STANCES.index(stance_of(label)) if label is not None else UNLABELLED,
        relation=IMAGE_RELATIONS.index(relation) if relation is not None else UNLABELLED,
        label=UNLABELLED,
        source=source,
        split=spans is None,
    )


def _with_label(row: TrainingRow, label: FactifyLabel | None) -> TrainingRow:
    """The row with its five-class label, which needs both images."""
    if label is None or row.claim_image is None or row.document_image is None:
        return row
    return replace(row, label=FACTIFY_LABELS.index(label))


def made_rows(count: int, seed: int) -> list[TrainingRow]:
    """Rows made from templates, see :mod:`factcheck.training.facts`."""
    rng = np.random.default_rng(seed)
    rows = []
    for number in range(count):
        kind, claim, evidence, stance = make_fact(rng)
        rows.append(
            TrainingRow(
                id=f"made-{number}",
                text=TextRow(claim, evidence),
                document=(),
                claim_image=None,
                document_image=None,
                stance=STANCES.index(stance),
                relation=UNLABELLED,
                label=UNLABELLED,
                source=kind,
            )
        )
    return rows


def with_evidence(rows: Sequence[TrainingRow], selection: EvidenceSelection) -> list[TrainingRow]:
    """The rows with the ``top_k`` sentences of their document selected, as verification selects them.

    Selection is a function of the texts, the encoder and the options; its result is kept in the cache folder.
    """
    from factcheck.data import clean_text

    chosen: dict[int, tuple[str, ...]] = {}
    open_rows = []
    for i, row in enumerate(rows):
        if row.split or len(row.document) > 1:
            open_rows.append(i)
        else:
            # Nothing to choose from; an empty sentence is no evidence.
            chosen[i] = tuple(t for t in (clean_text(s) for s in row.document) if t)
    if open_rows:
        chosen.update(zip(open_rows, _select([rows[i] for i in open_rows], selection), strict=True))
    return [replace(row, text=replace(row.text, evidence=chosen[i]), document=()) for i, row in enumerate(rows)]


def with_soft_labels(rows: Sequence[TrainingRow], verdicts: str | Path) -> list[TrainingRow]:
    """The rows with the stance probabilities that a model gave them when it verified the same file.

    Args:
        rows: every row of the file, in order.
        verdicts: the verdict table. Its rows without probabilities (status ``error``) teach nothing.

    Raises:
        InputError: it is no verdict table, or not that of these rows.
    """
    from factcheck.verification.verdict_table import read_verdicts

    table = read_verdicts(verdicts).select(["id", "stance_probabilities"]).to_pylist()
    if len(table) != len(rows):
        raise InputError(f"{verdicts} has {len(table)} verdicts for {len(rows)} training rows; verify the same file")
    taught = []
    for number, (row, verdict) in enumerate(zip(rows, table, strict=True)):
        if verdict["id"] != row.id:
            raise InputError(
                f"{verdicts}, row {number}: id {verdict['id']!r} where the training file has {row.id!r}; verify the same file"
            )
        given = verdict["stance_probabilities"]
        soft = None if given is None else (given["support"], given["insufficient"], given["refute"])
        taught.append(replace(row, soft=soft))
    return taught


def _select(rows: Sequence[TrainingRow], selection: EvidenceSelection) -> list[tuple[str, ...]]:
    from factcheck.data import document_sentences
    from retrieval.content_cache import cache_folder
    from retrieval.encoders.load import load_encoder

    encoder, top_k, method = load_encoder(selection.retrieval_encoder), selection.top_k, selection.retrieval_method
    options = json.dumps([SELECTION_VERSION, top_k, method, encoder.fingerprint]).encode()
    key = hashlib.sha256(options + b"".join(map(_digest, rows))).hexdigest()
    cache = cache_folder("evidence") / f"{key}.json"
    if cache.is_file():
        return [tuple(texts) for texts in json.loads(cache.read_text("utf-8"))]
    chosen: list[tuple[str, ...]] = []
    for start in range(0, len(rows), 64):
        batch = rows[start : start + 64]
        documents = [document_sentences(row.document[0] if row.split else row.document) for row in batch]
        claims, ids = [row.text.claim for row in batch], [row.id for row in batch]
        found = select_evidence(claims, documents, ids, encoder, top_k=top_k, method=method)
        chosen += [tuple(hit.text for hit in hits if hit.text) for hits in found]
    cache.parent.mkdir(parents=True, exist_ok=True)
    with replacing(cache, durable=False) as partial:
        partial.write_text(json.dumps(chosen, ensure_ascii=False), "utf-8")
    return chosen


def _digest(row: TrainingRow) -> bytes:
    parts = json.dumps([row.text.claim, row.document, row.split], ensure_ascii=False)
    return hashlib.sha256(parts.encode("utf-8", "surrogatepass")).digest()


def _image(value: dict[str, Any] | None) -> str | bytes | None:
    return None if value is None else value["bytes"] if value["bytes"] is not None else value["path"]


def _looks_like_pairs(path: Path) -> bool:
    """Whether the first line of a table names the columns of sentence pairs."""
    with path.open("rb") as lines:
        first = lines.readline(10_000).lower()
    return b"premise" in first and b"hypothesis" in first


def _first_json_row(path: Path) -> Mapping[str, Any]:
    """The first row of a JSON table; nothing for other formats, and where it cannot be read (the reader will say what is wrong)."""
    content = Content(checked_file(str(path), path))
    if format_of(content) != "jsonl":
        return {}
    with contextlib.suppress(InputError):
        return next((row.values for row in JsonTable(content).rows()), {})
    return {}


def _is_entailment(path: Path) -> bool:
    return {"premise", "hypothesis"} <= _first_json_row(path).keys()


def _is_claims_text(path: Path) -> bool:
    """A JSON table of claims whose documents are lists of sentences, with the data set of each: without images, so far as seen."""
    first = _first_json_row(path)
    return {"claim", "document", "source"} <= first.keys() and isinstance(first["document"], list)


def _text_row(number: int, row: dict[str, Any]) -> TrainingRow:
    from factcheck.data import clean_claim

    label, target = row["label"], UNLABELLED
    if label is not None:
        target = NOT_SUPPORT if label == "not_support" else STANCES.index(stance_of(parse_label(label)))
    return TrainingRow(
        id=row.get("id", str(number)),
        text=TextRow(clean_claim(row["claim"])),
        document=tuple(row["document"]),
        claim_image=None,
        document_image=None,
        stance=target,
        relation=UNLABELLED,
        label=UNLABELLED,
        source=row["source"],
        soft=row.get("p"),
        language=row.get("language"),
    )
