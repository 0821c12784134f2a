"""``factcheck fit|validate|test|predict``: the Lightning CLI with this project's defaults."""

import contextlib
import logging
import os
import re
import signal
import sys
import warnings
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from jsonargparse import Namespace, set_parsing_settings
from pytorch_lightning import LightningDataModule, LightningModule, Trainer
from pytorch_lightning.cli import LightningCLI
from pytorch_lightning.loggers import CSVLogger
from pytorch_lightning.utilities.exceptions import MisconfigurationException, SIGTERMException

from factcheck.commands.common import Stop, set_up_logging, stoppable
from factcheck.commands.lightning_errors import OneLineParser, root_cause
from factcheck.commands.messages import in_words_of_the_command_line
from factcheck.commands.progress import progress_bar
from factcheck.errors import InputError
from factcheck.models.weights import read_checkpoint
from factcheck.training.callbacks import OverwriteWarning, ProgressLines, StopWhenAsked, TrainingStopped

__all__ = ["FactcheckCLI", "run_lightning"]

_LOG = logging.getLogger("factcheck")

set_parsing_settings(docstring_parse_attribute_docstrings=True)  # the fields of option groups explain themselves

#: Arguments of our models that name weights to start from.
_SOURCES = ("init_from", "weights")
_PREDICT = (
    "Verify the claims of --data.predict.claims with the weights of --ckpt_path or --model.init_from, as 'factcheck verify' does with a "
    "model folder: the same evidence index, resume and verdict table. A checkpoint holds no temperatures; export fits them."
)
#: What Lightning finds itself as ``ckpt_path``.
_FOUND_BY_LIGHTNING = ("best", "last", "hpc")


class _StopOnSignal(StopWhenAsked):
    """Ends a training on SIGINT or SIGTERM after the step in hand; a second signal ends it at once."""

    def __init__(self) -> None:
        super().__init__(lambda: self.stop())
        self.stop = Stop()
        self._handlers = contextlib.ExitStack()

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Note signals from now on: what comes before a training is worth no checkpoint."""
        super().on_train_start(trainer, pl_module)
        self.stop = self._handlers.enter_context(stoppable("the step in hand"))

    def on_train_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Let signals end the program again."""
        self._handlers.close()

    def on_exception(self, trainer: Trainer, pl_module: LightningModule, exception: BaseException) -> None:
        """Let signals end the program again."""
        self._handlers.close()


