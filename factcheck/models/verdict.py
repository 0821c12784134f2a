"""The verdict model: text transformer + image encoder + fusion transformer + three heads."""

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, get_args

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from factcheck.errors import InputError
from factcheck.labels import FACTIFY_LABELS, IMAGE_RELATIONS, STANCES, relation_of, stance_of
from factcheck.models.fusion import FusionTransformer
from factcheck.models.token_relations import TokenRelations, relation_count
from retrieval.arguments import checked_choice, checked_number

if TYPE_CHECKING:
    from transformers import PreTrainedModel

    from factcheck.models.image import ImageEncoder

__all__ = ["VerdictConfig", "VerdictModel", "VerdictOutput", "current_settings", "pair_features"]


@dataclass(frozen=True, kw_only=True)
class VerdictConfig:
    """What defines a verdict model's architecture and how its inputs are made."""

    text_model: str = "bundled"
    """``bundled``, a folder or a Hugging Face id."""
    image_encoder: str | None = "twins_svt_tiny"
    """Name of the image encoder: a Twins network (``twins_svt_tiny``, …), or any network of timm as ``timm:NAME``; null for a text-only
    model."""
    image_weights: str | None = "bundled"
    """``bundled``, ``timm``, a folder of an image encoder, a file with a state dict of timm's, or null for random weights."""
    image_size: int | None = None
    """Side in pixels of its input; null for what its weights expect."""
    max_length: int = 256
    """Text tokens of claim, evidence and OCR together."""
    max_claim_tokens: int = 96
    """Text tokens kept of the claim with its OCR, so that evidence always has room."""
    token_relations: TokenRelations | None = None
    """What the text transformer is told of each token: whether the other segment holds its word (``words``), also how values, names
    and roles stand to it (``typed``), or nothing (null)."""
    fusion_dim: int = 256
    """Width of the fusion transformer."""
    fusion_depth: int = 2
    """Layers of the fusion transformer."""
    fusion_heads: int = 4
    """Attention heads of the fusion transformer."""
    dropout: float = 0.1
    """Dropout of the fusion transformer, in [0, 1)."""

    def __post_init__(self) -> None:
        if not 8 <= self.max_claim_tokens < self.max_length:
            raise InputError(
                f"max_claim_tokens must be at least 8 and below max_length, found {self.max_claim_tokens} and {self.max_length}"
            )
        checked_number("dropout", self.dropout, below=1)
        if self.token_relations is not None:
            checked_choice("token_relations", self.token_relations, get_args(TokenRelations))

    def to_dict(self) -> dict[str, Any]:
        """The fields as a JSON-ready dictionary."""
        return asdict(self)


def current_settings(stored: Mapping[str, Any]) -> dict[str, Any]:
    """Settings as this release names them, of a model folder or checkpoint that an earlier one may have written."""
    settings = dict(stored)
    if "word_match" in settings:
        settings["token_relations"] = "words" if settings.pop("word_match") else None
    return settings


@dataclass(frozen=True)
class VerdictOutput:
    """What the model says of B rows.

    Attributes:
        stance_logits: (B, 3), order of ``labels.STANCES``.
        image_logits: (B, 2), order of ``labels.IMAGE_RELATIONS``; None for a text-only model. Meaningless where an image is absent.
        label_logits: (B, 5), order of ``labels.FACTIFY_LABELS``; None for a text-only model. Meaningless likewise.
        image_similarity: (B,) cosine of the image descriptors in [-1, 1]; None for a text-only model.
    """

    stance_logits: Tensor
    image_logits: Tensor | None = None
    label_logits: Tensor | None = None
    image_similarity: Tensor | None = None


def pair_features(claim: Tensor, document: Tensor) -> Tensor:
    """Features of a pair of unit descriptors: cosine, |difference| and product, scaled to unit order.

    Args:
        claim, document: (B, E) L2-normalised.

    Returns:
        (B, 2E + 1).
    """
    # Entries of a unit vector are of order E^-1/2 and products of order 1/E: without the scale the linear layers that
    # read them would start out seeing the cosine alone.
    scale = claim.shape[1] ** 0.5
    cosine = (claim * document).sum(1, keepdim=True)
    return torch.cat([cosine, (claim - document).abs() * scale, claim * document * scale**2], dim=1)


