"""Scoring candidates again with a model that reads query and passage together."""

import os
from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from retrieval.encoders.batching import TOKENS_AT_ONCE, batches_by_length, pad
from retrieval.encoders.pretrained import hash_folder, load_pretrained, load_tokenizer, loading, resolve_pretrained
from retrieval.errors import InputError

if TYPE_CHECKING:
    import torch

__all__ = ["CrossEncoderReranker", "Reranker", "check_pairs", "rerank_scores"]


class Reranker(ABC):
    """Scores (query, passage) pairs; the scores of one query are comparable.

    Attributes:
        fingerprint: equal for re-rankers that give equal scores; a run that resumes compares it.
        weight: share of its ranking in the final one, in (0, 1]; the rest is the first search's, see :func:`rerank_scores`.
            1 leaves the order to the re-ranker alone, which suits models trained to rank.
    """

    weight: float = 1.0

    @property
    def fingerprint(self) -> str:
        """The name of the class; override it where two of one class may score differently."""
        return type(self).__qualname__

    @abstractmethod
    def score(self, queries: Sequence[str], passages: Sequence[str]) -> np.ndarray:
        """Scores of n pairs, float32 (n,), higher is better."""


def check_pairs(queries: Sequence[str], passages: Sequence[str]) -> None:
    """Refuse to score unless there is one passage a query.

    Raises:
        InputError: says how many there are of each.
    """
    if len(queries) != len(passages):
        raise InputError(f"got {len(queries)} queries for {len(passages)} passages", hint="give one a pair")


def rerank_scores(scores: np.ndarray, weight: float) -> np.ndarray:
    """Final scores (n,) of one query's candidates, which come in the order of the first search.

    Args:
        scores: (n,) from the re-ranker.
        weight: 1 returns them as they are; less fuses both rankings by rank, each rank counting 1 / (61 + rank).
    """
    if weight >= 1:
        return scores
    ranks = np.empty(len(scores), np.int64)
    ranks[np.argsort(-scores, kind="stable")] = np.arange(len(scores))
    return weight / (61 + ranks) + (1 - weight) / (61 + np.arange(len(scores)))


class CrossEncoderReranker(Reranker):
    """A Hugging Face sequence classifier over (query, passage) (Nogueira & Cho 2019).

    With one label its output is the score; with several the score is one minus the probability of ``neutral`` (or
    ``insufficient``, ``not_entailment`` …) where the model names such a label, because evidence for and against a claim
    are both evidence; else the probability of the last label.

    Args:
        name: folder or Hugging Face id.
        device: where the model runs; None is the CPU.
        max_length: tokens of a pair; the passage is truncated.
        batch_size: pairs in one forward pass.

    Raises:
        InputError: nothing can be loaded under that name, or it is no sequence classifier.
    """

    def __init__(
        self,
        name: str | os.PathLike[str],
        *,
        device: "str | torch.device | None" = None,
        max_length: int = 256,
        batch_size: int = 32,
    ) -> None:
        from transformers import AutoModelForSequenceClassification

        folder = resolve_pretrained(os.fspath(name), "re-ranking model")
        with loading("re-ranking model", str(name)):
            self._tokenizer = load_tokenizer(folder)
            model = load_pretrained(AutoModelForSequenceClassification, folder)
        self._model = model.eval().requires_grad_(False).to(device or "cpu")
        if not any("ForSequenceClassification" in kind for kind in self._model.config.architectures or []):
            raise InputError(
                f"re-ranking model {str(name)!r} is {self._model.config.architectures}, expected a sequence classifier"
            )
        self.max_length, self.batch_size = max_length, batch_size
        self._pad = self._tokenizer.pad_token_id or 0
        self._fingerprint = hash_folder(folder, f"rerank {max_length}")

    @property
    def fingerprint(self) -> str:
        """Content hash of weights and tokenizer, and the tokens of a pair."""
        return self._fingerprint

    def score(self, queries: Sequence[str], passages: Sequence[str]) -> np.ndarray:
        """Scores of n pairs."""
        import torch

        check_pairs(queries, passages)
        scores = np.empty(len(queries), np.float32)
        if not len(queries):
            return scores
        encoded = self._tokenizer(
            list(queries),
            list(passages),
            truncation="only_second",
            max_length=self.max_length,
            return_attention_mask=False,
        )
        types = encoded.get("token_type_ids")
        device = next(self._model.parameters()).device
        bound = TOKENS_AT_ONCE if device.type == "cpu" else None
        with torch.inference_mode():
            for rows, ids in batches_by_length(encoded["input_ids"], self.batch_size, bound):
                tokens, mask = pad(ids, self._pad)
                inputs = {"input_ids": tokens, "attention_mask": mask}
                if types is not None:
                    inputs["token_type_ids"] = pad([types[i] for i in rows], 0)[0]
                given = {key: torch.from_numpy(value).to(device) for key, value in inputs.items()}
                scores[rows] = self._decide(self._model(**given).logits).cpu().numpy()
        return scores

    def _decide(self, logits: "torch.Tensor") -> "torch.Tensor":
        """Logits (B, labels) to scores (B,)."""
        if logits.shape[-1] == 1:
            return logits[:, 0].float()
        probabilities = logits.float().softmax(-1)
        labels = {number: str(label).lower() for number, label in self._model.config.id2label.items()}
        for number, label in labels.items():
            if label.startswith(("neutral", "insufficient", "not_", "not enough", "nei", "unrelated")):
                return 1 - probabilities[:, int(number)]
        return probabilities[:, -1]
