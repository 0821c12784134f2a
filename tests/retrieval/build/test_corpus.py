"""Reading corpora as other people write them: ids, dates, photos, encodings, links, and what cannot be read."""

import base64
import codecs
import json
import os
import re
import shutil
from decimal import Decimal
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from corpora import write_jsonl

import retrieval.build.build as build_module
import retrieval.build.shards as shards_module
from factcheck.cli import main
from retrieval import InputError, build_index, open_index
from retrieval.build.corpus import CorpusFormat, Photo, read_corpus
from retrieval.build.text_files import files_below

ENCODED = base64.b64encode(b"aaaabbbb").decode()


class Lengths:
    """Embeds a photo by its length, and notes how many it is given at once."""

    fingerprint = "lengths-1"

    def __init__(self):
        self.groups = []

    def embed_images(self, images):
        self.groups.append(len(images))
        if any(data.startswith(b"!") for data in images):
            raise InputError("broken photo")
        vectors = np.array([[len(data), 1.0] for data in images], np.float32)
        return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


@pytest.fixture
def opened(monkeypatch):
    """Names of the photo files that were read."""
    names, read = [], Photo.read

    def noted(photo):
        if photo.file is not None:
            names.append(photo.file.name)
        return read(photo)

    monkeypatch.setattr(Photo, "read", noted)
    return names


def ids(path, **options):
    return [document.id for document in read_corpus(path, **options)]


def photos(folder, images):
    (document,) = read_corpus(write_jsonl(folder / "photos.jsonl", [{"text": "x", "images": images}]))
    return document.photos


def test_a_row_without_an_id_takes_nobody_elses(tmp_path):
    (tmp_path / "a.csv").write_text("id,text\n1,one\n2,two\n,three\n \t,four\n")
    assert ids(tmp_path / "a.csv") == ["1", "2", "row 2", "row 3"]
    assert ids(write_jsonl(tmp_path / "a.jsonl", [{"id": 1, "text": "x"}, {"text": "y"}])) == ["1", "row 1"]
    (tmp_path / "b.csv").write_text("key,text\n1,one\n,two\n")
    assert ids(tmp_path / "b.csv", columns={"id": "key"}) == ["1", "row 1"]
    assert ids(tmp_path / "b.csv") == ["0", "1"]  # no column of ids: the rows are counted


def test_whole_numbers_as_ids(tmp_path):
    pq.write_table(pa.table({"id": [1.0, None, 2.5, 3e15], "text": list("abcd")}), tmp_path / "a.parquet")
    assert ids(tmp_path / "a.parquet") == ["1", "row 1", "2.5", "3000000000000000"]
    decimals = pa.array([Decimal("7.00"), Decimal("7.50")], pa.decimal128(5, 2))
    pq.write_table(pa.table({"id": decimals, "text": list("ab")}), tmp_path / "b.parquet")
    assert ids(tmp_path / "b.parquet") == ["7", "7.50"]


def test_a_photo_file_is_opened_when_it_is_asked_for(tmp_path):
    photo, far = photos(tmp_path, ["later.jpg", "https://a.example/b.jpg"])
    assert (photo.data, photo.file, photo.reference) == (None, tmp_path / "later.jpg", "later.jpg")
    assert (far.read(), far.file) == (None, None)
    assert photo.read() is None
    (tmp_path / "later.jpg").write_bytes(b"aaaa")
    assert photo.read() == b"aaaa"


def test_photos_as_data_uris(tmp_path):
    uri = f"data:image/png;base64,{ENCODED}"
    found = photos(tmp_path, [uri, {"url": uri.replace("data", "DATA"), "alt": "Two"}, "data:image/svg+xml,%3Csvg/%3E"])
    assert [(photo.read(), photo.reference, photo.caption) for photo in found] == [
        (b"aaaabbbb", None, "x"),
        (b"aaaabbbb", None, "Two"),
        (None, None, "x"),
    ]
    assert photos(tmp_path, uri)[0].read() == b"aaaabbbb"


def test_photos_that_no_file_can_be(tmp_path, hashing_encoder):
    os.mkfifo(tmp_path / "pipe.jpg")
    (tmp_path / "a.jpg").write_bytes(b"aaaa")
    row = {"text": "x", "images": ["a.jpg", None, "", "x" * 5000, "a\0b.jpg", "a.jpg/b.jpg", ".", "pipe.jpg"]}
    corpus = write_jsonl(tmp_path / "c.jsonl", [row])
    (document,) = read_corpus(corpus)
    assert [photo.read() for photo in document.photos] == [b"aaaa", *5 * [None]]
    manifest = build_index(corpus, tmp_path / "index", encoder=hashing_encoder, image_encoder=Lengths())
    assert (manifest["counts"]["photos"], manifest["counts"]["unreadable"]) == (1, 5)


