"""End to end: a small language model that has learnt to judge, behind ``transformers serve``."""

import json
import os
import socket
import subprocess
import sys
import time
import urllib.request

import numpy as np
import pytest
import torch

from factcheck.judges.server import from_name
from factcheck.models.inputs import TextRow

pytest.importorskip("fastapi", reason="transformers[serving] is not installed")
pytest.importorskip("uvicorn", reason="transformers[serving] is not installed")

MARKERS = {"confirmed": "support", "mentioned": "insufficient", "denied": "refute"}


def answer(label: str) -> str:
    probabilities = {name: 0.8 if name == label else 0.1 for name in MARKERS.values()}
    return json.dumps({"label": label, "probabilities": probabilities, "evidence": [1], "reason": f"It says {label}."})


def train_language_model(folder) -> None:
    """A one-layer Llama whose vocabulary holds whole answers; which one it gives hangs on a word of the question."""
    from tokenizers import Tokenizer, models, pre_tokenizers
    from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

    words = ["[PAD]", "[UNK]", "[EOS]", "[BOS]", "user", "assistant", *MARKERS]
    raw = Tokenizer(models.WordLevel({word: i for i, word in enumerate(words)}, unk_token="[UNK]"))
    raw.pre_tokenizer = pre_tokenizers.Sequence([pre_tokenizers.Whitespace()])
    tokenizer = PreTrainedTokenizerFast(
        tokenizer_object=raw,
        pad_token="[PAD]",
        unk_token="[UNK]",
        eos_token="[EOS]",
        bos_token="[BOS]",
        model_max_length=2048,
    )
    tokenizer.add_tokens([answer(label) for label in MARKERS.values()])
    tokenizer.chat_template = "{% for m in messages %}user {{ m['content'] }} {% endfor %}assistant"
    torch.manual_seed(0)
    rng = np.random.default_rng(0)
    model = LlamaForCausalLM(
        LlamaConfig(
            vocab_size=len(tokenizer),
            hidden_size=32,
            num_hidden_layers=1,
            num_attention_heads=4,
            num_key_value_heads=4,
            intermediate_size=64,
            max_position_embeddings=2048,
            initializer_range=0.2,
            pad_token_id=0,
            eos_token_id=2,
            bos_token_id=3,
            # Almost without positions: where the word stands does not matter.
            rope_parameters={"rope_type": "default", "rope_theta": 1e12},
        )
    )
    optimiser = torch.optim.AdamW(model.parameters(), lr=1e-2)
    first = len(words)
    for step in range(150):
        length = int(rng.choice([40, 200, 700])) if step > 60 else 40
        kinds = rng.integers(0, 3, 12)
        ids = np.full((12, length), 1)
        ids[np.arange(12), rng.integers(1, length - 2, 12)] = len(words) - 3 + kinds
        ends = np.stack([np.full(12, 5), first + kinds, np.full(12, 2)], 1)
        tokens = torch.from_numpy(np.concatenate([ids, ends], 1))
        labels = tokens.clone()
        labels[:, : length + 1] = -100
        loss = model(input_ids=tokens, labels=labels).loss
        loss.backward()
        optimiser.step()
        optimiser.zero_grad()
    assert loss.item() < 0.2, loss.item()
    model.generation_config.eos_token_id = 2
    model.generation_config.pad_token_id = 0
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    folder = tmp_path_factory.mktemp("llama")
    train_language_model(folder)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [sys.executable, "-m", "transformers.cli.transformers", "serve", str(folder), "--host", "127.0.0.1"]
    log = (folder / "log.txt").open("w")
    process = subprocess.Popen(
        [*command, "--port", str(port), "--device", "cpu"],
        stdout=log,
        stderr=subprocess.STDOUT,
        env=os.environ | {"HF_HUB_OFFLINE": "1"},
    )
    url = f"http://127.0.0.1:{port}"
    try:
        for _ in range(480):
            if process.poll() is not None:
                pytest.fail(f"the server ended: {(folder / 'log.txt').read_text()[-2000:]}")
            try:
                urllib.request.urlopen(f"{url}/health", timeout=2).read()
                break
            except OSError:
                time.sleep(0.25)
        yield f"{url}/v1#{folder}"
    finally:
        process.terminate()
        process.wait(20)


@pytest.mark.slow
def test_a_local_language_model_judges(server):
    judge = from_name(server, concurrency=2)
    rows = [
        TextRow("The mayor resigned.", (f"The mayor {marker} that he resigned.", "It rained.")) for marker in MARKERS
    ]
    judgements = judge.judge(rows)
    assert [judgement.problem for judgement in judgements] == [None] * 3
    assert np.array([judgement.stance for judgement in judgements]).argmax(1).tolist() == [0, 1, 2]
    assert judgements[2].explanation == "It says refute."
    assert judgements[0].cited == (0,)
    assert judge.usage.requests >= 3
    assert judge.usage.completion_tokens > 0
