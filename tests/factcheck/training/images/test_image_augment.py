import io

import numpy as np
import pytest
import torch
from PIL import Image
from torch.fx.experimental import _config as fx_settings

from factcheck.training.images.augment import STRENGTHS, Strength, alter_images, quantise_dct, resize_images

NOTHING = dict.fromkeys(Strength.__dataclass_fields__, 0.0) | {"min_area": 1.0}


def _generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


@pytest.fixture
def photos():
    """Smooth pictures, 96 pixels a side."""
    coarse = torch.rand(8, 3, 6, 6, generator=_generator(3))
    smooth = torch.nn.functional.interpolate(coarse, size=(96, 96), mode="bicubic").clamp(0, 1)
    return (smooth * 255).to(torch.uint8)


@pytest.mark.parametrize("strength", STRENGTHS.values(), ids=STRENGTHS)
def test_shape_range_and_repeatability(photos, strength):
    first = alter_images(photos, 64, strength, _generator())
    assert first.shape == (8, 3, 64, 64)
    assert first.isfinite().all()
    assert first.min() >= 0
    assert first.max() <= 1
    assert torch.equal(first, alter_images(photos, 64, strength, _generator()))
    assert not torch.equal(first, alter_images(photos, 64, strength, _generator(1)))


def test_no_alteration_leaves_the_photo(photos):
    view = alter_images(photos, 96, Strength(**NOTHING), _generator())
    torch.testing.assert_close(view, photos.float() / 255, atol=1e-5, rtol=0)


def test_mirror_alone_is_a_mirror(photos):
    view = alter_images(photos, 96, Strength(**NOTHING | {"mirror": 1.0}), _generator())
    torch.testing.assert_close(view, photos.flip(-1).float() / 255, atol=1e-5, rtol=0)


def test_grey_alone_is_luma(photos):
    view = alter_images(photos, 96, Strength(**NOTHING | {"grey": 1.0}), _generator())
    luma = (photos.float() / 255 * torch.tensor([0.299, 0.587, 0.114])[:, None, None]).sum(1, keepdim=True)
    torch.testing.assert_close(view, luma.expand_as(view), atol=1e-5, rtol=0)


def test_a_frame_is_one_colour_and_keeps_the_middle(photos):
    view = alter_images(photos, 96, Strength(**NOTHING | {"frame": 1.0}), _generator())
    assert torch.allclose(view[:, :, 0, 0], view[:, :, -1, -1])
    assert view[:, :, 30:66, 30:66].flatten(1).std(1).min() > 0.02


@pytest.mark.parametrize("name", ["crop", "rotate", "tone", "blur", "collage", "band", "patch", "jpeg"])
def test_each_alteration_changes_the_photo_but_not_beyond_recognition(photos, name):
    settings = NOTHING | {name: 1.0, "min_area": 0.5}
    view = alter_images(photos, 96, Strength(**settings), _generator())
    plain = photos.float() / 255
    assert (view - plain).abs().flatten(1).max(1).values.median() > 0.01
    own = torch.stack(
        [torch.corrcoef(torch.stack([a.ravel(), b.ravel()]))[0, 1] for a, b in zip(view, plain, strict=True)]
    )
    # A collage moves the photo, so that it no longer lies on itself.
    assert own.median() > (-1 if name == "collage" else 0.2)


@pytest.mark.parametrize("quality", [20, 50, 85])
def test_quantised_blocks_look_like_jpeg(photos, quality):
    ours = quantise_dct(photos.float() / 255, torch.full((8,), float(quality)))
    for photo, mine in zip(photos, ours, strict=True):
        buffer = io.BytesIO()
        Image.fromarray(photo.permute(1, 2, 0).numpy()).save(buffer, "JPEG", quality=quality, subsampling=0)
        theirs = torch.from_numpy(np.array(Image.open(buffer))).permute(2, 0, 1) / 255
        assert (mine - theirs).abs().mean() < 0.008


@pytest.mark.parametrize("strength", STRENGTHS.values(), ids=STRENGTHS)
def test_everything_is_made_on_the_photos_device(photos, strength):
    # The meta device refuses tensors of the CPU as a GPU does; how many photos an alteration takes it cannot know.
    with fx_settings.patch(meta_nonzero_assume_all_nonzero=True):
        assert alter_images(photos.to("meta"), 64, strength, None).device.type == "meta"


def test_bytes_are_resized_as_floats_where_there_is_no_kernel_for_bytes(photos, monkeypatch):
    plain = torch.nn.functional.interpolate
    kinds = []
    monkeypatch.setattr(
        torch.nn.functional, "interpolate", lambda x, *args, **kw: kinds.append(x.dtype) or plain(x, *args, **kw)
    )
    on_cpu = resize_images(photos, 40)
    assert resize_images(photos.to("meta"), 40).shape == on_cpu.shape == (8, 3, 40, 40)
    assert kinds == [torch.uint8, torch.float32]
    assert on_cpu.dtype == torch.float32
    assert on_cpu.max() <= 1
    torch.testing.assert_close(on_cpu, resize_images(photos.float() / 255, 40), atol=1.01 / 255, rtol=0)
