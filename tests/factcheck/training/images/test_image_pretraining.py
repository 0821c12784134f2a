import io
import math

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import pytorch_lightning as pl
import torch
from PIL import Image

from factcheck.errors import InputError
from factcheck.models.folder import create_image_encoder, load_image_encoder, save_image_encoder
from factcheck.training.images.data import GroupedImages, ImageDataModule, cache_images
from factcheck.training.images.module import (
    ImagePretrainModule,
    contrastive_loss,
    load_pretrained_encoder,
    spread_loss,
)
from retrieval.npy import NpyWriter


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    """Twenty-four smooth pictures and one broken file in a Parquet table, as the datasets library lays them out."""
    folder = tmp_path_factory.mktemp("photos")
    rng = np.random.default_rng(0)
    cells = []
    for number in range(24):
        picture = Image.fromarray(rng.integers(0, 256, (5, 5, 3), dtype=np.uint8)).resize((80, 60), 3)
        buffer = io.BytesIO()
        picture.save(buffer, "JPEG")
        cells.append({"bytes": buffer.getvalue(), "path": f"folder/{number}.jpg"})
    cells.append({"bytes": b"no picture", "path": "broken.jpg"})
    kind = pa.struct([("bytes", pa.binary()), ("path", pa.string())])
    pq.write_table(pa.table({"image": pa.array(cells, kind)}), folder / "photos.parquet")
    return folder


def _data(root, cache, **settings):
    return ImageDataModule(str(root), cache=str(cache), batch_size=8, size=48, holdout=8, **settings)


def _trainer(folder, epochs):
    return pl.Trainer(
        max_epochs=epochs,
        accelerator="cpu",
        default_root_dir=folder,
        enable_progress_bar=False,
        enable_model_summary=False,
        logger=False,
        enable_checkpointing=False,
    )


def _module(**settings):
    torch.manual_seed(0)
    return ImagePretrainModule(sizes=[32], size_shares=[1.0], warmup=1, queue=16, queue_start=1, **settings)


def test_contrastive_loss_is_the_mean_over_views_of_the_log_softmax():
    torch.manual_seed(0)
    z = torch.nn.functional.normalize(torch.randn(6, 5, dtype=torch.float64), dim=1)
    others = torch.nn.functional.normalize(torch.randn(4, 5, dtype=torch.float64), dim=1)
    expected = []
    for i in range(6):
        candidates = [z[j] for j in range(6) if j != i] + list(others)
        total = sum(math.exp(float(z[i] @ c) / 0.1) for c in candidates)
        expected.append(-math.log(math.exp(float(z[i] @ z[(i + 3) % 6]) / 0.1) / total))
    loss, accuracy = contrastive_loss(z, others, 0.1)
    assert float(loss) == pytest.approx(np.mean(expected))
    assert 0 <= accuracy <= 1


def test_spread_ignores_the_partner_and_falls_as_photos_move_apart():
    apart = torch.eye(4).repeat(2, 1)  # four photos, orthogonal; both views equal
    assert float(spread_loss(apart)) == pytest.approx(-math.log(math.sqrt(2)))
    close = torch.nn.functional.normalize(apart + 1.0, dim=1)
    assert spread_loss(close) > spread_loss(apart)


def test_the_array_is_made_once_and_leaves_out_what_it_should(root, tmp_path):
    photos = cache_images(root, 48, tmp_path)
    assert photos.shape == (24, 48, 48, 3)
    assert photos.dtype == np.uint8
    (written,) = tmp_path.glob("*.npy")
    before = written.stat().st_mtime_ns
    cache_images(root, 48, tmp_path)
    assert written.stat().st_mtime_ns == before
    banned = tmp_path / "banned"
    banned.mkdir()
    Image.new("RGB", (9, 9)).save(banned / "3.jpg")
    assert len(cache_images(root, 48, tmp_path, exclude=banned)) == 23
    assert not list(tmp_path.glob("*.part"))


def test_photos_are_decoded_as_at_inference(tmp_path):
    half = np.zeros((40, 40, 3), np.uint8)
    half[:20] = 255
    turned = Image.Exif()
    turned[0x0112] = 3  # upside down
    Image.fromarray(half).save(tmp_path / "a.jpg", exif=turned)
    Image.new("RGBA", (40, 40), (0, 0, 0, 0)).save(tmp_path / "b.png")  # transparent: white
    Image.new("1", (8200, 8200)).save(tmp_path / "c.png")  # more pixels than inference takes
    upside, clear = cache_images(tmp_path, 40, tmp_path / "cache")
    assert upside[:15].max() < 20
    assert upside[25:].min() > 235
    assert clear.min() == 255


