"""A claims table that changes during a run, and outputs that are links or that the disk has no room for."""

import contextlib
import os
import resource
import shutil

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from factcheck import InputError, Verifier
from factcheck.cli import main
from factcheck.records import verdict_schema
from factcheck.verification import verify_file
from factcheck.verification.verdict_table import check_output, merge_parts, read_verdicts, write_part


@pytest.fixture(scope="module")
def verifier(tiny_model):
    return Verifier.load(tiny_model, attribution=False)


def write_claims(path, count, word="dog"):
    path.write_text("id,claim,document\n" + "".join(f"r{i},A {word} {i},A {word} runs {i}.\n" for i in range(count)))


def after(done_rows, action):
    """A progress callback that acts once, when so many rows are done."""
    acted = []

    def progress(done, total):
        if done >= done_rows and not acted:
            acted.append(action())

    return progress


@pytest.mark.parametrize("left", [4, 25, 45])
def test_a_table_that_is_rewritten_during_the_run(verifier, tmp_path, left):
    claims, out = tmp_path / "c.csv", tmp_path / "o.parquet"
    write_claims(claims, 30)
    change = after(10, lambda: write_claims(claims, left, "cat"))
    with pytest.raises(
        InputError, match=r"c\.csv changed while it was read; run the command again once nothing writes"
    ):
        verify_file(verifier, claims, out, chunk_size=10, progress=change)
    assert not out.exists()
    with pytest.raises(InputError, match="holds 10 finished rows of a run with another content of the claims table"):
        verify_file(verifier, claims, out, chunk_size=10)
    summary = verify_file(verifier, claims, out, chunk_size=10, fresh=True)
    assert (summary.rows, summary.resumed) == (left, 0)
    assert pq.read_table(out)["id"].to_pylist() == [f"r{i}" for i in range(left)]
    assert all("cat" in item["text"] for row in pq.read_table(out)["evidence"].to_pylist() for item in row)


def test_a_table_that_is_removed_or_changes_after_its_last_row(verifier, tmp_path):
    claims, out = tmp_path / "c.csv", tmp_path / "o.parquet"
    for action in (claims.unlink, lambda: write_claims(claims, 31)):
        write_claims(claims, 30)
        (tmp_path / "o.parquet.parts").exists() and shutil.rmtree(tmp_path / "o.parquet.parts")
        with pytest.raises(InputError, match="changed while it was read"):
            verify_file(verifier, claims, out, chunk_size=10, progress=after(30, action))
        assert not out.exists()


def test_rows_that_go_unnoticed_by_size_and_time(verifier, tmp_path):
    claims, out = tmp_path / "c.csv", tmp_path / "o.parquet"
    write_claims(claims, 30)
    before = claims.stat()

    def rewrite():
        text = claims.read_text()
        claims.write_text(text.replace("\nr25,", " r25,"))  # as many bytes, one row less
        os.utime(claims, ns=(before.st_atime_ns, before.st_mtime_ns))

    with pytest.raises(InputError, match=r"changed while it was read \(30 rows were counted, 29 read\)"):
        verify_file(verifier, claims, out, chunk_size=10, progress=after(0, rewrite))
    assert [path.name for path in tmp_path.iterdir()] == ["c.csv"], "no part is left that a later run would trust"


@pytest.mark.slow
def test_an_output_in_the_folder_of_a_saved_data_set(verifier, tmp_path):
    from datasets import Dataset

    Dataset.from_dict({"claim": ["A dog"] * 5, "document": ["A dog runs."] * 5}).save_to_disk(tmp_path / "set")
    assert verify_file(verifier, tmp_path / "set", tmp_path / "set" / "o.parquet", chunk_size=2).rows == 5


def test_a_link_stays_and_its_target_is_written(verifier, tmp_path):
    claims, link, target = tmp_path / "c.csv", tmp_path / "o.jsonl", tmp_path / "store" / "table"
    target.parent.mkdir()
    write_claims(claims, 3)
    link.symlink_to(target)
    for _ in range(2):  # a link to nothing yet, then to a verdict table
        verify_file(verifier, claims, link)
        assert link.is_symlink()
        assert not target.is_symlink()
        assert read_verdicts(link).num_rows == 3
    assert [path.name for path in target.parent.iterdir()] == ["table"]


