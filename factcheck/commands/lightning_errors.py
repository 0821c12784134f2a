"""What the Lightning CLI's parser has to say, in one line."""

import difflib
import importlib
import inspect
import re
from typing import Any, NoReturn

from jsonargparse import ArgumentParser
from pytorch_lightning.cli import LightningArgumentParser

from factcheck.errors import InputError

__all__ = ["OneLineParser", "explain", "root_cause"]

_NOISE = ("Does not validate against", "Subtypes:", "Errors:", "Given value type:", "Expected a <class 'NoneType'>")
_GIVE_CONFIG = "give --config FILE, for example --config configs/quickstart.yaml"
_CLASS_PATH = re.compile(r"class_path '([\w.]+)'")
_OPTION = re.compile(r"Option '([\w.]+)' is not accepted")


class OneLineParser(LightningArgumentParser):
    """A parser whose mistakes are :class:`InputError` of one line, not pages of usage and type unions."""

    def error(self, message: str, ex: Exception | None = None) -> NoReturn:
        """Refuse the arguments."""
        if not self.exit_on_error:  # the parser tries an alternative and catches this
            ArgumentParser.error(self, message, ex)
        raise InputError(explain(message)) from None


def explain(message: str) -> str:
    """What a message of jsonargparse says, without the unions that it tried and with a near name for an unknown option."""
    kept, found = [], None
    for line in message.splitlines():
        text = line.strip().removeprefix("- ")
        if text.startswith("Given value: "):
            found = text.removeprefix("Given value: ")
        elif text and not text.startswith(_NOISE):
            kept.append(text)
    text = re.sub(r"<class '([\w.]+)'>", r"\1", " ".join(kept)).replace("Parser key ", "", 1)
    if text.startswith("the following arguments are required"):
        return f"no model and data to work on: {_GIVE_CONFIG}"
    if "Expected a " in text and found is not None and len(found) <= 60:
        text = f"{text.replace('Expected a ', 'expected ')}, found {found!r}"
    if text.startswith("unrecognized arguments: "):
        return f"unknown argument {text.split()[2]!r}; --help lists those there are"
    class_path, option = _CLASS_PATH.search(text), _OPTION.search(text)
    if option and class_path and class_path[1].startswith("pytorch_lightning."):
        # Nothing has named a class of this project yet.
        return f"{option[1]!r} belongs to a class that nothing names: {_GIVE_CONFIG}"
    if option:
        known = _parameters(class_path[1]) if class_path else []
        near = difflib.get_close_matches(option[1].removeprefix("init_args."), known, n=1)
        text += f"; did you mean {near[0]!r}?" if near else f"; it takes {', '.join(known)}" if known else ""
    return text


def root_cause(error: BaseException) -> BaseException | None:
    """The user's mistake that a chain of exceptions began with; None if it began otherwise."""
    cause: BaseException | None = error
    while cause is not None and not isinstance(cause, InputError | OSError):
        cause = cause.__cause__ or cause.__context__
    return cause


def _parameters(class_path: str) -> list[str]:
    module, _, name = class_path.rpartition(".")
    try:
        found: Any = getattr(importlib.import_module(module), name)
        return [p for p in inspect.signature(found).parameters if p not in ("args", "kwargs")]
    except (ImportError, AttributeError, ValueError, TypeError):
        return []