def test_a_gap_in_a_list_of_sentences(tmp_path):
    (document,) = read_corpus(write_jsonl(tmp_path / "c.jsonl", [{"text": ["One.", None, "Three."]}]))
    assert (document.text, document.spans) == ("One.  Three.", ((0, 4), (5, 5), (6, 12)))
    with pytest.raises(InputError, match=r"row 0 \(line 1\): the text is list, expected a string or a list of strings"):
        list(read_corpus(write_jsonl(tmp_path / "c.jsonl", [{"text": ["One.", 2]}])))


def photo_corpus(folder, count=70):
    """Documents with a photo file each; the 5th photo is broken, the 41st is not there."""
    for i in range(count):
        if i != 40:
            (folder / f"{i}.jpg").write_bytes(b"!" if i == 4 else b"x" * (i + 1))
    rows = [{"id": f"d{i}", "text": f"Number {i}.", "images": [f"{i}.jpg"]} for i in range(count)]
    return write_jsonl(folder / "c.jsonl", rows)


def test_photos_are_read_a_few_at_a_time(tmp_path, hashing_encoder):
    corpus, encoder = photo_corpus(tmp_path), Lengths()
    manifest = build_index(corpus, tmp_path / "index", encoder=hashing_encoder, image_encoder=encoder)
    assert [size for size in encoder.groups if size > 1] == [32, 31, 6]  # the first again one by one
    assert encoder.groups.count(1) == 32
    assert (manifest["counts"]["photos"], manifest["counts"]["unreadable"]) == (68, 2)
    stored = np.load(tmp_path / "index" / manifest["data"] / "photo_vectors.npy").astype(np.float32)
    lengths = [i + 1 for i in range(70) if i not in (4, 40)]
    np.testing.assert_allclose(stored[:, 0] / stored[:, 1], lengths, rtol=0.1)


def test_a_build_without_an_image_encoder_opens_no_photo(tmp_path, hashing_encoder, opened):
    corpus = photo_corpus(tmp_path, 3)
    counts = build_index(corpus, tmp_path / "index", encoder=hashing_encoder)["counts"]
    assert (counts["photos"], counts["unreadable"], opened) == (0, 0, [])
    # Nor does it mind what stands where photos belong; with one this shows before anything is encoded.
    write_jsonl(corpus, [{"text": "a"}, {"text": "b", "images": 5}])
    build_index(corpus, tmp_path / "index", encoder=hashing_encoder)
    before, image_encoder = hashing_encoder.encoded, Lengths()
    write_jsonl(corpus, [{"text": "c"}, {"text": "d", "images": 5}])
    with pytest.raises(InputError, match=r"row 1 \(line 2\): a photo is int"):
        build_index(corpus, tmp_path / "index", encoder=hashing_encoder, image_encoder=image_encoder)
    assert (hashing_encoder.encoded, image_encoder.groups) == (before, [])


def cut_off(monkeypatch, after, *arguments, **options):
    """A build that ends before shard number ``after`` is written."""
    write = shards_module.ShardWriter._write

    def limited(self, number, batch):
        if number == after:
            raise KeyboardInterrupt
        write(self, number, batch)

    with monkeypatch.context() as patch:
        patch.setattr(shards_module.ShardWriter, "_write", limited)
        with pytest.raises(KeyboardInterrupt):
            build_index(*arguments, **options)


def test_a_resumed_build_opens_only_the_photos_that_it_lacks(tmp_path, hashing_encoder, monkeypatch, opened):
    monkeypatch.setattr(build_module, "SHARD_SENTENCES", 10)
    corpus = photo_corpus(tmp_path, 30)
    options = {"encoder": hashing_encoder, "image_encoder": Lengths()}
    cut_off(monkeypatch, 2, corpus, tmp_path / "index", **options)
    assert opened == [f"{i}.jpg" for i in range(20)]
    opened.clear()
    build_index(corpus, tmp_path / "index", **options)
    assert opened == [f"{i}.jpg" for i in range(20, 30)]


