"""Text encoders against sentence-transformers with the same weights."""

import json
import os
import shutil

import numpy as np
import pytest

from retrieval import InputError, load_encoder
from retrieval.encoders.pretrained import resolve_pretrained
from retrieval.search.rerank import CrossEncoderReranker

TEXTS = [
    "A cat sits outside.",
    "",
    "word " * 400,
    "Brücken über den Fluß",
    "今天是星期一",
    "a\ud800b",
    "A man plays guitar",
    "A",
]


@pytest.fixture(scope="module")
def tiny(tmp_path_factory):
    """A BERT of random weights in a sentence-transformers folder."""
    import torch
    from transformers import AutoTokenizer, BertConfig, BertModel

    folder = tmp_path_factory.mktemp("tiny")
    torch.manual_seed(0)
    config = BertConfig(
        vocab_size=30522, hidden_size=32, num_hidden_layers=2, num_attention_heads=4, intermediate_size=64
    )
    BertModel(config).save_pretrained(folder)
    AutoTokenizer.from_pretrained(str(resolve_pretrained("bundled"))).save_pretrained(folder)
    return folder


def copy(folder, target, **files):
    shutil.copytree(folder, target)
    for name, content in files.items():
        path = target / name.replace("__", "/")
        path.parent.mkdir(exist_ok=True)
        path.with_suffix(".json").write_text(json.dumps(content))
    return target


@pytest.mark.slow
def test_equal_to_sentence_transformers():
    from sentence_transformers import SentenceTransformer

    encoder = load_encoder()
    vectors = encoder.encode(TEXTS, batch_size=3)
    assert vectors.shape == (len(TEXTS), encoder.dimension) == (8, 384)
    assert vectors.dtype == np.float32
    reference = SentenceTransformer(str(resolve_pretrained("bundled")), device="cpu")
    expected = reference.encode([t.replace("\ud800", "?") for t in TEXTS], normalize_embeddings=True)
    np.testing.assert_allclose(vectors, expected, atol=2e-6)


def test_a_vector_does_not_depend_on_its_batch(tiny):
    encoder = load_encoder(tiny)
    together = encoder.encode(TEXTS, batch_size=8)
    alone = np.concatenate([encoder.encode([text]) for text in TEXTS])
    np.testing.assert_allclose(together, alone, atol=1e-6)
    np.testing.assert_allclose(np.linalg.norm(together, axis=1), 1, atol=1e-6)
    assert encoder.encode([]).shape == (0, 32)


def test_fingerprint_follows_the_content(tiny, tmp_path):
    same = copy(tiny, tmp_path / "elsewhere")
    assert load_encoder(same).fingerprint == load_encoder(tiny).fingerprint
    assert load_encoder(tiny, max_length=16).fingerprint != load_encoder(tiny).fingerprint
    weights = same / "model.safetensors"
    data = bytearray(weights.read_bytes())
    data[-1] ^= 1
    other = copy(same, tmp_path / "other")
    (other / "model.safetensors").write_bytes(data)
    assert load_encoder(other).fingerprint != load_encoder(tiny).fingerprint


def test_cls_pooling_and_length_are_read_from_the_folder(tiny, tmp_path):
    modules = [{"type": "sentence_transformers.models.Transformer"}, {"type": "sentence_transformers.models.Pooling"}]
    folder = copy(
        tiny,
        tmp_path / "cls",
        modules=modules,
        sentence_bert_config={"max_seq_length": 8},
        **{"1_Pooling__config": {"pooling_mode_cls_token": True, "pooling_mode_mean_tokens": False}},
    )
    encoder = load_encoder(folder)
    long, longer = encoder.encode(["word " * 20, "word " * 30])
    np.testing.assert_allclose(long, longer, atol=1e-6)
    assert not np.allclose(encoder.encode(["A cat"]), load_encoder(tiny).encode(["A cat"]), atol=1e-3)


