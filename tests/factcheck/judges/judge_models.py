"""A small cross-encoder that has really learnt a rule, and a chat server that can be told to misbehave."""

import json
import threading
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import numpy as np
import torch
from tokenizers import Tokenizer, models, pre_tokenizers, processors
from transformers import BertConfig, BertForSequenceClassification, PreTrainedTokenizerFast

#: The word of the evidence that decides, in the order of the trained head: contradiction, entailment, neutral.
MARKERS = ("denied", "confirmed", "mentioned")
NAMES = ("contradiction", "entailment", "neutral")
FILLERS = tuple(f"w{i}" for i in range(20))


def tokenizer() -> PreTrainedTokenizerFast:
    words = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", *MARKERS, *FILLERS]
    raw = Tokenizer(models.WordLevel({word: i for i, word in enumerate(words)}, unk_token="[UNK]"))
    raw.pre_tokenizer = pre_tokenizers.Whitespace()
    raw.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]", pair="[CLS] $A [SEP] $B:1 [SEP]:1", special_tokens=[("[CLS]", 2), ("[SEP]", 3)]
    )
    return PreTrainedTokenizerFast(
        tokenizer_object=raw,
        pad_token="[PAD]",
        unk_token="[UNK]",
        cls_token="[CLS]",
        sep_token="[SEP]",
        model_max_length=48,
        model_input_names=["input_ids", "token_type_ids", "attention_mask"],
    )


def train_cross_encoder() -> BertForSequenceClassification:
    """A network that reads the marker of the first segment (the evidence) and not that of the second (the claim)."""
    torch.manual_seed(0)
    rng = np.random.default_rng(0)
    words = tokenizer()
    config = BertConfig(
        vocab_size=len(words),
        hidden_size=32,
        num_hidden_layers=1,
        num_attention_heads=4,
        intermediate_size=64,
        max_position_embeddings=48,
        hidden_dropout_prob=0.0,
        attention_probs_dropout_prob=0.0,
        num_labels=3,
        initializer_range=0.2,
    )
    model = BertForSequenceClassification(config)
    optimiser = torch.optim.AdamW(model.parameters(), lr=1e-2)
    for _ in range(60):
        labels = rng.integers(0, 3, 48)
        sides = []
        for marked in (labels, rng.integers(0, 3, 48)):
            texts = [[*rng.choice(FILLERS, rng.integers(1, 5)), MARKERS[m]] for m in marked]
            sides.append([" ".join(rng.permutation(text)) for text in texts])
        batch = words(*sides, padding=True, return_tensors="pt")
        loss = model(**batch, labels=torch.from_numpy(labels)).loss
        loss.backward()
        optimiser.step()
        optimiser.zero_grad()
    assert loss.item() < 0.1, loss.item()
    return model.eval()


def save_with_order(
    model: BertForSequenceClassification, order: tuple[int, ...], names: dict[int, str], folder: Path
) -> Path:
    """The trained network with the outputs of its head in another order, as another author would have numbered them."""
    import copy

    other = copy.deepcopy(model)
    with torch.no_grad():
        other.classifier.weight.copy_(model.classifier.weight[list(order)])
        other.classifier.bias.copy_(model.classifier.bias[list(order)])
    other.config.id2label = names
    other.config.label2id = {name: i for i, name in names.items()}
    other.save_pretrained(folder)
    tokenizer().save_pretrained(folder)
    return folder


class ChatServer:
    """An OpenAI-compatible server on the loopback address. ``reply(body, number)`` gives (status, headers, body) of request ``number``."""

    def __init__(
        self, reply: Callable[[dict, int], tuple[int, dict[str, str], str]], known: tuple[str, ...] = ("tiny",)
    ) -> None:
        self.bodies: list[dict] = []
        self.headers: list[dict[str, str]] = []
        lock = threading.Lock()
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def log_message(self, *arguments: object) -> None:
                pass

            def answer(self, status: int, headers: dict[str, str], text: str) -> None:
                data = text.encode()
                self.send_response(status)
                for name, value in {
                    "content-type": "application/json",
                    "content-length": str(len(data)),
                    **headers,
                }.items():
                    self.send_header(name, value)
                self.end_headers()
                self.wfile.write(data)

            def do_GET(self) -> None:
                if outer.refuse:
                    self.answer(401, {}, "{}")
                    return
                self.answer(200, {}, json.dumps({"data": [{"id": name} for name in known]}))

            def do_POST(self) -> None:
                body = json.loads(self.rfile.read(int(self.headers["content-length"])))
                with lock:
                    outer.bodies.append(body)
                    outer.headers.append(dict(self.headers))
                    number = len(outer.bodies) - 1
                self.answer(*reply(body, number))

        self.refuse = False
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._server.server_port}/v1"
        threading.Thread(target=self._server.serve_forever, args=(0.01,), daemon=True).start()

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()


def completion(content: str, prompt_tokens: int = 100, completion_tokens: int = 20) -> str:
    """A chat completion with that content."""
    usage = {"prompt_tokens": prompt_tokens, "completion_tokens": completion_tokens}
    return json.dumps({"choices": [{"message": {"role": "assistant", "content": content}}], "usage": usage})


def question(body: dict) -> dict:
    """The claim and evidence that a request carries."""
    content = body["messages"][1]["content"]
    return json.loads(content if isinstance(content, str) else content[0]["text"])
