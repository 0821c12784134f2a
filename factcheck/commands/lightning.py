"""``factcheck fit|validate|test|predict``: the Lightning CLI with this project's defaults."""

import logging
import pickle
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
from factcheck.training.progress import ProgressLines

__all__ = ["FactcheckCLI", "run_lightning"]


class FactcheckCLI(LightningCLI):
    """Lightning CLI in which a flag always beats what a checkpoint holds."""

    def _parse_ckpt_path(self) -> None:
        # Lightning lets the hyper-parameters in a checkpoint overwrite flags given by hand, without a word. Here they
        # fill in what was left at its default: a checkpoint describes itself, and the user has the last word.
        subcommand = self.config.get("subcommand")
        path = self.config[subcommand].get("ckpt_path") if subcommand else None
        # Lightning finds these itself.
        if not path or str(path) in ("best", "last", "hpc") or str(path).startswith("registry") or "://" in str(path):
            return
        check_checkpoint(str(path), "--ckpt_path")
        try:
            checkpoint = torch.load(path, weights_only=True, map_location="cpu")
        except (pickle.UnpicklingError, RuntimeError, EOFError, KeyError):
            # What PyTorch says here advises to run the code that an unknown file holds.
            raise InputError(
                f"--ckpt_path {str(path)!r} is no checkpoint; give a .ckpt file that 'factcheck fit' wrote"
            ) from None
        stored = dict(checkpoint.get("hyper_parameters", {}))
        stored.pop("_instantiator", None)
        class_path = stored.pop("_class_path", None)
        current = self.config[subcommand].get("model")
        if not stored or current is None or (class_path and current.class_path != class_path):
            return
        explicit = _explicit(self.parser, sys.argv[1:] if self._arguments is None else self._arguments, subcommand)
        for name, value in stored.items():
            if name in current.init_args and name not in explicit:
                current.init_args[name] = value

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

    _arguments: Sequence[str] | None = None


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
)


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
            trainer_defaults={"callbacks": [ProgressLines()]},
            # The saver also runs on `predict` and `validate` and fails the second time in a folder.
            save_config_kwargs={"overwrite": True},
            parser_class=OneLineParser,
            parser_kwargs={"default_env": False},
        )
    except MisconfigurationException as error:
        raise InputError(f"{arguments[0]}: {' '.join(str(error).split())}") from None
    return 0
