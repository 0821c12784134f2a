"""The verifier: a loaded model that turns claims into verdicts."""

import json
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from factcheck._version import __version__
from factcheck.data.canonical import kind_of
from factcheck.data.ocr import ImageTextReader, fill_ocr, ocr_sources
from factcheck.errors import InputError
from factcheck.judges.base import Judge
from factcheck.judges.device import find_device
from factcheck.judges.fusion import FusionJudge
from factcheck.judges.load import load_judge
from factcheck.labels import ImageRelation, Stance
from factcheck.models.calibration import Calibration
from factcheck.models.folder import encoder_of, fingerprint, languages_of, load_model, load_tokenizer_of, resolve_model
from factcheck.models.inputs import InputBuilder, input_builder
from factcheck.records import Claim, Evidence, PhotoEvidence, Verdict, verdict_schema
from factcheck.verification.decide import (
    DecidedRows,
    EncodedRows,
    attribute_images,
    attribute_sentences,
    decide_rows,
)
from factcheck.verification.difference_notes import DifferenceNotes
from factcheck.verification.evidence import EvidenceSource, find_evidence
from factcheck.verification.language import LanguageGuard
from factcheck.verification.notes import Annotator, merged
from factcheck.verification.once import EncodedOnce, ImageStore, SplitDocuments
from factcheck.verification.options import RUNTIMES, VerifierOptions
from factcheck.verification.prepared import Prepared, claim_rows, content_hash
from factcheck.verification.rows import IMAGES, Row
from factcheck.verification.single import any_claims, claim_table
from factcheck.verification.summary import Clock
from factcheck.verification.verdict_rows import verdict_row
from factcheck.verification.verdict_table import Thresholds
from retrieval.arguments import checked_choice
from retrieval.content_cache import ContentCache
from retrieval.search.select import SELECTION_VERSION

if TYPE_CHECKING:
    from torch import Tensor

    from factcheck.models.verdict import VerdictModel
    from retrieval.encoders.base import TextEncoder

__all__ = ["EvidenceSource", "Prepared", "Verifier", "VerifierOptions"]

# Bytes of pixels decoded ahead of a table; the photos beyond are decoded when their batch comes.
_DECODED = 64 * 2**20