def test_photos_inside_rows_close_a_shard(tmp_path, hashing_encoder, monkeypatch):
    monkeypatch.setattr(shards_module, "IMAGE_BYTES", 1000)
    rows = [{"id": str(i), "text": f"Number {i}.", "images": [b"x" * 300, b"y" * i]} for i in range(10)]
    pq.write_table(pa.Table.from_pylist(rows), tmp_path / "c.parquet")
    options = {"encoder": hashing_encoder, "image_encoder": Lengths()}
    whole = build_index(tmp_path / "c.parquet", tmp_path / "whole", **options)
    cut_off(monkeypatch, 2, tmp_path / "c.parquet", tmp_path / "index", **options)
    shards = shards_module.shard_folders(tmp_path / "index" / "building")
    assert [json.loads((shard / "about.json").read_text())["documents"] for shard in shards] == [4, 4]
    assert build_index(tmp_path / "c.parquet", tmp_path / "index", **options)["files"] == whole["files"]
    monkeypatch.setattr(shards_module, "IMAGE_BYTES", 2**20)
    assert build_index(tmp_path / "c.parquet", tmp_path / "one", **options)["counts"] == whole["counts"]


def nested(levels):
    return '{"text": "Moon.", "more": ' + "[" * levels + "]" * levels + "}\n"


@pytest.mark.parametrize("levels", [101, 450, 900, 100_000])
def test_what_is_nested_too_deeply_is_named(tmp_path, hashing_encoder, levels):
    (tmp_path / "c.jsonl").write_text('{"text": "Sun."}\n' + nested(levels))
    with pytest.raises(InputError, match=r"c\.jsonl, row 1 \(line 2\): .*lists and objects are nested too deeply"):
        build_index(tmp_path / "c.jsonl", tmp_path / "index", encoder=hashing_encoder)


def test_what_is_nested_deeply_is_kept(tmp_path, hashing_encoder):
    (tmp_path / "c.jsonl").write_text(nested(100))
    build_index(tmp_path / "c.jsonl", tmp_path / "index", encoder=hashing_encoder)
    (hit,) = open_index(tmp_path / "index", encoder=hashing_encoder).search(["moon"])[0]
    assert json.dumps(hit.metadata["more"]) == "[" * 100 + "]" * 100


@pytest.mark.parametrize("row", [0, 70])
def test_parquet_values_that_cannot_be_read_are_named(tmp_path, row):
    texts = [b"good"] * 100
    texts[row] = b"\xff\xfe\xfd"
    broken = pa.array(texts, pa.binary()).view(pa.string())
    pq.write_table(pa.table({"title": ["t"] * 100, "text": broken}), tmp_path / "c.parquet")
    with pytest.raises(
        InputError, match=rf"c\.parquet, row {row}: column 'text' cannot be read \(not UTF-8: byte 0xff"
    ):
        list(read_corpus(tmp_path / "c.parquet"))


@pytest.fixture
def linked(tmp_path):
    """A folder of texts with links to a folder outside, to itself and to a folder that it holds."""
    (tmp_path / "outside").mkdir()
    (tmp_path / "outside" / "far.txt").write_text("Far away.")
    texts = tmp_path / "texts"
    (texts / "sub" / "deep").mkdir(parents=True)
    (texts / "a.txt").write_text("Here.")
    (texts / "sub" / "deep" / "b.md").write_text("Below.")
    (texts / "c.txt").symlink_to(texts / "a.txt")
    (texts / "gone.txt").symlink_to(texts / "nowhere.txt")
    (texts / "a link").symlink_to(tmp_path / "outside")
    (texts / "z link").symlink_to(tmp_path / "outside")
    (texts / "again").symlink_to(texts / "sub")
    (texts / "sub" / "up").symlink_to(texts)
    (tmp_path / "outside" / "back").symlink_to(texts)
    return texts


def test_linked_folders_are_read_once(linked):
    assert ids(linked) == ["a link/far.txt", "a.txt", "c.txt", "sub/deep/b.md"]
    assert [path.relative_to(linked).as_posix() for path in files_below(linked)] == ids(linked)


def test_a_change_in_a_linked_folder_changes_the_corpus(linked, tmp_path):
    before = build_module._identity(linked, tmp_path / "index")
    (tmp_path / "outside" / "more.txt").write_text("More.")
    assert build_module._identity(linked, tmp_path / "index") != before


