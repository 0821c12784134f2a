"""The rooms of the house: which package may import which, and what no library does. See docs/architecture.md."""

import ast
import importlib.util
import re
import subprocess
import sys
from functools import cache
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

PACKAGES = ("factcheck", "retrieval")
#: A package imports from its own level and from lower ones.
LEVELS = {
    **dict.fromkeys(("_version", "errors", "labels"), 0),
    **dict.fromkeys(("card", "outputs", "records", "sample", "weights"), 1),
    **dict.fromkeys(("data", "twins", "differences"), 2),
    "models": 3,
    "judges": 4,
    "verification": 5,
    **dict.fromkeys(("evaluation", "training", "app"), 6),
    "commands": 7,
    "cli": 8,
    "__main__": 9,
}


@cache
def modules() -> dict[str, Path]:
    """Every module of both packages by its dotted name."""
    found = {}
    for package in PACKAGES:
        spec = importlib.util.find_spec(package)
        folder = Path(spec.origin).parent
        for path in sorted(folder.rglob("*.py")):
            name = ".".join((package, *path.relative_to(folder).with_suffix("").parts))
            found[name.removesuffix(".__init__")] = path
    return found


def imports(name: str) -> set[str]:
    """The modules of both packages that a module imports when it runs, at its top or within a function."""
    tree = ast.parse(modules()[name].read_text("utf-8"))
    for node in ast.walk(tree):
        if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test):
            node.body = [ast.Pass()]
    found: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            found |= {
                full if (full := f"{node.module}.{alias.name}") in modules() else node.module for alias in node.names
            }
    return {other for other in found if other in modules() and other != name}


def test_there_are_no_circles():
    graph = {name: imports(name) for name in modules()}
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        pytest.fail("modules import each other: " + " -> ".join(error.args[1]))


def test_imports_point_down():
    def level(name: str) -> int:
        return LEVELS[name.split(".")[1]]

    climbs = []
    for name in modules():
        for other in imports(name):
            if name.startswith("retrieval"):
                climbs += [f"{name} -> {other}"] if other.startswith("factcheck") else []
            elif "." in name and other.startswith("factcheck"):
                climbs += [f"{name} -> {other}"] if "." not in other or level(name) < level(other) else []
    assert climbs == []


def test_every_room_has_a_level():
    rooms = {name.split(".")[1] for name in modules() if name.startswith("factcheck.")}
    assert rooms <= LEVELS.keys()


def test_libraries_know_no_flags_and_no_commands():
    said = []
    for name, path in modules().items():
        if name.startswith("factcheck.commands") or name in ("factcheck.cli", "factcheck.__main__"):
            continue
        for number, line in enumerate(path.read_text("utf-8").splitlines(), 1):
            if re.search(r"(?<![\w-])--[a-z][a-z-]+|['\"`]factcheck [a-z]+", line):
                said.append(f"{path.name}:{number}: {line.strip()}")
    assert said == []


@pytest.mark.parametrize("package", PACKAGES)
def test_importing_a_package_is_cheap(package):
    heavy = ("torch", "faiss", "transformers", "timm", "pandas", "pyarrow")
    code = f"import {package}, sys; print([m for m in {heavy!r} if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


@pytest.mark.parametrize("package", PACKAGES)
def test_faces_name_what_they_hold(package):
    face = __import__(package)
    assert set(face.__all__) <= set(dir(face))
    for name in face.__all__:
        assert getattr(face, name) is not None
    with pytest.raises(AttributeError, match="no attribute 'nonsense'"):
        _ = face.nonsense
