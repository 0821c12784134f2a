import io
import os

import pyarrow as pa
import pytest
from PIL import Image

from factcheck.data import load_images, normalize_claims
from factcheck.data.images import MAX_BYTES
from factcheck.errors import InputError
from factcheck.records import claims_schema


def png(colour=(255, 0, 0)):
    buffer = io.BytesIO()
    Image.new("RGB", (4, 4), colour).save(buffer, "PNG")
    return buffer.getvalue()


@pytest.fixture
def root(tmp_path):
    folder = tmp_path / "root"
    (folder / "sub").mkdir(parents=True)
    (folder / "a.png").write_bytes(png())
    (folder / "sub" / "b ü.png").write_bytes(png())
    (folder / "empty.jpg").write_bytes(b"")
    (folder / "page.jpg").write_bytes(b"<html>404</html>")
    (tmp_path / "secret.png").write_bytes(png())
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere" / "c.png").write_bytes(png())
    (folder / "link").symlink_to(tmp_path / "elsewhere")
    with (folder / "huge.png").open("wb") as file:
        file.truncate(MAX_BYTES + 1)
    return folder


def table_of(paths, column="claim_image"):
    return normalize_claims(pa.table({"claim": ["x"] * len(paths), column: pa.array(paths, pa.string())}))


@pytest.mark.parametrize("path", ["a.png", "sub/b ü.png", "./sub/../a.png", "link/c.png"])
def test_readable(root, path):
    loaded = load_images(table_of([path]), root)
    (row,) = loaded.to_pylist()
    assert (row["status"], row["reasons"]) == ("ok", [])
    assert row["claim_image"] == {"bytes": png(), "path": path}
    assert loaded.schema.equals(claims_schema())


def test_absolute_path_inside_the_root(root):
    assert load_images(table_of([str(root / "a.png")]), root)["status"].to_pylist() == ["ok"]


@pytest.mark.parametrize(
    ("path", "reason"),
    [
        ("none.png", "missing file"),
        ("a.png/b.png", "missing file"),
        ("sub", "is a directory"),
        (".", "is a directory"),
        ("empty.jpg", "empty file"),
        ("page.jpg", "not an image"),
        ("huge.png", "file too large"),
        ("../secret.png", "outside the image root"),
        ("sub/../../secret.png", "outside the image root"),
        ("link/../../secret.png", "outside the image root"),
        ("../root-other/a.png", "outside the image root"),
        ("/etc/passwd", "outside the image root"),
        ("x" * 5000 + ".png", "unreadable file"),
        ("a\x00.png", "unreadable file"),
        ("http://pbs.twimg.com/media/a.jpg?format=jpg&name=large", "image not fetched: URL"),
        ("HTTPS://x.com/a.jpg", "image not fetched: URL"),
        ("file:///etc/passwd", "image not fetched: URL"),
        ("data:image/png;base64,AAAA", "image not fetched: URL"),
        ("//x.com/a.jpg", "image not fetched: URL"),
    ],
)
@pytest.mark.parametrize("column", ["claim_image", "document_image"])
def test_reasons(root, path, reason, column):
    (row,) = load_images(table_of([path], column), root).to_pylist()
    assert row["status"] == "degraded"
    assert row["reasons"] == [f"{column}: {reason}"]
    assert row[column] is None


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="this system has no named pipes")
def test_a_pipe_is_not_waited_for(root):
    os.mkfifo(root / "pipe.png")
    assert load_images(table_of(["pipe.png"]), root)["reasons"].to_pylist() == [["claim_image: unreadable file"]]


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root may read everything")
def test_no_permission(root):
    (root / "a.png").chmod(0)
    assert load_images(table_of(["a.png"]), root)["reasons"].to_pylist() == [["claim_image: unreadable file"]]


def test_path_through_a_link_stays_lexical(root):
    # "link/.." is the root itself, not the folder that the link's target lies in.
    assert load_images(table_of(["link/../a.png"]), root)["status"].to_pylist() == ["ok"]


def test_bytes_pass_through_and_are_checked(root):
    cells = pa.array([png(), b"", b"junk", None], pa.binary())
    table = normalize_claims(pa.table({"claim": list("abcd"), "claim_image": cells}))
    rows = load_images(table, None).to_pylist()
    assert [r["reasons"] for r in rows] == [[], ["claim_image: empty file"], ["claim_image: not an image"], []]
    assert rows[0]["claim_image"] == {"bytes": png(), "path": None}
    assert rows[3]["claim_image"] is None


def test_both_images_and_earlier_reasons_add_up(root):
    table = pa.table(
        {
            "claim": ["a", "b", ""],
            "claim_image": ["none.png", "a.png", "a.png"],
            "document_image": ["page.jpg", "none.png", "none.png"],
        }
    )
    rows = load_images(normalize_claims(table), root).to_pylist()
    assert rows[0]["reasons"] == ["claim_image: missing file", "document_image: not an image"]
    assert rows[1]["claim_image"]["bytes"] == png()
    assert [r["status"] for r in rows] == ["degraded", "degraded", "error"]
    assert rows[2]["reasons"] == ["claim: empty"]


def test_order_and_rows_are_kept(root):
    for i in range(40):
        (root / f"{i}.png").write_bytes(png((i, 0, 0)))
    paths = [f"{i}.png" if i % 3 else None if i % 2 else "none.png" for i in range(40)]
    loaded = load_images(table_of(paths), root, threads=4).to_pylist()
    for i, row in enumerate(loaded):
        expected = png((i, 0, 0)) if i % 3 else None
        assert (row["claim_image"] or {"bytes": None})["bytes"] == expected


def test_loading_again_changes_nothing(root):
    once = load_images(table_of(["a.png", "none.png", None]), root)
    assert load_images(once, root).equals(once)
    assert load_images(once, None).equals(once)


def test_empty_table(root):
    assert load_images(table_of([]), root).num_rows == 0


def test_no_root(root):
    assert load_images(table_of(["a.png"]), None)["reasons"].to_pylist() == [["claim_image: no image root"]]
    with pytest.raises(InputError, match=r"`image_root` .*nowhere' is not a folder"):
        load_images(table_of(["a.png"]), root / "nowhere")
    with pytest.raises(InputError, match="`threads` is 0"):
        load_images(table_of(["a.png"]), root, threads=0)


def test_a_plain_table_is_made_canonical(root):
    table = load_images(pa.table({"claim": ["a", "b"], "claim_image": ["a.png", "gone.png"]}), root)
    assert table.schema.equals(claims_schema())
    assert table["status"].to_pylist() == ["ok", "degraded"]
    assert table["claim_image"][0]["bytes"].as_py() == png()
    with pytest.raises(InputError, match=r"load_images takes a pyarrow\.Table, found dict; make one with"):
        load_images({"claim": ["a"]}, root)
