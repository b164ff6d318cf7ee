"""A log's tiles in a folder.

Neighbours may rely on this: a file is there whole or not at all; a folder that is made is its owner's alone, as the
entries are companies' figures.
"""

from __future__ import annotations

import os
import shutil
from pathlib import Path


class TileFolder:
    """The files of one log."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._unsettled: set[Path] = set()

    def read(self, path: str) -> bytes | None:
        """This function will return the file's bytes, None where there is none."""
        try:
            return (self._folder / path).read_bytes()
        except (FileNotFoundError, NotADirectoryError):
            return None

    def write(self, path: str, content: bytes) -> None:
        """This function will write the file whole, or not at all."""
        place = self._folder / path
        self._make(place.parent)
        beside = place.with_name(place.name + ".new")
        handle = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(handle, "wb") as file:
            file.write(content)
        beside.replace(place)
        self._unsettled.add(place)

    def settle(self) -> None:
        """This function will return once everything written so far outlasts a loss of power."""
        for place in self._unsettled | {place.parent for place in self._unsettled}:
            handle = os.open(place, os.O_RDONLY)
            try:
                os.fsync(handle)
            finally:
                os.close(handle)
        self._unsettled.clear()

    def remove_partials(self, path: str) -> None:
        """This function will remove the partial tiles of a tile that has become full."""
        shutil.rmtree(self._folder / f"{path}.p", ignore_errors=True)

    def _make(self, folder: Path) -> None:
        if not folder.is_dir():
            self._make(folder.parent)
            folder.mkdir(mode=0o700, exist_ok=True)