def test_photos_go_to_disk_one_by_one(root, tmp_path, monkeypatch):
    sizes = []
    append = NpyWriter.append
    monkeypatch.setattr(NpyWriter, "append", lambda self, rows: sizes.append(len(rows)) or append(self, rows))
    photos = cache_images(root, 48, tmp_path)
    assert sizes == [1] * 24
    assert photos.flags.writeable is False
    (tmp_path / "bad").mkdir()
    (tmp_path / "bad" / "photo.jpg").write_bytes(b"no picture")
    with pytest.raises(InputError, match="can be decoded"):
        cache_images(tmp_path / "bad", 48, tmp_path / "empty")
    assert not list((tmp_path / "empty").iterdir())


def test_epochs_differ_and_depend_on_seed_and_epoch_alone(root, tmp_path):
    data = _data(root, tmp_path)
    data.setup()
    loader = data.train_dataloader()

    def order(epoch):
        loader.sampler.set_epoch(epoch)
        return list(loader.sampler)

    assert order(0) == order(0) != order(1)
    assert sorted(order(1)) == list(range(16))
    batch = next(iter(loader))
    assert batch.shape == (8, 3, 48, 48)
    assert batch.dtype == torch.uint8
    held_out = {photo.numpy().tobytes() for batch in data.val_dataloader() for photo in batch}
    assert held_out.isdisjoint(photo.numpy().tobytes() for batch in loader for photo in batch)


def test_groups_hold_neighbours_and_every_photo_occurs_once():
    # Photos 0..19 on a line: the nearest others of each are known.
    neighbours = np.array([sorted((j for j in range(20) if j != i), key=lambda j: abs(j - i))[:6] for i in range(20)])
    sampler = GroupedImages(neighbours, group=4, seed=0)
    order = np.array(list(sampler))
    assert sorted(order.tolist()) == list(range(20))
    assert list(sampler) == order.tolist()
    first = order[:4]
    assert np.ptp(first) <= 6
    sampler.set_epoch(1)
    assert list(sampler) != order.tolist()


def test_grouping_by_an_encoder_puts_doubles_together(root, tmp_path):
    folder = save_image_encoder(_module().export_encoder(), tmp_path / "photo")
    data = _data(root, tmp_path, grouping=str(folder), group=2)
    data.setup()
    train = data._parts[0]
    images, indices = np.array(train.images), train.indices
    images[indices[1]] = images[indices[0]]  # a double
    train.images = images
    sampler = data.train_dataloader().sampler
    assert sampler.neighbours[0][0] == 1
    assert sampler.neighbours[1][0] == 0
    assert sorted(sampler) == list(range(16))


def test_checkpoints_of_other_kinds_are_refused(tmp_path):
    with pytest.raises(InputError, match="no such file"):
        load_pretrained_encoder(tmp_path / "no.ckpt")
    torch.save({"state_dict": {}}, tmp_path / "other.ckpt")
    with pytest.raises(InputError, match="no image pre-training"):
        load_pretrained_encoder(tmp_path / "other.ckpt")


def test_the_encoder_of_a_checkpoint_is_the_one_that_the_weights_folder_made(root, tmp_path):
    start = create_image_encoder(weights=None, embed_dim=24, layout_dim=0)
    start.mean, start.std = (0.1, 0.2, 0.3), (0.4, 0.5, 0.6)
    module = _module(weights=str(save_image_encoder(start, tmp_path / "start")))
    trainer = _trainer(tmp_path, 1)
    trainer.strategy.connect(module)
    trainer.save_checkpoint(tmp_path / "last.ckpt")
    found = load_pretrained_encoder(tmp_path / "last.ckpt", views=False)
    assert found.fingerprint == module.export_encoder().fingerprint
    assert (found.embed_dim, found.mean, found.std) == (24, start.mean, start.std)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"sizes": [32, 64], "size_shares": [1.0]}, "equally long"),
        ({"sizes": [33], "size_shares": [1.0]}, "multiples of 8"),
        ({"temperature": 0.0}, "`temperature` is 0.0, expected"),
    ],
)
def test_settings_out_of_range_are_named(settings, message):
    with pytest.raises(InputError, match=message):
        ImagePretrainModule(**settings)


