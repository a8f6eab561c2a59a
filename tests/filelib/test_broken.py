"""Transfers that break, processes that are killed, and servers that are not
what they seem."""
import contextlib
import os
import pathlib
import signal
import socket
import subprocess
import threading

from library import (CANNOT_CONNECT, CORRUPTED, DONE, EXISTS, FAULT,
                     FILE, INTERRUPTED, NOT_FOUND, USAGE, LibraryTest, digest,
                     main)

SIZE = 64 << 20


def part_of(folder):
    """The hidden beginning of a download in a folder."""
    parts = [name for name in os.listdir(folder) if name.endswith(".part")]
    return pathlib.Path(folder, parts[0]) if parts else None


class Relay:
    """Stands between client and server, and ends the connection after so many
    bytes in one direction."""

    def __init__(self, port, up=None, down=None):
        self.port = port
        self.limits = {"up": up, "down": down}
        self.moved = {"up": 0, "down": 0}
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.thread = threading.Thread(target=self.serve, daemon=True)
        self.thread.start()

    def serve(self):
        client, _ = self.listener.accept()
        server = socket.create_connection(("127.0.0.1", self.port))
        other = threading.Thread(target=self.move,
                                 args=("down", server, client), daemon=True)
        other.start()
        self.move("up", client, server)
        other.join()
        client.close()
        server.close()

    def move(self, way, source, sink):
        limit = self.limits[way]
        with contextlib.suppress(OSError):
            while data := source.recv(65536):
                if limit is not None:
                    data = data[:limit - self.moved[way]]
                self.moved[way] += len(data)
                sink.sendall(data)
                if limit is not None and self.moved[way] >= limit:
                    break
        for end in (source, sink):
            with contextlib.suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)

    def close(self):
        self.thread.join()
        self.listener.close()

    @property
    def listening_port(self):
        return self.listener.getsockname()[1]


