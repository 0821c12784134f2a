"""What tables and corpora hold is shown, never obeyed."""

import logging

from rich.table import Table

from factcheck.commands.common import console, printable, set_up_logging


def test_markup_emoji_codes_and_escapes_are_text(capsys):
    table = Table()
    table.add_column("source")
    for name in ("[red]", "[/]", "[link=file:///x]a", ":smile:", "a\x1b[31mb\x07"):
        table.add_row(name)
    console(80).print(table)
    shown = capsys.readouterr().out
    for text in ("[red]", "[/]", "[link=file:///x]a", ":smile:", "a[31mb"):
        assert text in shown
    assert "\x1b" not in shown
    assert printable("a\x1b]0;title\x07b\n\tc\x9b1m") == "a]0;titleb\n\tc1m"


def test_a_warning_is_given_once(capsys):
    set_up_logging()
    for said in ("one", "two", "one"):
        logging.getLogger("retrieval").warning("the %s table", said)
    logging.getLogger("retrieval").info("going on")
    logging.getLogger("retrieval").info("going on")
    shown = capsys.readouterr().err
    assert [shown.count(text) for text in ("one table", "two table", "going on")] == [1, 1, 2]
