"""The verdict model as a re-ranker of evidence: what speaks for or against a claim goes before what says nothing of it."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch

from factcheck.data import clean_text
from factcheck.errors import InputError
from factcheck.judges.fusion import stance_probabilities
from factcheck.labels import STANCES, Stance
from factcheck.models.calibration import Calibration
from factcheck.models.folder import fingerprint, load_model, load_tokenizer_of, read_config, resolve_model
from factcheck.models.inputs import InputBuilder, TextRow, input_builder
from factcheck.models.verdict import VerdictModel
from retrieval.arguments import checked_int
from retrieval.encoders.batching import rows_by_length
from retrieval.search.rerank import CrossEncoderReranker, Reranker, check_pairs

__all__ = ["StanceReranker", "load_reranker"]


class StanceReranker(Reranker):
    """One minus the probability that a passage is insufficient to decide the claim, by a verdict model's stance head.

    It needs no model beside the one that decides, so it works offline. Evidence for and against a claim rank alike. Trained to
    decide and not to rank, it is a second opinion: by itself it finds less than the first search does.

    Args:
        model: the verdict model, in evaluation mode; it reads the text alone.
        builder: makes its inputs.
        calibration: temperature of the stance head.
        batch_size: pairs in one forward pass, at most.
        fingerprint: identifies the model; None is the name of the class.
    """

    #: The best of 0.1, 0.2, 0.3, 0.5, 0.7 and 1 for recall at 5 and 10 on forty pages of the training split of WiCE. On those of
    #: the validation split it finds the first sentence more often and fewer within ten, so nothing re-ranks by default.
    weight = 0.2

    def __init__(
        self,
        model: VerdictModel,
        builder: InputBuilder,
        calibration: Calibration | None = None,
        *,
        batch_size: int = 32,
        fingerprint: str | None = None,
    ) -> None:
        self._model, self._builder = model, builder
        self._calibration = calibration or Calibration()
        self.batch_size = checked_int("batch_size", batch_size, 1)
        self._fingerprint = fingerprint or super().fingerprint

    @property
    def fingerprint(self) -> str:
        """The verdict model's."""
        return self._fingerprint

    @classmethod
    def load(cls, model: str | Path = "bundled") -> "StanceReranker":
        """Load from ``bundled``, a model folder or a Hugging Face repository id.

        Raises:
            InputError: no such model, a damaged one or one of another version.
        """
        folder = resolve_model(model)
        network, config = load_model(folder)
        builder = input_builder(network, load_tokenizer_of(folder, config))
        return cls(network.eval(), builder, Calibration.read(folder), fingerprint=fingerprint(folder))

    def score(self, queries: Sequence[str], passages: Sequence[str]) -> np.ndarray:
        """Scores of n pairs, float32 (n,), in [0, 1]."""
        check_pairs(queries, passages)
        rows = [TextRow(clean_text(q), [clean_text(p)]) for q, p in zip(queries, passages, strict=True)]
        scores = np.empty(len(rows), np.float32)
        with torch.inference_mode():
            for part in rows_by_length(self._builder.lengths(rows), self.batch_size):
                scores[part] = self._relevance([rows[i] for i in part])
        return scores

    def _relevance(self, rows: list[TextRow]) -> np.ndarray:
        device = next(self._model.parameters()).device
        inputs = {name: tensor.to(device) for name, tensor in self._builder.texts(rows).items()}
        hidden = self._model.encode_text(**inputs)
        output = self._model.decide(hidden, inputs["attention_mask"])
        probabilities = stance_probabilities(output, self._calibration, inputs["attention_mask"].sum(1))
        return (1 - probabilities[:, STANCES.index(Stance.INSUFFICIENT)]).cpu().numpy()


def load_reranker(name: str | Path) -> Reranker:
    """A re-ranker by name.

    Args:
        name: ``bundled`` or a verdict model's folder (:class:`StanceReranker`), else the folder or Hugging Face id of a
            sequence classifier (:class:`retrieval.search.rerank.CrossEncoderReranker`).

    Raises:
        InputError: nothing can be loaded under that name.
    """
    try:
        verdict = str(name) == "bundled" or bool(read_config(name))
    except InputError:
        verdict = False
    return StanceReranker.load(name) if verdict else CrossEncoderReranker(name)
