"""The verifier: a loaded model that turns claims into verdicts."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import pyarrow as pa
import torch

from factcheck.data import clean_text, document_sentences, normalize_claims
from factcheck.data.images import decode_image
from factcheck.errors import InputError
from factcheck.labels import ImageRelation, Stance
from factcheck.models.folder import fingerprint, load_model, resolve_model
from factcheck.models.inputs import InputBuilder, TextRow
from factcheck.models.text import load_tokenizer
from factcheck.records import Claim, Evidence, Verdict, claims_schema, verdict_schema
from factcheck.verification.calibration import Calibration
from factcheck.verification.decisions import Decision, decide_rows, error_row, verdict_row

if TYPE_CHECKING:
    from PIL import Image

    from factcheck.models.verifier import VerdictModel
    from retrieval import Hit
    from retrieval.encoders import TextEncoder

__all__ = ["EvidenceSource", "Verifier"]


class EvidenceSource(Protocol):
    """Where evidence for a claim without a document comes from; an open index of :mod:`retrieval` is one."""

    def search(self, queries: Sequence[str], *, top_k: int, filters: Any = None) -> "list[list[Hit]]":
        """The ``top_k`` best hits of each query, best first."""
        ...


@dataclass
class _Row:
    """A row on its way through the pipeline."""

    number: int
    item: dict[str, Any]
    claim: str
    evidence: "list[Hit]" = field(default_factory=list)
    cleaned: list[str] = field(default_factory=list)
    photos: "tuple[Image.Image | None, Image.Image | None]" = (None, None)
    reasons: list[str] = field(default_factory=list)
    decision: Decision | None = None
    attributions: list[float] | None = None

    def text(self, without: int | None = None) -> TextRow:
        evidence = [text for i, text in enumerate(self.cleaned) if text and i != without]
        ocr = [clean_text(self.item[name] or "") for name in ("claim_ocr", "document_ocr")]
        return TextRow(self.claim, evidence, *ocr)


class Verifier:
    """Checks claims against their document or an evidence index.

    Use :meth:`load`. A verifier holds no state that a call changes: the verdict of a row depends on the row, the model and the
    options alone, not on its neighbours, the batch size or the order (to 1e-5, floating-point arithmetic).

    Args:
        model: the verdict model, in evaluation mode.
        builder: makes its inputs.
        encoder: text encoder of the evidence selection.
        calibration: temperatures and default threshold.
        fingerprint: identifies the model in the verdict table.
        top_k: evidence sentences a row, ≥ 1.
        retrieval_method: ``hybrid``, ``dense`` or ``bm25``.
        attribution: compute what each evidence sentence contributes (one more pass of the text model a sentence).
        abstain_below: confidence in [0, 1] under which a verdict counts as abstained; None takes the model's threshold.
        evidence: index for claims that bring no document.
        batch_size: rows a forward pass; bounds memory, changes no result.
        device: torch device.
    """

    def __init__(
        self,
        model: "VerdictModel",
        builder: InputBuilder,
        encoder: "TextEncoder",
        *,
        calibration: Calibration | None = None,
        fingerprint: str = "unsaved",
        top_k: int = 5,
        retrieval_method: str = "hybrid",
        attribution: bool = True,
        abstain_below: float | None = None,
        evidence: EvidenceSource | None = None,
        batch_size: int = 32,
        device: str | torch.device | None = None,
    ) -> None:
        if top_k < 1:
            raise InputError(f"top_k must be at least 1, found {top_k}")
        if batch_size < 1:
            raise InputError(f"batch_size must be at least 1, found {batch_size}")
        if abstain_below is not None and not 0 <= abstain_below <= 1:
            raise InputError(f"abstain_below is a probability in [0, 1], found {abstain_below}")
        self.device = torch.device(device or "cpu")
        self.model = model.to(self.device).eval()
        self.builder, self.encoder = builder, encoder
        self.calibration = calibration or Calibration()
        self.fingerprint = fingerprint
        self.top_k, self.retrieval_method = top_k, retrieval_method
        self.attribution = attribution
        self.abstain_below = self.calibration.abstain_below if abstain_below is None else abstain_below
        self.evidence = evidence
        self.batch_size = batch_size

    @classmethod
    def load(cls, model: str | Path = "bundled", *, top_k: int | None = None, **options: Any) -> "Verifier":
        """Load a model.

        Args:
            model: ``bundled``, a model folder, or a Hugging Face repository id.
            top_k: evidence sentences a row; None takes what the model was trained with.
            options: the keyword arguments of :class:`Verifier`.

        Raises:
            InputError: no such model, a damaged one, one of another version, or an option out of range.
        """
        from retrieval.encoders import load_encoder

        folder = resolve_model(model)
        network, config = load_model(folder)
        tokenizer = config["tokenizer"]
        tokenizer = load_tokenizer(tokenizer if tokenizer == "bundled" else str(folder / tokenizer))
        transform = None
        if network.image is not None:
            from factcheck.data.transforms import ImageTransform

            transform = ImageTransform(network.image.input_size, network.image.mean, network.image.std)
        settings = network.config
        builder = InputBuilder(tokenizer, settings.max_length, settings.max_claim_tokens, transform)
        chosen = config["preprocessing"]
        options.setdefault("retrieval_method", chosen["retrieval_method"])
        return cls(
            network,
            builder,
            load_encoder(chosen["retrieval_encoder"]),
            calibration=Calibration.read(folder),
            fingerprint=fingerprint(folder),
            top_k=chosen["top_k"] if top_k is None else top_k,
            **options,
        )

    def verify(self, claim: Claim) -> Verdict:
        """The verdict on one claim."""
        has_list = claim.document is not None and not isinstance(claim.document, str)
        document = pa.array([claim.document], pa.list_(pa.string()) if has_list else pa.string())
        table = pa.table(
            {
                "id": pa.array([claim.id], pa.string()),
                "claim": pa.array([claim.claim], pa.string()),
                "claim_image": pa.array([claim.claim_image], pa.binary()),
                "document": document,
                "document_image": pa.array([claim.document_image], pa.binary()),
                "claim_ocr": pa.array([claim.claim_ocr], pa.string()),
                "document_ocr": pa.array([claim.document_ocr], pa.string()),
                "date": pa.array([claim.date], pa.string()),
            }
        )
        row = self.verify_batch(table).to_pylist()[0]
        row["evidence"] = tuple(Evidence(**item) for item in row["evidence"] or ())
        row["stance"] = Stance(row["stance"]) if row["stance"] else None
        row["image_relation"] = ImageRelation(row["image_relation"]) if row["image_relation"] else None
        return Verdict(**row)

    def verify_batch(self, table: pa.Table) -> pa.Table:
        """One verdict a row, in order; pure: photos come as bytes, no file and no network is touched.

        Args:
            table: a claims table; only ``claim`` is required (see :func:`factcheck.records.claims_schema` for the canonical
                form and :func:`factcheck.data.load_images` for the stage that reads photo files).

        Returns:
            A table with :func:`factcheck.records.verdict_schema`.

        Raises:
            InputError: the table has no ``claim`` column or columns of unusable types. A bad *row* raises nothing: it
                comes back with status ``error`` and a reason.
        """
        if table.schema != claims_schema():
            table = normalize_claims(table)
        results: list[dict[str, Any] | None] = [None] * table.num_rows
        rows = []
        for number, item in enumerate(table.to_pylist()):
            claim = clean_text(item["claim"] or "")
            reason = item["reason"] if item["status"] == "error" else None if claim else "claim: empty"
            if reason or item["status"] == "error":
                results[number] = error_row(item, reason or "unreadable row", self.fingerprint)
            else:
                degraded = item["status"] == "degraded" and item["reason"]
                rows.append(_Row(number, item, claim, reasons=[item["reason"]] if degraded else []))
        self._find_evidence(rows)
        for row in rows:
            row.photos = (self._photo(row, "claim_image"), self._photo(row, "document_image"))
        # Rows of like length share a forward pass; the order of the results does not depend on it.
        ordered = sorted(rows, key=lambda row: len(row.claim) + sum(map(len, row.cleaned)))
        with torch.inference_mode():
            for start in range(0, len(ordered), self.batch_size):
                self._decide(ordered[start : start + self.batch_size])
        for row in rows:
            results[row.number] = verdict_row(row, self.abstain_below, self.fingerprint)
        return pa.Table.from_pylist(results, schema=verdict_schema())

    def _find_evidence(self, rows: list[_Row]) -> None:
        from retrieval import select_evidence

        own: list[_Row] = []
        documents = []
        searched: list[_Row] = []
        for row in rows:
            text, spans = row.item["document"], row.item["document_spans"]
            if text is None and self.evidence is not None:
                searched.append(row)
                continue
            if text is None or not text.strip():
                row.reasons.append("document: missing" if text is None else "document: empty")
                continue
            own.append(row)
            documents.append(document_sentences(text, spans))
        if own:
            claims, ids = [row.claim for row in own], [row.item["id"] for row in own]
            found = select_evidence(
                claims, documents, ids, self.encoder, top_k=self.top_k, method=self.retrieval_method
            )
            for row, hits in zip(own, found, strict=True):
                # The encoder read clean text; the verdict quotes the document as it stands.
                row.cleaned = [hit.text for hit in hits]
                row.evidence = [replace(hit, text=row.item["document"][hit.start : hit.end]) for hit in hits]
        for date in sorted({row.item["date"] or "" for row in searched}):
            group = [row for row in searched if (row.item["date"] or "") == date]
            # What was published after the claim was made may be the fact check itself.
            filters = {"date_before": date} if date else None
            found = self.evidence.search([row.claim for row in group], top_k=self.top_k, filters=filters)
            for row, hits in zip(group, found, strict=True):
                row.evidence, row.cleaned = list(hits), [clean_text(hit.text) for hit in hits]
                if not hits:
                    row.reasons.append("evidence: nothing found")

    def _photo(self, row: _Row, name: str) -> "Image.Image | None":
        image = row.item[name]
        if self.builder.transform is None or image is None or (image["bytes"] is None and image["path"] is None):
            return None
        if image["bytes"] is None:
            if not any(reason.startswith(name) for reason in row.reasons):
                row.reasons.append(f"{name}: not loaded")
            return None
        try:
            return decode_image(image["bytes"], min_size=self.builder.transform.size)
        except InputError as error:
            if not any(reason.startswith(name) for reason in row.reasons):
                row.reasons.append(f"{name}: {getattr(error, 'reason', error)}")
            return None

    def _decide(self, rows: list[_Row]) -> None:
        photos, masks = self._encode_photos(rows)
        for row, decision in zip(rows, self._run([row.text() for row in rows], photos, masks), strict=True):
            row.decision = decision if any(row.cleaned) else decision.without_evidence()
        if not self.attribution:
            return
        pending = [(i, j) for i, row in enumerate(rows) for j in range(len(row.cleaned)) if row.decision.has_evidence]
        drops: dict[tuple[int, int], float] = {}
        for start in range(0, len(pending), self.batch_size):
            part = pending[start : start + self.batch_size]
            index = torch.tensor([i for i, _ in part], device=self.device)
            subset = tuple((tokens[index], emb[index]) for tokens, emb in photos) if photos else None
            sub_masks = tuple(mask[index] for mask in masks) if masks else None
            decisions = self._run([rows[i].text(without=j) for i, j in part], subset, sub_masks)
            for (i, j), other in zip(part, decisions, strict=True):
                drops[i, j] = rows[i].decision.confidence - other.probability_of(rows[i].decision)
        for i, row in enumerate(rows):
            if row.decision.has_evidence:
                row.attributions = [drops[i, j] for j in range(len(row.cleaned))]

    def _encode_photos(self, rows: list[_Row]) -> tuple[Any, Any]:
        if self.model.image is None or not any(photo for row in rows for photo in row.photos):
            return None, None
        encoded, masks = [], []
        for side in (0, 1):
            pixels, mask = self.builder.photos([row.photos[side] for row in rows])
            mask = mask.to(self.device)
            encoded.append(self.model.encode_image(pixels.to(self.device), mask))
            masks.append(mask)
        return tuple(encoded), tuple(masks)

    def _run(self, texts: list[TextRow], photos: Any, masks: Any) -> list[Decision]:
        inputs = {name: tensor.to(self.device) for name, tensor in self.builder.texts(texts).items()}
        hidden = self.model.encode_text(**inputs)
        output = self.model.decide(hidden, inputs["attention_mask"], photos, *(masks or (None, None)))
        return decide_rows(output, self.calibration, masks)
