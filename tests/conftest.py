"""Small real models made on the spot: the tests need no download and no data beyond the repository."""

import csv
import os
from collections.abc import Callable
from pathlib import Path

import pytest

os.environ.setdefault("HF_HUB_OFFLINE", "1")
os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")

WORDS = [
    "a",
    "an",
    "the",
    "man",
    "woman",
    "dog",
    "cat",
    "boy",
    "girl",
    "red",
    "blue",
    "green",
    "car",
    "bike",
    "runs",
    "running",
    "plays",
    "sleeps",
    "eats",
    "sits",
    "stands",
    "on",
    "in",
    "at",
    "under",
    "near",
    "park",
    "street",
    "beach",
    "field",
    "water",
    "ball",
    "bread",
    "news",
    "report",
    "says",
    "said",
    "not",
    "no",
    "two",
    "three",
    "four",
    "2",
    "3",
    "4",
    ".",
    ",",
    "!",
    "?",
    "|",
    "city",
    "minister",
    "court",
    "law",
    "vaccine",
    "water",
    "moon",
    "rocket",
    "photo",
    "shows",
    "people",
    "is",
    "are",
    "was",
    "were",
    "and",
    "of",
    "to",
    "from",
]


@pytest.fixture(scope="session")
def tiny_vocab(tmp_path_factory) -> Path:
    """A WordPiece vocabulary that spells any ASCII text."""
    letters = [chr(c) for c in range(33, 127) if not chr(c).isupper()]
    pieces = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *letters, *(f"##{c}" for c in letters), *WORDS]
    path = tmp_path_factory.mktemp("vocab") / "vocab.txt"
    path.write_text("\n".join(dict.fromkeys(pieces)), "utf-8")
    return path


@pytest.fixture(scope="session")
def tiny_bert(tmp_path_factory, tiny_vocab) -> Path:
    """Folder of a two-layer BERT with random weights, as ``save_pretrained`` writes it."""
    return _tiny_transformer(tmp_path_factory.mktemp("tiny-bert"), tiny_vocab, "Bert")


@pytest.fixture(scope="session")
def tiny_deberta(tmp_path_factory, tiny_vocab) -> Path:
    """Folder of a two-layer DeBERTa-v2/v3 (the class of microsoft/deberta-v3-large) with random weights."""
    return _tiny_transformer(
        tmp_path_factory.mktemp("tiny-deberta"),
        tiny_vocab,
        "DebertaV2",
        relative_attention=True,
        position_buckets=32,
        pos_att_type=["p2c", "c2p"],
        norm_rel_ebd="layer_norm",
        share_att_key=True,
        position_biased_input=False,
        type_vocab_size=0,
    )


