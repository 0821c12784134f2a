"""Self-supervised pre-training of an image encoder: an image and its altered copy are neighbours, other images are not."""

import copy
from pathlib import Path
from typing import Any

import numpy as np
import pytorch_lightning as pl
import torch
import torch.nn.functional as F
from torch import Tensor

from factcheck.errors import InputError
from factcheck.models.folder import create_image_encoder
from factcheck.models.image import ImageEncoder, build_image_encoder
from factcheck.models.weights import read_checkpoint
from factcheck.training.callbacks import FiniteLoss, check_before_saving, planned_steps
from factcheck.training.images.augment import STRENGTHS, alter_images, resize_images
from factcheck.weights import check_weights
from retrieval.arguments import checked_number

__all__ = ["ImagePretrainModule", "contrastive_loss", "load_pretrained_encoder", "spread_loss"]


class ImagePretrainModule(pl.LightningModule):
    """Contrastive pre-training (InfoNCE, arXiv 1807.03748) for copy detection, after SSCD (arXiv 2202.10261).

    Each image gives one mild and one strongly altered view. Every view must find its partner among all other views of
    the batch and a queue of earlier descriptors (cross-batch memory, arXiv 1912.06798). The nearest-neighbour entropy
    term of SSCD spreads descriptors evenly. Validation and export use an exponential moving average of the weights.

    Every random draw of a step comes from the seed and the numbers of step and batch, so a run resumed from a checkpoint at the
    end of an epoch goes on exactly as if it had not stopped.

    Args:
        name: the backbone.
        weights: what to start from: None for random weights, or a folder (see
            :func:`~factcheck.models.folder.create_image_encoder`).
        embed_dim: length of the descriptor.
        layout_dim: channels of the last map's layout in the descriptor.
        sizes: input sizes in pixels, one after another; 64 throughout if None.
        size_shares: share of all steps at each of these sizes; they add up to 1.
        temperature: of the softmax over cosines.
        spread: weight of the entropy term.
        queue: descriptors kept from earlier steps as further negatives; 0 for none. With the rates of a short run it
            does harm: descriptors drift away from the queue instead of from one another.
        queue_start: steps after which the queue is used: early descriptors go stale too soon.
        learning_rate: peak rate of AdamW.
        weight_decay: AdamW decay of matrices; vectors are not decayed.
        warmup: steps with a rising rate.
        decay_start: share of all steps after which the rate falls linearly to 0. It is constant before, so a run can be
            resumed from any checkpoint with another number of steps.
        average_decay: of the moving average of the weights, per step.
        seed: of the alterations.
    """

    def __init__(
        self,
        name: str = "twins_svt_tiny",
        weights: str | None = None,
        embed_dim: int = 256,
        layout_dim: int = 32,
        sizes: list[int] | None = None,
        size_shares: list[float] | None = None,
        temperature: float = 0.06,
        spread: float = 0.1,
        queue: int = 0,
        queue_start: int = 300,
        learning_rate: float = 1e-3,
        weight_decay: float = 0.05,
        warmup: int = 100,
        decay_start: float = 0.1,
        average_decay: float = 0.995,
        seed: int = 0,
    ):
        super().__init__()
        sizes, size_shares = sizes or [64], size_shares or [1.0]
        if len(sizes) != len(size_shares) or abs(sum(size_shares) - 1) > 1e-6:
            raise InputError(
                f"`sizes` {sizes} and `size_shares` {size_shares} must be equally long and the shares add up to 1",
                field="size_shares",
            )
        if any(size % 8 or size < 32 for size in sizes):
            raise InputError(f"`sizes` {sizes} must be multiples of 8, at least 32", field="sizes")
        numbers = {"learning_rate": learning_rate, "weight_decay": weight_decay, "spread": spread, "seed": seed}
        for option, value in (numbers | {"warmup": warmup, "queue": queue}).items():
            checked_number(option, value)
        checked_number("temperature", temperature, least=1e-6)
        checked_number("average_decay", average_decay, below=1.0)
        self.save_hyperparameters()
        self.encoder = create_image_encoder(name, weights, embed_dim=embed_dim, layout_dim=layout_dim).train()
        # Training sees one view at a time, at its own sizes, whatever the weights were saved with.
        self.encoder.input_size, self.encoder.view_size = sizes[-1], None
        self.average = copy.deepcopy(self.encoder).requires_grad_(False).eval()
        self.sizes, self.size_shares, self.seed = sizes, size_shares, seed
        self.temperature, self.spread, self.queue_start = temperature, spread, queue_start
        self.learning_rate, self.weight_decay, self.warmup = learning_rate, weight_decay, warmup
        self.decay_start, self.average_decay = decay_start, average_decay
        self.queue: Tensor
        self.queue_filled: Tensor
        self.register_buffer("queue", torch.zeros(queue, self.encoder.embed_dim))
        self.register_buffer("queue_filled", torch.zeros((), dtype=torch.long))
        self._validation: list[tuple[Tensor, Tensor]] = []
        self._averaged_step = -1

    def setup(self, stage: str) -> None:
        """Refuse more than one process.

        Raises:
            InputError: see above.
        """
        if self.trainer.world_size > 1:
            # Groups of look-alikes would be dealt out to several processes, and figures made of each one's images alone.
            raise InputError(
                f"image pre-training runs in one process, found {self.trainer.world_size}",
                field="devices",
                hint="give 1 as `devices` and as `num_nodes`",
            )

    def on_train_start(self) -> None:
        """Remember where training starts, or goes on: the average has moved for that step."""
        self._averaged_step = self.global_step

    def encode(self, views: Tensor, encoder: ImageEncoder | None = None) -> Tensor:
        """Views (B, 3, S, S) in [0, 1] to descriptors (B, D)."""
        encoder = encoder or self.encoder
        mean = views.new_tensor(encoder.mean)[:, None, None]
        std = views.new_tensor(encoder.std)[:, None, None]
        return encoder.embed((views - mean) / std)

    def training_step(self, batch: Tensor, batch_idx: int) -> Tensor:
        """One step on (B, 3, S, S) uint8 images."""
        progress = self.global_step / self._total_steps()
        size = self._size_at(progress)
        # The batch's number too: several batches make a step where gradients are accumulated.
        draws = np.random.SeedSequence((self.seed, self.global_step, batch_idx))
        generator = torch.Generator(batch.device).manual_seed(int(draws.generate_state(1, np.uint64)[0]))
        mild = alter_images(batch, size, STRENGTHS["mild"], generator)
        strong = alter_images(batch, size, STRENGTHS["strong"], generator)
        z = self.encode(torch.cat([mild, strong]))
        negatives = self.queue[: int(self.queue_filled)] if self.global_step >= self.queue_start else self.queue[:0]
        loss, accuracy = contrastive_loss(z, negatives, self.temperature)
        spread = spread_loss(z)
        self._remember(z.detach()[: len(batch)])
        self.log_dict({"train/loss": loss, "train/accuracy": accuracy, "train/spread": spread}, batch_size=len(batch))
        self.log("train/size", float(size), batch_size=len(batch))
        return loss + self.spread * spread

    def on_train_batch_end(self, outputs: object, batch: Tensor, batch_idx: int) -> None:
        """Move the average towards the weights (faster at first, while they move fast) where a step has changed them."""
        if self.global_step == self._averaged_step:
            return
        self._averaged_step = self.global_step
        decay = min(self.average_decay, (1 + self.global_step) / (10 + self.global_step))
        with torch.no_grad():
            averages, current = self.average.state_dict(), self.encoder.state_dict()
            torch._foreach_lerp_(list(averages.values()), list(current.values()), 1 - decay)

    def validation_step(self, batch: Tensor, batch_idx: int) -> None:
        """Embed held-out images and strongly altered copies of them, the same ones every time."""
        generator = torch.Generator(batch.device).manual_seed(1_000 + batch_idx)
        size = self._size_at(self.global_step / self._total_steps())
        clean = resize_images(batch, size)
        copies = alter_images(batch, size, STRENGTHS["strong"], generator)
        self._validation.append((self.encode(clean, self.average), self.encode(copies, self.average)))

    def on_validation_epoch_end(self) -> None:
        """Log ``val/recall@1``, ``val/uap`` and ``val/auc`` among the held-out images."""
        from factcheck.evaluation.image_benchmark import copy_detection_scores

        references, queries = (torch.cat(part).float().cpu().numpy() for part in zip(*self._validation, strict=True))
        self._validation.clear()
        scores = copy_detection_scores(queries @ references.T, range(len(queries)))
        self.log_dict({f"val/{key}": value for key, value in scores.items()})

    def configure_optimizers(self) -> Any:
        """AdamW: a warm-up, a constant rate, a linear fall."""
        matrices = [p for p in self.encoder.parameters() if p.ndim > 1]
        vectors = [p for p in self.encoder.parameters() if p.ndim <= 1]
        optimizer = torch.optim.AdamW(
            [{"params": matrices, "weight_decay": self.weight_decay}, {"params": vectors, "weight_decay": 0.0}],
            lr=self.learning_rate,
            betas=(0.9, 0.98),
        )
        total = self._total_steps()
        warmup, start = self.warmup, self.decay_start

        def rate(step: int) -> float:
            left = (1 - step / total) / (1 - start) if start < 1 else 1.0
            return max(0.0, min(1.0, (step + 1) / max(1, warmup), left))

        schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, rate)
        return {"optimizer": optimizer, "lr_scheduler": {"scheduler": schedule, "interval": "step"}}

    def configure_callbacks(self) -> list[pl.Callback]:
        """What stops a training that diverges."""
        return [FiniteLoss()]

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Keep the encoder's shape, which ``weights`` may have decided; refuse weights that hold NaN or infinity (InputError)."""
        check_before_saving(checkpoint["state_dict"], self.global_step)
        checkpoint["encoder_config"] = self.average.config()

    def export_encoder(self) -> ImageEncoder:
        """The averaged encoder, ready for :func:`~factcheck.models.folder.save_image_encoder`."""
        return copy.deepcopy(self.average).eval()

    def _total_steps(self) -> int:
        return planned_steps(self.trainer)

    def _size_at(self, progress: float) -> int:
        passed = 0.0
        for size, share in zip(self.sizes, self.size_shares, strict=True):
            passed += share
            if progress < passed:
                return size
        return self.sizes[-1]

    def _remember(self, descriptors: Tensor) -> None:
        """Push descriptors in at the front of the queue; the oldest fall out at its end."""
        if len(self.queue):
            self.queue.copy_(torch.cat([descriptors.to(self.queue), self.queue])[: len(self.queue)])
            self.queue_filled.copy_((self.queue_filled + len(descriptors)).clamp(max=len(self.queue)))