def test_an_index_is_no_part_of_a_corpus_that_links_to_it(tmp_path, hashing_encoder):
    texts, out = tmp_path / "texts", tmp_path / "elsewhere" / "index"
    texts.mkdir()
    out.parent.mkdir()
    (texts / "a.txt").write_text("The moon has no air.")
    (texts / "link").symlink_to(out.parent)
    before = build_module._identity(texts, out)
    build_index(texts, out, encoder=hashing_encoder)
    (out / "notes.md").write_text("What I found.")
    assert build_module._identity(texts, out) == before
    assert build_index(texts, out, encoder=hashing_encoder)["counts"]["documents"] == 1


def test_encodings_of_text_files(tmp_path, hashing_encoder, logged):
    text = "Größer.\nÄlter."
    contents = {
        "a.txt": text.encode(),
        "b.txt": codecs.BOM_UTF8 + text.replace("\n", "\r\n").encode(),
        "c.txt": text.encode("utf-16"),
        "d.txt": codecs.BOM_UTF16_BE + text.encode("utf-16-be"),
        "e.txt": b"",
    }
    for name, content in contents.items():
        (tmp_path / name).write_bytes(content)
    assert [document.text for document in read_corpus(tmp_path)] == [*4 * [text], ""]
    assert [document.text for document in read_corpus(tmp_path / "c.txt")] == [text]
    assert logged(build_index, tmp_path, tmp_path / "index", encoder=hashing_encoder)[0] == []


def test_text_files_that_are_not_utf8_are_counted_once(tmp_path, hashing_encoder, monkeypatch, logged):
    monkeypatch.setattr(build_module, "SHARD_SENTENCES", 1)
    for name in ("a.txt", "b.txt", "c.txt"):
        (tmp_path / name).write_bytes("Größer.".encode("utf-8" if name == "a.txt" else "latin-1"))
    assert [document.text for document in read_corpus(tmp_path)] == [
        "Größer.",
        "Gr\ufffd\ufffder.",
        "Gr\ufffd\ufffder.",
    ]
    cut_off(monkeypatch, 2, tmp_path, tmp_path / "index", encoder=hashing_encoder)
    (message,), _ = logged(build_index, tmp_path, tmp_path / "index", encoder=hashing_encoder)
    assert message.startswith("text files, lines or rows that are not UTF-8: 2, the first 'b.txt'; ")


LATIN = "Größer.".encode("latin-1")
#: A row that is not UTF-8 between two that are, one with a U+FFFD of its own.
TABLES = {
    "c.jsonl": b'{"text": "Gr\xc3\xb6\xc3\x9fer."}\n\n{"text": "%s"}\n{"text": "A \xef\xbf\xbd."}\n' % LATIN,
    "c.csv": b'text,note\r\nGr\xc3\xb6\xc3\x9fer.,"a\r\nb"\r\n%s,\r\nA \xef\xbf\xbd.,\r\n' % LATIN,
    "c.tsv": b"text\tnote\nGr\xc3\xb6\xc3\x9fer.\tx\n%s\ty\nA \xef\xbf\xbd.\t\n" % LATIN,
}


@pytest.mark.parametrize("name", TABLES)
def test_rows_that_are_not_utf8_are_counted(tmp_path, hashing_encoder, monkeypatch, name, logged):
    monkeypatch.setattr(build_module, "SHARD_SENTENCES", 1)
    (tmp_path / name).write_bytes(TABLES[name])
    place = f"{name}, line 4" if name == "c.csv" else f"{name}, line 3"  # as the row before has two lines
    documents = list(read_corpus(tmp_path / name))
    assert [document.text for document in documents] == ["Größer.", "Gr\ufffd\ufffder.", "A \ufffd."]
    assert [document.garbled for document in documents] == [None, place, None]
    (message,), manifest = logged(build_index, tmp_path / name, tmp_path / "index", encoder=hashing_encoder)
    assert re.search(rf"are not UTF-8: 1, the first '{place}'; .* Save the corpus as UTF-8", message)
    assert manifest["counts"]["garbled"] == 1
    (tmp_path / name).write_bytes(TABLES[name].replace(LATIN, "Größer.".encode()))
    messages, manifest = logged(build_index, tmp_path / name, tmp_path / "index", encoder=hashing_encoder)
    assert messages == []
    assert manifest["counts"]["garbled"] == 0


