"""The protocol as hostile, hasty and broken clients speak it."""
import os
import random
import socket
import sys
import time
import unittest

from library import LibraryTest, Talk, digest, main
from running import DEADLINE_S

HELLO = b"hello"


class Wire(LibraryTest):
    def setUp(self):
        super().setUp()
        self.start("--allow", "delete,rename")

    def conversation(self, name):
        """Commands of each kind, sent at once."""
        return (f"LIST\nPUT {name} 5\nDATA 2\nheDATA 3\nlloCOMMIT "
                f"{digest(HELLO)}\nGET {name} 1 3\nSTAT {name}\n"
                f"nonsense\nDELETE {name}\nQUIT\n").encode()

    def assert_conversation(self, talk):
        codes = []
        bodies = []
        while reply := talk.reply():
            codes.append(reply.code)
            bodies.append(reply.body)
        self.assertEqual(codes, [200, 150, 201, 200, 200, 200, 400, 200, 200])
        self.assertEqual(bodies[3], b"ell")

    def test_pipelined_commands_are_answered_in_order(self):
        talk = self.talk()
        talk.send(self.conversation("x"))
        self.assert_conversation(talk)

    def test_byte_by_byte_means_the_same(self):
        talk = self.talk()
        for byte in self.conversation("x"):
            talk.send(bytes([byte]))
        self.assert_conversation(talk)

    def test_every_split_means_the_same(self):
        data = self.conversation("x")
        for cut in range(1, len(data)):
            talk = Talk(self.port)
            talk.send(data[:cut])
            talk.send(data[cut:])
            self.assert_conversation(talk)
            talk.close()

    def test_a_connection_that_ends_anywhere_leaves_nothing(self):
        data = self.conversation("x")
        for cut in range(0, data.index(b"COMMIT") + 70):
            talk = Talk(self.port)
            talk.send(data[:cut])
            talk.socket.shutdown(socket.SHUT_WR)
            while talk.reply():
                pass
            talk.close()
            self.assertEqual(self.names(), [], data[:cut])

    def test_a_command_without_its_end_is_not_obeyed(self):
        self.root.joinpath("file").touch()
        talk = self.talk()
        talk.send(b"DELETE file")
        talk.socket.shutdown(socket.SHUT_WR)
        self.assertIsNone(talk.reply())
        self.assertEqual(self.names(), [b"file"])

    def test_a_line_that_is_too_long_ends_the_connection(self):
        talk = self.talk()
        talk.send(b"STAT " + b"x" * 5000)
        self.assertEqual(talk.reply().code, 400)
        self.assertIsNone(talk.reply())

    def test_the_longest_line_is_read(self):
        name = "%ff" * 255
        talk = self.talk()
        self.assertEqual(talk.ask(f"RENAME {name} {name}").code, 404)

    def test_16_malformed_commands_in_a_row_end_the_connection(self):
        talk = self.talk()
        for _ in range(15):
            self.assertEqual(talk.ask("what").code, 400)
        self.assertEqual(talk.ask("LIST").code, 200)
        talk.send(b"what\n" * 16)
        for _ in range(16):
            self.assertEqual(talk.reply().code, 400)
        self.assertIsNone(talk.reply())

    def test_data_without_an_upload_ends_the_connection(self):
        talk = self.talk()
        self.assertEqual(talk.ask("DATA 5").code, 400)
        self.assertIsNone(talk.reply())

    def test_what_belongs_to_a_refused_upload_is_passed_over(self):
        for order in ("PUT .hidden 7", "PUT x%2fy 7", "PUT x nonsense"):
            talk = self.talk()
            talk.send(order.encode() + b"\nDATA 7\nDELETE\nABORT\nLIST\n")
            self.assertGreaterEqual(talk.reply().code, 400)
            self.assertEqual(talk.reply().body, b"")
            self.assertEqual(talk.ask("COMMIT " + "0" * 64).code, 400)

    def test_too_much_data_fails_the_upload_once(self):
        talk = self.talk()
        talk.send(b"PUT x 2\nDATA 5\nhelloDATA 1\nxCOMMIT " + b"0" * 64
                  + b"\nLIST\n")
        self.assertEqual([talk.reply().code for _ in range(3)],
                         [150, 400, 200])
        self.assertEqual(self.names(), [])

    def test_a_wrong_digest_stores_nothing(self):
        talk = self.talk()
        talk.send(b"PUT x 5\nDATA 5\nhelloCOMMIT " + b"0" * 64 + b"\n")
        self.assertEqual([talk.reply().code for _ in range(2)], [150, 422])
        self.assertEqual(self.names(), [])

    def test_missing_bytes_store_nothing(self):
        talk = self.talk()
        talk.send(f"PUT x 5\nDATA 4\nhellCOMMIT {digest(b'hell')}\n".encode())
        self.assertEqual([talk.reply().code for _ in range(2)], [150, 400])

    def test_other_commands_wait_for_the_upload(self):
        talk = self.talk()
        talk.send(f"PUT x 5\nLIST\nPUT y 5\nDATA 5\nhelloCOMMIT {digest(HELLO)}"
                  "\n".encode())
        self.assertEqual([talk.reply().code for _ in range(4)],
                         [150, 400, 400, 201])

    def test_get_beyond_the_end_is_empty(self):
        self.root.joinpath("x").write_bytes(HELLO)
        talk = self.talk()
        for order in ("GET x 5", "GET x 9", "GET x 0 0",
                      "GET x 9223372036854775807 9223372036854775807"):
            self.assertEqual(talk.ask(order).body, b"")
            self.assertEqual(talk.reply().code, 200)

    def test_ranges_have_their_own_digest_until_the_files_is_known(self):
        self.root.joinpath("x").write_bytes(HELLO)
        talk = self.talk()
        self.assertEqual(talk.ask("GET x 1 3").body, b"ell")
        tail = talk.reply().keys
        self.assertEqual((tail["of"], tail["sha256"]),
                         ("range", digest(b"ell")))
        self.assertEqual(talk.ask("DIGEST x").keys["sha256"], digest(HELLO))
        talk.ask("GET x 1 3")
        tail = talk.reply().keys
        if tail["of"] == "file":  # Where the disk has attributes.
            self.assertEqual(tail["sha256"], digest(HELLO))

    def test_a_file_that_changed_has_a_new_digest(self):
        path = self.root.joinpath("x")
        path.write_bytes(HELLO)
        talk = self.talk()
        self.assertEqual(talk.ask("DIGEST x").keys["sha256"], digest(HELLO))
        path.write_bytes(b"jello")
        self.assertEqual(talk.ask("DIGEST x").keys["sha256"],
                         digest(b"jello"))

    def test_noise_neither_stops_nor_fills_the_server(self):
        seed = random.randrange(1 << 32)
        print(f"seed {seed}", file=sys.stderr)
        dice = random.Random(seed)
        for _ in range(150):
            data = bytearray(self.conversation("x"))
            for _ in range(dice.randrange(1, 6)):
                at = dice.randrange(len(data))
                data[at:at + dice.randrange(3)] = dice.randbytes(
                    dice.randrange(4))
            talk = Talk(self.port)
            talk.send(bytes(data))
            talk.socket.shutdown(socket.SHUT_WR)
            while talk.file.read(65536):
                pass
            talk.close()
        for name in self.names():
            os.unlink(os.path.join(os.fsencode(self.root), name))
        talk = self.talk()
        talk.send(self.conversation("x"))
        self.assert_conversation(talk)

    def test_nobody_gets_out_of_the_root(self):
        outside = self.folder() / "secret"
        outside.write_text("secret")
        self.root.joinpath("link").symlink_to(outside)
        self.root.joinpath("up").symlink_to("..")
        self.root.joinpath("folder").mkdir()
        os.mkfifo(self.root / "fifo")
        talk = self.talk()
        for name in ("..", ".", "%2e%2e", "..%2fsecret", "%2fetc%2fpasswd",
                     "/etc/passwd", "link", "up", "up%2fsecret", "folder",
                     "fifo", "%00", "a%00b", ".hidden", "x" * 256):
            for order in ("STAT", "GET", "DIGEST", "DELETE"):
                self.assertIn(talk.ask(f"{order} {name}").code, (400, 403),
                              name)
                talk.ask("LIST")  # So that they are not 16 in a row.
            self.assertIn(talk.ask(f"RENAME {name} new").code, (400, 403))
            self.assertIn(talk.ask(f"PUT {name} 0").code, (400, 403, 409))
            talk.ask("LIST")
        self.assertEqual(talk.ask("LIST").body, b"")
        self.assertEqual(outside.read_text(), "secret")


