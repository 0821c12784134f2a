"""The Lightning module of verdict training."""

import logging
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytorch_lightning as pl
import torch
from torch import Tensor

from factcheck.errors import InputError
from factcheck.models.folder import languages_of, load_tokenizer_of, read_config, resolve_model
from factcheck.models.inputs import input_builder
from factcheck.models.text import (
    BUNDLED_TEXT_MODEL,
    build_text_model,
    check_max_length,
    load_text_model,
    load_tokenizer,
)
from factcheck.models.verdict import VerdictConfig, VerdictModel, VerdictOutput
from factcheck.models.weights import load_compatible_weights
from factcheck.training.callbacks import FiniteLoss, RandomStates, check_before_saving, planned_steps
from factcheck.training.options import group_of, plain_settings
from factcheck.training.verdict.losses import LossOptions, verdict_loss
from factcheck.training.verdict.metrics import VerdictMetrics
from factcheck.training.verdict.optim import (
    OptimOptions,
    TextOptions,
    parameter_groups,
    prepare_image,
    prepare_text,
    warmup_and_decay,
)
from factcheck.weights import check_weights

__all__ = ["VerdictModule"]

_LOG = logging.getLogger("factcheck")
_NETWORK = VerdictConfig(token_relations="words")
_OPTIM, _TEXT, _LOSS = OptimOptions(), TextOptions(), LossOptions()


class VerdictModule(pl.LightningModule):
    """Trains :class:`~factcheck.models.verdict.VerdictModel`: three heads, each on the rows that carry its label.

    Logged: ``train/loss`` and ``val/loss``; the figures of a validation are those of
    :class:`~factcheck.training.verdict.metrics.VerdictMetrics`.

    Args:
        network: the architecture, and what its parts start from.
        init_from: model folder, ``bundled``, Hugging Face id or training checkpoint whose weights (those that fit) start a new
            training. Where nothing is trained and no checkpoint is given, they are the model's, and all must fit. Of a model folder
            the text transformer is taken with its tokenizer, unless ``network.text_model`` names another than the default.
        text: how the text transformer is trained.
        optim: how fast each part learns. The Lightning CLI's own `optimizer` takes its place, and has one rate for all parts.
        loss: what the loss is made of.

    Raises:
        InputError: a setting is out of range, or a model that is named is not available.
    """

    def __init__(
        self,
        network: VerdictConfig = _NETWORK,
        init_from: str | None = None,
        text: TextOptions = _TEXT,
        optim: OptimOptions = _OPTIM,
        loss: LossOptions = _LOSS,
    ) -> None:
        super().__init__()
        self.save_hyperparameters()
        # In a checkpoint the groups are dictionaries of plain values.
        self.init_from, self.network = init_from, group_of(VerdictConfig, network)
        self.text, self.optim, self.loss = (
            group_of(TextOptions, text),
            group_of(OptimOptions, optim),
            group_of(LossOptions, loss),
        )
        source = _text_source(self.network, init_from)
        #: ISO 639-1 codes of the languages that the text transformer is known to read; None where that is not known.
        self.languages: list[str] | None = None
        if source is not None:
            _, config = source
            self.languages = list(languages_of(config)) or None
            self.network = replace(self.network, text_model=config["model"]["text_model"])
        self.model, tokenizer = _untrained(self.network, source)
        self.input_builder = input_builder(self.model, tokenizer)
        prepare_text(self.model, self.text, self.optim.text_learning_rate)
        prepare_image(self.model, self.optim.image_learning_rate)
        self._has_weights = False  # from init_from or a checkpoint: the module is no longer as it was made

    def setup(self, stage: str) -> None:
        """Load ``init_from`` into a new training; a resumed one takes its weights from its checkpoint."""
        if stage != "fit" or not self.init_from or self._has_weights or self.trainer.ckpt_path:
            return
        # An image encoder that is named by its weights keeps them.
        keep = ("image.",) if self.network.image_weights else ()
        loaded, left = load_compatible_weights(self.model, _source(self.init_from), keep)
        self._has_weights = True
        kept = sum(name.startswith(keep) for name in self.model.state_dict()) if keep else 0
        image = f", {kept} of the image encoder kept from image_weights {self.network.image_weights!r}" if kept else ""
        self._say(f"init_from {self.init_from}: {loaded} tensors loaded{image}, {left - kept} start anew")

    def load_state_dict(self, state_dict: Mapping[str, Any], strict: bool = True, assign: bool = False) -> Any:
        """Take the weights of a checkpoint, which ``init_from`` then leaves alone."""
        self._has_weights = True
        return super().load_state_dict(state_dict, strict, assign)

    def on_validation_start(self) -> None:
        """Load ``init_from`` where nothing was trained and no checkpoint was given."""
        self.use_init_from()

    def on_test_start(self) -> None:
        """Load ``init_from`` where nothing was trained and no checkpoint was given."""
        self.use_init_from()

    def forward(self, batch: dict[str, Any]) -> VerdictOutput:
        """What the model says of a batch made by :class:`~factcheck.training.verdict.data.VerdictDataModule`."""
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
        loss = verdict_loss(self(batch), batch, self.loss)
        self.log("train/loss", loss, prog_bar=True, batch_size=len(batch["stance"]))
        return loss

    def train(self, mode: bool = True) -> "VerdictModule":
        """Training mode, in which a frozen image encoder still behaves as at inference."""
        super().train(mode)
        if mode:
            prepare_image(self.model, self.optim.image_learning_rate)
        return self

    def validation_step(self, batch: dict[str, Any], _batch_index: int) -> dict[str, Any]:
        """What the model says of one batch (``output``), for the callbacks."""
        return self._evaluated(batch, "val")

    def test_step(self, batch: dict[str, Any], _batch_index: int) -> dict[str, Any]:
        """What the model says of one batch (``output``), for the callbacks."""
        return self._evaluated(batch, "test")

    def configure_callbacks(self) -> list[pl.Callback]:
        """What measures, what stops a training that diverges, and what a resumed one needs to draw as it would have drawn."""
        return [VerdictMetrics(), FiniteLoss(), RandomStates()]

    def configure_optimizers(self) -> Any:
        """AdamW with a rate for each part, linear warm-up and linear decay.

        Raises:
            InputError: the number of steps is not bounded.
        """
        optimizer = torch.optim.AdamW(parameter_groups(self.model, self.optim), betas=(0.9, 0.98), eps=1e-6)
        factor = warmup_and_decay(planned_steps(self.trainer), self.optim.warmup)
        scheduler = torch.optim.lr_scheduler.LambdaLR(optimizer, factor)
        return {"optimizer": optimizer, "lr_scheduler": {"scheduler": scheduler, "interval": "step"}}

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Store settings as plain values, which load without running code.

        Raises:
            InputError: the weights hold NaN or infinity; the file is not written.
        """
        check_before_saving(checkpoint["state_dict"], self.global_step)
        for key in (self.CHECKPOINT_HYPER_PARAMS_KEY, pl.LightningDataModule.CHECKPOINT_HYPER_PARAMS_KEY):
            if key in checkpoint:
                checkpoint[key] = plain_settings(checkpoint[key])

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Refuse weights that hold NaN or infinity (InputError)."""
        check_weights(checkpoint["state_dict"], "the checkpoint", "give one of a training that did not diverge")

    def use_init_from(self) -> None:
        """Make the model the one that ``init_from`` names, unless it has weights by now (a training's, a checkpoint's).

        Not in ``setup``, which does not know yet whether a checkpoint is going to be loaded.

        Raises:
            InputError: some of the model's tensors would stay random.
        """
        if not self.init_from or self._has_weights:
            return
        _, left = load_compatible_weights(self.model, _source(self.init_from))
        if left:
            raise InputError(
                f"`init_from` {self.init_from!r} has no fitting value for {left} of the model's tensors, which would be random",
                field="init_from",
                hint="give a checkpoint as `ckpt_path`, or the model's settings as they are in `init_from`",
            )
        self._has_weights = True
        self._say(f"init_from {self.init_from}: all weights loaded")

    def _evaluated(self, batch: dict[str, Any], stage: str) -> dict[str, Any]:
        output = self(batch)
        loss = verdict_loss(output, batch, self.loss)
        self.log(f"{stage}/loss", loss, prog_bar=True, batch_size=len(batch["stance"]), sync_dist=True)
        return {"output": output}

    def _say(self, line: str) -> None:
        if self._trainer is None or self.trainer.is_global_zero:
            _LOG.info(line)


