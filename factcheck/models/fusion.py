"""The fusion transformer: one encoder over the verdict, text and image tokens, with absent modalities masked out."""

import torch
from torch import Tensor, nn

from factcheck.errors import InputError
from factcheck.models.dropout import set_dropout
from retrieval.arguments import checked_int

__all__ = ["FusionTransformer", "TokenType"]


class TokenType:
    """Row of the type-embedding table that each kind of token uses."""

    VERDICT = 0
    TEXT = 1
    CLAIM_IMAGE = 2
    DOCUMENT_IMAGE = 3
    PAIR = 4
    COUNT = 5


class FusionTransformer(nn.Module):
    """Pre-norm transformer encoder over ``[VERDICT] ‖ text ‖ claim image ‖ document image ‖ image pair`` tokens.

    Shape letters: B batch, T text tokens, I image tokens of one image, D fusion width.

    A masked token is given −inf before the softmax, so neither its value nor their number changes any output. Following
    Vaswani et al. (arXiv 1706.03762) with the normalisation before each sub-layer (Xiong et al., arXiv 2002.04745).

    Args:
        text_dim: width of the text transformer's tokens.
        image_dim: width of the image encoder's feature map; None builds a model without images.
        pair_dim: width of the image-pair feature vector; used only with ``image_dim``.
        dim: fusion width D, a multiple of ``heads``.
        depth: number of layers, ≥ 1.
        heads: attention heads.
        dropout: dropout probability in [0, 1), in training only.

    Raises:
        InputError: ``dim`` is no multiple of ``heads``, or ``depth`` < 1.
    """

    def __init__(
        self,
        text_dim: int,
        image_dim: int | None = None,
        pair_dim: int = 0,
        dim: int = 256,
        depth: int = 2,
        heads: int = 4,
        dropout: float = 0.1,
    ) -> None:
        super().__init__()
        if dim % heads:
            raise InputError(f"fusion_dim must be a multiple of fusion_heads, found {dim} and {heads}")
        checked_int("fusion_depth", depth, 1)
        self.dim = dim
        self.verdict = nn.Parameter(torch.zeros(dim))
        self.types = nn.Embedding(TokenType.COUNT, dim)
        self.text_proj = nn.Sequential(nn.LayerNorm(text_dim), nn.Linear(text_dim, dim))
        # The verdict starts from the text model's own summary token: what the pair of texts says reaches the heads
        # through the residual stream from the first step on, and the layers learn what to add.
        self.summary_proj = nn.Sequential(nn.LayerNorm(text_dim), nn.Linear(text_dim, dim))
        self.image_proj: nn.Sequential | None = None
        self.pair_proj: nn.Sequential | None = None
        if image_dim is not None:
            self.image_proj = nn.Sequential(nn.LayerNorm(image_dim), nn.Linear(image_dim, dim))
            self.pair_proj = nn.Sequential(nn.Linear(pair_dim, dim), nn.GELU(), nn.Linear(dim, dim))
        layer = nn.TransformerEncoderLayer(
            dim, heads, 4 * dim, dropout, activation="gelu", batch_first=True, norm_first=True
        )
        self.layers = nn.TransformerEncoder(layer, depth, enable_nested_tensor=False)
        # Attention weights keep theirs: it is a number there, not a layer.
        set_dropout(self.layers, dropout, dropout)
        self.norm = nn.LayerNorm(dim)
        nn.init.normal_(self.types.weight, std=0.02)

    def forward(
        self,
        text: Tensor,
        text_mask: Tensor,
        images: tuple[Tensor, Tensor] | None = None,
        masks: tuple[Tensor, Tensor] | None = None,
        pair: Tensor | None = None,
    ) -> Tensor:
        """The verdict vector.

        Args:
            text: (B, T, text_dim) hidden states of the text transformer, its summary token first.
            text_mask: (B, T) true where a token is real.
            images: tokens (B, I, image_dim) of the claim's and of the document's image; None for a text-only pass.
            masks: (B,) true where the row has that image; with ``images``.
            pair: (B, pair_dim) features of the pair of images; with ``images``.

        Returns:
            (B, D).
        """
        x, padding = self.tokens(text, text_mask, images, masks, pair)
        x = self.layers(x, src_key_padding_mask=padding)
        return self.norm(x[:, 0])

    def tokens(
        self,
        text: Tensor,
        text_mask: Tensor,
        images: tuple[Tensor, Tensor] | None = None,
        masks: tuple[Tensor, Tensor] | None = None,
        pair: Tensor | None = None,
    ) -> tuple[Tensor, Tensor]:
        """What the layers read: tokens (B, N, D), the verdict's first, and (B, N) true where one is none; see :meth:`forward`."""
        batch = text.shape[0]
        types = self.types.weight
        verdict = self.verdict + types[TokenType.VERDICT] + self.summary_proj(text[:, 0])  # (B, D)
        tokens = [verdict[:, None], self.text_proj(text) + types[TokenType.TEXT]]
        valid = [text_mask.new_ones(batch, 1, dtype=torch.bool), text_mask.bool()]
        if self.image_proj is not None and self.pair_proj is not None and images is not None and masks is not None:
            kinds = (TokenType.CLAIM_IMAGE, TokenType.DOCUMENT_IMAGE)
            for image, mask, kind in zip(images, masks, kinds, strict=True):
                tokens.append(self.image_proj(image) + types[kind])
                valid.append(mask[:, None].expand(batch, image.shape[1]))
            tokens.append((self.pair_proj(pair) + types[TokenType.PAIR])[:, None])
            valid.append((masks[0] & masks[1])[:, None])
        return torch.cat(tokens, dim=1), ~torch.cat(valid, dim=1)  # N = 1 + T + 2I + 1
