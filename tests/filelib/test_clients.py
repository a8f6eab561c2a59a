"""Many clients at once under one strategy, and how the server ends."""
import concurrent.futures
import os
import signal
import sys
import unittest
import unittest.mock

from library import LibraryTest, Talk, digest, main

STRATEGY, SLOW_DISK = sys.argv[3:5]
CLIENTS = 50
ROUNDS = 20


class Clients(LibraryTest):
    strategy = STRATEGY
    options = ("--allow", "delete,rename", "--max-workers",
               "1" if STRATEGY == "synchronous" else "64")

    def converse(self, number):
        """Continuous commands on one connection."""
        talk = Talk(self.port)
        data = bytes([number]) * (number * 1000)
        for round_number in range(ROUNDS):
            name = f"c{number}r{round_number}"
            assert talk.put(name, data) == 201
            assert talk.ask(f"GET {name}").body == data
            assert talk.reply().keys["sha256"] == digest(data)
            assert name.encode() in talk.ask("LIST").body
            assert talk.ask(f"RENAME {name} {name}x").code == 200
            assert talk.ask(f"STAT {name}").code == 404
            assert talk.ask(f"DELETE {name}x").code == 200
        assert talk.ask("QUIT").code == 200
        talk.close()

    def test_50_clients_with_continuous_commands(self):
        self.start()
        with concurrent.futures.ThreadPoolExecutor(CLIENTS) as pool:
            for future in [pool.submit(self.converse, number)
                           for number in range(CLIENTS)]:
                future.result()
        self.assertEqual(self.names(), [])
        self.assertEqual(self.server.end(), 0)
        lines = [line for line in self.log_lines() if " QUIT " not in line]
        self.assertEqual(len(lines), CLIENTS * ROUNDS * 6)

    @unittest.skipUnless(SLOW_DISK != "none" and STRATEGY != "synchronous",
                         "needs a slow disk, and clients at once")
    def test_a_slow_disk_holds_up_nobody_else(self):
        there = self.local / "the disk is done"
        with unittest.mock.patch.dict(os.environ, {
                "LD_PRELOAD": SLOW_DISK, "SLOW_FSYNC_UNTIL": str(there)}):
            # One thread is enough for coroutines.
            self.start("--max-workers", "1" if "coroutine" in STRATEGY else "9")
        talks = [self.talk() for _ in range(3)]
        self.root.joinpath("old").touch()
        self.assertEqual(talks[0].ask("PUT x 5").code, 150)
        for talk, order in zip(talks, (
                b"DATA 5\nhelloCOMMIT " + digest(b"hello").encode(),
                b"DELETE old", b"RENAME new newer")):
            talk.send(order + b"\n")
        self.assertEqual(talks[2].reply().code, 404)
        self.assertEqual(talks[2].ask("LIST").code, 200)
        there.touch()
        self.assertEqual(talks[0].reply().code, 201)
        self.assertEqual(talks[1].reply().code, 200)
        self.assertEqual(self.names(), [b"x"])

    def test_the_log_has_a_line_for_each_command(self):
        self.start()
        talk = self.talk()
        talk.ask("LIST")
        self.wait_until(self.log_lines, "the line is written")
        talk.put("a%0a%20b", b"hello")
        talk.ask("STAT none")
        talk.ask("GET a%0a%20b")
        talk.reply()
        lines = [line.split(" ") for line in self.log_lines()]
        self.assertEqual([(line[3], line[4], line[-1]) for line in lines],
                         [("LIST", "-", "200"), ("PUT", "a%0a%20b", "201"),
                          ("STAT", "none", "404"),
                          ("GET", "a%0a%20b", "200")])
        self.assertEqual(lines[1][5], "5")
        self.assertEqual(lines[0][1], f"127.0.0.1:{talk.socket.getsockname()[1]}")

    def test_a_download_under_way_is_finished_after_sigterm(self):
        data = b"0123456789abcdef" * (1 << 20)
        self.root.joinpath("x").write_bytes(data)
        self.start()
        talk = self.talk()
        talk.send(b"GET x\n")
        head = talk.file.readline()
        self.signal()
        self.assertEqual(head[:13], b"200 16777216 ")
        self.assertEqual(talk.file.read(len(data)), data)
        self.assertEqual(talk.reply().keys["sha256"], digest(data))
        self.assertEqual(talk.reply().code, 421)
        self.assertIsNone(talk.reply())
        self.assertEqual(self.server.status(), 0)

    def test_an_upload_under_way_is_resumable_after_sigterm(self):
        data = b"x" * 1_000_000
        self.start()
        talk = self.talk()
        talk.send(b"PUT x 1000000 resume=1\nDATA 500000\n" + data[:500_000])
        self.assertEqual(talk.reply().code, 150)
        # An answer means that everything before it has come.
        talk.send(b"LIST\n")
        self.assertEqual(talk.reply().code, 400)
        self.signal()
        talk.file.read()
        self.assertEqual(self.server.status(), 0)
        self.assertEqual([name[:20] for name in self.names()],
                         [b".sockserver-partial-"])
        self.start()
        talk = self.talk()
        self.assertEqual(talk.ask("PUT x 1000000 resume=2").keys["offset"],
                         "0")
        talk.ask("ABORT")
        self.assertEqual(talk.put("x", data, " resume=1"), 201)
        self.assertEqual(self.names(), [b"x"])

    def test_idle_clients_do_not_hold_up_the_end(self):
        self.start()
        talk = self.talk()
        self.signal(signal.SIGINT)
        self.assertEqual(talk.reply().code, 421)
        self.assertEqual(self.server.status(), 0)


if __name__ == "__main__":
    main()
