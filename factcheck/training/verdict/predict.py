"""Verdicts of a model in training, by the verification that exported models go through: same index, resume, outputs."""

import logging
from collections.abc import Callable
from pathlib import Path

from factcheck.errors import InputError
from factcheck.models.calibration import Calibration
from factcheck.models.folder import resolve_model, weights_fingerprint
from factcheck.training.verdict.checkpoint import load_weights
from factcheck.training.verdict.data import VerdictDataModule
from factcheck.training.verdict.module import VerdictModule
from factcheck.verification.evidence import EvidenceSource
from factcheck.verification.stream import RunSummary, verify_file
from factcheck.verification.verdict_table import check_output
from factcheck.verification.verifier import Verifier
from retrieval.encoders.load import load_encoder

__all__ = ["predict"]

_LOG = logging.getLogger("factcheck")


def predict(
    module: VerdictModule,
    data: VerdictDataModule,
    checkpoint: str | Path | None = None,
    *,
    evidence: EvidenceSource | None = None,
    progress: Callable[[int, int | None], None] | None = None,
    should_stop: Callable[[], bool] | None = None,
) -> RunSummary:
    """Verify the claims that ``data.predict`` names and write the verdict table.

    Hands over to :func:`factcheck.verification.stream.verify_file`: a run that was interrupted goes on after its last chunk, and
    the table is that of an exported model with the evidence selection of ``data``.

    Args:
        module: the model; its weights are those of ``checkpoint``, or of its ``init_from``.
        data: names claims, output and evidence selection.
        checkpoint: a training checkpoint. It holds no temperatures: confidences are uncalibrated. A model folder as ``init_from``
            brings its own.
        evidence: index for claims that bring no document.
        progress, should_stop: see :func:`~factcheck.verification.stream.verify_file`.

    Raises:
        InputError: no claims are named, weights would be random, or see :func:`~factcheck.verification.stream.verify_file`.
        RunInterrupted: ``should_stop`` said so.
    """
    options = data.predict
    if options.claims is None:
        raise InputError("`predict.claims` is missing", field="predict.claims", hint="name the claims table to verify")
    claims = Path(options.claims).expanduser()
    check_output(Path(options.out), claims)
    calibration = _take_weights(module, checkpoint)
    verifier = Verifier(
        module.model,
        module.input_builder,
        load_encoder(data.selection.retrieval_encoder),
        calibration=calibration,
        fingerprint=f"weights {weights_fingerprint(module.model)}",
        evidence=evidence,
        device=module.device,
        top_k=data.selection.top_k,
        retrieval_method=data.selection.retrieval_method,
        min_share=data.selection.min_share,
        abstain_below=options.abstain_below,
        batch_size=data.batch_size,
    )
    return verify_file(
        verifier,
        claims,
        options.out,
        columns=data.claims_format,
        image_root=data.image_root,
        progress=progress,
        should_stop=should_stop,
    )


def _take_weights(module: VerdictModule, checkpoint: str | Path | None) -> Calibration | None:
    """Give the module the weights to predict with; returns the temperatures that came with them."""
    if checkpoint is not None:
        load_weights(module, checkpoint)
        _LOG.info("the checkpoint holds no temperatures: confidences are not calibrated (`export` fits them)")
        return None
    module.use_init_from()
    if module.init_from is None or Path(module.init_from).expanduser().is_file():
        return None
    return Calibration.read(resolve_model(module.init_from))
