"""The fusion model as a judge: the stance from the texts, and what photos add to it where there are any."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from factcheck.judges.base import Judge, Judgement
from factcheck.models.calibration import Calibration
from factcheck.models.inputs import InputBuilder, TextRow

if TYPE_CHECKING:
    from factcheck.models.verdict import VerdictModel, VerdictOutput

__all__ = ["EncodedImages", "FusionJudge", "JointJudgement", "stance_probabilities"]

CPU = torch.device("cpu")


@dataclass(frozen=True, slots=True, kw_only=True)
class JointJudgement(Judgement):
    """A judgement of texts and photos together.

    Attributes:
        relation: two probabilities, order of ``labels.IMAGE_RELATIONS``; None without a pair of photos.
        label: five probabilities, order of ``labels.FACTIFY_LABELS``; None likewise.
        similarity: cosine of the photos; None likewise.
    """

    relation: tuple[float, ...] | None = None
    label: tuple[float, ...] | None = None
    similarity: float | None = None


@dataclass(frozen=True, slots=True)
class EncodedImages:
    """The encoded photos of B rows; entry 0 of each pair is the claim's side, entry 1 the document's.

    Attributes:
        tokens: (B, h·w, C) each.
        vectors: (B, E) unit descriptors each.
        masks: (B,) bool each, true where the row has that photo.
    """

    tokens: tuple[Tensor, Tensor]
    vectors: tuple[Tensor, Tensor]
    masks: tuple[Tensor, Tensor]

    def take(self, rows: Sequence[int], kept: Sequence[tuple[bool, bool]]) -> "EncodedImages":
        """Rows by number, each with those of its photos that are to be kept."""
        device = self.masks[0].device
        index = torch.tensor(rows, device=device)
        keep = torch.tensor(kept, device=device)  # (n, 2)
        sides = [(self.tokens[i][index], self.vectors[i][index], self.masks[i][index] & keep[:, i]) for i in (0, 1)]
        tokens, vectors, masks = zip(*sides, strict=True)
        return EncodedImages(tokens, vectors, masks)


@dataclass(frozen=True)
class FusionJudge(Judge):
    """A verdict model with all that turns rows into its answers.

    Attributes:
        model: the model, in evaluation mode, on ``device``.
        builder: makes its inputs.
        calibration: temperatures of its heads.
        name: its fingerprint.
        device: where it runs.
        batch_size: rows a forward pass; bounds memory, changes no result.
    """

    model: "VerdictModel"
    builder: InputBuilder
    calibration: Calibration
    name: str = "unsaved"
    device: torch.device = CPU
    batch_size: int = 32

    @property
    def fingerprint(self) -> str:
        """The model folder's."""
        return self.name

    @property
    def image_size(self) -> int | None:
        """Side in pixels of the square that photos are read at; None for a model that reads none."""
        transform = self.builder.transform
        return None if self.model.image is None or transform is None else transform.size

    def judge(self, rows: Sequence[TextRow]) -> list[Judgement]:
        """One judgement a row from its texts alone."""
        return list(self.judge_together(rows))

    def judge_together(self, rows: Sequence[TextRow], images: EncodedImages | None = None) -> list[JointJudgement]:
        """One judgement a row from its texts and its photos.

        Args:
            rows: B texts.
            images: the photos of the same B rows; None where no row has one.
        """
        judgements: list[JointJudgement] = []
        with torch.inference_mode():
            for start in range(0, len(rows), self.batch_size):
                numbers = range(start, min(start + self.batch_size, len(rows)))
                part = images and images.take(numbers, [(True, True)] * len(numbers))
                judgements += self._batch(rows[start : start + self.batch_size], part)
        return judgements

    def encode_images(self, sides: tuple[Tensor, Tensor], masks: tuple[Tensor, Tensor]) -> EncodedImages:
        """Encode pixels (B, 3, S, S) of either side; absent ones cost nothing."""
        on_device = (masks[0].to(self.device), masks[1].to(self.device))
        with torch.inference_mode():
            encoded = [
                self.model.encode_image(pixels.to(self.device), mask)
                for pixels, mask in zip(sides, on_device, strict=True)
            ]
        tokens, vectors = zip(*encoded, strict=True)
        return EncodedImages(tokens, vectors, on_device)

    def _batch(self, rows: Sequence[TextRow], images: EncodedImages | None) -> list[JointJudgement]:
        inputs = {name: tensor.to(self.device) for name, tensor in self.builder.texts(rows).items()}
        mask = inputs["attention_mask"]
        hidden = self.model.encode_text(**inputs)
        if images is None:
            output = self.model.decide(hidden, mask)
        else:
            pairs = ((images.tokens[0], images.vectors[0]), (images.tokens[1], images.vectors[1]))
            output = self.model.decide(hidden, mask, pairs, *images.masks)
        return self._read(output, mask.sum(1), images)

    def _read(self, output: "VerdictOutput", tokens: Tensor, images: EncodedImages | None) -> list[JointJudgement]:
        """Calibrated probabilities of every row of a model output whose texts have so many tokens (B,)."""
        stances: list[tuple[float, float, float]] = [
            (row[0], row[1], row[2]) for row in stance_probabilities(output, self.calibration, tokens).tolist()
        ]
        relations, labels, similarities = output.image_logits, output.label_logits, output.image_similarity
        if images is None or relations is None or labels is None or similarities is None:
            return [JointJudgement(stance=stance) for stance in stances]
        pair = (images.masks[0] & images.masks[1]).tolist()
        relation = (relations.float() / self.calibration.image).softmax(1).tolist()
        label = (labels.float() / self.calibration.label).softmax(1).tolist()
        similarity = similarities.float().tolist()
        return [
            JointJudgement(stance=stance, relation=tuple(relation[i]), label=tuple(label[i]), similarity=similarity[i])
            if pair[i]
            else JointJudgement(stance=stance)
            for i, stance in enumerate(stances)
        ]


def stance_probabilities(output: "VerdictOutput", calibration: Calibration, tokens: Tensor) -> Tensor:
    """Calibrated probabilities (B, 3), order of ``labels.STANCES``, of rows whose texts have so many tokens (B,)."""
    logits = output.stance_logits.float()
    temperatures = torch.from_numpy(calibration.stance_temperatures(tokens.cpu())).to(logits)
    return (logits / temperatures[:, None]).softmax(1)
