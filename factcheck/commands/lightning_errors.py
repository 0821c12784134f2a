"""What the Lightning CLI's parser has to say, in one line."""

import dataclasses
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
_OPTION = re.compile(r"Option '([\w.]+)' is not accepted|unrecognized arguments: --([\w.]+)")
_NESTED = re.compile(r"NestedArg\(key='[\w.]+', val='?(.*?)'?\)")


class OneLineParser(LightningArgumentParser):
    """A parser whose mistakes are :class:`InputError` of one line, not pages of usage and type unions."""

    def parse_args(self, args: Any = None, *rest: Any, **options: Any) -> Any:
        """As jsonargparse does, but ``null`` for a field of a group arrives as such.

        The flag of a nested field is parsed once for each level, as text made of the value before: None would become "None".
        """
        if isinstance(args, list) and len(args) == 1 and args[0].endswith("=None"):
            args = [args[0].removesuffix("None") + "null"]
        return super().parse_args(args, *rest, **options)

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
            found = _NESTED.sub(r"\1", text.removeprefix("Given value: "))
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
    if option is None:
        return text
    name = (option[1] or option[2]).removeprefix("init_args.")
    if class_path and class_path[1].startswith("pytorch_lightning."):
        # Nothing has named a class of this project yet.
        return f"{name!r} belongs to a class that nothing names: {_GIVE_CONFIG}"
    known = _parameters(class_path[1]) if class_path else []
    moved = [full for full in known if full.rpartition(".")[2] == name]  # named without its group
    near = moved or difflib.get_close_matches(name, known, n=1)
    advice = f"did you mean {near[0]!r}?" if near else f"it takes {', '.join(known)}"
    return f"{text[: option.start()]}option {name!r} is not accepted{f'; {advice}' if known else ''}"


def root_cause(error: BaseException) -> BaseException | None:
    """The user's mistake that a chain of exceptions began with, a package that is not installed included; None if it began otherwise."""
    cause: BaseException | None = error
    while cause is not None and not isinstance(cause, InputError | OSError | ModuleNotFoundError):
        cause = cause.__cause__ or cause.__context__
    return _missing_package(cause) if isinstance(cause, ModuleNotFoundError) else cause


def _missing_package(error: ModuleNotFoundError) -> InputError:
    """What is not installed, for a logger or another class that the configuration names."""
    required = re.search(r"Requirement '([\w.-]+)", str(error))
    name = required[1] if required else error.name or str(error).split("\n")[0]
    return InputError(
        f"the configuration names a class that needs the package {name!r}, which is not installed",
        hint=f"install it (python -m pip install {name}), or name another class, such as the logger CSVLogger",
    )


def _parameters(class_path: str) -> list[str]:
    """The arguments of a class; those of a group by its name and theirs (``optim.learning_rate``)."""
    module, _, name = class_path.rpartition(".")
    try:
        found: Any = getattr(importlib.import_module(module), name)
        parameters = inspect.signature(found).parameters
    except (ImportError, AttributeError, ValueError, TypeError):
        return []
    names = [p for p in parameters if p not in ("args", "kwargs")]
    groups = {p: parameters[p].default for p in names if dataclasses.is_dataclass(parameters[p].default)}
    return names + [f"{group}.{field.name}" for group, value in groups.items() for field in dataclasses.fields(value)]
