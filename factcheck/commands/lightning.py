"""``factcheck fit|validate|test|predict``: the Lightning CLI with this project's defaults."""

import logging
import pickle
import re
import sys
import warnings
from collections.abc import Sequence
from typing import Any

import torch
from jsonargparse import Namespace
from pytorch_lightning import LightningDataModule, LightningModule, Trainer
from pytorch_lightning.cli import LightningCLI
from pytorch_lightning.utilities.exceptions import MisconfigurationException

from factcheck.commands.inputs import check_checkpoint
from factcheck.commands.lightning_errors import OneLineParser, root_cause
from factcheck.errors import InputError
from factcheck.models.verdict import current_settings
from factcheck.training.callbacks import ProgressLines
from factcheck.training.checks import OverwriteWarning

__all__ = ["FactcheckCLI", "run_lightning"]


class FactcheckCLI(LightningCLI):
    """Lightning CLI in which a flag always beats what a checkpoint holds."""

    def _parse_ckpt_path(self) -> None:
        # Lightning lets the hyper-parameters in a checkpoint overwrite flags given by hand, without a word. Here they
        # fill in what was left at its default: a checkpoint describes itself, and the user has the last word.
        subcommand = self.config.get("subcommand")
        path = self.config[subcommand].get("ckpt_path") if subcommand else None
        if not _is_file(path):
            return
        check_checkpoint(str(path), "--ckpt_path")
        try:
            checkpoint = torch.load(str(path), weights_only=True, map_location="cpu")
        except (pickle.UnpicklingError, RuntimeError, EOFError, KeyError):
            # What PyTorch says here advises to run the code that an unknown file holds.
            raise InputError(
                f"--ckpt_path {str(path)!r} is no checkpoint; give a .ckpt file that 'factcheck fit' wrote"
            ) from None
        stored = current_settings(checkpoint.get("hyper_parameters", {}))
        stored.pop("_instantiator", None)
        class_path = stored.pop("_class_path", None)
        current = self.config[subcommand].get("model")
        if not stored or current is None or (class_path and current.class_path != class_path):
            return
        explicit = _explicit(self.parser, sys.argv[1:] if self._arguments is None else self._arguments, subcommand)
        for name, value in stored.items():
            if name in current.init_args and name not in explicit:
                current.init_args[name] = value

    def before_instantiate_classes(self) -> None:
        """Refuse to judge by random weights, before anything is loaded."""
        config = self.config[self.subcommand]
        settings = (config.get("model") or Namespace()).get("init_args") or Namespace()
        sources = [name for name in _SOURCES if name in settings]
        if self.subcommand != "fit" and config.get("ckpt_path") == "best":
            raise InputError(
                f"{self.subcommand}: which checkpoint is the best is known to the training alone; give --ckpt_path FILE.ckpt"
            )
        if self.subcommand == "fit" or config.get("ckpt_path") or not sources:
            return
        if all(settings[name] is None for name in sources):
            options = " or ".join(f"--model.{name} MODEL" for name in sources)
            raise InputError(
                f"{self.subcommand}: no weights, the model would be random; give --ckpt_path FILE.ckpt or {options}"
            )

    def instantiate_classes(self) -> None:
        """Make data, model and trainer; a value that one of them refuses is the user's to correct."""
        try:
            super().instantiate_classes()
        except ValueError as error:
            cause = root_cause(error)  # the parser wraps what a class raises in the types that it tried
            if cause is None or cause is error:
                raise
            raise cause from None

    def instantiate_trainer(self, **kwargs: Any) -> Trainer:
        """Make the trainer; what it refuses are its flags."""
        try:
            return super().instantiate_trainer(**kwargs)
        except (ValueError, TypeError) as error:
            raise InputError(f"trainer: {' '.join(str(error).split())}") from None

    def _prepare_subcommand_kwargs(self, subcommand: str) -> dict[str, Any]:
        # Given to the trainer and not to its method, so that the model and the callbacks know it when they are set up.
        arguments = super()._prepare_subcommand_kwargs(subcommand)
        if _is_file(arguments.get("ckpt_path")):
            self.trainer.ckpt_path = arguments.pop("ckpt_path")
        return arguments

    _arguments: Sequence[str] | None = None


#: Arguments of our models that name weights to start from.
_SOURCES = ("init_from", "weights")


def _is_file(path: Any) -> bool:
    """Whether a ``ckpt_path`` is given that is none of those that Lightning finds itself."""
    text = str(path or "")
    return bool(text) and text not in ("best", "last", "hpc") and not text.startswith("registry") and "://" not in text


def _explicit(parser: Any, arguments: Sequence[str], subcommand: str) -> set[str]:
    """Names of the model's arguments that the command line or a configuration file sets."""
    config = parser.parse_args(list(arguments), defaults=False)
    model = (config.get(subcommand) or Namespace()).get("model") or Namespace()
    return set(vars(model.get("init_args") or Namespace()))


#: Libraries' remarks on what is meant here: our own argument list, frozen parts in evaluation mode, their own internals.
_EXPECTED_WARNINGS = (
    "LightningCLI's args parameter",
    r"Found \d+ module\(s\) in eval mode",
    r"`isinstance\(treespec, LeafSpec\)` is deprecated",
    r"Checkpoint directory .* exists and is not empty",  # OverwriteWarning says which and what to do
)


#: What Lightning says of ``--ckpt_path last`` where there is none, before it goes on without.
_NO_LAST = r".*there is no last checkpoint available"


def _quiet() -> None:
    """Keep expected remarks and advertisements of libraries off the terminal; warnings about real trouble stay."""
    for message in _EXPECTED_WARNINGS:
        warnings.filterwarnings("ignore", message=message)
    for name in ("pytorch_lightning.utilities.rank_zero", "lightning.pytorch.utilities.rank_zero"):
        logging.getLogger(name).addFilter(lambda record: "litlogger" not in record.getMessage())


def run_lightning(arguments: Sequence[str]) -> int:
    """Run a subcommand of the Lightning CLI; returns the exit status.

    Raises:
        InputError: an argument or key is unknown, or a value is out of range.
    """
    _quiet()
    if arguments[:1] != ["fit"]:
        # For a training that is a start from nothing; anything else would go on with random weights.
        warnings.filterwarnings("error", message=_NO_LAST)
    FactcheckCLI._arguments = list(arguments)
    try:
        FactcheckCLI(
            LightningModule,
            LightningDataModule,
            subclass_mode_model=True,
            subclass_mode_data=True,
            args=list(arguments),
            auto_configure_optimizers=False,
            seed_everything_default=0,
            trainer_defaults={"callbacks": [ProgressLines(), OverwriteWarning()]},
            # The saver also runs on `predict` and `validate` and fails the second time in a folder.
            save_config_kwargs={"overwrite": True},
            parser_class=OneLineParser,
            parser_kwargs={"default_env": False},
        )
    except MisconfigurationException as error:
        raise InputError(f"{arguments[0]}: {' '.join(str(error).split())}") from None
    except UserWarning as warning:
        if not re.match(_NO_LAST, str(warning)):
            raise
        raise InputError(f"{arguments[0]}: found no last checkpoint; give --ckpt_path FILE.ckpt") from None
    return 0
