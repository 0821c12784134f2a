import io
import json

import numpy as np
import pytest
from PIL import Image

from factcheck.cli import main
from factcheck.errors import InputError
from factcheck.evaluation.image_benchmark import (
    copy_detection_scores,
    descriptor,
    evaluate_descriptor,
    micro_average_precision,
    read_copy_set,
    recall_at_1,
    same_different_auc,
)


def test_perfect_similarity_scores_one():
    assert copy_detection_scores(np.eye(5), range(5)) == {"recall@1": 1.0, "uap": 1.0, "auc": 1.0}


def test_recall_counts_ties_and_wrong_neighbours_as_misses():
    similarity = np.array([[0.9, 0.1], [0.5, 0.5], [0.8, 0.2]])
    assert recall_at_1(similarity, [0, 0, 1]) == pytest.approx(1 / 3)
    assert recall_at_1(similarity, [0, -1, -1]) == 1.0


def test_micro_ap_equals_the_definition_by_loops():
    rng = np.random.default_rng(0)
    similarity = rng.normal(size=(20, 30))
    truth = [*range(15), -1, -1, -1, -1, -1]
    ranked = sorted(((similarity[q, r], truth[q] == r) for q in range(20) for r in range(30)), reverse=True)
    hits, total = 0, 0.0
    for rank, (_, hit) in enumerate(ranked, 1):
        if hit:
            hits += 1
            total += hits / rank
    assert micro_average_precision(similarity, truth) == pytest.approx(total / 15)


def test_auc_equals_the_share_of_ordered_pairs():
    rng = np.random.default_rng(1)
    scores, same = rng.normal(size=60).round(1), rng.random(60) < 0.4
    wins = [(a > b) + 0.5 * (a == b) for a in scores[same] for b in scores[~same]]
    assert same_different_auc(scores, same) == pytest.approx(np.mean(wins))


@pytest.mark.parametrize(
    ("similarity", "truth", "message"),
    [
        (np.zeros((2, 3)), [0], "one truth a query"),
        (np.zeros((2, 3)), [-1, -1], "no query has an original"),
        (np.zeros((2, 3)), [0, 3], "column below 3"),
    ],
)
def test_wrong_input_is_named(similarity, truth, message):
    with pytest.raises(InputError, match=message):
        recall_at_1(similarity, truth)


def test_auc_of_one_kind_is_refused():
    with pytest.raises(InputError, match="of one kind"):
        same_different_auc([0.1, 0.2], [True, True])


def _photo(seed: int) -> Image.Image:
    """A smooth random picture."""
    noise = np.random.default_rng(seed).integers(0, 256, (4, 4, 3), dtype=np.uint8)
    return Image.fromarray(noise).resize((96, 80), Image.Resampling.BICUBIC)


def _save(image: Image.Image, path, quality: int = 90):
    path.parent.mkdir(parents=True, exist_ok=True)
    image.save(path, quality=quality)


@pytest.fixture
def folders(tmp_path):
    for seed in range(6):
        _save(_photo(seed), tmp_path / "originals" / f"{seed}.jpg")
        if seed < 4:
            _save(_photo(seed).resize((60, 50)), tmp_path / "copies" / f"{seed}.jpg", quality=40)
    return tmp_path


def test_recompressed_photos_are_found_again_by_simple_descriptors(folders):
    photos = read_copy_set([folders / "originals"], folders / "copies")
    assert (len(photos.references), len(photos.queries), photos.original.tolist()) == (6, 4, [0, 1, 2, 3])
    for name in ("colour-histogram", "phash"):
        scores = evaluate_descriptor(descriptor(name), photos)
        assert scores["recall@1"] == 1.0
        assert scores["pairs"] == 24


def test_tables_pair_row_by_row_and_the_command_writes_json(folders, capsys):
    table, gold, out = folders / "claims.csv", folders / "gold.jsonl", folders / "scores.json"
    rows = [(0, 0), (1, 1), (2, 3), (3, 2)]
    lines = [f"a claim {q},copies/{q}.jpg,a document,originals/{r}.jpg" for q, r in rows]
    table.write_text("\n".join(["claim,claim_image,document,document_image", *lines]) + "\n")
    gold.write_text("".join(json.dumps({"same_photo": q == r}) + "\n" for q, r in rows))
    arguments = ["photos", "evaluate", "--references", str(folders / "originals"), "--queries", str(table)]
    arguments += ["--model", "colour-histogram", "--compare", "phash", "--json", str(out)]
    assert main(arguments) == 2
    assert "needs --gold" in capsys.readouterr().err
    assert main([*arguments, "--gold", str(gold)]) == 0
    scores = json.loads(out.read_text())
    assert set(scores) == {"colour-histogram", "phash"}
    assert scores["phash"] == {"recall@1": 1.0, "uap": 1.0, "auc": 1.0, "references": 6, "queries": 2, "pairs": 4}
    gold.write_text('{"same_photo": true}\n')
    assert main([*arguments, "--gold", str(gold)]) == 2
    assert "1 lines, the table 4 rows" in capsys.readouterr().err


def test_unknown_descriptors_and_empty_folders_are_refused(tmp_path):
    with pytest.raises(InputError, match="no image descriptor is called 'nothing'"):
        descriptor("nothing")
    with pytest.raises(InputError, match="holds no images"):
        read_copy_set([tmp_path], tmp_path)


def test_phash_similarity_is_the_hamming_distance():
    imagehash = pytest.importorskip("imagehash")
    images = [_photo(1), _photo(2)]
    rows = descriptor("phash")(images)
    distance = imagehash.phash(images[0]) - imagehash.phash(images[1])
    assert rows[0] @ rows[1] == pytest.approx(1 - 2 * distance / 64)
    assert rows[0] @ rows[0] == pytest.approx(1)


def test_same_bytes_under_two_names_are_one_reference(tmp_path):
    buffer = io.BytesIO()
    _photo(3).save(buffer, "PNG")
    for name in ("a.png", "b.png"):
        (tmp_path / name).write_bytes(buffer.getvalue())
    assert len(read_copy_set([tmp_path], tmp_path).references) == 1
