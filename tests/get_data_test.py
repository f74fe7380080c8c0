#!/usr/bin/env python3
"""examples/get_data.py against a server in this process: what is whole, broken off, damaged, in the way.

    python3 tests/get_data_test.py
"""

import contextlib
import hashlib
import importlib.util
import io
import tarfile
import tempfile
import threading
import unittest
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

SOURCE = Path(__file__).resolve().parent.parent / "examples" / "get_data.py"
spec = importlib.util.spec_from_file_location("get_data", SOURCE)
get_data = importlib.util.module_from_spec(spec)
spec.loader.exec_module(get_data)


def archive(files: dict[str, bytes]) -> bytes:
    to = io.BytesIO()
    with tarfile.open(fileobj=to, mode="w:gz") as tar:
        for name, values in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(values)
            tar.addfile(member, io.BytesIO(values))
    return to.getvalue()


class Server(BaseHTTPRequestHandler):
    files: dict[str, bytes] = {}
    ranges = True  # whether it can send the rest of a file
    cut = None  # the connection ends after so many bytes
    asked: list[str] = []

    def do_GET(self):
        values = self.files.get(self.path)
        wanted = self.headers.get("Range", "")
        self.asked.append(f"{self.path} {wanted}".strip())
        if values is None:
            self.send_error(404)
            return
        start = int(wanted.removeprefix("bytes=").rstrip("-")) if wanted and self.ranges else 0
        if start >= len(values) > 0:
            self.send_error(416)
            return
        self.send_response(206 if start else 200)
        self.send_header("Content-Length", str(len(values) - start))
        self.end_headers()
        self.wfile.write(values[start:][: self.cut])

    def log_message(self, *_):
        pass


class GetData(unittest.TestCase):
    def setUp(self):
        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Server)
        threading.Thread(target=self.server.serve_forever, args=(0.01,), daemon=True).start()
        self.temporary = tempfile.TemporaryDirectory()
        self.folder = Path(self.temporary.name) / "data"
        Server.files, Server.ranges, Server.cut, Server.asked = {}, True, None, []
        get_data.FILES = {}
        get_data.UNPACKED = {}

    def tearDown(self):
        self.server.shutdown()
        self.server.server_close()
        self.temporary.cleanup()

    def offer(self, name: str, values: bytes, sent: bytes | None = None) -> None:
        """A set of one file with the sum of `values`; the server has `sent`."""
        Server.files["/" + name] = values if sent is None else sent
        address = f"http://127.0.0.1:{self.server.server_port}/{name}"
        get_data.FILES["set"] = [(address, hashlib.sha256(values).hexdigest())]

    def run_it(self) -> tuple[int, str]:
        out = io.StringIO()
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(out):
            status = get_data.main(["set", str(self.folder)])
        return status, out.getvalue()

    def names(self) -> list[str]:
        return sorted(str(p.relative_to(self.folder)) for p in self.folder.rglob("*") if p.is_file())

    def test_fetches_once(self):
        self.offer("a.gz", b"all of it")
        self.assertEqual(self.run_it()[0], 0)
        self.assertEqual((self.folder / "a.gz").read_bytes(), b"all of it")
        status, text = self.run_it()
        self.assertEqual((status, len(Server.asked)), (0, 1))
        self.assertIn("is there, and good", text)
        self.assertEqual(self.names(), ["a.gz"])

    def test_goes_on(self):
        values = bytes(range(256)) * 40
        self.offer("a.gz", values)
        Server.cut = 1000
        status, text = self.run_it()
        self.assertEqual(status, 1)
        self.assertEqual(self.names(), ["a.gz.part"])
        Server.cut = None
        self.assertEqual(self.run_it()[0], 0)
        self.assertEqual((self.folder / "a.gz").read_bytes(), values)
        self.assertEqual(Server.asked, ["/a.gz", "/a.gz bytes=1000-"])

    def test_goes_on_where_only_whole_files_are_sent(self):
        values = b"0123456789" * 100
        self.offer("a.gz", values)
        self.folder.mkdir()
        (self.folder / "a.gz.part").write_bytes(values[:17])
        Server.ranges = False
        self.assertEqual(self.run_it()[0], 0)
        self.assertEqual((self.folder / "a.gz").read_bytes(), values)

    def test_a_part_that_is_whole_is_taken(self):
        self.offer("a.gz", b"whole")
        self.folder.mkdir()
        (self.folder / "a.gz.part").write_bytes(b"whole")
        self.assertEqual(self.run_it()[0], 0)
        self.assertEqual(self.names(), ["a.gz"])

    def test_refuses_what_is_damaged(self):
        self.offer("a.gz", b"right", sent=b"wrong")
        status, text = self.run_it()
        self.assertEqual(status, 1)
        self.assertIn("SHA-256", text)
        self.assertEqual(self.names(), [])

    def test_leaves_another_file_alone(self):
        self.offer("a.gz", b"right")
        self.folder.mkdir()
        (self.folder / "a.gz").write_bytes(b"mine")
        status, text = self.run_it()
        self.assertEqual((status, Server.asked), (1, []))
        self.assertIn("it was not touched", text)
        self.assertEqual((self.folder / "a.gz").read_bytes(), b"mine")

    def test_says_what_the_server_says(self):
        self.offer("a.gz", b"right")
        Server.files = {}
        status, text = self.run_it()
        self.assertEqual(status, 1)
        self.assertIn("404", text)

    def test_unpacks(self):
        get_data.UNPACKED = {"set": "inner/"}
        self.offer("a.tar.gz", archive({"inner/one.bin": b"1", "inner/b/two.bin": b"22", "other": b"3"}))
        self.assertEqual(self.run_it()[0], 0)
        self.assertEqual(self.names(), ["a.tar.gz", "b/two.bin", "one.bin"])
        (self.folder / "one.bin").unlink()
        status, text = self.run_it()
        self.assertEqual((status, len(Server.asked)), (0, 1))
        self.assertIn("unpacked 1 of 2 files", text)
        (self.folder / "b" / "two.bin").write_bytes(b"2x")  # as long, and damaged
        self.assertIn("unpacked 1 of 2 files", self.run_it()[1])
        self.assertEqual((self.folder / "b" / "two.bin").read_bytes(), b"22")

    def test_unpacks_nothing_outside(self):
        get_data.UNPACKED = {"set": ""}
        self.offer("a.tar.gz", archive({"../escaped": b"1"}))
        status, text = self.run_it()
        self.assertEqual(status, 1)
        self.assertFalse((self.folder.parent / "escaped").exists())

    def test_each_sum_is_one(self):
        spec.loader.exec_module(get_data)  # the real table
        for files in get_data.FILES.values():
            for address, wanted in files:
                self.assertRegex(wanted, "^[0-9a-f]{64}$")
                self.assertTrue(address.startswith("https://"))


if __name__ == "__main__":
    unittest.main()