def test_links_that_lead_nowhere_or_to_the_claims(tmp_path):
    claims, link = tmp_path / "c.csv", tmp_path / "o.csv"
    write_claims(claims, 3)
    link.symlink_to(tmp_path / "none" / "o.csv")
    with pytest.raises(InputError, match="there is no folder"):
        check_output(link, claims)
    link.unlink()
    link.symlink_to("/dev/null")
    with pytest.raises(InputError, match=r"o\.csv' is a pipe or device; name a file"):
        check_output(link, claims)


@contextlib.contextmanager
def largest_file(size):
    """No file may grow beyond so many bytes: the system then says the like of what it says on a full disk."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


@pytest.mark.parametrize("name", ["o.parquet", "o.jsonl", "o.csv"])
def test_a_file_that_cannot_be_written_is_named(tmp_path, name):
    rows = [{"id": str(i), "reason": os.urandom(400).hex(), "status": "error"} for i in range(100)]
    table = pa.Table.from_pylist(rows, schema=verdict_schema())
    parts = tmp_path / "parts"
    parts.mkdir()
    with largest_file(3000), pytest.raises(InputError, match=r"parts/1\.parquet' cannot be written \(File too large\)"):
        write_part(parts / "1.parquet", table)
    assert not list(parts.iterdir()), "nothing is left behind"
    write_part(parts / "1.parquet", table)
    with (
        largest_file(3000),
        pytest.raises(InputError, match=rf"{name}' cannot be written \(File too large\); make room"),
    ):
        list(merge_parts(parts, tmp_path / name))
    assert [path.name for path in tmp_path.iterdir()] == ["parts"]


def test_a_run_goes_on_from_a_full_disk(verifier, tmp_path):
    claims, out = tmp_path / "c.csv", tmp_path / "o.parquet"
    write_claims(claims, 30)
    verify_file(verifier, claims, tmp_path / "whole.parquet", chunk_size=10)
    with contextlib.ExitStack() as disk:
        fill = after(20, lambda: disk.enter_context(largest_file(2000)))
        with pytest.raises(InputError, match=r"cannot be written \(File too large\); make room") as told:
            verify_file(verifier, claims, out, chunk_size=10, progress=fill)
    assert "\n" not in str(told.value)
    assert verify_file(verifier, claims, out, chunk_size=10).resumed == 20
    assert read_verdicts(out).equals(read_verdicts(tmp_path / "whole.parquet"))


def test_a_run_whose_folder_goes_can_be_run_again(verifier, tmp_path):
    claims, out = tmp_path / "c.csv", tmp_path / "out" / "o.parquet"
    write_claims(claims, 30)
    out.parent.mkdir()
    with pytest.raises(InputError, match=r"cannot be written \(No such file or directory\)") as told:
        verify_file(verifier, claims, out, chunk_size=10, progress=after(10, lambda: shutil.rmtree(out.parent)))
    assert "\n" not in str(told.value)
    out.parent.mkdir(exist_ok=True)
    assert verify_file(verifier, claims, out, chunk_size=10).rows == 30


@pytest.mark.parametrize("name", ["c.jsonl", "c.parquet"])
def test_tables_of_no_rows_are_remarked_on_in_every_format(tmp_path, tiny_model, capsys, name):
    claims, out = tmp_path / name, tmp_path / "o.jsonl"
    if name == "c.parquet":
        pq.write_table(pa.table({"claim": pa.array([], pa.string())}), claims)
    else:
        claims.write_text("\n")
    assert main(["verify", str(claims), "--model", str(tiny_model), "--out", str(out)]) == 0
    assert f"warning: {claims} holds 0 rows; so does the verdict table" in capsys.readouterr().err
    assert out.read_text() == ""
