import pytest
import torch

from factcheck.errors import InputError
from factcheck.models.fusion import FusionTransformer


@pytest.fixture
def fusion():
    torch.manual_seed(0)
    return FusionTransformer(text_dim=12, image_dim=6, pair_dim=5, dim=16, depth=2, heads=4).eval()


def inputs(batch=3, tokens=7):
    torch.manual_seed(1)
    return {
        "text": torch.randn(batch, tokens, 12),
        "text_mask": torch.ones(batch, tokens, dtype=torch.bool),
        "images": (torch.randn(batch, 4, 6), torch.randn(batch, 4, 6)),
        "masks": (torch.ones(batch, dtype=torch.bool), torch.ones(batch, dtype=torch.bool)),
        "pair": torch.randn(batch, 5),
    }


def test_masked_text_changes_nothing(fusion):
    x = inputs()
    x["text_mask"][:, 5:] = False
    before = fusion(**x)
    x["text"][:, 5:] = 1e3
    torch.testing.assert_close(fusion(**x), before)
    shorter = {**x, "text": x["text"][:, :5], "text_mask": x["text_mask"][:, :5]}
    torch.testing.assert_close(fusion(**shorter), before, atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("side", [0, 1])
def test_an_absent_photo_is_masked_and_takes_the_pair_with_it(fusion, side):
    x = inputs()
    x["masks"][side][0] = False
    before = fusion(**x)
    x["images"][side][0] = 1e3
    x["pair"][0] = 1e3
    torch.testing.assert_close(fusion(**x), before)
    x["pair"][1] = 0
    assert not torch.allclose(fusion(**x)[1], before[1])


def test_rows_without_photos_equal_a_text_only_pass(fusion):
    x = inputs()
    x["masks"][0][:] = x["masks"][1][:] = False
    torch.testing.assert_close(fusion(**x), fusion(x["text"], x["text_mask"]), atol=1e-5, rtol=1e-5)


def test_every_part_reaches_the_verdict(fusion):
    x = inputs()
    parts = [x["text"], *x["images"], x["pair"]]
    for part in parts:
        part.requires_grad_(True)
    fusion(**x).square().sum().backward()
    for number, part in enumerate(parts):
        assert (part.grad.abs().flatten(1).sum(1) > 0).all(), number


def test_claim_and_document_photos_are_told_apart(fusion):
    x = inputs()
    swapped = {**x, "images": x["images"][::-1]}
    assert not torch.allclose(fusion(**x), fusion(**swapped), atol=1e-4)


@pytest.mark.parametrize(("kwargs", "message"), [({"dim": 10}, "fusion_dim"), ({"depth": 0}, "fusion_depth")])
def test_bad_arguments(kwargs, message):
    with pytest.raises(InputError, match=message):
        FusionTransformer(12, **{"dim": 16, "heads": 4, **kwargs})