class FactcheckCLI(LightningCLI):
    """Lightning CLI in which a flag always beats what a checkpoint holds, and which begins with ``configs/base.yaml``.

    Attributes:
        status: exit status of the command.

    Args:
        arguments: the command line.
        flags: filled with the flag that sets each parameter, for messages.
    """

    def __init__(self, arguments: Sequence[str], flags: dict[str, str]) -> None:
        self._arguments, self._flags, self.status = list(arguments), flags, 0
        self._signals = _StopOnSignal()
        super().__init__(
            LightningModule,
            LightningDataModule,
            subclass_mode_model=True,
            subclass_mode_data=True,
            args=list(arguments),
            seed_everything_default=0,
            trainer_defaults={"callbacks": [ProgressLines(), OverwriteWarning(), self._signals]},
            # The saver also runs on `validate` and fails the second time in a folder.
            save_config_kwargs={"overwrite": True},
            parser_class=OneLineParser,
            parser_kwargs={
                name: {
                    "default_config_files": [str(_base())],
                    **({"description": _PREDICT} if name == "predict" else {}),
                }
                for name in self.subcommands()
            },
        )

    def _parse_ckpt_path(self) -> None:
        # Lightning lets the hyper-parameters in a checkpoint overwrite flags given by hand, without a word. Here they
        # fill in what was left at its default: a checkpoint describes itself, and the user has the last word.
        subcommand = self.config["subcommand"]
        self._flags.update(_flags(self.config[subcommand]))
        set_up_logging(flags=self._flags)
        path = self.config[subcommand].get("ckpt_path")
        if path is None or path in _FOUND_BY_LIGHTNING:
            return
        stored = dict(read_checkpoint(path).get("hyper_parameters", {}))
        class_path = stored.pop("_class_path", None)
        current = self.config[subcommand].get("model")
        if not stored or current is None or (class_path and current.class_path != class_path):
            return
        _fill_in(current.init_args, stored, _explicit(self.parser, self._arguments, subcommand))

    def before_instantiate_classes(self) -> None:
        """Refuse to judge by random weights, before anything is loaded."""
        config = self.config[self.subcommand]
        settings = (config.get("model") or Namespace()).get("init_args") or Namespace()
        sources = [name for name in _SOURCES if name in settings]
        if config.get("lr_scheduler") and not config.get("optimizer"):
            raise InputError("--lr_scheduler needs --optimizer: the model's own comes with a schedule of its own")
        if self.subcommand == "fit":
            return
        if config.get("ckpt_path") == "best":
            raise InputError(
                f"{self.subcommand}: which checkpoint is the best is known to the training alone; give --ckpt_path FILE.ckpt"
            )
        if not config.get("ckpt_path") and sources and all(settings[name] is None for name in sources):
            options = " or ".join(f"--model.{name} MODEL" for name in sources)
            raise InputError(
                f"{self.subcommand}: no weights, the model would be random; give --ckpt_path FILE.ckpt or {options}"
            )

    def instantiate_classes(self) -> None:
        """Make data, model and trainer; a value that one of them refuses is the user's to correct."""
        try:
            super().instantiate_classes()
        except (ValueError, ModuleNotFoundError) as error:
            cause = root_cause(error)  # the parser wraps what a class raises in the types that it tried
            if cause is None or cause is error:
                raise
            raise cause from None

    def instantiate_trainer(self, **kwargs: Any) -> Trainer:
        """Make the trainer, by default with a log of CSV files in the folder of the run; what it refuses are its flags."""
        settings = self.config_init[self.subcommand]["trainer"]
        if settings.get("logger") is None:
            kwargs["logger"] = CSVLogger(settings.get("default_root_dir") or Path.cwd(), name="csv")
        try:
            return super().instantiate_trainer(**kwargs)
        except (ValueError, TypeError) as error:
            raise InputError(f"trainer: {' '.join(str(error).split())}") from None

    def fit(self, **options: Any) -> None:
        """Train; a signal ends it with a checkpoint and the status of a program that a signal ended."""
        try:
            self.trainer.fit(**options)
        except TrainingStopped as stopped:
            path = min(os.path.relpath(stopped.checkpoint), str(stopped.checkpoint), key=len)
            _LOG.warning(
                "stopped after step %d; the same command with --ckpt_path %s goes on from there", stopped.step, path
            )
            self.status = self._signals.stop.exit_code

    def predict(self, model: LightningModule, datamodule: LightningDataModule | None = None, **options: Any) -> None:
        """Verify claims as ``factcheck verify`` does; models of another kind predict as Lightning lets them."""
        from factcheck.training.verdict.data import VerdictDataModule
        from factcheck.training.verdict.module import VerdictModule

        if not (isinstance(model, VerdictModule) and isinstance(datamodule, VerdictDataModule)):
            self.trainer.predict(model=model, datamodule=datamodule, **options)
            return
        from factcheck.commands.verify import exit_status, print_summary
        from factcheck.training.verdict.predict import predict
        from factcheck.verification.stream import RunInterrupted
        from retrieval import open_index

        checkpoint = self.config.predict.ckpt_path
        if checkpoint in _FOUND_BY_LIGHTNING:
            raise InputError(f"predict: found no {checkpoint} checkpoint; give --ckpt_path FILE.ckpt")
        model.to(self.trainer.strategy.root_device)
        index = datamodule.predict.evidence
        evidence = open_index(index) if index is not None else None
        try:
            with (
                stoppable("the chunk in hand") as stop,
                progress_bar("verifying", resumes=True, unit="row") as progress,
            ):
                summary = predict(model, datamodule, checkpoint, evidence=evidence, progress=progress, should_stop=stop)
        except RunInterrupted as stopped:
            _LOG.warning("stopped with %d rows done; the same command goes on from there", stopped.done)
            self.status = stop.exit_code
        else:
            print_summary(summary)
            self.status = exit_status(summary, None)

    def _prepare_subcommand_kwargs(self, subcommand: str) -> dict[str, Any]:
        # Given to the trainer and not to its method, so that the model and the callbacks know it when they are set up.
        arguments = super()._prepare_subcommand_kwargs(subcommand)
        if arguments.get("ckpt_path") not in (None, *_FOUND_BY_LIGHTNING) and subcommand != "predict":
            self.trainer.ckpt_path = arguments.pop("ckpt_path")
        if arguments.get("weights_only") is None:
            arguments["weights_only"] = True  # also where Lightning's own default depends on where the file lies
        return arguments


