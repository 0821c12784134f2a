"""A small corpus, and how to write one."""

import json

ROWS = [
    {
        "id": "moon",
        "title": "The Moon",
        "text": "The Moon orbits the Earth. It has no air.",
        "date": "2019-05-01",
        "source": "nasa.example",
        "language": "en",
    },
    {
        "id": "cheese",
        "title": "Cheese",
        "text": "Cheese is made from milk. The moon is not made of cheese.",
        "date": "2021-03",
        "source": "food.example",
        "language": "en",
        "author": "B. Rie",
    },
    {
        "id": "rome",
        "text": ["Rome is the capital of Italy.", "It lies on the Tiber."],
        "source": "geo.example",
        "language": "en",
    },
    {
        "id": "rom",
        "text": "Rom ist die Hauptstadt von Italien. Die Stadt liegt am Tiber.",
        "date": "2020",
        "source": "geo.example",
        "language": "de",
    },
]


def write_jsonl(path, rows):
    path.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows), "utf-8")
    return path
