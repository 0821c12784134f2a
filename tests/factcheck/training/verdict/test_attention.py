"""Attention in 32 bits, where a CPU trains in bfloat16."""

import pytest
import torch
from transformers import BertConfig, BertModel

from factcheck.training.verdict.attention import WIDE_ATTENTION, use_wide_attention, wide_attention


@pytest.fixture
def text() -> BertModel:
    torch.manual_seed(0)
    config = BertConfig(
        vocab_size=50,
        hidden_size=32,
        num_hidden_layers=2,
        num_attention_heads=4,
        intermediate_size=64,
        hidden_dropout_prob=0.0,
        attention_probs_dropout_prob=0.0,
        attn_implementation="sdpa",
    )
    return BertModel(config, add_pooling_layer=False)


def _states(text, enabled):
    ids = torch.randint(0, 50, (3, 11), generator=torch.Generator().manual_seed(1))
    mask = torch.ones_like(ids)
    mask[1, 7:] = 0
    with torch.autocast("cpu", dtype=torch.bfloat16, enabled=enabled):
        states = text(input_ids=ids, attention_mask=mask).last_hidden_state
    return states * mask[..., None]


def test_a_model_says_the_same_and_learns_the_same(text):
    before = _states(text, enabled=False)
    before.sum().backward()
    gradient = text.encoder.layer[0].attention.self.query.weight.grad.clone()
    text.zero_grad()

    use_wide_attention(text)

    assert text.config._attn_implementation == WIDE_ATTENTION
    after = _states(text, enabled=False)
    after.sum().backward()
    assert torch.equal(before, after)
    assert torch.equal(gradient, text.encoder.layer[0].attention.self.query.weight.grad)


def test_bfloat16_is_worked_out_in_32_bits(text):
    generator = torch.Generator().manual_seed(2)
    query, key, value = (torch.randn(2, 4, 9, 8, generator=generator).bfloat16() for _ in range(3))
    mask = torch.zeros(2, 1, 9, 9)
    mask[..., 6:] = torch.finfo(torch.float32).min
    layer = text.encoder.layer[0].attention.self
    options = {"scaling": 8**-0.5, "dropout": 0.0}

    with torch.autocast("cpu", dtype=torch.bfloat16):
        mixed, _ = wide_attention(layer, query, key, value, mask, **options)

    scores = query.double() @ key.double().mT * 8**-0.5 + mask.double()
    exact = (scores.softmax(-1) @ value.double()).transpose(1, 2)
    assert mixed.dtype == torch.bfloat16
    # Rounded once, at the end: within half a unit in the last of bfloat16's 8 bits.
    assert torch.allclose(mixed.double(), exact, rtol=2**-8, atol=1e-6)


def test_a_model_with_attention_of_its_own_keeps_it(text):
    text.set_attn_implementation("eager")
    use_wide_attention(text)
    assert text.config._attn_implementation == "eager"
