"""The stage before inference that reads photo files: paths in, bytes out, nothing raised for a row."""

import os
import re
import stat
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pyarrow as pa

from factcheck.data.canonical import image_array
from factcheck.data.images import check_image
from factcheck.data.normalize import normalize_claims
from factcheck.errors import InputError

__all__ = ["is_url", "load_images", "photo_file", "read_photo"]

#: Larger files are not read.
MAX_BYTES = 64 * 2**20
_URL = re.compile(r"[a-zA-Z][a-zA-Z0-9+.-]+://|//|data:", re.ASCII)


def load_images(table: pa.Table, image_root: str | Path | None, *, threads: int = 8) -> pa.Table:
    """A canonical claims table with the photos that it names read from disk; the same rows in the same order.

    A photo that cannot be had makes its row ``degraded``, its image null, and adds a reason such as
    ``claim_image: missing file``. After the column name the reasons are: ``missing file``, ``is a directory``, ``unreadable file``,
    ``outside the image root``, ``no image root``, ``image not fetched: URL``, ``file too large``, and those of
    :class:`factcheck.data.ImageError`. Nothing touches the network. Photos given as bytes pass through,
    checked the same way. Only headers are examined here; damage further on shows when
    :func:`factcheck.data.decode_image` reads the pixels. Rows with the status ``error`` are left as they are.

    Args:
        table: a claims table; one that is not of :func:`factcheck.records.claims_schema` goes through
            :func:`factcheck.data.normalize_claims` first.
        image_root: folder that paths are relative to. Paths that lead out of it are refused; symbolic links that its
            owner placed inside are followed. None if the table holds bytes only.
        threads: files read at a time.

    Raises:
        InputError: ``image_root`` is not a folder, or ``table`` no :class:`pyarrow.Table` with a claim column.
    """
    if not isinstance(table, pa.Table):
        raise InputError(
            f"load_images takes a pyarrow.Table, found {type(table).__name__}; make one with pyarrow.Table.from_pandas(frame)"
        )
    table = normalize_claims(table)
    root = None if image_root is None else os.path.abspath(image_root)
    if root is not None and not os.path.isdir(root):
        raise InputError(f"image root {image_root}: no such folder")
    if threads < 1:
        raise InputError(f"threads is {threads}; expected 1 or more")
    status = table.column("status").to_pylist()
    reasons = table.column("reasons").to_pylist()
    with ThreadPoolExecutor(threads) as pool:
        for column in ("claim_image", "document_image"):
            table = _load_column(table, column, root, pool.map, status, reasons)
    for name, values in (("status", status), ("reasons", reasons)):
        field = table.schema.field(name)
        table = table.set_column(table.column_names.index(name), field, pa.array(values, field.type))
    return table


def _load_column(
    table: pa.Table, column: str, root: str | None, run: Callable, status: list[str], reasons: list[list[str]]
) -> pa.Table:
    cells = table.column(column).to_pylist()
    wanted = [row for row, cell in enumerate(cells) if cell is not None and status[row] != "error"]
    data: list[bytes | None] = [None if cell is None else cell["bytes"] for cell in cells]
    paths: list[str | None] = [None if cell is None else cell["path"] for cell in cells]
    results = run(lambda row: read_photo(cells[row]["bytes"], cells[row]["path"], root), wanted)
    for row, (content, reason) in zip(wanted, results, strict=True):
        data[row] = content
        if reason is not None:
            paths[row] = None
            status[row] = "degraded"
            reasons[row].append(f"{column}: {reason}")
    return table.set_column(table.column_names.index(column), table.schema.field(column), image_array(data, paths))


def read_photo(content: bytes | None, path: str | None, root: str | None) -> tuple[bytes | None, str | None]:
    """The photo's bytes, or None and the reason (see :func:`load_images`).

    Args:
        content: the bytes, where they are known already.
        path: the file, relative to ``root``.
        root: an absolute path without ``..`` in it (see :func:`os.path.abspath`), or None.
    """
    if content is None:
        content, reason = _read_file(path or "", root)
        if reason is not None:
            return None, reason
    reason = check_image(content, decode=False)
    return (content, None) if reason is None else (None, reason)


def is_url(path: str) -> bool:
    """Whether what names a photo is a URL, which nothing here fetches."""
    return _URL.match(path) is not None


def photo_file(path: str, root: str) -> str | None:
    """The file that a path names below the absolute folder ``root``; None if it leads out of it."""
    # By the letters of the path alone, so that ".." cannot lead through a link and out.
    full = os.path.normpath(os.path.join(root, path.replace("\\", "/") if os.name == "nt" else path))
    return full if os.path.commonpath([root, full]) == root else None


def _read_file(path: str, root: str | None) -> tuple[bytes | None, str | None]:
    if is_url(path):
        return None, "image not fetched: URL"
    if root is None:
        return None, "no image root"
    full = photo_file(path, root)
    if full is None:
        return None, "outside the image root"
    try:
        mode = os.stat(full).st_mode
        if not stat.S_ISREG(mode):  # opening a pipe would wait for whoever writes to it
            return None, "is a directory" if stat.S_ISDIR(mode) else "unreadable file"
        with open(full, "rb") as file:
            if os.fstat(file.fileno()).st_size > MAX_BYTES:
                return None, "file too large"
            return file.read(MAX_BYTES), None
    except (FileNotFoundError, NotADirectoryError):
        return None, "missing file"
    except (OSError, ValueError):  # no permission, a name too long, a null character in it
        return None, "unreadable file"