def test_a_header_that_is_not_utf8_is_told_once(tmp_path):
    (tmp_path / "c.csv").write_bytes(b"text,gr\xf6sse\nOne.,1\nTwo.,2\nThree \xf6.,3\n")
    documents = list(read_corpus(tmp_path / "c.csv"))
    assert [document.garbled for document in documents] == ["c.csv, header", None, "c.csv, line 4"]
    assert documents[0].metadata == {"gr\ufffdsse": "1"}


@pytest.mark.parametrize("name", TABLES)
def test_tables_in_utf16(tmp_path, name):
    text = TABLES[name].replace(LATIN, "Größer.".encode()).decode()
    (tmp_path / name).write_bytes(text.encode("utf-16"))
    documents = list(read_corpus(tmp_path / name))
    assert [document.text for document in documents] == ["Größer.", "Größer.", "A \ufffd."]
    assert not any(document.garbled for document in documents)
    (tmp_path / name).write_bytes(text.encode("utf-16")[:-1])
    with pytest.raises(InputError, match=rf"{name}: not readable as UTF-16 \(truncated data\); save it as UTF-8"):
        list(read_corpus(tmp_path / name))


def test_a_text_file_that_goes_while_the_corpus_is_read(tmp_path):
    for name in ("a.txt", "b.txt"):
        (tmp_path / name).write_text("x")
    documents = read_corpus(tmp_path)
    next(documents)
    (tmp_path / "b.txt").unlink()
    with pytest.raises(InputError, match=r"b\.txt: cannot be read \(No such file or directory\); make it readable"):
        next(documents)


def test_names_of_dates(tmp_path):
    names = ["publication_date", "date_published", "pub_date", "pubdate", "created_at"]
    rows = [{"text": "x", name: "2020-01-02"} for name in names] + [{"text": "x", "created_at": "2021", "date": "2020"}]
    documents = list(read_corpus(write_jsonl(tmp_path / "c.jsonl", rows)))
    assert [document.date for document in documents] == [*5 * ["2020-01-02"], "2020"]
    assert documents[-1].metadata == {"created_at": "2021"}


def test_dated_documents_are_counted(tmp_path, hashing_encoder, monkeypatch, logged):
    monkeypatch.setattr(build_module, "SHARD_SENTENCES", 2)
    dates = ["2020", None, "2020-02-03", "yesterday", "March 5, 2020"]
    corpus = write_jsonl(tmp_path / "c.jsonl", [{"text": f"Moon {i}.", "date": date} for i, date in enumerate(dates)])
    (message,), manifest = logged(build_index, corpus, tmp_path / "index", encoder=hashing_encoder)
    assert "could not be read: 1, the first 'yesterday'" in message
    assert (manifest["counts"]["dated"], manifest["counts"]["unreadable_dates"]) == (3, 1)


def test_index_info_says_how_many_documents_are_dated(built, capsys):
    assert main(["index", "info", str(built)]) == 0
    assert "documents     4\ndated         3\n" in capsys.readouterr().out
    path = built / "manifest.json"
    manifest = json.loads(path.read_text())
    del manifest["counts"]["dated"]  # as earlier versions wrote it
    path.write_text(json.dumps(manifest))
    assert main(["index", "info", str(built)]) == 0
    assert "dated" not in capsys.readouterr().out


def test_index_info_says_how_many_dates_cannot_be_read(tmp_path, hashing_encoder, capsys, logged):
    dates = ["2020-01-02", "1583402400", "05/03/2020", None]
    corpus = write_jsonl(tmp_path / "c.jsonl", [{"text": f"Moon {i}.", "date": date} for i, date in enumerate(dates)])
    assert "could not be read: 2" in logged(build_index, corpus, tmp_path / "index", encoder=hashing_encoder)[0][0]
    assert main(["index", "info", str(tmp_path / "index")]) == 0
    assert "dated         1\nunread dates  2 (found by no search with a date;" in capsys.readouterr().out
    path = tmp_path / "index" / "manifest.json"
    manifest = json.loads(path.read_text())
    del manifest["counts"]["unreadable_dates"], manifest["counts"]["garbled"]  # as earlier versions wrote it
    path.write_text(json.dumps(manifest))
    assert main(["index", "info", str(tmp_path / "index")]) == 0
    assert "unread" not in capsys.readouterr().out
    assert open_index(tmp_path / "index", encoder=hashing_encoder).search(["moon"])[0]


