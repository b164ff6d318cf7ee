"""Places outside: a folder whose writer is killed, an address that fails in every way that addresses fail."""

import http.server
import os
import random
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from app.adapters.outside_checkpoints import Address, Folder, outside_at
from app.usecases.outside import OutsideUnavailable

NOTE = b"test.example/icbc\n5\nroot\n\n" + "— test.example/icbc signature\n".encode()


class TestAPlace:
    @pytest.mark.parametrize(
        ("named", "kind"), [("/mnt/audit", Folder), ("https://audit.example/jifendai/", Address), ("relative", Folder)]
    )
    def test_is_a_folder_unless_it_is_an_address(self, named: str, kind: type):
        assert type(outside_at(named)) is kind


class TestAFolder:
    async def test_gives_back_what_was_kept_last(self, tmp_path: Path):
        folder = Folder(tmp_path)

        absent = await folder.read("icbc.checkpoint")
        for note in (NOTE, NOTE * 2):
            await folder.write("icbc.checkpoint", note)

        assert absent is None
        assert await folder.read("icbc.checkpoint") == NOTE * 2
        assert os.listdir(tmp_path) == ["icbc.checkpoint"]

    async def test_that_is_not_there_is_not_an_empty_one(self, tmp_path: Path):
        folder = Folder(tmp_path / "not-mounted")

        with pytest.raises(OutsideUnavailable, match="not-mounted"):
            await folder.read("icbc.checkpoint")
        with pytest.raises(OutsideUnavailable, match="not-mounted"):
            await folder.write("icbc.checkpoint", NOTE)

    async def test_leaves_what_was_kept_where_the_disk_is_full(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ):
        folder = Folder(tmp_path)
        await folder.write("icbc.checkpoint", NOTE)

        def full(handle: int) -> None:
            raise OSError(28, "No space left on device")

        monkeypatch.setattr(os, "fsync", full)
        with pytest.raises(OutsideUnavailable, match="No space left"):
            await folder.write("icbc.checkpoint", b"half")

        assert await folder.read("icbc.checkpoint") == NOTE
        assert os.listdir(tmp_path) == ["icbc.checkpoint"]


# Writes notes of 400 kB, each of one digit alone, until it is killed.
WRITER = """
import asyncio, sys, time
from pathlib import Path
from app.adapters.outside_checkpoints import Folder

async def main():
    folder = Folder(Path(sys.argv[1]))
    if sys.argv[2] == "in place":
        def write(name, note):
            with (folder._path / name).open("wb", buffering=0) as file:
                for part in range(0, len(note), 4096):
                    file.write(note[part:part + 4096])
                    time.sleep(0.0001)
        folder._write = write
    number = 0
    while True:
        await folder.write("icbc.checkpoint", str(number % 10).encode() * 400_000)
        number += 1
        print(number, flush=True)

asyncio.run(main())
"""


def torn_after_kills(folder: Path, how: str, kills: int) -> int:
    """This function will kill a writer so many times, at random points, and return how often a torn note was left."""
    dice, torn = random.Random(7), 0
    for _ in range(kills):
        process = subprocess.Popen(
            [sys.executable, "-c", WRITER, str(folder), how], stdout=subprocess.PIPE, cwd=Path(__file__).parents[2]
        )
        process.stdout.readline()
        time.sleep(dice.uniform(0, 0.1))
        process.kill()
        process.communicate()
        note = (folder / "icbc.checkpoint").read_bytes()
        torn += len(note) != 400_000 or len(set(note)) != 1
    return torn


class TestAKilledWriter:
    def test_leaves_a_whole_checkpoint(self, tmp_path: Path):
        assert torn_after_kills(tmp_path, "beside", 3) == 0

    def test_that_wrote_in_place_would_be_found_out(self, tmp_path: Path):
        assert torn_after_kills(tmp_path, "in place", 2) > 0


class _Kept(http.server.BaseHTTPRequestHandler):
    """Keeps what is PUT; misbehaves as its server is told to."""

    def do_PUT(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.server.seen.append((self.path, self.headers["Authorization"], self.headers["Content-Type"]))
        if self.server.status == 204:
            self.server.kept[self.path] = body
        self._answer(self.server.status, b"")

    def do_GET(self) -> None:
        found = self.server.kept.get(self.path)
        if self.server.status != 204:
            self._answer(self.server.status, b"")
        elif found is None:
            self._answer(404, b"")
        else:
            self._answer(200, found)

    def _answer(self, status: int, body: bytes) -> None:
        if status == 0:
            return
        self.send_response(status)
        if status in (301, 302, 307):
            self.send_header("Location", "http://127.0.0.1:9/elsewhere")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        for start in range(0, len(body), 65_536):
            self.wfile.write(body[start : start + 65_536])
            time.sleep(self.server.drips_s)

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def server() -> Iterator[http.server.ThreadingHTTPServer]:
    """A server that keeps checkpoints."""
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), _Kept)
    server.kept, server.seen, server.status, server.drips_s = {}, [], 204, 0.0
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    yield server
    server.shutdown()
    server.server_close()


@pytest.fixture
def address(server: http.server.ThreadingHTTPServer) -> Address:
    """Where it is."""
    return outside_at(f"http://127.0.0.1:{server.server_address[1]}/audit/", "secret")


class TestAnAddress:
    async def test_gives_back_what_was_kept_last(self, address: Address, server: http.server.ThreadingHTTPServer):
        absent = await address.read("icbc@2.checkpoint")
        for note in (NOTE * 2, NOTE):
            await address.write("icbc@2.checkpoint", note)

        assert absent is None
        assert await address.read("icbc@2.checkpoint") == NOTE
        assert server.seen[0] == ("/audit/icbc%402.checkpoint", "Bearer secret", "text/plain; charset=utf-8")

    @pytest.mark.parametrize("status", [301, 302, 307, 400, 401, 403, 500, 503, 0])
    async def test_that_refuses_is_unavailable(
        self, address: Address, server: http.server.ThreadingHTTPServer, status: int
    ):
        server.status = status

        with pytest.raises(OutsideUnavailable, match=str(status) if status else "127"):
            await address.write("icbc.checkpoint", NOTE)
        with pytest.raises(OutsideUnavailable):
            await address.read("icbc.checkpoint")

    async def test_where_nobody_listens_is_unavailable(self):
        with pytest.raises(OutsideUnavailable):
            await outside_at("http://127.0.0.1:9").read("icbc.checkpoint")

    async def test_that_drips_is_given_up_in_time(
        self, address: Address, server: http.server.ThreadingHTTPServer, monkeypatch: pytest.MonkeyPatch
    ):
        monkeypatch.setattr("app.adapters.outside_checkpoints._ANSWERS_WITHIN_S", 0.3)
        server.kept["/audit/icbc.checkpoint"], server.drips_s = bytes(900_000), 0.1
        began = time.perf_counter()

        with pytest.raises(OutsideUnavailable):
            await address.read("icbc.checkpoint")

        assert time.perf_counter() - began < 1

    async def test_that_never_ends_is_not_read_to_the_end(
        self, address: Address, server: http.server.ThreadingHTTPServer
    ):
        server.kept["/audit/icbc.checkpoint"] = bytes(20_000_000)

        assert len(await address.read("icbc.checkpoint")) < 3_000_000
