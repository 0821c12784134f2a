import csv

import pytest

LABELS = ["Support_Multimodal", "Support_Text", "Insufficient_Multimodal", "Insufficient_Text", "Refute"]


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
                label, thing = LABELS[i % 5], things[i // 5 % 5]
                same = label.endswith("Multimodal")
                for side, seed in (("c", offset + i), ("d", offset + i if same else offset + i + 50)):
                    (folder / "images" / f"{name}{i}{side}.jpg").write_bytes(photo(seed))
                said = {"S": f"the {thing} runs in the park", "I": f"a {thing} was near the water", "R": f"no {thing} runs"}
                document = f"A report says two men eat bread. {said[label[0]].capitalize()}. The street is red."
                claim = f"The {thing} runs in the park"
                images = (f"images/{name}{i}c.jpg", f"images/{name}{i}d.jpg")
                writer.writerow([i, claim, images[0], document, images[1], label, "", "news" if i % 3 else ""])
    return folder