def _base() -> Path:
    """The configuration that every run begins with."""
    here = Path(__file__).resolve().parent.parent
    # In a wheel the configurations lie inside the package; in a checkout, at the top of the repository.
    for folder in (here / "_configs", here.parent / "configs"):
        if (folder / "base.yaml").is_file():
            return folder / "base.yaml"
    raise InputError(f"base.yaml is missing beside {here}; install the package again")


def _explicit(parser: Any, arguments: Sequence[str], subcommand: str) -> Namespace:
    """The model's arguments that the command line or a configuration file sets."""
    config = parser.parse_args(list(arguments), defaults=False)
    model = (config.get(subcommand) or Namespace()).get("model") or Namespace()
    return model.get("init_args") or Namespace()


def _fill_in(settings: Namespace, stored: dict[str, Any], explicit: Namespace) -> None:
    """Set what a checkpoint holds where nothing else was set."""
    for name, value in stored.items():
        if name not in settings:
            continue
        if isinstance(settings[name], Namespace) and isinstance(value, dict):
            _fill_in(settings[name], value, explicit.get(name) or Namespace())
        elif name not in explicit:
            settings[name] = value


def _flags(config: Namespace) -> dict[str, str]:
    """Parameter name (``top_k``, ``selection.top_k``) to the flag that sets it; of several, one of model or data."""
    flags = {"callbacks.monitor": "--trainer.callbacks.monitor"}
    first = {"model": 0, "data": 1, "trainer": 2}
    for path in sorted(_paths(config), key=lambda path: first.get(path[0], 3)):
        for start in range(len(path)):
            flags.setdefault(".".join(path[start:]), f"--{'.'.join(path)}")
    return flags


def _paths(config: Namespace, above: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    for name, value in vars(config).items():
        path = above if name == "init_args" else (*above, name)
        if isinstance(value, Namespace):
            yield from _paths(value, path)
        elif name != "class_path":
            yield path


#: Libraries' remarks on what is meant here: our own argument list, frozen parts in evaluation mode, their own internals.
_EXPECTED_WARNINGS = (
    "LightningCLI's args parameter",
    r"Found \d+ module\(s\) in eval mode",
    r"`isinstance\(treespec, LeafSpec\)` is deprecated",
    r"Checkpoint directory .* exists and is not empty",  # OverwriteWarning says which and what to do
    r"`\w+\.configure_optimizers` will be overridden",  # that is what --optimizer is for
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
    if os.getcwd() not in sys.path:
        sys.path.append(os.getcwd())  # classes of one's own, which the configuration names, lie in the working folder
    flags = {flag.lstrip("-").rpartition(".")[2]: flag for flag in arguments if flag.startswith("--")}
    try:
        return FactcheckCLI(arguments, flags).status
    except SIGTERMException:  # before the first step, or a second one
        return 128 + signal.SIGTERM
    except SystemExit as ended:
        if not isinstance(ended.__context__, KeyboardInterrupt):
            raise
        raise KeyboardInterrupt from None  # which Lightning has made of it
    except InputError as error:
        raise InputError(in_words_of_the_command_line(error, flags)) from error
    except MisconfigurationException as error:
        raise InputError(f"{arguments[0]}: {' '.join(str(error).split())}") from None
    except UserWarning as warning:
        if not re.match(_NO_LAST, str(warning)):
            raise
        raise InputError(f"{arguments[0]}: found no last checkpoint; give --ckpt_path FILE.ckpt") from None