def test_missing_and_small_folders_are_named(root, tmp_path):
    with pytest.raises(InputError, match="is not a folder"):
        ImageDataModule(str(tmp_path / "no")).prepare_data()
    with pytest.raises(InputError, match="holds neither Parquet files nor photos"):
        cache_images(tmp_path, 32, tmp_path)
    with pytest.raises(InputError, match="holds 24 photos"):
        ImageDataModule(str(root), cache=str(tmp_path), size=48, holdout=20).setup()


def test_each_batch_of_a_step_is_altered_in_its_own_way(root, tmp_path):
    module = _module()
    module._total_steps = lambda: 4
    module.log_dict = module.log = lambda *_, **__: None
    seen = []
    module.encode = lambda views: (
        seen.append(views) or torch.nn.functional.normalize(torch.randn(len(views), 256), dim=1)
    )
    batch = torch.from_numpy(np.array(cache_images(root, 48, tmp_path)[:4])).permute(0, 3, 1, 2)
    for number in (0, 1, 0):
        module.training_step(batch, number)
    assert not torch.equal(seen[0], seen[1])
    assert torch.equal(seen[0], seen[2])


@pytest.mark.slow
def test_the_average_moves_once_a_step(root, tmp_path):
    class Weights(pl.Callback):
        def __init__(self):
            self.each = []

        def on_train_batch_end(self, trainer, module, *_):
            self.each.append(module.encoder.head.out.weight.detach().clone())

    module, weights = _module(), Weights()
    expected = module.average.head.out.weight.clone()
    trainer = _trainer(tmp_path, 2)
    trainer.accumulate_grad_batches = 2
    trainer.callbacks.append(weights)
    trainer.fit(module, _data(root, tmp_path))
    assert trainer.global_step == 2
    assert len(weights.each) == 4
    for step, current in enumerate(weights.each[1::2], start=1):
        expected = expected.lerp(current, 1 - (1 + step) / (10 + step))
    torch.testing.assert_close(module.average.head.out.weight, expected)


def test_several_processes_are_refused(root, tmp_path, monkeypatch):
    trainer = _trainer(tmp_path, 1)
    monkeypatch.setattr(type(trainer), "world_size", 2)
    module = _module()
    module.trainer = trainer
    with pytest.raises(InputError, match=r"runs in one process, found 2; give 1 as `devices`"):
        module.setup("fit")
    with pytest.raises(InputError, match="`seed` is -1, expected a number of at least 0"):
        _module(seed=-1)


@pytest.mark.slow
def test_a_resumed_run_ends_with_the_same_weights(root, tmp_path):
    whole = _module()
    _trainer(tmp_path, 2).fit(whole, _data(root, tmp_path))
    first = _module()
    trainer = _trainer(tmp_path, 2)
    trainer.fit_loop.max_epochs = 1
    # The schedule is that of two epochs, the run stops after one.
    first._total_steps = lambda: 4
    trainer.fit(first, _data(root, tmp_path))
    trainer.save_checkpoint(tmp_path / "half.ckpt")
    second = _module()
    _trainer(tmp_path, 2).fit(second, _data(root, tmp_path), ckpt_path=tmp_path / "half.ckpt", weights_only=True)
    assert load_pretrained_encoder(tmp_path / "half.ckpt").view_size == 32
    resumed = load_pretrained_encoder(tmp_path / "half.ckpt", views=False)
    assert resumed.input_size == 32
    assert resumed.fingerprint == first.export_encoder().fingerprint
    for key, tensor in whole.state_dict().items():
        torch.testing.assert_close(second.state_dict()[key], tensor, atol=0, rtol=0, msg=key)
    assert int(whole.queue_filled) == 16


@pytest.mark.slow
def test_training_learns_and_exports(root, tmp_path):
    module = _module(learning_rate=1e-3, average_decay=0.5)
    batch = torch.from_numpy(np.array(cache_images(root, 48, tmp_path))).permute(0, 3, 1, 2)
    optimizer = torch.optim.AdamW(module.encoder.parameters(), lr=1e-3)
    module._total_steps = lambda: 10**9
    module.log_dict = module.log = lambda *_, **__: None  # logging needs a trainer; the step itself does not
    losses = []
    for _ in range(30):
        loss = module.training_step(batch, 0)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        module.on_train_batch_end(None, batch, 0)
        losses.append(float(loss))
    assert np.mean(losses[-5:]) < 0.8 * np.mean(losses[:5])
    folder = save_image_encoder(module.export_encoder(), tmp_path / "photo")
    assert load_image_encoder(folder).fingerprint == module.export_encoder().fingerprint