def load_pretrained_encoder(checkpoint: str | Path, *, views: bool = True) -> ImageEncoder:
    """The averaged encoder of a training checkpoint, in evaluation mode; nothing but tensors and plain values is read.

    Args:
        checkpoint: what a training wrote.
        views: descriptors from six views (see :class:`~factcheck.models.image.ImageEncoder`) instead of one.

    Raises:
        InputError: no such file, not a checkpoint of :class:`ImagePretrainModule`, or one that holds NaN or infinity.
    """
    content = read_checkpoint(checkpoint)
    settings = content.get("hyper_parameters", {})
    prefix = "average."
    state = {k.removeprefix(prefix): v for k, v in content["state_dict"].items() if k.startswith(prefix)}
    if not state or "encoder_config" not in content:
        raise InputError(
            f"checkpoint {str(checkpoint)!r} holds no image pre-training", hint="give one made with image_pretrain.yaml"
        )
    check_weights(state, f"checkpoint {str(checkpoint)!r}", "give one of a training that did not diverge")
    size = (settings.get("sizes") or [64])[-1]
    encoder = build_image_encoder(content["encoder_config"])
    encoder.load_state_dict(state)
    if views:
        encoder.input_size, encoder.view_size = round(1.25 * size), size
    return encoder.eval()


