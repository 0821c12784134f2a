"""Index files that were changed and whose checksums were computed again: one line of refusal, at opening, or a working index."""

import json
import shutil

import numpy as np
import pyarrow as pa
import pytest
from corpora import ROWS, HashingEncoder

from retrieval import InputError, build_index, open_index
from retrieval.manifest import file_checksums


class Sizes:
    fingerprint = "sizes"

    def embed_images(self, images):
        vectors = np.array([[len(data), 1, 2, 3] for data in images], np.float32)
        return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    folder = tmp_path_factory.mktemp("whole") / "index"
    rows = [row | {"images": [{"bytes": b"x" * (3 + i), "caption": f"photo {i}"}]} for i, row in enumerate(ROWS)]
    build_index(rows, folder, encoder=HashingEncoder(), image_encoder=Sizes(), cache=False)
    return folder


@pytest.fixture
def changed(whole, tmp_path):
    """Changes one file of a copy by a function of its path, and computes the checksums again."""

    def change(name, how):
        copy = tmp_path / "index"
        shutil.copytree(whole, copy)
        manifest = json.loads((copy / "manifest.json").read_text())
        data = copy / manifest["data"]
        how(data / name)
        (copy / "manifest.json").write_text(json.dumps(manifest | {"files": file_checksums(data)}))
        return copy

    return change


def use(folder):
    """Open an index and search it in every way."""
    index = open_index(folder, encoder=HashingEncoder(), image_encoder=Sizes())
    index.search(["moon cheese", "Tiber"], top_k=5)
    index.search(["moon"], filters={"date_before": "2022", "language": "en"})
    index.images.search([b"xxxx"], top_k=4)
    index.images.search_captions(["photo"], top_k=4)


def array(change):
    return lambda path: np.save(path, change(np.load(path)))


def text(content):
    return lambda path: path.write_text(content)


def column(name, value):
    def change(path):
        table = pa.ipc.open_file(path).read_all()
        place = table.schema.get_field_index(name)
        field = table.schema.field(place)
        table = table.set_column(place, field, pa.array([value] * table.num_rows, field.type))
        with pa.OSFile(str(path), "wb") as sink, pa.ipc.new_file(sink, table.schema) as writer:
            writer.write_table(table)

    return change


def buffer(name, number, change):
    """Changes the bytes of one buffer (1: offsets, 2: texts) of a column where they lie in the file."""

    def how(path):
        held = pa.ipc.open_file(path).read_all()[name].chunk(0).buffers()[number].to_pybytes()
        whole = path.read_bytes()
        assert whole.count(held) == 1
        path.write_bytes(whole.replace(held, change(held)))

    return how


def offset(place, value):
    """Puts another number among the offsets of the documents' texts."""

    def change(held):
        offsets = np.frombuffer(held, np.int64).copy()
        offsets[place] = value
        return offsets.tobytes()

    return buffer("text", 1, change)


LAST = len(ROWS)  # offsets are one more than rows
LEXICAL = "index/lexical/"
CHANGES = [
    ("vectors.npy", array(lambda a: a[:-1])),
    ("vectors.npy", array(lambda a: a.astype("U5"))),
    ("vectors.npy", lambda path: path.write_bytes(path.read_bytes()[:-3])),
    ("photo_vectors.npy", lambda path: path.write_bytes(path.read_bytes()[:40])),
    ("documents.arrow", lambda path: path.write_bytes(path.read_bytes()[:-20])),
    ("documents.arrow", offset(LAST, 2**55)),
    ("documents.arrow", offset(1, 2**55)),
    ("documents.arrow", offset(1, -(2**40))),
    ("documents.arrow", buffer("text", 2, lambda held: b"\xff" * len(held))),
    ("documents.arrow", column("text", None)),
    ("documents.arrow", column("first_sentence", 10**6)),
    ("documents.arrow", column("metadata", "{")),
    ("documents.arrow", column("metadata", "[1]")),
    ("sentences.arrow", column("document", -1)),
    ("sentences.arrow", column("start", None)),
    ("sentences.arrow", column("end", -1)),
    ("photos.arrow", column("document", 10**6)),
    ("index/dense/vectors.faiss", lambda path: path.write_bytes(path.read_bytes()[:27])),
    ("index/dense/vectors.faiss", lambda path: path.write_bytes(b"")),
    ("photo/vectors.faiss", lambda path: path.write_bytes(path.read_bytes()[:31])),
    ("index/dense/index.json", text("[]")),
    ("index/dense/index.json", text('{"factory": 0, "probe": null, "rerank": 20}')),
    ("index/dense/index.json", text('{"factory": "Flat", "probe": null, "rerank": 1e300}')),
    ("photo/index.json", text("{}")),
    (LEXICAL + "ids.npy", array(lambda a: a + 2**40)),
    (LEXICAL + "deleted.npy", array(lambda a: a.astype(np.float64))),
    (LEXICAL + "vocabulary.json", text("null")),
    (LEXICAL + "params.index.json", text("[[]]")),
    (LEXICAL + "params.index.json", text('{"num_docs": 1099511627776}')),
    (LEXICAL + "indices.csc.index.npy", array(lambda a: a + 2**30)),
    (LEXICAL + "indptr.csc.index.npy", array(lambda a: -a - 1)),
    (LEXICAL + "indptr.csc.index.npy", lambda path: path.write_bytes(b"")),
    (LEXICAL + "data.csc.index.npy", array(lambda a: a[:-1])),
]


def test_an_index_that_nobody_changed_is_used(changed):
    use(changed("vectors.npy", lambda path: None))


@pytest.mark.parametrize(("name", "how"), CHANGES, ids=[f"{i}-{name}" for i, (name, _) in enumerate(CHANGES)])
def test_changed_files_are_refused_in_one_line(changed, name, how):
    folder = changed(name, how)
    with pytest.raises(InputError, match=r"build (it|the index) again$") as caught:
        use(folder)
    assert "\n" not in str(caught.value)


def test_texts_that_end_outside_their_file_are_refused_without_checksums_too(changed):
    folder = changed("documents.arrow", offset(LAST, 2**55))
    with pytest.raises(InputError, match="build the index again"):
        open_index(folder, encoder=HashingEncoder(), verify=False)
