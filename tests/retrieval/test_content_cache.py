"""Results kept on disk by content."""

import concurrent.futures
import pickle
import subprocess
import sys

import pytest

from retrieval import InputError
from retrieval.content_cache import ContentCache, content_key


def test_values_come_back_in_the_order_of_the_keys(tmp_path):
    keys = [content_key("model", str(i)) for i in range(1200)]
    with ContentCache(tmp_path / "new" / "cache.sqlite") as cache:
        cache.put({key: str(i).encode() for i, key in enumerate(keys[:1100])})
    again = ContentCache(tmp_path / "new" / "cache.sqlite")
    found = again.get([*reversed(keys), keys[0]])
    assert found == [None] * 100 + [str(i).encode() for i in reversed(range(1100))] + [b"0"]


def test_parts_are_told_apart():
    assert len({content_key("ab", "c"), content_key("a", "bc"), content_key("abc"), content_key("ab", "c", "")}) == 4
    assert content_key("a") == content_key(b"a")


def test_what_was_not_used_for_longest_goes_first(tmp_path):
    with ContentCache(tmp_path / "c.sqlite", max_bytes=10 * 1128 + 100) as cache:
        keys = [content_key(str(i)) for i in range(11)]
        for key in keys[:10]:
            cache.put({key: bytes(1000)})
        cache.put({keys[3]: bytes(1000)})  # the same again: no bytes more
        assert cache.get(keys[:1]) == [bytes(1000)]
        cache.put({keys[10]: bytes(1000)})
        kept = [value is not None for value in cache.get(keys)]
    assert kept[0]
    assert kept[10]
    assert not kept[1]
    assert sum(kept) >= 8


def test_a_damaged_file_is_begun_anew(tmp_path, caplog):
    path = tmp_path / "c.sqlite"
    caplog.set_level("WARNING", "retrieval")  # a command that ran before may have silenced it
    path.write_bytes(b"no database at all" * 100)
    cache = ContentCache(path)
    assert cache.get([b"x"]) == [None]
    assert "begun anew" in caplog.text
    cache.put({b"x": b"y"})
    assert cache.get([b"x"]) == [b"y"]


def test_a_place_that_cannot_be_written_only_forgets(tmp_path, caplog):
    caplog.set_level("WARNING", "retrieval")
    (tmp_path / "file").touch()
    cache = ContentCache(tmp_path / "file" / "c.sqlite")
    cache.put({b"x": b"y"})
    assert cache.get([b"x"]) == [None]
    assert len(caplog.records) == 1


def test_threads_processes_and_pickles(tmp_path):
    cache = ContentCache(tmp_path / "c.sqlite")
    with concurrent.futures.ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda i: cache.put({str(i).encode(): b"v"}), range(40)))
    code = f"""
from retrieval.content_cache import ContentCache
cache = ContentCache({str(tmp_path / "c.sqlite")!r})
print(sum(v is not None for v in cache.get([str(i).encode() for i in range(40)])))
"""
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "40\n"
    assert pickle.loads(pickle.dumps(cache)).get([b"39"]) == [b"v"]


def test_processes_that_write_at_once_keep_the_limit(tmp_path):
    path = tmp_path / "c.sqlite"
    code = f"""
import sys
from retrieval.content_cache import ContentCache
cache = ContentCache({str(path)!r}, max_bytes=30_000)
for i in range(60):
    cache.put({{f"{{sys.argv[1]}} {{i}}".encode(): f"{{sys.argv[1]}} {{i}}".encode() * 100}})
    assert cache.get([b"none"]) == [None]
"""
    writers = [subprocess.Popen([sys.executable, "-c", code, name], stderr=subprocess.PIPE) for name in "abc"]
    assert [writer.communicate()[1] for writer in writers] == [b""] * 3
    cache = ContentCache(path, max_bytes=30_000)
    keys = [f"{name} {i}".encode() for name in "abc" for i in range(60)]
    kept = {key: value for key, value in zip(keys, cache.get(keys), strict=True) if value is not None}
    assert 20 < len(kept) < 60
    assert all(value == key * 100 for key, value in kept.items())
    assert sum(map(len, kept.values())) <= 30_000


def test_mistakes(tmp_path):
    with pytest.raises(InputError, match=r"`max_bytes` is 0, expected a whole number of at least 1"):
        ContentCache(tmp_path / "c", max_bytes=0)
    with pytest.raises(InputError, match="is a folder"):
        ContentCache(tmp_path)