def _text_source(network: VerdictConfig, init_from: str | None) -> tuple[Path, dict[str, Any]] | None:
    """The model folder that a training has its text transformer from, and its configuration; None where that is the package's or one
    that is named.
    """
    if not init_from or Path(init_from).expanduser().is_file():
        return None
    try:
        folder = resolve_model(init_from)
    except InputError:
        return None  # whoever needs it says so: a checkpoint may take its place
    config = read_config(folder)
    own = config["model"]["text_model"]
    return (folder, config) if own != BUNDLED_TEXT_MODEL and network.text_model in (BUNDLED_TEXT_MODEL, own) else None


def _untrained(network: VerdictConfig, source: tuple[Path, dict[str, Any]] | None) -> tuple[VerdictModel, Any]:
    """The model of a configuration, its parts with the weights that it names, and the tokenizer of its text transformer.

    With a model folder the text transformer is that one's, its weights still random.
    """
    if source is None:
        text, tokenizer = load_text_model(network.text_model), load_tokenizer(network.text_model)
    else:
        folder, config = source
        text, tokenizer = build_text_model(config["text_config"]), load_tokenizer_of(folder, config)
    check_max_length(network.max_length, text, tokenizer)
    image = None
    if network.image_encoder is not None:
        from factcheck.models.folder import create_image_encoder

        image = create_image_encoder(network.image_encoder, network.image_weights, input_size=network.image_size)
    return VerdictModel(network, text, image), tokenizer


def _source(name: str) -> Path:
    """The checkpoint or model folder that ``init_from`` names."""
    path = Path(name).expanduser()
    return path if path.is_file() else resolve_model(name)
