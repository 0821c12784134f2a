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
        "claim_image": torch.randn(batch, 4, 6),
        "document_image": torch.randn(batch, 4, 6),
        "pair": torch.randn(batch, 5),
        "claim_image_mask": torch.ones(batch, dtype=torch.bool),
        "document_image_mask": torch.ones(batch, dtype=torch.bool),
    }


def test_masked_text_changes_nothing(fusion):
    x = inputs()
    x["text_mask"][:, 5:] = False
    before = fusion(**x)
    x["text"][:, 5:] = 1e3
    torch.testing.assert_close(fusion(**x), before)
    shorter = {**x, "text": x["text"][:, :5], "text_mask": x["text_mask"][:, :5]}
    torch.testing.assert_close(fusion(**shorter), before, atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("side", ["claim", "document"])
def test_an_absent_photo_is_masked_and_takes_the_pair_with_it(fusion, side):
    x = inputs()
    x[f"{side}_image_mask"][0] = False
    before = fusion(**x)
    x[f"{side}_image"][0] = 1e3
    x["pair"][0] = 1e3
    torch.testing.assert_close(fusion(**x), before)
    x["pair"][1] = 0
    assert not torch.allclose(fusion(**x)[1], before[1])


def test_rows_without_photos_equal_a_text_only_pass(fusion):
    x = inputs()
    x["claim_image_mask"][:] = x["document_image_mask"][:] = False
    torch.testing.assert_close(fusion(**x), fusion(x["text"], x["text_mask"]), atol=1e-5, rtol=1e-5)


def test_every_part_reaches_the_verdict(fusion):
    for name in ("text", "claim_image", "document_image", "pair"):
        x = inputs()
        x[name].requires_grad_(True)
        fusion(**x).square().sum().backward()
        assert (x[name].grad.abs().flatten(1).sum(1) > 0).all(), name


def test_claim_and_document_photos_are_told_apart(fusion):
    x = inputs()
    swapped = {**x, "claim_image": x["document_image"], "document_image": x["claim_image"]}
    assert not torch.allclose(fusion(**x), fusion(**swapped), atol=1e-4)


@pytest.mark.parametrize(("kwargs", "message"), [({"dim": 10}, "fusion_dim"), ({"depth": 0}, "fusion_depth")])
def test_bad_arguments(kwargs, message):
    with pytest.raises(InputError, match=message):
        FusionTransformer(12, **{"dim": 16, "heads": 4, **kwargs})
