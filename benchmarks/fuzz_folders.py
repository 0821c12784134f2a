"""Mutations of a model folder's configuration: how many load, how many are refused in one line, how many end in a traceback.

python benchmarks/fuzz_folders.py --folder factcheck/pretrained/verdict --mutations 300
"""

import argparse
import copy
import json
import random
import tempfile
import time
from collections import Counter
from pathlib import Path
from typing import Any

from factcheck.errors import InputError
from factcheck.models.folder import load_image_encoder, load_model
from factcheck.models.image import ImageEncoder

VALUES = (None, -1, 0, 3, 10**7, 2**63, 1e308, float("nan"), True, "", "x", "../x", [], {}, [[]], {"a": 1}, "x" * 10**6)


def places(value: Any, path: tuple = ()) -> list[tuple]:
    """Every place in a configuration, long lists by their first item."""
    found = [path] if path else []
    items: Any = (
        value.items() if isinstance(value, dict) else list(enumerate(value))[:1] if isinstance(value, list) else ()
    )
    for key, item in items:
        found += places(item, (*path, key))
    return found


def mutate(config: dict, rng: random.Random) -> dict:
    """A copy in which one place holds something else, or is gone."""
    changed = copy.deepcopy(config)
    *inner, last = rng.choice(places(config))
    target: Any = changed
    for key in inner:
        target = target[key]
    if rng.random() < 0.2:
        del target[last]
    else:
        target[last] = rng.choice(VALUES)
    return changed


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "--folder", default="factcheck/pretrained/verdict", help="a verdict model's or an image encoder's folder"
    )
    parser.add_argument("--mutations", type=int, default=300)
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args()
    folder, rng = Path(args.folder).resolve(), random.Random(args.seed)
    config = json.loads((folder / "config.json").read_text("utf-8"))
    load: Any = load_image_encoder if "format" in config else load_model
    counts: Counter[str] = Counter()
    longest = 0.0
    with tempfile.TemporaryDirectory() as scratch:
        for path in folder.iterdir():
            if path.name != "config.json":
                (Path(scratch) / path.name).symlink_to(path)
        for _ in range(args.mutations):
            changed = mutate(config, rng)
            (Path(scratch) / "config.json").write_text(json.dumps(changed), "utf-8")
            start = time.monotonic()
            try:
                loaded = load(scratch)
                counts["loaded"] += 1
                assert isinstance(loaded, tuple | ImageEncoder)
            except InputError as error:
                counts["refused in one line" if "\n" not in str(error) else "refused in several lines"] += 1
            except Exception as error:
                counts[f"traceback: {type(error).__name__}"] += 1
                print(f"{type(error).__name__}: {error}")
            longest = max(longest, time.monotonic() - start)
    print(json.dumps({**counts, "longest_s": round(longest, 2)}, indent=2))


if __name__ == "__main__":
    main()