class Idle(LibraryTest):
    def test_a_silent_client_is_told_and_left(self):
        self.start("--idle", "1")
        talk = self.talk()
        self.assertEqual(talk.reply().code, 408)
        self.assertIsNone(talk.reply())

    def test_a_client_silent_in_an_upload_is_left(self):
        self.start("--idle", "1")
        talk = self.talk()
        talk.send(b"PUT x 100\nDATA 100\nbegin")
        self.assertEqual(talk.reply().code, 150)
        self.assertIsNone(talk.reply())
        self.assertEqual(self.names(), [])

    def test_a_client_that_dribbles_is_left(self):
        self.start("--idle", "1")
        for start in (b"PUT x 1000000\nDATA 1000000\n",
                      b"PUT .x 9000\nDATA 9000\n",
                      b""):
            talk = self.talk()
            with self.assertRaises((BrokenPipeError, ConnectionResetError)):
                talk.send(start)
                for _ in range(1200):
                    talk.send(b"x")
                    time.sleep(0.05)

    def lost(self):
        """How many replies the log says did not get through."""
        return sum(line.endswith(" 0") for line in self.log_lines())

    def take_slowly(self, order):
        """Reads a little at a time, often enough not to be silent, until the
        server has had enough."""
        before = self.lost()
        with socket.socket() as peer:
            peer.settimeout(DEADLINE_S)
            peer.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            peer.connect(("127.0.0.1", self.port))
            peer.sendall(order)

            def has_had_enough():
                self.assertTrue(peer.recv(2000))
                return self.lost() > before

            self.wait_until(has_had_enough, "the server leaves")

    def test_a_client_that_takes_too_little_is_left(self):
        with open(self.root / "large", "wb") as file:
            file.truncate(64 << 20)
        for number in range(3000):
            self.root.joinpath(f"{number:0200}").touch()
        for strategy in ("forking", "coroutine"):
            self.start("--idle", "1", "--min-rate", "1G", "--strategy",
                       strategy)
            # Unknown digests are made on the way; known ones need no look.
            self.take_slowly(b"GET large\n")
            self.take_slowly(b"DIGEST large\nGET large\n")
            self.take_slowly(b"LIST\n" * 100)
            self.assertEqual(self.server.end(), 0)
            # Its digest is another file's.
            os.utime(self.root / "large")

    def test_a_client_that_reads_nothing_holds_no_memory(self):
        self.start("--idle", "2", "--strategy", "threading")
        self.root.joinpath("x").write_bytes(b"x" * 1_000_000)
        talk = self.talk()
        with self.assertRaises((BrokenPipeError, ConnectionResetError,
                                TimeoutError)):
            while True:
                talk.send(b"GET x\n" * 1000)
        with open(f"/proc/{self.server.process.pid}/status") as status:
            size = next(line for line in status if line.startswith("VmHWM"))
        # Far more than what a connection may take, far less than the replies.
        self.assertLess(int(size.split()[1]), 300_000)


if __name__ == "__main__":
    unittest.TestCase.maxDiff = None
    main()