class Transfers(LibraryTest):
    def make(self, folder, name="x"):
        data = os.urandom(1 << 20) * (SIZE >> 20)
        pathlib.Path(folder, name).write_bytes(data)
        return data

    def through_relay(self, relay, *words):
        done = subprocess.run(
            [self.command()[0], "127.0.0.1", str(relay.listening_port),
             *words], cwd=self.local, check=False, stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        relay.close()
        return done

    def test_a_download_that_breaks_goes_on_where_it_broke(self):
        data = self.make(self.root)
        self.start()
        relay = Relay(self.port, down=SIZE // 2)
        done = self.through_relay(relay, "get", "x")
        self.assertEqual(done.returncode, INTERRUPTED, done.stderr)
        part = part_of(self.local)
        self.assertGreater(part.stat().st_size, SIZE // 3)
        self.assertFalse(self.local.joinpath("x").exists())
        relay = Relay(self.port)
        done = self.through_relay(relay, "get", "x")
        self.assertEqual(done.returncode, DONE, done.stderr)
        self.assertLess(relay.moved["down"], SIZE - SIZE // 3 + 100_000)
        self.assertEqual(self.local.joinpath("x").read_bytes(), data)
        self.assertEqual(os.listdir(self.local), ["x"])

    def test_an_upload_that_breaks_goes_on_where_it_broke(self):
        data = self.make(self.local)
        self.start()
        relay = Relay(self.port, up=SIZE // 2)
        done = self.through_relay(relay, "put", "x")
        self.assertEqual(done.returncode, INTERRUPTED, done.stderr)
        self.wait_until(self.names, "the beginning is kept")
        self.assertEqual(self.listed(), {})
        relay = Relay(self.port)
        done = self.through_relay(relay, "put", "x")
        self.assertEqual(done.returncode, DONE, done.stderr)
        self.assertLess(relay.moved["up"], SIZE - SIZE // 3 + 100_000)
        self.assertEqual(self.root.joinpath("x").read_bytes(), data)
        self.assertEqual(self.names(), [b"x"])

    def test_a_beginning_of_another_state_is_not_gone_on_with(self):
        self.make(self.root)
        self.start()
        self.through_relay(Relay(self.port, down=SIZE // 2), "get", "x")
        data = self.make(self.root)
        self.assert_status(DONE, "get", "x")
        self.assertEqual(self.local.joinpath("x").read_bytes(), data)

    def test_a_beginning_that_rotted_is_found_out(self):
        data = self.make(self.root)
        self.start()
        self.through_relay(Relay(self.port, down=SIZE // 2), "get", "x")
        with open(part_of(self.local), "r+b") as part:
            part.write(bytes([data[0] ^ 1]))
        self.assert_status(CORRUPTED, "get", "x")
        self.assertEqual(os.listdir(self.local), [])
        self.assert_status(DONE, "get", "x")

    def begin(self, *words, ready):
        """A client that is in the middle of a transfer."""
        client = subprocess.Popen(self.command(*words), cwd=self.local,
                                  stdin=subprocess.DEVNULL,
                                  stderr=subprocess.PIPE)
        self.addCleanup(client.communicate)
        self.addCleanup(client.kill)
        self.wait_until(ready, "the transfer is under way")
        return client

    def stopped_download(self):
        """Held in its middle: the server cannot go on."""
        with open(self.root / "x", "wb") as file:
            file.truncate(8 << 30)
        return self.begin("get", "x", ready=lambda: part_of(self.local)
                          and part_of(self.local).stat().st_size)

    def test_ctrl_c_ends_a_download_which_can_go_on(self):
        self.start()
        client = self.stopped_download()
        client.send_signal(signal.SIGINT)
        self.assertEqual(client.wait(60), INTERRUPTED)
        self.assertTrue(part_of(self.local))
        self.assertFalse(self.local.joinpath("x").exists())

    def test_a_client_that_is_killed_leaves_no_file(self):
        self.start()
        client = self.stopped_download()
        client.kill()
        client.wait(60)
        self.assertFalse(self.local.joinpath("x").exists())

    def test_a_client_killed_in_an_upload_leaves_nothing_visible(self):
        self.start()
        talk = self.talk()
        talk.send(b"PUT y 1000000\nDATA 1000000\n" + b"x" * 500_000)
        self.assertEqual(talk.reply().code, 150)
        talk.reset()
        self.wait_until(lambda: any(" PUT y " in line
                                    for line in self.log_lines()),
                        "the server noticed")
        self.assertEqual(self.names(), [])

    def begun_upload(self):
        """The real client in the middle of a file that does not end soon."""
        with open(self.local / "y", "wb") as file:
            file.truncate(8 << 30)

        def is_under_way():
            text = pathlib.Path(f"/proc/{client.pid}/io").read_text()
            return int(text.split()[1]) > 8 << 20
        client = self.begin("put", "y", ready=lambda: True)
        self.wait_until(is_under_way, "bytes are on their way")
        return client

    def test_the_client_killed_in_an_upload_leaves_nothing_visible(self):
        self.start()
        client = self.begun_upload()
        client.kill()
        client.wait(60)
        self.wait_until(lambda: any(" PUT y " in line
                                    for line in self.log_lines()),
                        "the server noticed")
        self.assertEqual(self.listed(), {})
        self.assertFalse(self.root.joinpath("y").exists())

    def test_the_client_tells_of_a_server_killed_in_its_upload(self):
        self.start()
        client = self.begun_upload()
        self.kill_server()
        self.assertEqual(client.wait(60), INTERRUPTED)
        self.assertIn(b"the server is gone", client.stderr.read())
        self.start()
        self.assertEqual(self.listed(), {})
        self.assertFalse(self.root.joinpath("y").exists())

    def kill_server(self):
        """As out of memory does, with all of its children."""
        children = self.server.children()
        self.signal(signal.SIGKILL)
        for child in children:
            os.kill(int(child), signal.SIGKILL)
        self.server.status()

    def test_a_server_that_is_killed_is_a_sentence_and_a_status(self):
        self.start()
        client = self.stopped_download()
        self.kill_server()
        self.assertEqual(client.wait(60), INTERRUPTED)
        self.assertIn(b"the server is gone", client.stderr.read())

    def test_a_server_killed_in_an_upload_leaves_nothing_torn(self):
        self.start()
        talk = self.talk()
        talk.send(b"PUT x 1000000 resume=1\nDATA 1000000\n" + b"x" * 500_000)
        self.assertEqual(talk.reply().code, 150)
        self.kill_server()
        left = self.root / f".sockserver-upload-{'0' * 32}"
        left.write_text("of a system without files that have no name")
        self.start()
        self.assertEqual(self.listed(), {})
        self.assertEqual(self.names(), [])

    def test_two_downloads_into_one_file_do_not_mix(self):
        self.start()
        self.stopped_download()
        self.assert_status(EXISTS, "get", "x")


class Faults(LibraryTest):
    def serve(self, *answers):
        """A server that says these things and ends; None: it is silent."""
        listener = socket.create_server(("127.0.0.1", 0))
        self.addCleanup(listener.close)
        held = []
        self.addCleanup(lambda: [end.close() for end in held])

        def serve():
            for answer in answers:
                end, _ = listener.accept()
                held.append(end)
                if answer is None:
                    continue
                with contextlib.suppress(OSError):
                    end.sendall(answer)
                    end.shutdown(socket.SHUT_WR)
                    while end.recv(65536):
                        pass
        threading.Thread(target=serve, daemon=True).start()
        return listener.getsockname()[1]

    def run_against(self, port, *words, options=()):
        return subprocess.run(
            [FILE, *options, "127.0.0.1", str(port), *words],
            cwd=self.local, check=False, stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=60)

    GREETING = b"200 0 protocol=1 access=open : hello\n"

    def assert_against(self, status, answer, *words, options=()):
        done = self.run_against(self.serve(answer), *words, options=options)
        self.assertEqual(done.returncode, status, done.stderr)
        self.assertIn(b"sockserver-file: ", done.stderr)

    def test_who_is_not_there_cannot_be_connected_to(self):
        listener = socket.create_server(("127.0.0.1", 0))
        port = listener.getsockname()[1]
        listener.close()
        self.assertEqual(self.run_against(port, "list").returncode,
                         CANNOT_CONNECT)

    def test_a_server_of_something_else_is_told(self):
        for answer in (b"HTTP/1.0 400 Bad Request\r\n\r\n", b"", b"x" * 9999,
                       b"200 0 protocol=2 access=open : hello\n"):
            self.assert_against(CANNOT_CONNECT, answer, "list")

    def test_a_silent_server_is_no_hang(self):
        for answer in (None,):
            self.assert_against(CANNOT_CONNECT, answer, "list",
                                options=["--timeout", "1"])

    def test_ctrl_c_while_connecting_is_an_interruption(self):
        listener = socket.create_server(("127.0.0.1", 0))
        self.addCleanup(listener.close)
        client = subprocess.Popen(
            [FILE, "127.0.0.1", str(listener.getsockname()[1]),
             "list"], stdin=subprocess.DEVNULL, stderr=subprocess.PIPE)
        with contextlib.closing(listener.accept()[0]):
            client.send_signal(signal.SIGINT)
            errors = client.communicate(timeout=60)[1]
        self.assertEqual(client.returncode, INTERRUPTED, errors)
        self.assertIn(b"interrupted", errors)

    def test_a_server_that_goes_away_is_told(self):
        for answer in (self.GREETING, self.GREETING + b"200 50 files=1 : x\n1 "):
            self.assert_against(INTERRUPTED, answer, "list")

    def test_a_babbling_server_is_told(self):
        for answer in (b"what\n", b"200 10 files=1 : x\nnonsense\n\n",
                       b"200 12 files=1 : x\n1 1.0 a%2fb\n",
                       b"200 2 files=1 : x\n1 1.0 x\n"):
            self.assert_against(FAULT, self.GREETING + answer, "list")

    def test_a_lying_server_writes_nothing(self):
        state = b" size=5 mtime=1.000000000"
        for tail in (b"200 0 of=file sha256=" + b"0" * 64 + b" : sent\n",
                     b"200 0 of=file : sent\n",
                     b"409 0 : changed\n"):
            answer = (self.GREETING + b"200 0" + state + b" : here\n200 5"
                      + state + b" offset=0 : follows\nhello" + tail)
            self.assert_against(CORRUPTED, answer, "get", "x")
            self.assertEqual(os.listdir(self.local), [])

    def test_corrupted_bytes_never_get_their_name(self):
        path = self.root / "x"
        path.write_bytes(b"hello")
        self.start()
        self.assertEqual(self.talk().ask("DIGEST x").keys["sha256"],
                         digest(b"hello"))
        status = path.stat()
        # As a disk that rots: other bytes, and nothing else shows it.
        with open(path, "r+b") as file:
            file.write(b"j")
        os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))
        done = self.run_client("get", "x")
        if not done.returncode:
            self.skipTest("no attributes on this disk")
        self.assertEqual(done.returncode, CORRUPTED, done.stderr)
        self.assertEqual(os.listdir(self.local), [])

    def test_wrong_usage_is_told(self):
        self.start()
        for words in (["what"], ["get"], ["get", "a", "b", "c"],
                      ["list", "x"], ["list", "--what"]):
            self.assert_status(USAGE, *words)
        self.assert_status(USAGE, "list", options=["--what"])
        self.assert_status(USAGE, "list", options=["--timeout", "x"])
        self.assert_status(NOT_FOUND, "get", "none")
        self.assert_status(NOT_FOUND, "put", "none")
        self.assert_status(FAULT, "put", ".")


if __name__ == "__main__":
    main()