#: What is said of each row beside its verdict.
ANNOTATORS: tuple[Annotator, ...] = (DifferenceNotes(),)


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
        evidence: index for claims that bring no document; opened with ``image_encoder=ImageVectors(…)`` (see
            :mod:`factcheck.verification.image_vectors`) it also shows where a claim's photo was found again.
        judge: decides the stance in the model's place; the model still reads the photos.
        annotators: what else is said of each row, see :mod:`factcheck.verification.notes`; by default the differences between
            claim and evidence.
        device: torch device.
        cache: keeps sentence vectors across runs.
        ocr: reads the text in photos whose OCR text is not given; None reads none.
        options: the fields of :class:`VerifierOptions`.

    Raises:
        InputError: an option is of the wrong kind or out of range, or there is no such device.
    """

    def __init__(
        self,
        model: "VerdictModel",
        builder: InputBuilder,
        encoder: "TextEncoder",
        *,
        calibration: Calibration | None = None,
        fingerprint: str = "unsaved",
        evidence: EvidenceSource | None = None,
        judge: Judge | None = None,
        annotators: Sequence[Annotator] = ANNOTATORS,
        device: Any = None,
        cache: ContentCache | None = None,
        ocr: ImageTextReader | None = None,
        **options: Any,
    ) -> None:
        self.options = VerifierOptions(**options)
        _check_evidence(evidence)
        found = find_device(device)
        self.fusion = FusionJudge(
            model.to(found).eval(),
            builder,
            calibration or Calibration(),
            fingerprint,
            found,
            self.options.batch_size,
            self.options.runtime == "int8",
        )
        self.evidence, self.judge, self.annotators = evidence, judge, tuple(annotators)
        self.ocr = ocr
        # What these remember changes no result.
        self.encoder = EncodedOnce(encoder, cache)
        self._images, self._split = ImageStore(self.fusion), SplitDocuments()

    @classmethod
    def load(
        cls,
        model: str | Path = "bundled",
        *,
        judge: str | Judge | None = None,
        evidence: EvidenceSource | None = None,
        any_language: bool = False,
        retrieval_encoder: str | None = None,
        device: Any = None,
        cache: ContentCache | None = None,
        ocr: str | ImageTextReader = "off",
        **options: Any,
    ) -> "Verifier":
        """Load a model.

        Args:
            model: ``bundled``, a model folder, or a Hugging Face repository id.
            judge: what decides the stance in the model's place, by name (see :func:`factcheck.judges.load_judge`) or as it is.
            evidence: see :class:`Verifier`.
            any_language: judge rows in languages that the model does not read, too; else they are marked and abstain.
            retrieval_encoder: text encoder of the evidence selection; None takes what the model folder names, if that is on this machine.
            device: torch device; None is the CPU.
            cache: keeps sentence vectors, and texts read in photos, across runs, by content.
            ocr: ``off``, or ``fill`` to read the text in photos whose OCR text is not given (extra ``ocr``); or a reader.
            options: the fields of :class:`VerifierOptions`. What is not given, or ``top_k=None``, is what the model folder says.

        Raises:
            InputError: no such model, judge or device, a damaged model, one of another version, or an option out of range.
        """
        from retrieval.encoders.load import load_encoder

        given = {name: value for name, value in options.items() if not (name == "top_k" and value is None)}
        # Before the long load; what is not given is the model's own and in range.
        VerifierOptions(**given)
        reader = _ocr_reader(ocr, cache)
        _check_evidence(evidence)
        find_device(device)
        folder = resolve_model(model)
        network, config = load_model(folder)
        builder = input_builder(network, load_tokenizer_of(folder, config))
        chosen = config["preprocessing"]
        runtime = given.get("runtime", RUNTIMES[0])
        decider = load_judge(judge) if isinstance(judge, str) else judge
        languages = languages_of(config) if decider is None else getattr(decider, "languages", ())
        own = {name: chosen[name] for name in ("top_k", "retrieval_method", "min_share") if name in chosen}
        return cls(
            network,
            builder,
            load_encoder(retrieval_encoder or encoder_of(folder, config), runtime=runtime),
            calibration=Calibration.read(folder),
            fingerprint=fingerprint(folder),
            evidence=evidence,
            judge=decider,
            annotators=(*ANNOTATORS, LanguageGuard(languages, any_language=any_language)),
            device=device,
            cache=cache,
            ocr=reader,
            **(own | given),
        )

    def __repr__(self) -> str:
        model, options = self.model, self.options
        images = "no images" if model.image is None else type(model.image).__name__
        parts = [
            f"model {self.fusion.fingerprint}: {type(model.text).__name__}, {images}",
            f"judge {self.judge.fingerprint}" if self.judge else "",
            f"evidence: top {options.top_k} sentences by {options.retrieval_method}"
            + (f" out of {type(self.evidence).__name__}" if self.evidence is not None else " of each claim's document"),
            _threshold_words(self.thresholds),
            f"on {self.device}",
        ]
        return f"Verifier({'; '.join(part for part in parts if part)})"

    @property
    def model(self) -> "VerdictModel":
        """The verdict model."""
        return self.fusion.model

    @property
    def builder(self) -> InputBuilder:
        """What makes its inputs."""
        return self.fusion.builder

    @property
    def calibration(self) -> Calibration:
        """Its temperatures and threshold."""
        return self.fusion.calibration

    @property
    def device(self) -> Any:
        """Where it runs."""
        return self.fusion.device

    @property
    def fingerprint(self) -> str:
        """Identifies what decides: the model, with another judge that one and the model, which then reads the photos."""
        own = self.fusion.fingerprint
        return own if self.judge is None else f"{self.judge.fingerprint} + {own}"

    @property
    def thresholds(self) -> Thresholds:
        """The thresholds in force: the user's for all rows, else those of a calibrated judge, else the model's."""
        chosen = self.options.abstain_below
        if chosen is not None:
            return Thresholds(chosen, chosen)
        known = getattr(self.judge, "calibration", None) or self.calibration
        return Thresholds(known.threshold(False), known.threshold(True))

    @property
    def abstain_below(self) -> float:
        """The threshold in force for rows without a pair of images; see :attr:`thresholds`."""
        return self.thresholds.text

    def replace(
        self,
        *,
        calibration: Calibration | None = None,
        judge: Judge | None = None,
        ocr: ImageTextReader | None = None,
        **options: Any,
    ) -> "Verifier":
        """A verifier of the same loaded models with other options, another judge, reader or calibration.

        Args:
            calibration, judge, ocr: None keeps the one there is.
            options: fields of :class:`VerifierOptions`.

        Raises:
            InputError: an option is of the wrong kind or out of range.
        """
        other = object.__new__(type(self))
        other.__dict__.update(self.__dict__)
        other.options = replace(self.options, **options)
        other.judge, other.ocr = judge or self.judge, ocr or self.ocr
        other.fusion = replace(
            self.fusion, calibration=calibration or self.calibration, batch_size=other.options.batch_size
        )
        return other

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
        row["differences"] = None if row["differences"] is None else tuple(row["differences"])
        row["stance"] = Stance(row["stance"]) if row["stance"] else None
        row["image_relation"] = ImageRelation(row["image_relation"]) if row["image_relation"] else None
        return Verdict(**row)

    @property
    def facts(self) -> dict[str, Any]:
        """All that a verdict rests on beside its row, as JSON can hold it; the threshold changes no verdict."""
        options = self.options
        evidence = self.evidence
        return {
            "version": f"{__version__}.{SELECTION_VERSION}",
            "model": self.fingerprint,
            "encoder": getattr(self.encoder, "fingerprint", type(self.encoder).__name__),
            "evidence": None if evidence is None else getattr(evidence, "fingerprint", type(evidence).__name__),
            "annotators": [getattr(note, "fingerprint", type(note).__name__) for note in self.annotators],
            "top_k": options.top_k,
            "retrieval_method": options.retrieval_method,
            "min_share": options.min_share,
            "attribution": options.attribution,
            "photo_attribution": options.photo_attribution,
            "runtime": options.runtime,
            "ocr": "off" if self.ocr is None else self.ocr.fingerprint,
        }

    def content_hashes(self, table: pa.Table) -> list[str]:
        """The ``content_hash`` of each row's verdict: equal where row, models and options are.

        Raises:
            InputError: see :meth:`verify_batch`.
        """
        salt = json.dumps(self.facts).encode()
        return [content_hash(salt, row) for row in any_claims(table, "table").drop_columns(["label"]).to_pylist()]

    def verify_batch(self, table: Any, *, clock: Clock | None = None) -> pa.Table:
        """One verdict a row, in order; pure: photos come as bytes, no file and no network is touched.

        Args:
            table: a claims table; only ``claim`` is required (see :func:`factcheck.records.claims_schema` for the canonical
                form and :func:`factcheck.data.load_images` for the stage that reads photo files). Of pyarrow, pandas, Polars or
                ``datasets``, or a list of dicts or of :class:`~factcheck.records.Claim`.
            clock: counts the time by stage.

        Returns:
            A table with :func:`factcheck.records.verdict_schema`; its ``to_pandas()`` makes a data frame.

        Raises:
            InputError: ``table`` is none of these, or has no ``claim`` column. A bad *row* raises nothing: it
                comes back with status ``error`` and a reason.
        """
        clock = clock or Clock()
        return self.decide(self.prepare(table, clock=clock), clock=clock)

    def prepare(self, table: pa.Table, *, clock: Clock | None = None) -> Prepared:
        """The part of :meth:`verify_batch` that takes no model: cleaning, sentences, decoding. May run in another thread.

        Raises:
            InputError: see :meth:`verify_batch`.
        """
        clock = clock or Clock()
        with clock.stage("clean"):
            table = any_claims(table, "table")
            contents = tuple(self.content_hashes(table))
        with clock.stage("ocr"):
            table, sources = (table, ocr_sources(table)) if self.ocr is None else fill_ocr(table, self.ocr)
        with clock.stage("clean"):
            claims, results = claim_rows(
                table,
                sources,
                reads_images=self.fusion.image_size is not None,
                model=self.fingerprint,
                split=self._split,
            )
        with clock.stage("decode"):
            decoded: dict[bytes, Tensor | InputError] = {}
            room = _DECODED
            for claim in claims:
                for name, key in zip(IMAGES, claim.image_keys, strict=True):
                    if key is None or room <= 0 or key in decoded or self._images.has(key):
                        continue
                    try:
                        pixels = self._images.pixels((claim.image(name) or {}).get("bytes") or b"")
                        decoded[key], room = pixels, room - pixels.nbytes
                    except InputError as error:
                        decoded[key] = error
        return Prepared(table.num_rows, tuple(claims), results, contents, decoded)

    def decide(self, prepared: Prepared, *, clock: Clock | None = None) -> pa.Table:
        """The rest of :meth:`verify_batch`: one verdict a row, in order."""
        clock = clock or Clock()
        results = dict(prepared.results)
        for decided in self._decided(self._with_evidence(prepared, clock), clock, prepared.decoded):
            encoded = decided.encoded
            again = encoded.can_leave_out()
            with clock.stage("attribution"):
                sentences = attribute_sentences(decided) if self.options.attribution and again else None
                images = attribute_images(decided) if self.options.photo_attribution and again else None
            for i, (row, decision) in enumerate(zip(decided.rows, decided.decisions, strict=True)):
                results[row.number] = verdict_row(
                    row,
                    decision,
                    reasons=encoded.reasons[i],
                    notes=merged([annotate(row, decision) for annotate in self.annotators]),
                    abstain_below=self.thresholds.of(decision.label is not None),
                    model=self.fingerprint,
                    attributions=None if sentences is None else sentences[i],
                    image_attributions=None if images is None else images[i],
                )
        made = [{**results[i].to_dict(), "content_hash": prepared.contents[i]} for i in range(prepared.rows)]
        return pa.Table.from_pylist(made, schema=verdict_schema())

    def prepared_rows(self, table: pa.Table) -> list[Row]:
        """The rows of a claims table that can be verified, with the evidence that would be judged; nothing is decided.

        Raises:
            InputError: see :meth:`verify_batch`.
        """
        return self._with_evidence(self.prepare(table), Clock())

    def decided_rows(self, table: pa.Table) -> Iterator[DecidedRows]:
        """The rows of a claims table that can be verified, decided, in batches of like length, with their photos encoded.

        For studies of a verdict: :meth:`EncodedRows.decide` says what the judge makes of any part of a row's evidence.
        Rows come in another order than the table's; :attr:`Row.number` is their place in it.

        Raises:
            InputError: see :meth:`verify_batch`.
        """
        prepared = self.prepare(table)
        return self._decided(self._with_evidence(prepared, Clock()), Clock(), prepared.decoded)

    def _with_evidence(self, prepared: Prepared, clock: Clock) -> list[Row]:
        options = self.options
        with clock.stage("select"):
            return find_evidence(
                prepared.claims,
                self.encoder,
                top_k=options.top_k,
                method=options.retrieval_method,
                min_share=options.min_share,
                source=self.evidence,
            )

    def _decided(
        self, rows: list[Row], clock: Clock, decoded: "dict[bytes, Tensor | InputError]"
    ) -> Iterator[DecidedRows]:
        # Rows of like length share a forward pass; the order of the results does not depend on it.
        ordered = sorted(rows, key=lambda row: len(row.claim) + sum(map(len, row.cleaned)))
        for start in range(0, len(ordered), self.options.batch_size):
            part = ordered[start : start + self.options.batch_size]
            with clock.stage("images"):
                encoded = EncodedRows(self.fusion, part, self.judge, store=self._images, decoded=decoded)
            with clock.stage("decide"):
                decided = decide_rows(encoded)
            yield decided


def _threshold_words(thresholds: Thresholds) -> str:
    if thresholds.text == thresholds.pairs:
        return f"abstains below {thresholds.text:.3f}" if thresholds.text else "never abstains for lack of confidence"
    return f"abstains below {thresholds.text:.3f}, with a pair of images below {thresholds.pairs:.3f}"


def _ocr_reader(ocr: str | ImageTextReader, cache: ContentCache | None) -> ImageTextReader | None:
    if isinstance(ocr, ImageTextReader):
        return ocr
    return ImageTextReader(cache) if checked_choice("ocr", ocr, ("off", "fill")) == "fill" else None


def _check_evidence(evidence: Any) -> None:
    if evidence is not None and not callable(getattr(evidence, "search", None)):
        raise InputError(
            f"`evidence` must be an opened index, found {kind_of(evidence)}",
            field="evidence",
            hint="open it first: evidence=retrieval.open_index('index/')",
        )
