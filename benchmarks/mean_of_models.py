"""The weighted mean of the weights of two model folders of one architecture, as a third.

python benchmarks/mean_of_models.py MODEL1 MODEL2 --share 0.5 --out MEAN

Temperatures are taken from the second folder and want fitting anew (``factcheck calibrate``, ``leave_one_source_out.py calibrate``).
"""

import argparse
import shutil
from pathlib import Path

from safetensors import safe_open
from safetensors.torch import save_file

from factcheck.models.folder import WEIGHTS
from factcheck.weights import read_safetensors
from retrieval.arguments import checked_share


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("first", type=Path)
    parser.add_argument("second", type=Path)
    parser.add_argument("--share", type=float, required=True, help="of the second model, from 0 to 1")
    parser.add_argument("--out", type=Path, required=True)
    args = parser.parse_args()
    share = checked_share("share", args.share)
    first, second = read_safetensors(args.first / WEIGHTS), read_safetensors(args.second / WEIGHTS)
    if first.keys() != second.keys():
        parser.error(f"the models differ in {sorted(first.keys() ^ second.keys())[:5]}")
    mixed = {
        name: ((1 - share) * first[name].float() + share * tensor.float()).to(tensor.dtype)
        if tensor.is_floating_point()
        else tensor
        for name, tensor in second.items()
    }
    shutil.copytree(args.second, args.out)
    with safe_open(args.second / WEIGHTS, "pt") as file:
        save_file(mixed, args.out / WEIGHTS, metadata=file.metadata())


if __name__ == "__main__":
    main()