def test_what_cannot_be_loaded_is_refused(tiny, tmp_path, monkeypatch):
    with pytest.raises(InputError, match="no such folder"):
        load_encoder("./nowhere")
    with pytest.raises(InputError, match=r"holds no config\.json"):
        load_encoder(tmp_path)
    with pytest.raises(InputError, match="`max_length` is 1, expected a whole number of at least 2"):
        load_encoder(tiny, max_length=1)
    with pytest.raises(InputError, match="`runtime` is 'tpu', expected one of torch, int8"):
        load_encoder(tiny, runtime="tpu")
    with pytest.raises(InputError, match="runs on the CPU"):
        load_encoder(tiny, runtime="onnx", device="cuda")
    dense = copy(tiny, tmp_path / "dense", modules=[{"type": "sentence_transformers.models.Dense"}])
    with pytest.raises(InputError, match="asks for layers Dense"):
        load_encoder(dense)
    pooled = copy(tiny, tmp_path / "max", **{"1_Pooling__config": {"pooling_mode_max_tokens": True}})
    with pytest.raises(InputError, match="asks for pooling max_tokens"):
        load_encoder(pooled)
    encoder = load_encoder(tiny)
    with pytest.raises(InputError, match="texts are one string"):
        encoder.encode("abc")
    with pytest.raises(InputError, match=r"texts\[1\] is NoneType"):
        encoder.encode(["a", None])
    with pytest.raises(InputError, match="`batch_size` is 0"):
        encoder.encode(["a"], batch_size=0)


def test_a_folder_whose_files_changed_is_loaded_again(tiny, tmp_path):
    folder = copy(tiny, tmp_path / "model")
    first = load_encoder(folder)
    assert load_encoder(folder) is first
    weights = folder / "model.safetensors"
    before, held = weights.stat(), bytearray(weights.read_bytes())
    held[-2] ^= 1
    weights.write_bytes(held)
    os.utime(weights, ns=(before.st_atime_ns, before.st_mtime_ns))  # the same size and time of writing
    second = load_encoder(folder)
    assert second.fingerprint != first.fingerprint
    settings = {"pooling_mode_cls_token": True, "pooling_mode_mean_tokens": False}
    (folder / "1_Pooling").mkdir(exist_ok=True)
    (folder / "1_Pooling" / "config.json").write_text(json.dumps(settings))
    assert load_encoder(folder).fingerprint not in (first.fingerprint, second.fingerprint)


def test_a_longest_input_that_is_no_number_says_nothing(tiny, tmp_path):
    settings = json.loads((tiny / "tokenizer_config.json").read_text())
    odd = copy(tiny, tmp_path / "odd", tokenizer_config={**settings, "model_max_length": "x"})
    vectors = load_encoder(odd).encode(TEXTS[:1])
    np.testing.assert_allclose(vectors, load_encoder(tiny).encode(TEXTS[:1]), atol=1e-5)


def test_a_tokenizer_of_another_model_is_refused(tiny, tmp_path):
    odd = copy(tiny, tmp_path / "odd")
    settings = json.loads((odd / "tokenizer.json").read_text())
    settings["model"]["vocab"]["[UNK]"] = 10**7
    (odd / "tokenizer.json").write_text(json.dumps(settings))
    with pytest.raises(InputError, match="tokenizer gives token 10000000, its model knows"):
        load_encoder(odd).encode(TEXTS)


def test_nothing_in_a_folder_is_run(tiny, tmp_path):
    """A pickle runs what it holds when it is read, and ``auto_map`` names a file of code."""
    import torch
    from transformers import BertModel

    pickled = copy(tiny, tmp_path / "pickled")
    torch.save(BertModel.from_pretrained(tiny).state_dict(), pickled / "pytorch_model.bin")
    both = copy(pickled, tmp_path / "both")
    assert load_encoder(both).fingerprint == load_encoder(tiny).fingerprint  # the safetensors are read
    (pickled / "model.safetensors").unlink()
    with pytest.raises(InputError, match=r"pickled weights only \(pytorch_model\.bin\), which could run code"):
        load_encoder(pickled)
    coded = copy(tiny, tmp_path / "coded")
    config = json.loads((coded / "config.json").read_text())
    config |= {"model_type": "own", "auto_map": {"AutoConfig": "own.Config", "AutoModel": "own.Model"}}
    (coded / "config.json").write_text(json.dumps(config))
    (coded / "own.py").write_text(f"open({str(tmp_path / 'ran')!r}, 'w')")
    with pytest.raises(InputError, match="could not be loaded"):
        load_encoder(coded)
    with pytest.raises(InputError, match="could not be loaded"):
        CrossEncoderReranker(coded)
    assert not (tmp_path / "ran").exists()