class VerdictModel(nn.Module):
    """Text transformer, image encoder, fusion transformer and the stance, image-relation and five-class heads.

    The five-class logits are the log-probability that the two other heads give the class (a stance and a relation, taken as
    independent) plus a correction read off the verdict vector: what the parts know needs no second learning, and the
    correction learns where they depend on each other.

    Args:
        config: architecture.
        text: the text transformer; its ``config.hidden_size`` is the token width.
        image: the image encoder (see :func:`factcheck.models.folder.create_image_encoder`) or None.
    """

    _stance_index: Tensor
    _relation_index: Tensor

    def __init__(self, config: VerdictConfig, text: "PreTrainedModel", image: "ImageEncoder | None" = None) -> None:
        super().__init__()
        self.config = config
        self.text = text
        self.image = image
        text_dim = int(text.config.hidden_size)
        image_dim = image.num_features if image is not None else None
        pair_dim = 2 * image.embed_dim + 1 if image is not None else 0
        self.fusion = FusionTransformer(
            text_dim, image_dim, pair_dim, config.fusion_dim, config.fusion_depth, config.fusion_heads, config.dropout
        )
        # Added to the token embeddings. Zero at the start: a pre-trained text model begins as it was.
        # Of their width, which in ELECTRA and ALBERT is not that of the hidden states.
        self.match_embed: nn.Embedding | None = None
        if config.token_relations is not None:
            self.match_embed = nn.Embedding(relation_count(config.token_relations), _embedding_dim(text))
            nn.init.zeros_(self.match_embed.weight)
        dim = config.fusion_dim
        self.stance_head = nn.Linear(dim, len(STANCES))
        if image is not None:
            self.image_head = nn.Linear(dim, len(IMAGE_RELATIONS))
            self.pair_norm = nn.LayerNorm(pair_dim, elementwise_affine=False)
            self.pair_head = nn.Sequential(nn.Linear(pair_dim, 64), nn.GELU(), nn.Linear(64, len(IMAGE_RELATIONS)))
            # Most of what the relation needs is one number, the cosine: a direct, steep path from it to the logits.
            self.cosine_head = nn.Linear(1, len(IMAGE_RELATIONS))
            self.label_head = nn.Linear(dim, len(FACTIFY_LABELS))
            for layer in (self.label_head, self.image_head, self.pair_head[-1]):
                for parameter in layer.parameters():
                    nn.init.zeros_(parameter)
            with torch.no_grad():
                self.cosine_head.weight.copy_(torch.tensor([[5.0], [-5.0]]))
                self.cosine_head.bias.copy_(torch.tensor([-2.5, 2.5]))
        self.register_buffer(
            "_stance_index", torch.tensor([STANCES.index(stance_of(x)) for x in FACTIFY_LABELS]), False
        )
        relations = [relation_of(label) for label in FACTIFY_LABELS]
        index = [IMAGE_RELATIONS.index(r) if r else len(IMAGE_RELATIONS) for r in relations]
        self.register_buffer("_relation_index", torch.tensor(index), False)

    def forward(
        self,
        input_ids: Tensor,
        attention_mask: Tensor,
        token_type_ids: Tensor | None = None,
        claim_pixels: Tensor | None = None,
        document_pixels: Tensor | None = None,
        claim_image_mask: Tensor | None = None,
        document_image_mask: Tensor | None = None,
        token_relations: Tensor | None = None,
    ) -> VerdictOutput:
        """Logits of the three heads.

        Shapes (B batch, T tokens, H × W pixels):
            input_ids, attention_mask, token_type_ids, token_relations: (B, T).
            claim_pixels, document_pixels: (B, 3, H, W) normalised pixels; any value where the mask is false.
            claim_image_mask, document_image_mask: (B,) bool.
        """
        text = self.encode_text(input_ids, attention_mask, token_type_ids, token_relations)
        if self.image is None or claim_pixels is None:
            return self.decide(text, attention_mask)
        if document_pixels is None or claim_image_mask is None or document_image_mask is None:
            raise InputError("pixels of both images and both masks are needed where there are any")
        images = (
            self.encode_image(claim_pixels, claim_image_mask),
            self.encode_image(document_pixels, document_image_mask),
        )
        return self.decide(text, attention_mask, images, claim_image_mask, document_image_mask)

    def encode_text(
        self,
        input_ids: Tensor,
        attention_mask: Tensor,
        token_type_ids: Tensor | None = None,
        token_relations: Tensor | None = None,
    ) -> Tensor:
        """(B, T, text width) hidden states of claim, evidence and OCR read jointly.

        Raises:
            InputError: the model reads token relations and none are given (see :class:`~factcheck.models.inputs.InputBuilder`).
        """
        extra = {} if token_type_ids is None else {"token_type_ids": token_type_ids}
        if self.match_embed is None:
            return self.text(input_ids=input_ids, attention_mask=attention_mask, **extra).last_hidden_state
        if token_relations is None:
            kind = self.config.token_relations
            raise InputError(
                f"this model reads token relations; build its inputs with InputBuilder(..., token_relations={kind!r})"
            )
        words = self.text.get_input_embeddings()(input_ids)  # (B, T, embedding width)
        tokens = words + self.match_embed(token_relations)
        return self.text(inputs_embeds=tokens, attention_mask=attention_mask, **extra).last_hidden_state

    def encode_image(self, pixels: Tensor, mask: Tensor) -> tuple[Tensor, Tensor]:
        """Tokens (B, h·w, C) and unit descriptors (B, E) of images (B, 3, H, W); zeros, at no cost, where ``mask`` is false."""
        if self.image is None:
            raise InputError("this model was built without an image encoder; it cannot read images")
        rows = mask.nonzero()[:, 0]
        if len(rows) == 0:
            # One stand-in image gives the shapes (every row is masked anyway).
            features, embedding = self.image.forward_all(pixels[:1] * 0)
            features, embedding = features * 0, embedding * 0
            rows = rows.new_zeros(1)
        else:
            features, embedding = self.image.forward_all(pixels[rows])  # (b, C, h, w), (b, E)
        tokens = features.flatten(2).transpose(1, 2)  # (b, h·w, C)
        batch = len(mask)
        return (
            tokens.new_zeros(batch, *tokens.shape[1:]).index_copy(0, rows, tokens),
            embedding.new_zeros(batch, embedding.shape[1]).index_copy(0, rows, embedding),
        )

    def decide(
        self,
        text: Tensor,
        attention_mask: Tensor,
        images: tuple[tuple[Tensor, Tensor], tuple[Tensor, Tensor]] | None = None,
        claim_image_mask: Tensor | None = None,
        document_image_mask: Tensor | None = None,
        fusion: Callable[..., Tensor] | None = None,
    ) -> VerdictOutput:
        """Fusion and heads, from encoded text and images (so that leave-one-out runs encode each image once).

        ``fusion`` computes what the model's own does, faster (see :mod:`factcheck.models.packed`).
        """
        fusion = fusion or self.fusion
        if images is None or claim_image_mask is None or document_image_mask is None:
            return VerdictOutput(self.stance_head(fusion(text, attention_mask)))
        (claim_tokens, claim_embedding), (document_tokens, document_embedding) = images
        pair = pair_features(claim_embedding, document_embedding)
        cosine = pair[:, :1]
        pair = self.pair_norm(pair)
        masks = (claim_image_mask, document_image_mask)
        verdict = fusion(text, attention_mask, (claim_tokens, document_tokens), masks, pair)
        stance = self.stance_head(verdict)
        image = self.image_head(verdict) + self.pair_head(pair) + self.cosine_head(cosine)
        return VerdictOutput(stance, image, self.compose(stance, image) + self.label_head(verdict), cosine[:, 0])

    def compose(self, stance_logits: Tensor, image_logits: Tensor) -> Tensor:
        """(B, 5) log-probabilities of the classes were stance and image relation independent."""
        stance = F.log_softmax(stance_logits, dim=1)
        relation = F.pad(F.log_softmax(image_logits, dim=1), (0, 1))  # a last column of zeros: no relation
        return stance[:, self._stance_index] + relation[:, self._relation_index]


def _embedding_dim(text: "PreTrainedModel") -> int:
    """Width of the token embeddings of a text transformer."""
    weight = text.get_input_embeddings().weight
    assert isinstance(weight, Tensor)
    return weight.shape[1]
