#!/usr/bin/env python3
"""examples/get_data.py against a server in this process: what is whole, broken off, damaged, in the
way.

    python3 tests/get_data_test.py
"""

import contextlib
import hashlib
import importlib.util
import io
import os
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

    raw: bytes | None = None  # the whole answer, whatever it is

    def do_GET(self):
        if self.raw is not None:
            self.wfile.write(self.raw)
            self.close_connection = True
            return
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
        if start:
            self.send_header("Content-Range", f"bytes {start}-{len(values) - 1}/{len(values)}")
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
        Server.raw = None
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
        return sorted(str(p.relative_to(self.folder)) for p in self.folder.rglob("*")
                      if p.is_file())

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

    def test_malformed_answers_are_one_line_each(self):
        ok = b"HTTP/1.1 200 OK\r\n"
        answers = {
            "length no number": ok + b"Content-Length: abc\r\n\r\nxyz",
            "length negative": ok + b"Content-Length: -5\r\n\r\nxyz",
            "length of 30 digits": ok + b"Content-Length: " + b"9" * 30 + b"\r\n\r\nxyz",
            "length too large": ok + b"Content-Length: 100\r\n\r\nxyz",
            "chunks cut": ok + b"Transfer-Encoding: chunked\r\n\r\n10\r\nabc",
            "chunk size missing": ok + b"Transfer-Encoding: chunked\r\n\r\n",
            "chunk size no number": ok + b"Transfer-Encoding: chunked\r\n\r\nzz\r\nabc\r\n",
            "chunk size negative": ok + b"Transfer-Encoding: chunked\r\n\r\n-4\r\nabc\r\n",
            "nothing": b"",
            "no HTTP": b"SSH-2.0-OpenSSH_9.2\r\n",
            "status no number": b"HTTP/1.1 abc OK\r\n\r\n",
            "status of nobody": b"HTTP/1.1 999 What\r\n\r\n",
            "a header too long": ok + b"X: " + b"y" * 70000 + b"\r\n\r\n",
            "too many headers": ok + b"X: y\r\n" * 200 + b"\r\n",
            "to itself": b"HTTP/1.1 302 Found\r\nLocation: /a.gz\r\n\r\n",
            "to nowhere": b"HTTP/1.1 302 Found\r\nLocation: http://[::1\r\n\r\n",
            "to a file": b"HTTP/1.1 302 Found\r\nLocation: file:///etc/passwd\r\n\r\n",
            "an escape sequence": b"HTTP/1.1 404 \x1b[31mred\r\nContent-Length: 0\r\n\r\n",
            "a part nobody asked for": b"HTTP/1.1 206 Partial\r\nContent-Length: 3\r\n\r\nxyz",
            "a part from elsewhere": b"HTTP/1.1 206 Partial\r\n"
                                     b"Content-Range: bytes 7-9/10\r\n\r\nxyz",
        }
        self.offer("a.gz", b"right")
        address = get_data.FILES["set"][0][0]
        for name, answer in answers.items():
            with self.subTest(name):
                Server.raw = answer
                status, text = self.run_it()
                self.assertEqual(status, 1)
                lines = [line for line in text.splitlines() if line.startswith("error: ")]
                self.assertEqual(len(lines), 1, text)
                # No second line of the server's.
                self.assertTrue(text.endswith(lines[0] + "\n"), text)
                self.assertIn(address, lines[0])
                self.assertNotIn("Traceback", text)
                self.assertNotIn("\x1b", text)
                self.assertNotIn("a.gz", self.names())  # never taken for whole
        Server.raw = None  # and afterwards it is fetched all the same
        (self.folder / "a.gz.part").unlink(missing_ok=True)
        self.assertEqual(self.run_it()[0], 0)
        self.assertEqual((self.folder / "a.gz").read_bytes(), b"right")

    def test_chunks_that_are_whole(self):
        self.offer("a.gz", b"right")
        Server.raw = (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
                      b"3\r\nrig\r\n2\r\nht\r\n0\r\n\r\n")
        self.assertEqual(self.run_it()[0], 0)
        self.assertEqual(self.names(), ["a.gz"])

    def test_what_is_in_the_way(self):
        self.offer("a.gz", b"right")
        self.folder.mkdir()
        for name in ("a.gz", "a.gz.part"):
            with self.subTest(name):
                os.mkfifo(self.folder / name)
                status, text = self.run_it()
                self.assertEqual(status, 1)
                self.assertIn(f"{name}: is there, but is not a file", text)
                (self.folder / name).unlink()
        self.assertEqual(Server.asked, [])

    def test_a_link_in_the_way_is_not_followed(self):
        self.offer("a.gz", b"right")
        self.folder.mkdir()
        other = Path(self.temporary.name) / "other"
        other.write_bytes(b"precious")
        (self.folder / "a.gz.part").symlink_to(other)
        status, text = self.run_it()
        self.assertEqual(status, 1)
        self.assertIn("a.gz.part: is there, but is not a file", text)
        self.assertEqual(other.read_bytes(), b"precious")

    def test_two_at_once(self):
        self.offer("a.gz", b"right")
        self.folder.mkdir()
        with get_data.alone(self.folder):
            status, text = self.run_it()
        self.assertEqual(status, 1)
        self.assertIn("another one is fetching into this folder", text)
        self.assertEqual(Server.asked, [])
        self.assertEqual(self.run_it()[0], 0)

    def test_a_damaged_archive(self):
        get_data.UNPACKED = {"set": ""}
        whole = archive({"one": b"1" * 3000})
        for values in (b"no archive", whole[:40], whole[: len(whole) // 2],
                       whole[:-9] + b"123456789"):
            with self.subTest(len(values)):
                self.offer("a.tar.gz", values)
                status, text = self.run_it()
                if status != 0:
                    self.assertRegex(text, "error: .*a.tar.gz: ")
                self.assertFalse([n for n in self.names() if n.endswith(".part")])
                for path in self.folder.iterdir():
                    path.unlink()

    def test_no_half_of_a_member_stays(self):
        get_data.UNPACKED = {"set": ""}
        self.offer("a.tar.gz", archive({"one": b"1", "two/three": b"2"}))
        self.folder.mkdir()
        (self.folder / "one").mkdir()  # cannot be replaced by a file
        status, text = self.run_it()
        self.assertEqual(status, 1)
        self.assertEqual(self.names(), ["a.tar.gz"])

    def test_unpacks(self):
        get_data.UNPACKED = {"set": "inner/"}
        self.offer("a.tar.gz", archive({"inner/one.bin": b"1", "inner/b/two.bin": b"22",
                                        "other": b"3"}))
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