def plain(encoder, texts):
    """Vectors by the Hugging Face model itself, one text at a time."""
    import torch

    vectors = []
    for text in texts:
        inputs = encoder.tokenizer(text, truncation=True, max_length=encoder.max_length, return_tensors="pt")
        hidden = encoder.model(**inputs).last_hidden_state[0]
        pooled = hidden[0] if encoder.pooling == "cls" else hidden.mean(0)
        vectors.append(torch.nn.functional.normalize(pooled, dim=0).numpy())
    return np.stack(vectors)


def test_the_packed_network_is_the_network(tiny, tiny_deberta, tmp_path):
    from retrieval.encoders.packed import is_packable

    texts = [text.replace("\ud800", "?") for text in TEXTS] + ["two", "three", "a longer sentence of words"] * 3
    encoder = load_encoder(tiny)
    assert is_packable(encoder.model)
    np.testing.assert_allclose(encoder.encode(texts, batch_size=5), plain(encoder, texts), atol=1e-6)
    settings = {"pooling_mode_cls_token": True, "pooling_mode_mean_tokens": False}
    cls = load_encoder(copy(tiny, tmp_path / "cls", **{"1_Pooling__config": settings}))
    np.testing.assert_allclose(cls.encode(texts), plain(cls, texts), atol=1e-6)
    other = load_encoder(tiny_deberta)
    assert not is_packable(other.model)
    np.testing.assert_allclose(other.encode(texts, batch_size=5), plain(other, texts), atol=1e-5)


def test_int8_is_near_and_does_not_depend_on_the_batch(tiny, tiny_deberta):
    exact, int8 = load_encoder(tiny), load_encoder(tiny, runtime="int8")
    vectors = int8.encode(TEXTS, batch_size=8)
    np.testing.assert_allclose(vectors, np.concatenate([int8.encode([text]) for text in TEXTS]), atol=1e-6)
    expected = exact.encode(TEXTS)
    assert (vectors * expected).sum(1).min() > 0.999
    assert not np.array_equal(vectors, expected)
    assert int8.fingerprint != exact.fingerprint
    with pytest.raises(InputError, match="`runtime` 'int8' reads BERT encoders only"):
        load_encoder(tiny_deberta, runtime="int8")


def test_batches_hold_like_lengths_and_bounded_tokens():
    from retrieval.encoders.batching import batches_by_length

    ids = [[1] * n for n in (3, 700, 5, 4, 4, 300, 5)]
    batches = [[len(row) for row in part] for _, part in batches_by_length(ids, 3, tokens=16)]
    assert batches == [[700], [300], [5, 5, 4], [4, 3]]
    assert sorted(int(i) for rows, _ in batches_by_length(ids, 3, tokens=16) for i in rows) == list(range(7))
    assert [len(part) for _, part in batches_by_length(ids, 4, tokens=None)] == [4, 3]


@pytest.mark.slow
def test_onnx_gives_the_same_vectors(tiny, tmp_path, monkeypatch):
    pytest.importorskip("onnxruntime", reason="needs the extra 'onnx'")
    monkeypatch.setenv("FACTCHECK_CACHE", str(tmp_path))
    torch_encoder, onnx = load_encoder(tiny), load_encoder(tiny, runtime="onnx")
    np.testing.assert_allclose(onnx.encode(TEXTS, batch_size=3), torch_encoder.encode(TEXTS), atol=1e-5)
    assert onnx.fingerprint == torch_encoder.fingerprint
    assert len(list((tmp_path / "onnx").glob("*.onnx"))) == 1
    int8 = load_encoder(tiny, runtime="onnx-int8")
    assert int8.fingerprint != onnx.fingerprint
    cosine = (int8.encode(TEXTS) * torch_encoder.encode(TEXTS)).sum(1)
    assert cosine.min() > 0.98
    assert onnx.encode([]).shape == (0, 32)
