"""The catalogue's files on disk.

Neighbours may rely on this: paths are relative to the folder, with forward slashes; only YAML files are read, and
none larger than a catalogue's file can be.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Final

LARGEST_FILE_BYTES: Final = 4_000_000


def read_catalogue_files(folder: Path) -> Mapping[str, bytes]:
    """This function will return every YAML file below the folder. Raises OSError, ValueError for one that is too
    large.
    """
    files = {}
    for path in sorted(folder.rglob("*")):
        if path.suffix in (".yaml", ".yml") and path.is_file():
            if path.stat().st_size > LARGEST_FILE_BYTES:
                raise ValueError(f"{path} is larger than {LARGEST_FILE_BYTES} bytes; a catalogue's file never is")
            files[path.relative_to(folder).as_posix()] = path.read_bytes()
    return files
