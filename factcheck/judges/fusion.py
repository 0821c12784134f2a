"""The fusion model as a judge: the stance from the texts, and what photos add to it where there are any."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from factcheck.errors import InputError
from factcheck.judges.base import Judge, Judgement
from factcheck.models.calibration import Calibration
from factcheck.models.inputs import InputBuilder, TextRow
from factcheck.models.packed import packed_fusion, packed_text
from factcheck.twins.runtime import packed_copy

if TYPE_CHECKING:
    from factcheck.models.image import ImageEncoder
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
    """The encoded photos of B rows, each photo once however many rows show it.

    Attributes:
        tokens: (U + 1, h·w, C), the last all zeros.
        vectors: (U + 1, E) unit descriptors, the last all zeros.
        places: (B, 2) for the claim's and the document's side which of the U photos it shows; U for none.
    """

    tokens: Tensor
    vectors: Tensor
    places: Tensor

    def take(self, rows: Sequence[int], kept: Sequence[tuple[bool, bool]]) -> "EncodedImages":
        """Rows by number, each with those of its photos that are to be kept."""
        device = self.places.device
        keep = torch.tensor(kept, device=device)  # (n, 2)
        places = self.places[torch.tensor(rows, device=device)]
        return EncodedImages(self.tokens, self.vectors, places.where(keep, len(self.tokens) - 1))

    def side(self, number: int) -> tuple[Tensor, Tensor, Tensor]:
        """Tokens (B, h·w, C), descriptors (B, E) and mask (B,) of one side, 0 the claim's and 1 the document's."""
        places = self.places[:, number]
        return self.tokens[places], self.vectors[places], places < len(self.tokens) - 1


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
        int8: the text transformer multiplies in 8 bits: faster on a CPU, probabilities differ slightly.
    """

    model: "VerdictModel"
    builder: InputBuilder
    calibration: Calibration
    name: str = "unsaved"
    device: torch.device = CPU
    batch_size: int = 32
    int8: bool = False

    @property
    def fingerprint(self) -> str:
        """The model folder's, with a mark for 8 bits."""
        return f"{self.name}-int8" if self.int8 else self.name

    @cached_property
    def encode_text(self) -> "Callable[..., Tensor]":
        """``VerdictModel.encode_text`` by the fastest way there is for the model and the device.

        Raises:
            InputError: 8 bits are asked for and there is no such way.
        """
        packed = packed_text(self.model, int8=self.int8)
        if packed is None and self.int8:
            raise InputError(
                "`runtime` 'int8' knows BERT on the CPU only, which the text model of this verdict model is not",
                field="runtime",
                hint="use 'torch'",
            )
        return packed or self.model.encode_text

    @cached_property
    def fuse(self) -> "Callable[..., Tensor]":
        """``VerdictModel.fusion`` by the fastest way there is."""
        return packed_fusion(self.model) or self.model.fusion

    @cached_property
    def image_encoder(self) -> "ImageEncoder | None":
        """The model's image encoder, on the CPU a copy with weights laid out for its kernels."""
        image = self.model.image
        return image if image is None or self.device.type != "cpu" else packed_copy(image)

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

    def encode_images(self, pixels: Tensor) -> tuple[Tensor, Tensor]:
        """Tokens (n, h·w, C) and unit descriptors (n, E) of n photos (n, 3, S, S), in batches."""
        assert self.image_encoder is not None
        tokens, vectors = [], []
        with torch.inference_mode():
            for part in pixels.split(self.batch_size):
                features, descriptors = self.image_encoder.forward_all(part.to(self.device))
                tokens.append(features.flatten(2).transpose(1, 2))
                vectors.append(descriptors)
        return torch.cat(tokens), torch.cat(vectors)

    def _batch(self, rows: Sequence[TextRow], images: EncodedImages | None) -> list[JointJudgement]:
        inputs = {name: tensor.to(self.device) for name, tensor in self.builder.texts(rows).items()}
        mask = inputs["attention_mask"]
        hidden = self.encode_text(**inputs)
        if images is None:
            return self._read(self.model.decide(hidden, mask, fusion=self.fuse), mask.sum(1), None)
        (claims, claim_vectors, has_claim), (documents, document_vectors, has_document) = images.side(0), images.side(1)
        pairs = ((claims, claim_vectors), (documents, document_vectors))
        output = self.model.decide(hidden, mask, pairs, has_claim, has_document, fusion=self.fuse)
        return self._read(output, mask.sum(1), has_claim & has_document)

    def _read(self, output: "VerdictOutput", tokens: Tensor, pairs: Tensor | None) -> list[JointJudgement]:
        """Calibrated probabilities of every row of a model output.

        Args:
            output: logits of B rows.
            tokens: (B,) length of each row's text.
            pairs: (B,) bool, true where the row has both photos; None where none has.
        """
        stances: list[tuple[float, float, float]] = [
            (row[0], row[1], row[2]) for row in stance_probabilities(output, self.calibration, tokens, pairs).tolist()
        ]
        relations, labels, similarities = output.image_logits, output.label_logits, output.image_similarity
        if pairs is None or relations is None or labels is None or similarities is None:
            return [JointJudgement(stance=stance) for stance in stances]
        pair = pairs.tolist()
        relation = (relations.float() / self.calibration.image).softmax(1).tolist()
        label = (labels.float() / self.calibration.label).softmax(1).tolist()
        similarity = similarities.float().tolist()
        return [
            JointJudgement(stance=stance, relation=tuple(relation[i]), label=tuple(label[i]), similarity=similarity[i])
            if pair[i]
            else JointJudgement(stance=stance)
            for i, stance in enumerate(stances)
        ]


def stance_probabilities(
    output: "VerdictOutput", calibration: Calibration, tokens: Tensor, pairs: Tensor | None = None
) -> Tensor:
    """Calibrated probabilities (B, 3), order of ``labels.STANCES``, of rows whose texts have so many tokens (B,).

    ``pairs`` (B,) is true where a row has both photos; None where none has.
    """
    logits = output.stance_logits.float()
    both = None if pairs is None else pairs.cpu()
    temperatures = torch.from_numpy(calibration.stance_temperatures(tokens.cpu(), both)).to(logits)
    return (logits / temperatures[:, None]).softmax(1)
