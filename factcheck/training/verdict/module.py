"""The Lightning module of verdict training."""

import warnings
from collections.abc import Mapping
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pytorch_lightning as pl
import torch
from torch import Tensor, nn
from torchmetrics.classification import MulticlassF1Score

from factcheck.errors import InputError
from factcheck.labels import FACTIFY_LABELS, STANCES
from factcheck.models.dropout import set_dropout
from factcheck.models.folder import check_weights, resolve_model, weights_fingerprint
from factcheck.models.inputs import input_builder
from factcheck.models.text import check_max_length, load_text_model, load_tokenizer
from factcheck.models.token_relations import TokenRelations
from factcheck.models.verdict import VerdictConfig, VerdictModel, VerdictOutput
from factcheck.models.weights import load_compatible_weights
from factcheck.training.checks import FiniteLoss, check_before_saving, check_range, planned_steps
from factcheck.training.distributed import Tallies, gathered
from factcheck.training.verdict.losses import NOT_SUPPORT, UNLABELLED, stance_loss, supervised_loss
from factcheck.training.verdict.predict import VerdictWriter

if TYPE_CHECKING:
    from factcheck.verification.verifier import Verifier

__all__ = ["VerdictModule"]


class VerdictModule(pl.LightningModule):
    """Trains :class:`~factcheck.models.verdict.VerdictModel`: three heads, each on the rows that carry its label.

    Logged: ``train/loss``; ``val/loss``, ``val/stance_accuracy`` (over all rows), ``val/stance_accuracy/<source>``,
    ``val/image_accuracy`` and ``val/weighted_f1`` (five classes), the last two where validation rows have photos and such labels.

    Args:
        text_model: ``bundled``, a folder, or a Hugging Face id.
        image_encoder: photo encoder, or null for a text-only model.
        image_weights: ``bundled``, ``timm``, a model folder, or null for random weights.
        init_from: model folder, ``bundled``, Hugging Face id or training checkpoint whose weights (those that fit) start a new
            training. Where nothing is trained and no checkpoint is given, they are the model's, and all must fit.
        max_length: text tokens a row.
        max_claim_tokens: text tokens kept of the claim with its OCR.
        token_relations: what the text transformer is told of each token: ``words``, whether both sides share it; ``typed``, also how
            values, names and roles stand to each other (see :mod:`factcheck.models.token_relations`); null, nothing.
        fusion_dim: width of the fusion transformer.
        fusion_depth: layers of the fusion transformer.
        fusion_heads: attention heads of the fusion transformer.
        dropout: dropout of the fusion transformer.
        text_dropout: dropout of the text transformer's hidden states while it is trained.
        text_attention_dropout: dropout of its attention weights. On a CPU it costs half of the time of a step with long texts.
        learning_rate: peak rate of fusion and heads.
        text_learning_rate: peak rate of the text transformer's last layer; 0 freezes it.
        layer_decay: factor on the rate from each text layer to the one below, in (0, 1].
        freeze_embeddings: keep the text model's embedding tables as they are.
        frozen_text_layers: lowest layers of the text model that are kept as they are, too. Half of them frozen trains a large
            model half as fast again, at little loss.
        image_learning_rate: peak rate of the photo encoder; 0 freezes it.
        weight_decay: AdamW decay of matrices (biases, norms, embeddings and position encodings are not decayed).
        warmup: share of all steps with a rising rate; the rest falls linearly to 0.
        label_smoothing: in [0, 1).
        soft_label_weight: share of another model's probabilities, in [0, 1], in the stance loss of rows that have them
            beside a label (``soft_labels`` of the data module).
        stance_weight: factor of the stance loss.
        image_weight: factor of the image-relation loss.
        label_weight: factor of the five-class loss.
        gradient_checkpointing: recompute text activations in the backward pass, for large models.

    Raises:
        InputError: a setting is out of range, or a model that is named cannot be had.
    """

    def __init__(
        self,
        text_model: str = "bundled",
        image_encoder: str | None = "twins_svt_tiny",
        image_weights: str | None = "bundled",
        init_from: str | None = None,
        max_length: int = 256,
        max_claim_tokens: int = 96,
        token_relations: TokenRelations | None = "words",
        fusion_dim: int = 256,
        fusion_depth: int = 2,
        fusion_heads: int = 4,
        dropout: float = 0.1,
        text_dropout: float = 0.1,
        text_attention_dropout: float = 0.1,
        learning_rate: float = 3e-4,
        text_learning_rate: float = 5e-5,
        layer_decay: float = 0.9,
        freeze_embeddings: bool = True,
        frozen_text_layers: int = 0,
        image_learning_rate: float = 0.0,
        weight_decay: float = 0.01,
        warmup: float = 0.06,
        label_smoothing: float = 0.0,
        soft_label_weight: float = 0.5,
        stance_weight: float = 1.0,
        image_weight: float = 1.0,
        label_weight: float = 1.0,
        gradient_checkpointing: bool = False,
    ) -> None:
        super().__init__()
        if not 0 < layer_decay <= 1:
            raise InputError(f"layer_decay must lie in (0, 1], found {layer_decay}")
        check_range(
            learning_rate=learning_rate,
            text_learning_rate=text_learning_rate,
            image_learning_rate=image_learning_rate,
            weight_decay=weight_decay,
            stance_weight=stance_weight,
            image_weight=image_weight,
            label_weight=label_weight,
        )
        check_range(
            below=1.0,
            warmup=warmup,
            label_smoothing=label_smoothing,
            text_dropout=text_dropout,
            text_attention_dropout=text_attention_dropout,
        )
        if not 0 <= soft_label_weight <= 1:
            raise InputError(f"soft_label_weight must lie in [0, 1], found {soft_label_weight}")
        self.save_hyperparameters()
        config = VerdictConfig(
            text_model=text_model,
            image_encoder=image_encoder,
            image_weights=image_weights,
            max_length=max_length,
            max_claim_tokens=max_claim_tokens,
            token_relations=token_relations,
            fusion_dim=fusion_dim,
            fusion_depth=fusion_depth,
            fusion_heads=fusion_heads,
            dropout=dropout,
        )
        text, tokenizer = load_text_model(text_model), load_tokenizer(text_model)
        check_max_length(max_length, text, tokenizer)
        text.train()  # pre-trained models arrive in evaluation mode, and Lightning leaves modes as it finds them
        set_dropout(text, text_dropout, text_attention_dropout)
        if gradient_checkpointing:
            text.gradient_checkpointing_enable()
        image = None
        if image_encoder is not None:
            from factcheck.models.folder import create_image_encoder

            image = create_image_encoder(image_encoder, image_weights)
        self.model = VerdictModel(config, text, image)
        self.input_builder = input_builder(self.model, tokenizer)
        self._freeze()
        self.f1 = MulticlassF1Score(len(FACTIFY_LABELS), average="weighted")
        self._verifier: Verifier | None = None
        self._val = Tallies()
        self._rng_states: list[dict[str, Tensor]] = []
        self._has_weights = False  # from init_from or a checkpoint: the module is no longer as it was made

    def setup(self, stage: str) -> None:
        """Load ``init_from`` into a new training; a resumed one takes its weights from its checkpoint."""
        source = self.hparams["init_from"]
        if stage != "fit" or not source or self._has_weights or self.trainer.ckpt_path:
            return
        # A photo encoder that is named by its weights keeps them.
        keep = ("image.",) if self.hparams["image_weights"] else ()
        loaded, left = load_compatible_weights(self.model, _source(source), keep)
        self._has_weights = True
        kept = sum(name.startswith(keep) for name in self.model.state_dict()) if keep else 0
        photo = f", {kept} of the photo encoder kept from image_weights {self.hparams['image_weights']!r}"
        self.print(f"init_from {source}: {loaded} tensors loaded{photo if kept else ''}, {left - kept} start anew")

    def load_state_dict(self, state_dict: Mapping[str, Any], strict: bool = True, assign: bool = False) -> Any:
        """Take the weights of a checkpoint, which ``init_from`` then leaves alone."""
        self._has_weights = True
        return super().load_state_dict(state_dict, strict, assign)

    def on_validation_start(self) -> None:
        """Load ``init_from`` where nothing was trained and no checkpoint was given."""
        self._use_init_from()

    def on_test_start(self) -> None:
        """Load ``init_from`` where nothing was trained and no checkpoint was given."""
        self._use_init_from()

    def on_predict_start(self) -> None:
        """Load ``init_from`` where nothing was trained and no checkpoint was given."""
        self._use_init_from()

    def forward(self, batch: dict[str, Any]) -> VerdictOutput:
        """Logits of a batch made by :class:`~factcheck.training.verdict.data.VerdictDataModule`."""
        return self.model(
            batch["input_ids"],
            batch["attention_mask"],
            batch.get("token_type_ids"),
            batch.get("claim_pixels"),
            batch.get("document_pixels"),
            batch.get("claim_image_mask"),
            batch.get("document_image_mask"),
            batch.get("token_relations"),
        )

    def training_step(self, batch: dict[str, Any], _batch_index: int) -> Tensor:
        """The weighted sum of the three losses."""
        loss = self._loss(self(batch), batch)
        self.log("train/loss", loss, prog_bar=True, batch_size=len(batch["stance"]))
        return loss

    def train(self, mode: bool = True) -> "VerdictModule":
        """Training mode, in which a frozen photo encoder still behaves as at inference."""
        super().train(mode)
        if mode and self.model.image is not None and self.hparams["image_learning_rate"] == 0:
            self.model.image.eval()
        return self

    def validation_step(self, batch: dict[str, Any], _batch_index: int) -> None:
        """Collect predictions of one batch."""
        self._collect(batch, "val")

    def test_step(self, batch: dict[str, Any], _batch_index: int) -> None:
        """Collect predictions of one batch."""
        self._collect(batch, "test")

    def on_validation_epoch_end(self) -> None:
        """Log the figures of the epoch."""
        self._report("val")

    def on_test_epoch_end(self) -> None:
        """Log the figures of the epoch."""
        self._report("test")

    def predict_step(self, chunk: tuple[int, pa.Table], _batch_index: int) -> tuple[int, pa.Table]:
        """Verdicts of a chunk of claims, by the same ``verify_batch`` as everywhere else."""
        row, table = chunk
        if self._verifier is None:
            from factcheck.verification.verifier import Verifier
            from retrieval.encoders.load import load_encoder

            data = self.trainer.datamodule
            self._verifier = Verifier(
                self.model,
                self.input_builder,
                load_encoder(data.retrieval_encoder),
                # The step is not known here: Lightning restores the counters of a training alone.
                fingerprint=f"weights {weights_fingerprint(self.model)}",
                top_k=data.top_k,
                retrieval_method=data.retrieval_method,
                min_share=data.min_share,
                abstain_below=data.abstain_below,
                batch_size=data.batch_size,
                device=self.device,
            )
        return row, self._verifier.verify_batch(table)

    def transfer_batch_to_device(self, batch: Any, device: torch.device, dataloader_idx: int) -> Any:
        """Training batches go to the device; chunks of claims stay where the verifier expects them."""
        return batch if isinstance(batch, tuple) else super().transfer_batch_to_device(batch, device, dataloader_idx)

    def configure_callbacks(self) -> list[pl.Callback]:
        """What writes the verdicts of ``factcheck predict``, and what stops a training that diverges."""
        return [VerdictWriter(), FiniteLoss()]

    def configure_optimizers(self) -> dict[str, Any]:
        """AdamW with a rate for each part, linear warm-up and linear decay.

        Raises:
            InputError: the number of steps is not bounded.
        """
        optimizer = torch.optim.AdamW(self._parameter_groups(), betas=(0.9, 0.98), eps=1e-6)
        total = planned_steps(self.trainer)
        rising = max(1, round(total * self.hparams["warmup"]))

        def factor(step: int) -> float:
            return min((step + 1) / rising, max(0.0, (total - step) / max(1, total - rising)))

        scheduler = torch.optim.lr_scheduler.LambdaLR(optimizer, factor)
        return {"optimizer": optimizer, "lr_scheduler": {"scheduler": scheduler, "interval": "step"}}

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Keep the random states of every process: dropout after a resume with as many is what it would have been.

        Raises:
            InputError: the weights hold NaN or infinity; the file is not written.
        """
        check_before_saving(checkpoint["state_dict"], self.global_step)
        checkpoint["rng_states"] = gathered(self._random_states())

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Remember the random states until training starts (loading and validation draw numbers, too).

        Raises:
            InputError: the weights hold NaN or infinity.
        """
        check_weights(checkpoint["state_dict"], "the checkpoint", "give one of a training that did not diverge")
        earlier = [{"cpu": checkpoint["rng_state"]}] if "rng_state" in checkpoint else []  # of earlier releases
        self._rng_states = checkpoint.get("rng_states", earlier)

    def on_train_batch_start(self, _batch: Any, _batch_index: int) -> None:
        """Restore the random states of a resumed run: only here has everything that draws numbers on the way been done."""
        states, self._rng_states = self._rng_states, []
        if self.global_rank >= len(states):
            return
        own = states[self.global_rank]
        torch.set_rng_state(own["cpu"].cpu())
        if "cuda" in own and self.device.type == "cuda":
            torch.cuda.set_rng_state(own["cuda"].cpu(), self.device)

    def _random_states(self) -> dict[str, Tensor]:
        states = {"cpu": torch.get_rng_state()}
        if self.device.type == "cuda":
            states["cuda"] = torch.cuda.get_rng_state(self.device)
        return states

    def _use_init_from(self) -> None:
        """Make the model the one that ``init_from`` names, unless it has weights by now (a training's, a checkpoint's).

        Not in ``setup``, which does not know yet whether a checkpoint is going to be loaded.
        """
        source = self.hparams["init_from"]
        if not source or self._has_weights:
            return
        _, left = load_compatible_weights(self.model, _source(source))
        if left:
            raise InputError(
                f"init_from {source!r} has no fitting value for {left} of the model's tensors, which would be random; give "
                "--ckpt_path FILE.ckpt, or the model's settings as they are in init_from"
            )
        self._has_weights = True
        self.print(f"init_from {source}: all weights loaded")

    def _freeze(self) -> None:
        if self.hparams["text_learning_rate"] == 0:
            self.model.text.requires_grad_(False)
        elif self.hparams["freeze_embeddings"]:
            self.model.text.get_input_embeddings().requires_grad_(False)
            embeddings = getattr(self.model.text, "embeddings", None)
            if embeddings is not None:
                embeddings.requires_grad_(False)
        if self.hparams["frozen_text_layers"]:
            self._freeze_layers(self.hparams["frozen_text_layers"])
        if self.model.image is not None and self.hparams["image_learning_rate"] == 0:
            self.model.image.requires_grad_(False).eval()

    def _freeze_layers(self, count: int) -> None:
        depth = int(getattr(self.model.text.config, "num_hidden_layers", 0))
        if not self.hparams["freeze_embeddings"] or not 0 < count <= depth:
            raise InputError(
                f"frozen_text_layers is {count}; it must lie in 0 … {depth}, and freeze_embeddings must be on "
                "(what lies below a frozen layer is frozen, too)"
            )
        for name, parameter in self.model.text.named_parameters():
            # What belongs to no layer is an embedding or a table that all layers share.
            if _level(name) <= count:
                parameter.requires_grad_(False)
        if self.model.match_embed is not None:
            self.model.match_embed.requires_grad_(False)

    def _parameter_groups(self) -> list[dict[str, Any]]:
        groups: dict[tuple[float, float], list[nn.Parameter]] = {}
        depth = int(getattr(self.model.text.config, "num_hidden_layers", 0))
        undecayed = _undecayed(self.model)
        for name, parameter in self.model.named_parameters():
            if not parameter.requires_grad:
                continue
            decay = 0.0 if name in undecayed else self.hparams["weight_decay"]
            groups.setdefault((self._rate(name, depth), decay), []).append(parameter)
        return [{"params": p, "lr": rate, "weight_decay": decay} for (rate, decay), p in groups.items()]

    def _rate(self, name: str, depth: int) -> float:
        part = name.split(".", 1)[0]
        if part == "image":
            return self.hparams["image_learning_rate"]
        if part != "text":
            return self.hparams["learning_rate"]
        return self.hparams["text_learning_rate"] * self.hparams["layer_decay"] ** (depth - _level(name))

    def _loss(self, output: VerdictOutput, batch: dict[str, Any]) -> Tensor:
        smoothing = self.hparams["label_smoothing"]
        stance = stance_loss(
            output.stance_logits, batch["stance"], smoothing, batch.get("soft"), self.hparams["soft_label_weight"]
        )
        loss = self.hparams["stance_weight"] * stance
        if output.image_logits is not None:
            loss = loss + self.hparams["image_weight"] * supervised_loss(
                output.image_logits, batch["relation"], smoothing
            )
            loss = loss + self.hparams["label_weight"] * supervised_loss(output.label_logits, batch["label"], smoothing)
        return loss

    def _collect(self, batch: dict[str, Any], stage: str) -> None:
        output = self(batch)
        loss = self._loss(output, batch)
        self.log(f"{stage}/loss", loss, prog_bar=True, batch_size=len(batch["stance"]), sync_dist=True)
        predicted = output.stance_logits.argmax(1)
        for guess, target, source in zip(predicted.tolist(), batch["stance"].tolist(), batch["source"], strict=True):
            if target == UNLABELLED:
                continue
            support = STANCES.index("support")
            right = (guess != support) if target == NOT_SUPPORT else guess == target
            self._val.add("stance_accuracy", float(right))
            self._val.add(f"stance_accuracy/{source}", float(right))
        if output.label_logits is None:
            return
        keep = batch["label"] != UNLABELLED
        if keep.any():  # the metric refuses to count nothing
            self.f1.update(output.label_logits[keep].argmax(1), batch["label"][keep])
            self._val.add("weighted_f1", 0.0, int(keep.sum()))  # the rows alone: the figure is no mean
        keep = batch["relation"] != UNLABELLED
        hits = (output.image_logits[keep].argmax(1) == batch["relation"][keep]).sum()
        self._val.add("image_accuracy", float(hits), int(keep.sum()))

    def _report(self, stage: str) -> None:
        # Which figures there are must not depend on a process's own rows: the others would wait for it, or fail.
        whole = self._val.over_processes()
        self._val.clear()
        by_source = [name for name in whole if name.startswith("stance_accuracy/")]
        for name in ("stance_accuracy", *(by_source if len(by_source) > 1 else ()), "image_accuracy"):
            if name in whole:
                self.log(f"{stage}/{name}", whole.mean(name), prog_bar="/" not in name, sync_dist=True)
        if "weighted_f1" in whole:
            self.log(f"{stage}/weighted_f1", self._weighted_f1(), prog_bar=True)
        self.f1.reset()

    def _weighted_f1(self) -> Tensor:
        with warnings.catch_warnings():
            # A process may have had no photos at all.
            warnings.filterwarnings("ignore", message=".*before the ``update`` method", category=UserWarning)
            return self.f1.compute()


def _source(name: str) -> Path:
    """The checkpoint or model folder that ``init_from`` names."""
    path = Path(name).expanduser()
    return path if path.is_file() else resolve_model(name)


def _undecayed(model: nn.Module) -> set[str]:
    """The parameters that weight decay leaves alone: vectors (biases, norms), embeddings, and those that a part names itself."""
    names: set[str] = set()
    for prefix, part in model.named_modules():
        whole = isinstance(part, nn.Embedding | nn.LayerNorm)
        own = {name for name, parameter in part.named_parameters(recurse=False) if whole or parameter.ndim <= 1}
        if hasattr(part, "no_weight_decay"):
            own |= set(part.no_weight_decay())
        names |= {f"{prefix}.{name}" if prefix else name for name in own}
    return names


def _level(name: str) -> int:
    """Layer, from 1, that a parameter belongs to; 0 for embeddings. Layers are numbered after ".layer." (BERT-like) or ".layers."."""
    pieces = name.split(".")
    numbers = [int(b) for a, b in pairwise(pieces) if a in ("layer", "layers") and b.isdigit()]
    return numbers[0] + 1 if numbers else 0
