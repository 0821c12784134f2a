"""The verifier: a loaded model that turns claims into verdicts."""

from collections.abc import Iterator
from numbers import Integral, Real
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.compute as pc
import torch

from factcheck.data import clean_text, normalize_claims
from factcheck.data.canonical import kind_of
from factcheck.errors import InputError
from factcheck.labels import ImageRelation, Stance
from factcheck.models.calibration import Calibration
from factcheck.models.folder import fingerprint, load_model, load_tokenizer_of, resolve_model
from factcheck.models.inputs import InputBuilder, input_builder
from factcheck.records import Claim, Evidence, PhotoEvidence, Verdict, verdict_schema
from factcheck.verification.attribution import attribute_photos, attribute_sentences
from factcheck.verification.decisions import error_row, verdict_row
from factcheck.verification.device import find_device
from factcheck.verification.encoded import EncodedRows
from factcheck.verification.evidence import EvidenceSource, find_evidence
from factcheck.verification.rows import PHOTOS, Row, Variant
from factcheck.verification.single import claim_table
from retrieval.search.select import METHODS

if TYPE_CHECKING:
    from factcheck.models.verdict import VerdictModel
    from retrieval.encoders.transformers import TextEncoder

__all__ = ["EvidenceSource", "Verifier"]


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
        min_share: in [0, 1]; sentences that score less than this share of the best are left out, see
            :func:`retrieval.select_evidence`.
        attribution: compute what each evidence sentence contributes (one more pass of the text model a sentence).
        photo_attribution: compute what each photo contributes to the stance (one more pass of the text model a photo).
        abstain_below: confidence in [0, 1] under which a verdict counts as abstained; None takes the model's threshold.
        evidence: index for claims that bring no document; opened with ``image_encoder=PhotoVectors(…)`` (see
            :mod:`factcheck.verification.photo_vectors`) it also shows where a claim's photo was found again.
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
        min_share: float = 0.0,
        attribution: bool = True,
        photo_attribution: bool = False,
        abstain_below: float | None = None,
        evidence: EvidenceSource | None = None,
        batch_size: int = 32,
        device: str | torch.device | None = None,
    ) -> None:
        _check_options(top_k, retrieval_method, min_share, abstain_below, batch_size, evidence)
        self.device = find_device(device)
        self.model = model.to(self.device).eval()
        self.builder, self.encoder = builder, encoder
        self.calibration = calibration or Calibration()
        self.fingerprint = fingerprint
        self.top_k, self.retrieval_method, self.min_share = int(top_k), retrieval_method, float(min_share)
        self.attribution, self.photo_attribution = attribution, photo_attribution
        self.abstain_below = self.calibration.abstain_below if abstain_below is None else float(abstain_below)
        self.evidence = evidence
        self.batch_size = int(batch_size)

    @classmethod
    def load(cls, model: str | Path = "bundled", *, top_k: int | None = None, **options: Any) -> "Verifier":
        """Load a model.

        Args:
            model: ``bundled``, a model folder, or a Hugging Face repository id.
            top_k: evidence sentences a row; None takes what the model folder says.
            options: the keyword arguments of :class:`Verifier`.

        Raises:
            InputError: no such model or device, a damaged model, one of another version, or an option out of range.
        """
        from retrieval.encoders.transformers import load_encoder

        # Before the long load; what is not given is the model's own and in range.
        _check_options(
            1 if top_k is None else top_k,
            options.get("retrieval_method", METHODS[0]),
            options.get("min_share", 0.0),
            options.get("abstain_below"),
            options.get("batch_size", 1),
            options.get("evidence"),
        )
        find_device(options.get("device"))
        folder = resolve_model(model)
        network, config = load_model(folder)
        builder = input_builder(network, load_tokenizer_of(folder, config))
        chosen = config["preprocessing"]
        options.setdefault("retrieval_method", chosen["retrieval_method"])
        options.setdefault("min_share", chosen.get("min_share", 0.0))
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
        """The verdict on one claim.

        Raises:
            InputError: ``claim`` is something else than a :class:`~factcheck.records.Claim`, or one of its fields is of another
                kind than that says (an ``id`` may be a whole number, a ``date`` a :class:`datetime.date`).
        """
        if not isinstance(claim, Claim):
            raise InputError(
                f"verify takes one Claim, found {type(claim).__name__}; "
                "write verifier.verify(Claim(claim='…', document='…')), or verify_batch(table) for many"
            )
        row = self.verify_batch(claim_table(claim)).to_pylist()[0]
        row["evidence"] = tuple(Evidence(**item) for item in row["evidence"] or ())
        if row["photo_evidence"] is not None:
            row["photo_evidence"] = tuple(PhotoEvidence(**item) for item in row["photo_evidence"])
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
            InputError: ``table`` is no :class:`pyarrow.Table`, or has no ``claim`` column. A bad *row* raises nothing: it
                comes back with status ``error`` and a reason.
        """
        rows, results = self._prepare(table)
        for encoded in self._decided(rows):
            if self.attribution:
                attribute_sentences(encoded)
            if self.photo_attribution:
                attribute_photos(encoded)
        for row in rows:
            results[row.number] = verdict_row(row, self.abstain_below, self.fingerprint)
        return pa.Table.from_pylist(results, schema=verdict_schema())

    def decided_rows(self, table: pa.Table) -> Iterator[EncodedRows]:
        """The rows of a claims table that can be verified, decided, in batches of like length, with their photos encoded.

        For studies of a verdict: :meth:`EncodedRows.decide` says what the model makes of any part of a row's evidence.
        Rows come in another order than the table's; :attr:`Row.number` is their place in it.

        Raises:
            InputError: see :meth:`verify_batch`.
        """
        return self._decided(self._prepare(table)[0])

    def _prepare(self, table: pa.Table) -> tuple[list[Row], list[dict[str, Any] | None]]:
        """The usable rows with evidence, and the results of the table: those of unusable rows, else None."""
        if not isinstance(table, pa.Table):
            raise InputError(
                f"verify_batch takes a pyarrow.Table, found {type(table).__name__}; make one with "
                "pyarrow.Table.from_pandas(frame) or pyarrow.Table.from_pylist([{'claim': …, 'document': …}])"
            )
        table = normalize_claims(table)
        results: list[dict[str, Any] | None] = [None] * table.num_rows
        rows = []
        images = {name: table[name] for name in PHOTOS}
        reads = self.model.image is not None and self.builder.transform is not None
        given = list(zip(*(_given(column, reads) for column in images.values()), strict=True))
        for number, item in enumerate(table.drop_columns(list(PHOTOS)).to_pylist()):
            claim = clean_text(item["claim"] or "")
            reasons = list(item["reasons"])
            if item["status"] == "error" or not claim:
                if item["status"] != "error" or not reasons:
                    reasons.append("unreadable row" if claim else "claim: empty")
                results[number] = error_row(item, reasons, self.fingerprint)
            else:
                rows.append(Row(number, item, claim, images=images, has_photos=given[number], reasons=reasons))
        find_evidence(
            rows,
            self.encoder,
            top_k=self.top_k,
            method=self.retrieval_method,
            min_share=self.min_share,
            source=self.evidence,
        )
        return rows, results

    def _decided(self, rows: list[Row]) -> Iterator[EncodedRows]:
        # Rows of like length share a forward pass; the order of the results does not depend on it.
        ordered = sorted(rows, key=lambda row: len(row.claim) + sum(map(len, row.cleaned)))
        for start in range(0, len(ordered), self.batch_size):
            encoded = EncodedRows(self, ordered[start : start + self.batch_size])
            decisions = encoded.decide([Variant(i) for i in range(len(encoded.rows))])
            for row, decision in zip(encoded.rows, decisions, strict=True):
                row.decision = decision if any(row.cleaned) else decision.without_evidence()
                told = any(reason.startswith(("document:", "evidence:")) for reason in row.reasons)
                if not any(row.cleaned) and not told:
                    row.reasons.append("document: no readable sentence")
            yield encoded


def _given(column: pa.ChunkedArray, reads_photos: bool) -> list[bool]:
    """Which cells of a column of photos hold bytes or a path; none counts for a model that reads no photos."""
    if not reads_photos:
        return [False] * len(column)
    parts = [pc.is_valid(pc.struct_field(column, name)) for name in ("bytes", "path")]
    return pc.or_(*parts).to_pylist()


def _check_options(
    top_k: Any, retrieval_method: Any, min_share: Any, abstain_below: Any, batch_size: Any, evidence: Any
) -> None:
    """Refuse options of :class:`Verifier` that are of the wrong kind or out of range.

    Raises:
        InputError: names the option, what it must be and what was found.
    """
    for name, value in (("top_k", top_k), ("batch_size", batch_size)):
        if not isinstance(value, Integral) or isinstance(value, bool) or value < 1:
            raise InputError(f"{name} must be a whole number of at least 1, found {value!r}")
    if retrieval_method not in METHODS:
        raise InputError(f"retrieval_method must be one of {', '.join(METHODS)}, found {retrieval_method!r}")
    if not (isinstance(min_share, Real) and 0 <= min_share <= 1):
        raise InputError(f"min_share must be a number in [0, 1], found {min_share!r}")
    if abstain_below is not None and not (isinstance(abstain_below, Real) and 0 <= abstain_below <= 1):
        raise InputError(f"abstain_below must be a probability in [0, 1], found {abstain_below!r}")
    if evidence is not None and not callable(getattr(evidence, "search", None)):
        raise InputError(
            f"evidence must be an opened index, found {kind_of(evidence)}; open it first: evidence=retrieval.open_index('index/')"
        )