def test_the_help_says_what_becomes_of_undated_documents(capsys):
    with pytest.raises(SystemExit):
        main(["index", "search", "--help"])
    out = " ".join(capsys.readouterr().out.split())
    assert "published before DATE, or undated" in out
    assert "published after DATE, or undated" in out


@pytest.mark.parametrize("key", ["dated", "first_garbled"])
def test_shards_of_an_earlier_version_are_made_again(tmp_path, hashing_encoder, monkeypatch, key):
    monkeypatch.setattr(build_module, "SHARD_SENTENCES", 1)
    rows = [{"text": f"Moon {i}.", "date": "2020"} for i in range(3)]
    corpus, out = write_jsonl(tmp_path / "c.jsonl", rows), tmp_path / "index"
    cut_off(monkeypatch, 2, corpus, out, encoder=hashing_encoder)
    about = out / "building" / "shard-000000" / "about.json"
    about.write_text(json.dumps({k: v for k, v in json.loads(about.read_text()).items() if k != key}))
    assert build_index(corpus, out, encoder=hashing_encoder)["counts"]["dated"] == 3


@pytest.fixture(scope="module")
def encoder_folder(tmp_path_factory):
    """A folder of a text encoder: a BERT of random weights."""
    from transformers import AutoTokenizer, BertConfig, BertModel

    from retrieval.encoders.pretrained import resolve_pretrained

    folder = tmp_path_factory.mktemp("models") / "tiny"
    sizes = {"hidden_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 16}
    BertModel(BertConfig(vocab_size=30522, **sizes)).save_pretrained(folder)
    AutoTokenizer.from_pretrained(str(resolve_pretrained("bundled"))).save_pretrained(folder)
    return folder


def test_an_index_opens_from_another_folder_than_it_was_built_in(corpus, tmp_path, encoder_folder, monkeypatch):
    shutil.copytree(encoder_folder, tmp_path / "models" / "tiny")
    (tmp_path / "away").mkdir()
    monkeypatch.chdir(tmp_path)
    for name in ("models/tiny", Path("models/tiny"), tmp_path / "models" / "tiny"):
        monkeypatch.chdir(tmp_path)
        manifest = build_index(corpus, tmp_path / "index", encoder=name)
        assert manifest["encoder"]["name"] == str(tmp_path / "models" / "tiny")
        assert manifest["encoder"]["runtime"] == "torch"
        monkeypatch.chdir(tmp_path / "away")
        assert open_index(tmp_path / "index").search(["moon"], top_k=1)[0]


def test_other_names_of_encoders_stay(corpus, tmp_path, encoder_folder, hashing_encoder, monkeypatch):
    (tmp_path / "bundled").mkdir()
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(build_module, "load_encoder", lambda name, runtime: hashing_encoder)
    for name in ("bundled", "organisation/model", str(encoder_folder)):
        assert build_index(corpus, tmp_path / "index", encoder=name)["encoder"]["name"] == name


def test_the_folder_of_a_photo_encoder_is_recorded_in_full(corpus, tmp_path, hashing_encoder, monkeypatch):
    (tmp_path / "photos").mkdir()
    monkeypatch.chdir(tmp_path)
    encoder = Lengths()
    for name, recorded in (("photos", str(tmp_path / "photos")), ("bundled", "bundled"), ("p" * 5000, "p" * 5000)):
        encoder.name = name
        manifest = build_index(corpus, tmp_path / "index", encoder=hashing_encoder, image_encoder=encoder)
        assert manifest["image_encoder_name"] == recorded


@pytest.mark.parametrize(("row", "fields"), [("2,only-two", 2), ("2,a,b,c", 4)])
def test_rows_have_as_many_fields_as_there_are_columns(tmp_path, row, fields):
    path = tmp_path / "c.csv"
    path.write_text(f"id,title,text\n1,,Dogs run.\n\n{row}\n", "utf-8")
    with pytest.raises(InputError, match=rf"row 1 \(line 4\): split into {fields}, where the header has 3 columns"):
        list(read_corpus(path))


def test_a_corpus_separated_by_bars(tmp_path):
    (tmp_path / "a.csv").write_text('id|text\n1|one, two\n2|"three|four"\n')
    for how in (CorpusFormat(), CorpusFormat(delimiter="pipe")):
        assert [(d.id, d.text) for d in read_corpus(tmp_path / "a.csv", format=how)] == [
            ("1", "one, two"),
            ("2", "three|four"),
        ]