def contrastive_loss(z: Tensor, negatives: Tensor, temperature: float) -> tuple[Tensor, Tensor]:
    """InfoNCE over pairs (NT-Xent, arXiv 2002.05709) with further negatives.

    Args:
        z: (2B, D) descriptors of length 1; rows i and B + i are two views of one image.
        negatives: (Q, D) descriptors of other images, no gradient.
        temperature: above 0.

    Returns:
        The loss, and the share of rows whose partner is nearest; both scalars.
    """
    rows = len(z)
    logits = z @ torch.cat([z, negatives]).T / temperature
    logits = logits.masked_fill(torch.eye(rows, logits.shape[1], dtype=torch.bool, device=z.device), -torch.inf)
    target = torch.arange(rows, device=z.device).roll(rows // 2)
    return F.cross_entropy(logits, target), (logits.argmax(1) == target).float().mean()


def spread_loss(z: Tensor) -> Tensor:
    """Differential entropy of descriptors by nearest neighbours (Kozachenko–Leonenko, arXiv 1806.03198), negated.

    Args:
        z: (2B, D) descriptors of length 1; rows i and B + i belong together and do not count as neighbours.

    Returns:
        Minus the mean log distance to the nearest other image, a scalar.
    """
    rows = len(z)
    cosine = z @ z.T
    index = torch.arange(rows, device=z.device)
    same = (index[:, None] - index) % max(1, rows // 2) == 0
    nearest = cosine.masked_fill(same, -torch.inf).amax(1)
    return -(2 - 2 * nearest).clamp(min=1e-6).sqrt().log().mean()
