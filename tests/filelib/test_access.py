"""Tokens, Unix sockets, and where the server listens."""
import hashlib
import hmac
import os
import re
import socket
import subprocess
import unittest

from library import (CANNOT_CONNECT, DONE, FILE, FILED, REFUSED, LibraryTest,
                     Talk, main)

TOKEN = "correct-horse-battery"


def proof(token, nonce, user):
    text = f"sockserver-file 1 {nonce} {user}".encode()
    return hmac.new(token.encode(), text, hashlib.sha256).hexdigest()


class Tokens(LibraryTest):
    def setUp(self):
        super().setUp()
        folder = self.folder()
        self.tokens = folder / "tokens"
        self.tokens.write_text(f"# who may\nalice {TOKEN}\n"
                               "bob another-long-token\n")
        self.tokens.chmod(0o600)
        self.mine = folder / "mine"
        self.mine.write_text(TOKEN + "\n")
        self.root.joinpath("x").write_text("hello")
        self.start("--token-file", self.tokens, "--bind", "127.0.0.1",
                   "--allow", "delete")

    def prove(self, talk, user, token):
        return talk.ask(f"AUTH {user} "
                        f"{proof(token, talk.greeting.keys['nonce'], user)}")

    def test_a_token_opens_the_library(self):
        talk = self.talk()
        self.assertEqual(talk.greeting.keys["access"], "token")
        self.assertEqual(self.prove(talk, "alice", TOKEN).code, 200)
        self.assertEqual(talk.ask("LIST").code, 200)

    def test_nothing_goes_before_the_proof(self):
        talk = self.talk()
        for order in ("LIST", "STAT x", "GET x", "DIGEST x", "DELETE x",
                      "RENAME x y"):
            self.assertEqual(talk.ask(order).code, 401, order)
        talk.send(b"PUT y 9\nDATA 9\nDELETE x\nABORT\n")
        self.assertEqual(talk.reply().code, 401)
        self.assertEqual(talk.ask("QUIT").code, 200)
        self.assertEqual(self.names(), [b"x"])

    def test_a_wrong_proof_ends_the_connection(self):
        for user, token in (("alice", "wrong"), ("alice", "another-long-token"),
                            ("carol", TOKEN),
                            ("carol", "no token of anybody")):
            talk = self.talk()
            reply = self.prove(talk, user, token)
            self.assertEqual((reply.code, reply.sentence),
                             (401, "that proves nothing"))
            self.assertIsNone(talk.reply())

    def test_a_proof_counts_on_its_own_connection_only(self):
        first, second = self.talk(), self.talk()
        nonce = first.greeting.keys["nonce"]
        self.assertNotEqual(nonce, second.greeting.keys["nonce"])
        reply = second.ask(f"AUTH alice {proof(TOKEN, nonce, 'alice')}")
        self.assertEqual(reply.code, 401)

    def test_a_token_that_was_taken_away_counts_no_more(self):
        self.tokens.write_text("bob another-long-token\n")
        self.assertEqual(self.prove(self.talk(), "alice", TOKEN).code, 401)

    def test_the_client_proves_who_it_is(self):
        known = ["--user", "alice", "--token-file", self.mine]
        self.assert_status(DONE, "get", "x", options=known)
        self.assert_status(REFUSED, "list")
        self.assert_status(REFUSED, "list",
                           options=["--user", "bob", "--token-file",
                                    self.mine])
        self.assertIn(" alice GET x ", self.log.read_text())
        self.assertNotIn(TOKEN, self.log.read_text())

    def test_beginnings_belong_to_their_user(self):
        talk = self.talk()
        self.prove(talk, "alice", TOKEN)
        talk.send(b"PUT z 9 resume=1\nDATA 5\nhello")
        self.assertEqual(talk.reply().code, 150)
        talk.reset()
        self.wait_until(lambda: len(self.names()) == 2, "it is kept")
        for user, token, offset in (("bob", "another-long-token", "0"),
                                    ("alice", TOKEN, "5")):
            talk = self.talk()
            self.prove(talk, user, token)
            reply = talk.ask("PUT z 9 resume=1")
            self.assertEqual(reply.keys["offset"], offset)
            self.assertEqual(talk.ask("ABORT").code, 200)

    def test_a_token_file_that_others_read_is_refused(self):
        self.tokens.chmod(0o644)
        done = subprocess.run([FILED, "--token-file", self.tokens, "0"],
                              stderr=subprocess.PIPE, check=False, text=True)
        self.assertEqual(done.returncode, 1)
        self.assertIn("everybody can read it", done.stderr)


