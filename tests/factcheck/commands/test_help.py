"""Every command and every argument explains itself."""

import argparse
import re
from pathlib import Path

import pytest

from factcheck.cli import COMMANDS, _parser
from factcheck.records import verdict_schema


def parsers(parser):
    """A parser and those of its actions."""
    yield parser
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            for name, sub in action.choices.items():
                if len(sub._actions) > 1:  # of the main parser's commands only the chosen one has arguments
                    yield from parsers(sub)
                assert any(choice.dest == name and choice.help for choice in action._choices_actions), name


@pytest.mark.parametrize("command", sorted(COMMANDS))
def test_every_argument_is_explained(command):
    for parser in parsers(_parser(command)):
        assert parser.description, parser.prog
        for action in parser._actions:
            if not isinstance(action, argparse._SubParsersAction):
                assert action.help, f"{parser.prog}: {action.option_strings or action.dest}"


def test_the_readme_names_every_column_of_a_verdict_table():
    section = (
        (Path(__file__).parents[3] / "README.md")
        .read_text("utf-8")
        .partition("## What a verdict says")[2]
        .partition("\n## ")[0]
    )
    named = {name for quoted in re.findall("`([^`]+)`", section) for name in re.split(r",\s*", quoted)}
    assert set(verdict_schema().names) <= named
