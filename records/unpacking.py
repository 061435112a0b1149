"""What are the bytes of a file from outside? Unpacked where it is packed by gzip, behind a byte order mark."""

from __future__ import annotations

import gzip
import zlib
from pathlib import Path
from typing import BinaryIO, cast

from records.errors import InputError

GZIP = b"\x1f\x8b"


class _Unpacked(gzip.GzipFile):
    """A packed file that says which file it is when it is broken."""

    def read(self, size: int | None = -1) -> bytes:
        try:
            return super().read(size)
        except (EOFError, OSError, zlib.error) as error:
            raise _broken(str(self.name), error) from error

    def readline(self, size: int | None = -1) -> bytes:
        try:
            return super().readline(-1 if size is None else size)
        except (EOFError, OSError, zlib.error) as error:
            raise _broken(str(self.name), error) from error


def open_input(path: Path) -> BinaryIO:
    """The file's bytes, unpacked, behind a byte order mark if it has one; a refusal names the file."""
    try:
        file: BinaryIO = path.open("rb")
    except OSError as error:
        raise InputError(
            f"{path} cannot be read: {error.strerror}.", remedy="Check the name and the rights.", file=str(path)
        ) from error
    start = file.read(4)
    if start[:2] == GZIP:
        file.close()
        file = cast("BinaryIO", _Unpacked(path, "rb"))
        start = file.read(4)
    wrong = ""
    if start[:2] in (b"\xff\xfe", b"\xfe\xff"):
        wrong, remedy, value = "is UTF-16", "Save it as UTF-8.", "UTF-16"
    elif start[:2] == GZIP:
        wrong, remedy, value = "is packed twice (gzip)", "Unpack it first.", "gzip"
    if wrong:
        file.close()
        raise InputError(f"{path} {wrong}.", remedy=remedy, file=str(path), value=value)
    file.seek(3 if start[:3] == b"\xef\xbb\xbf" else 0)
    return file


def _broken(path: str, error: BaseException) -> InputError:
    said = " ".join(str(error).split())[:200]
    return InputError(f"{path} cannot be unpacked (gzip): {said}.", remedy="Pack or copy it again.", file=path)