class Sockets(LibraryTest):
    def start_unix(self, *options):
        self.path = self.folder() / "socket"
        self.start("--unix", self.path, *options, port=None)

    def test_peers_of_a_unix_socket_are_known(self):
        self.start_unix()
        talk = Talk(None, self.path)
        talk.put("x", b"hello")
        talk.close()
        self.assertIn(f" uid:{os.geteuid()} PUT x 5 ", self.log.read_text())
        done = subprocess.run([FILE, "--unix", self.path, "list"],
                              stdout=subprocess.PIPE, check=False)
        self.assertEqual((done.returncode, done.stdout), (DONE, b"x\n"))

    @unittest.skipUnless(os.geteuid() == 0, "needs root to be others")
    def test_others_need_a_token_on_a_unix_socket_too(self):
        tokens = self.folder() / "tokens"
        tokens.write_text(f"alice {TOKEN}\n")
        tokens.chmod(0o600)
        self.start_unix("--token-file", tokens)
        talk = Talk(None, self.path)
        self.assertEqual(talk.greeting.keys["access"], "open")
        talk.close()
        self.path.parent.chmod(0o755)
        self.path.chmod(0o777)
        self.assertIn(b"access=token", self.greeting_of_another_user())

    def greeting_of_another_user(self):
        """What a process of user 65534 is told."""
        reading, writing = os.pipe()
        pid = os.fork()
        if pid == 0:
            os.setgroups([])
            os.setgid(65534)
            os.setuid(65534)
            with socket.socket(socket.AF_UNIX) as peer:
                peer.connect(str(self.path))
                os.write(writing, peer.recv(999))
            os._exit(0)
        os.close(writing)
        with os.fdopen(reading, "rb") as pipe:
            greeting = pipe.read()
        os.waitpid(pid, 0)
        return greeting

    def test_without_a_token_file_it_listens_to_this_machine_and_says_so(self):
        self.start()
        self.assertRegex(self.server.announced,
                         r"tcp 127\.0\.0\.1:\d+ \(forking\), to this machine "
                         r"only: no token file$")

    def test_it_says_when_everybody_may_come(self):
        self.start("--bind", "127.0.0.1")
        self.assertRegex(self.server.announced, "to everybody who reaches it")

    def test_a_folder_that_is_none_is_told(self):
        done = subprocess.run([FILED, "--root", "/nonexistent", "0"],
                              stderr=subprocess.PIPE, check=False, text=True)
        self.assertEqual(done.returncode, 1)
        self.assertRegex(done.stderr, "^sockserver-filed: /nonexistent: .*\n$")

    def test_wrong_usage_is_told(self):
        for words in (["--what"], ["1", "2"], ["x"], ["--quota", "x"],
                      ["--quota", "1X"], ["--quota"], ["--allow", "all"],
                      ["--strategy", "none"], ["--unix", "/x", "1"],
                      ["--idle", "0"], ["--min-rate", "0"], ["--max-workers", "1048577"],
                      ["--udp"], ["--tcp", "--unix", "/x"]):
            done = subprocess.run([FILED, *words], stderr=subprocess.PIPE,
                                  check=False, text=True)
            self.assertEqual(done.returncode, 2, words)
            self.assertEqual(len(done.stderr.splitlines()), 1)

    def test_help_and_version(self):
        for program in (FILED, FILE):
            for word in ("--help", "--version"):
                done = subprocess.run([program, word], check=False, text=True,
                                      stdout=subprocess.PIPE)
                self.assertEqual(done.returncode, 0)
                self.assertTrue(re.search("sockserver-file", done.stdout))
        done = subprocess.run([FILE, "--unix", "/nonexistent", "list"],
                              stderr=subprocess.PIPE, check=False)
        self.assertEqual(done.returncode, CANNOT_CONNECT)


if __name__ == "__main__":
    main()