def _tiny_transformer(folder: Path, vocab: Path, family: str, **settings: object) -> Path:
    """Write a two-layer model of a family with random weights, and a tokenizer, into ``folder``."""
    import torch
    import transformers

    transformers.BertTokenizerFast(vocab=str(vocab)).save_pretrained(folder / "source")
    tokenizer = transformers.BertTokenizerFast.from_pretrained(str(folder / "source"))
    torch.manual_seed(0)
    config = getattr(transformers, f"{family}Config")(
        vocab_size=len(tokenizer),
        hidden_size=32,
        num_hidden_layers=2,
        num_attention_heads=4,
        intermediate_size=64,
        max_position_embeddings=256,
        **settings,
    )
    getattr(transformers, f"{family}Model")(config).save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The folder of development data, where it is present."""
    folder = Path(os.environ.get("FACTCHECK_DATA", Path(__file__).resolve().parents[2] / "shared" / "data"))
    if not folder.is_dir():
        pytest.skip("development data not present (set FACTCHECK_DATA to its folder)")
    return folder


@pytest.fixture(scope="session")
def tiny_model(tmp_path_factory, tiny_bert) -> Path:
    """A verdict-model folder: tiny BERT, a random twins_svt_tiny, fusion of width 32. Its verdicts mean nothing."""
    import torch
    from transformers import AutoTokenizer

    from factcheck.models.folder import create_image_encoder, save_model
    from factcheck.models.text import load_text_model
    from factcheck.models.verdict import VerdictConfig, VerdictModel

    torch.manual_seed(0)
    config = VerdictConfig(
        text_model=str(tiny_bert),
        image_weights=None,
        max_length=128,
        max_claim_tokens=48,
        fusion_dim=32,
        fusion_heads=2,
    )
    model = VerdictModel(config, load_text_model(str(tiny_bert)), create_image_encoder(config.image_encoder, None))
    # Heads that start at zero would hide whether their inputs reach them.
    for parameter in model.parameters():
        if parameter.abs().sum() == 0:
            torch.nn.init.normal_(parameter, std=0.3)
    torch.nn.init.normal_(model.stance_head.weight, std=1.0)
    folder = tmp_path_factory.mktemp("tiny-model")
    selection = {"top_k": 3, "retrieval_encoder": str(tiny_bert), "retrieval_method": "hybrid"}
    return save_model(model, folder, preprocessing=selection, tokenizer=AutoTokenizer.from_pretrained(tiny_bert))


@pytest.fixture(scope="session")
def photo() -> "Callable[[int], bytes]":
    """Makes JPEGs of smooth random pictures; the same number gives the same picture."""
    import io

    import numpy as np
    from PIL import Image

    def make(seed: int, size: tuple[int, int] = (96, 80)) -> bytes:
        small = np.random.default_rng(seed).integers(0, 255, (6, 6, 3), dtype=np.uint8)
        sink = io.BytesIO()
        Image.fromarray(small).resize(size, Image.Resampling.BICUBIC).save(sink, "JPEG", quality=90)
        return sink.getvalue()

    return make


FACTIFY_CLASSES = ["Support_Multimodal", "Support_Text", "Insufficient_Multimodal", "Insufficient_Text", "Refute"]


@pytest.fixture(scope="session")
def factify_folder(tmp_path_factory, photo):
    """A small labelled set in the Factify 2 format, with photos: 20 training rows and 10 validation rows."""
    folder = tmp_path_factory.mktemp("factify")
    (folder / "images").mkdir()
    things = ["dog", "cat", "boy", "girl", "car"]
    for name, count, offset in (("train", 20, 0), ("val", 10, 100)):
        with (folder / f"{name}.csv").open("w", encoding="utf-8", newline="") as sink:
            writer = csv.writer(sink, delimiter="\t")
            header = ["", "claim", "claim_image", "document", "document_image", "Category", "Claim OCR", "Document OCR"]
            writer.writerow(header)
            for i in range(count):
                label, thing = FACTIFY_CLASSES[i % 5], things[i // 5 % 5]
                same = label.endswith("Multimodal")
                for side, seed in (("c", offset + i), ("d", offset + i if same else offset + i + 50)):
                    (folder / "images" / f"{name}{i}{side}.jpg").write_bytes(photo(seed))
                said = {
                    "S": f"the {thing} runs in the park",
                    "I": f"a {thing} was near the water",
                    "R": f"no {thing} runs",
                }
                document = f"A report says two men eat bread. {said[label[0]].capitalize()}. The street is red."
                claim = f"The {thing} runs in the park"
                images = (f"images/{name}{i}c.jpg", f"images/{name}{i}d.jpg")
                writer.writerow([i, claim, images[0], document, images[1], label, "", "news" if i % 3 else ""])
    return folder


@pytest.fixture(scope="session")
def browser():
    """Headless Chromium, one for all tests of pages."""
    import shutil

    webdriver = pytest.importorskip("selenium.webdriver", reason="selenium is not installed")
    chromium = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    driver = shutil.which("chromedriver")
    if not chromium or not driver:
        pytest.skip("no Chromium with its driver here; on Debian: apt-get install chromium chromium-driver")
    options = webdriver.ChromeOptions()
    options.binary_location = chromium
    for argument in ("--headless=new", "--no-sandbox", "--disable-dev-shm-usage", "--disable-gpu"):
        options.add_argument(argument)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    from selenium.webdriver.chrome.service import Service

    running = webdriver.Chrome(options=options, service=Service(driver))
    running.set_page_load_timeout(60)
    yield running
    running.quit()
