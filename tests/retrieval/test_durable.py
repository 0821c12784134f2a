"""Files and folders that are replaced whole or not at all."""

import os
import subprocess
import sys

import pytest

from retrieval import InputError
from retrieval.durable import replacing, replacing_folder


def test_the_old_file_stays_when_writing_fails(tmp_path):
    path = tmp_path / "table.parquet"
    path.write_text("old")

    def fail_half_way():
        with replacing(path) as partial:
            assert partial.suffix == ".parquet"
            partial.write_text("half")
            raise RuntimeError

    with pytest.raises(RuntimeError):
        fail_half_way()
    assert path.read_text() == "old"
    assert os.listdir(tmp_path) == ["table.parquet"]


def test_links_are_written_through_and_permissions_kept(tmp_path):
    target, link = tmp_path / "target.txt", tmp_path / "link.txt"
    target.write_text("old")
    target.chmod(0o640)
    link.symlink_to(target)
    with replacing(link) as partial:
        partial.write_text("new")
    assert link.is_symlink()
    assert target.read_text() == "new"
    assert target.stat().st_mode & 0o777 == 0o640


def test_what_a_killed_process_left_is_removed_and_what_a_live_one_writes_is_not(tmp_path):
    path = tmp_path / "a[1].csv"
    code = f"""
import os
from retrieval.durable import replacing
with replacing({str(path)!r}) as partial:
    partial.write_text("half")
    os._exit(9)
"""
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 9
    assert len(os.listdir(tmp_path)) == 1
    with replacing(path) as first, replacing(path) as second:
        assert first.exists()
        assert len(os.listdir(tmp_path)) == 2
        second.write_text("second")
    assert os.listdir(tmp_path) == [path.name]


def test_a_folder_that_is_not_there_is_named(tmp_path):
    with (
        pytest.raises(InputError, match=r"no/x.csv' cannot be written \(No such file or directory\); make room"),
        replacing(tmp_path / "no" / "x.csv"),
    ):
        pass


def test_folders(tmp_path):
    folder = tmp_path / "model"
    for content in ("old", "new"):
        with replacing_folder(folder) as partial:
            (partial / "config.json").write_text(content)
    with pytest.raises(RuntimeError), replacing_folder(folder) as partial:
        raise RuntimeError
    assert (folder / "config.json").read_text() == "new"
    assert os.listdir(tmp_path) == ["model"]
