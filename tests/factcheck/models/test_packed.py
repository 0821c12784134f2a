"""The verdict model's fast ways on the CPU: the same figures, in 8 bits nearly."""

import pytest
import torch

from factcheck import Verifier
from factcheck.models.fusion import FusionTransformer
from factcheck.models.inputs import TextRow
from factcheck.models.packed import PackedFusion, packed_text

ROWS = [
    TextRow("A dog runs", ["A dog runs in the park.", "The water is blue."]),
    TextRow("The court said no", ["The minister of the city sleeps. " * 12], "photo", "news report"),
    TextRow("Two cats", []),
    TextRow("The park " * 60, ["A boy sells bread. " * 40] * 5),
]


@pytest.fixture(scope="module")
def fusion(tiny_model):
    return Verifier.load(tiny_model).fusion


def test_states_are_those_of_the_model(fusion):
    model = fusion.model
    inputs = fusion.builder.texts(ROWS)
    mask = inputs["attention_mask"].bool()
    with torch.inference_mode():
        wanted = model.encode_text(**inputs)
    found = packed_text(model)(**inputs)
    assert found.shape == wanted.shape
    assert torch.allclose(found[mask], wanted[mask], atol=1e-5)
    assert not found[~mask].any()


def test_eight_bits_move_them_a_little(fusion):
    inputs = fusion.builder.texts(ROWS)
    mask = inputs["attention_mask"].bool()
    exact, rough = (packed_text(fusion.model, int8=int8)(**inputs)[mask] for int8 in (False, True))
    assert 0 < (exact - rough).abs().max() < 0.2
    assert torch.nn.functional.cosine_similarity(exact, rough).min() > 0.99


def test_a_row_does_not_depend_on_its_neighbours_in_eight_bits_either(tiny_model):
    fusion = Verifier.load(tiny_model, runtime="int8").fusion
    assert fusion.fingerprint.endswith("-int8")
    whole = fusion.judge(ROWS)
    for i, row in enumerate(ROWS):
        (alone,) = fusion.judge([row])
        assert alone.stance == pytest.approx(whole[i].stance, abs=1e-5)


@pytest.mark.parametrize("depth", [1, 2, 3])
@pytest.mark.parametrize("photos", [False, True])
def test_the_fusion_gives_the_same_verdict_vector(depth, photos):
    torch.manual_seed(0)
    fusion = FusionTransformer(text_dim=12, image_dim=6, pair_dim=5, dim=16, depth=depth, heads=4).eval()
    lengths = torch.tensor([1, 7, 4])
    text, mask = torch.randn(3, 7, 12), torch.arange(7) < lengths[:, None]
    images = ()
    if photos:
        shown = (torch.tensor([True, True, False]), torch.tensor([True, False, False]))
        images = ((torch.randn(3, 4, 6), torch.randn(3, 4, 6)), shown, torch.randn(3, 5))
    with torch.no_grad():
        wanted = fusion(text, mask, *images)
    torch.testing.assert_close(PackedFusion(fusion)(text, mask, *images), wanted, atol=1e-6, rtol=1e-5)
