"""What libraries say of parameters and functions, in the words of the command line."""

import argparse
import re
from collections.abc import Mapping

from factcheck.errors import InputError

__all__ = ["flags_of", "in_words_of_the_command_line"]

#: What a library's function is called here.
_COMMANDS = {
    "build_index": "factcheck index build",
    "open_index": "factcheck index search",
    "verify_file": "factcheck verify",
    "score": "factcheck evaluate",
    "save_model": "factcheck export",
    "export_checkpoint": "factcheck export",
    "fit": "factcheck fit",
}
_NAME = re.compile(r"`([A-Za-z_][\w.]*)`")


def flags_of(parser: argparse.ArgumentParser) -> dict[str, str]:
    """Parameter name to the flag that sets it (``{"top_k": "--top-k"}``); arguments without one by their metavar."""
    flags: dict[str, str] = {}
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            for name in action.choices:
                flags |= flags_of(action.choices[name])
        elif action.option_strings:
            flags[action.dest] = max(action.option_strings, key=len)
        elif isinstance(action.metavar, str):
            flags[action.dest] = action.metavar
    return flags


def in_words_of_the_command_line(said: InputError | str, flags: Mapping[str, str] | None = None) -> str:
    """The text, with parameters in backticks as flags and functions as commands.

    A parameter without a flag keeps its name, in quotes: it is one of a file or of another program.
    """
    flags = flags or {}

    def word(match: re.Match[str]) -> str:
        name = match.group(1)
        if name in flags:
            return flags[name]
        return f"'{_COMMANDS[name]}'" if name in _COMMANDS else f"'{name}'"

    return _NAME.sub(word, str(said))
