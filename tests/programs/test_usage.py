"""What sockserver-echod says to wrong usage and to faults at start."""
import os
import pathlib
import re
import socket
import subprocess
import sys
import tempfile
import unittest

from running import DEADLINE_S, running, strategies

ECHOD, VERSION, *STRATEGIES = sys.argv[1:]


def run(*arguments):
    return subprocess.run([ECHOD, *arguments], text=True, timeout=DEADLINE_S,
                          stdout=subprocess.PIPE, stderr=subprocess.PIPE)


def large_mappings(program, size):
    """How many of so many bytes the program and its children have."""
    count = 0
    for pid in [program.process.pid, *program.children()]:
        for line in pathlib.Path(f"/proc/{pid}/maps").read_text().splitlines():
            first, last = line.split()[0].split("-")
            count += int(last, 16) - int(first, 16) >= size
    return count


def rings(program):
    """How many io_uring descriptors the program and its children have."""
    return sum("io_uring" in os.readlink(link)
               for pid in [program.process.pid, *program.children()]
               for link in pathlib.Path(f"/proc/{pid}/fd").iterdir())


def listeners(port):
    """How many IPv4 sockets listen at the port."""
    lines = pathlib.Path("/proc/net/tcp").read_text().splitlines()[1:]
    return sum(line.split()[1].endswith(f":{port:04X}")
               and line.split()[3] == "0A" for line in lines)


class Usage(unittest.TestCase):
    def refused(self, status, sentence, *arguments):
        """The program ends with status and one line like sentence."""
        with self.subTest(arguments=arguments):
            done = run(*arguments)
            self.assertEqual(done.returncode, status)
            self.assertEqual(done.stdout, "")
            self.assertRegex(done.stderr,
                             rf"\Asockserver-echod: {sentence}\n\Z")

    def test_wrong_usage_ends_with_2(self):
        for sentence, *arguments in (
                ('bad option "--frobnicate".*', "--frobnicate"),
                ('bad option "--tcp=1".*', "--tcp=1"),
                ('bad option "-x".*', "-x"),
                ('bad option "-x".*', "-xyz", "7777"),
                ("--unix wants a value.*", "--unix"),
                ("--strategy wants a value.*", "--strategy"),
                ('no strategy is called "magic", only synchronous.*',
                 "--strategy=magic"),
                ("only one of --tcp and --udp fits.*", "--tcp", "--udp"),
                ("a Unix socket has neither.*", "--unix", "x", "7777"),
                ("a Unix socket has neither.*", "--unix-dgram", "x",
                 "--bind", "127.0.0.1"),
                ('one PORT is enough, "2" is too much.*', "1", "2"),
                ('PORT must be a number from 0 to 65535, not "x".*', "x"),
                ('PORT must be .*, not "65536".*', "65536"),
                ('PORT must be .*, not "-1".*', "--", "-1"),
                ('PORT must be .*, not "".*', ""),
                ('PORT must be .*, not "7777 ".*', "7777 "),
                ('--max-workers must be .*, not "0".*', "--max-workers=0"),
                ('--max-workers must be a number from 1 to 1048576, '
                 'not "1048577".*', "--max-workers=1048577"),
                ('--max-workers must be .*, not "many".*',
                 "--max-workers=many"),
                ('--max-workers must be .*, not "9{30}".*',
                 "--max-workers=" + "9" * 30),
                ("--spin-us must be a number from 0 to 1000000, "
                 'not "1000001".*', "--spin-us=1000001"),
                ("--defer-accept must be a number from 0 to 3600000, "
                 'not "soon".*', "--defer-accept=soon"),
                ("--stack-size must be a number from 16384 to 1073741824, "
                 'not "16383".*', "--stack-size=16383"),
                ("--stack-size is for coroutine and threading, not for "
                 "thread-pool.*", "--stack-size=65536",
                 "--strategy=thread-pool"),
                ("--own-sockets is for prefork, not for coroutine.*",
                 "--own-sockets", "--strategy=coroutine"),
                ("--no-io-uring is for coroutines, not for threading.*",
                 "--no-io-uring")):
            self.refused(2, sentence, *arguments)

    def test_the_most_workers_are_the_librarys(self):
        with running(ECHOD, "--max-workers", "1048576", "0") as program:
            self.assertEqual(program.end(), 0)

    def test_each_strategy_spins_if_asked(self):
        for strategy in STRATEGIES:
            with running(ECHOD, "--strategy", strategy, "--spin-us", "50",
                         "0") as program:
                self.expect_echo(program)

    @unittest.skipIf(os.environ.get("PLAIN_POSIX") == "1", "needs Linux")
    def test_silent_clients_hold_nobody_up_if_asked(self):
        with running(ECHOD, "--strategy", "synchronous", "--defer-accept",
                     "60000", "0") as program:
            with socket.create_connection(("127.0.0.1", program.port)):
                self.expect_echo(program)

    def test_coroutines_have_the_stacks_asked_for(self):
        # More than is mapped for all stacks of the usual size.
        size = 512 << 20
        for strategy in ("coroutine", "prefork:coroutine"):
            counts = []
            for options in (), ("--stack-size", str(size)):
                with running(ECHOD, "--strategy", strategy, "--max-workers",
                             "1", *options, "0") as program:
                    self.expect_echo(program)
                    # A guard page may be a mapping of its own.
                    counts.append(large_mappings(program, size // 2))
            self.assertLess(*counts)

    def test_threads_have_the_stacks_asked_for(self):
        size = 512 << 20
        for strategy in ("threading", "prefork:threading"):
            counts = []
            for options in (), ("--stack-size", str(size)):
                with running(ECHOD, "--strategy", strategy, "--max-workers",
                             "1", *options, "0") as program:
                    self.expect_echo(program)
                    counts.append(large_mappings(program, size // 2))
            self.assertLess(*counts)

    def test_coroutines_do_without_io_uring_if_asked(self):
        for strategy in ("coroutine", "prefork:coroutine"):
            with running(ECHOD, "--strategy", strategy, "--no-io-uring",
                         "0") as program:
                self.expect_echo(program)
                self.assertEqual(rings(program), 0)

    def test_processes_have_sockets_of_their_own_if_asked(self):
        for options, count in ((), 1), (("--own-sockets",), 3):
            with running(ECHOD, "--strategy", "prefork", "--max-workers", "3",
                         *options, "0") as program:
                self.expect_echo(program)
                self.assertEqual(listeners(program.port), count)
                self.assertEqual(program.end(), 0)

    def expect_echo(self, program):
        with socket.create_connection(("127.0.0.1", program.port)) as peer:
            peer.settimeout(DEADLINE_S)
            peer.sendall(b"x")
            self.assertEqual(peer.recv(1), b"x")

    def test_faults_at_start_end_with_1(self):
        # An address that is kept for examples, which no machine has.
        self.refused(1, ".*192[.]0[.]2[.]1.*", "--bind", "192.0.2.1", "0")
        self.refused(1, ".*1000 bytes.*", "--unix", "x" * 1000)
        self.refused(1, ".+", "--unix", "/no/such/directory/socket")
        with running(ECHOD, "0") as program:
            self.refused(1, f".*{program.port}.*in use.*", str(program.port))

    def test_help_names_every_option_and_strategy(self):
        done = run("--help")
        self.assertEqual((done.returncode, done.stderr), (0, ""))
        for word in ("--tcp", "--udp", "--unix PATH", "--unix-dgram PATH",
                     "--bind ADDR", "127.0.0.1", "--strategy NAME",
                     *STRATEGIES, "--max-workers N", "--spin-us N",
                     "--defer-accept MS",
                     "--stack-size BYTES", "--own-sockets", "--no-io-uring",
                     "--version", "PORT"):
            self.assertIn(word, done.stdout)

    def test_the_tests_know_every_strategy(self):
        self.assertEqual(strategies(ECHOD), STRATEGIES)

    def test_help_fits_a_terminal(self):
        for line in run("--help").stdout.splitlines():
            self.assertLessEqual(len(line), 79)
            self.assertEqual(line, line.rstrip())

    def test_version_is_the_projects(self):
        done = run("--version")
        self.assertEqual((done.returncode, done.stdout),
                         (0, f"sockserver-echod {VERSION}\n"))

    def test_star_listens_at_every_address(self):
        with running(ECHOD, "--bind", "*", "0") as program:
            addresses = re.search(r"on tcp (.*) \(threading\)$",
                                  program.announced).group(1)
            self.assertRegex(addresses, r"0[.]0[.]0[.]0|\[::\]")
            with socket.create_connection(("127.0.0.1", program.port)) as peer:
                peer.sendall(b"x")
                self.assertEqual(peer.recv(1), b"x")
            self.assertEqual(program.end(), 0)


class Path(unittest.TestCase):
    """The path of a Unix socket, taken by something else before."""

    def setUp(self):
        directory = tempfile.TemporaryDirectory()
        self.addCleanup(directory.cleanup)
        self.path = pathlib.Path(directory.name, "socket")

    def test_a_file_in_the_way_is_left_alone(self):
        self.path.write_text("precious")
        done = run("--unix", str(self.path))
        self.assertEqual(done.returncode, 1)
        self.assertIn("something else than a socket", done.stderr)
        self.assertEqual(self.path.read_text(), "precious")

    def test_a_live_server_is_left_alone(self):
        for kind in ("--unix", "--unix-dgram"):
            with running(ECHOD, kind, self.path) as program:
                done = run(kind, str(self.path))
                self.assertEqual(done.returncode, 1)
                self.assertIn("in use", done.stderr)
                self.assertTrue(self.path.is_socket())
                self.assertEqual(program.end(), 0)
            self.assertFalse(self.path.exists())

    def test_what_a_dead_server_left_is_replaced(self):
        for kind in ("--unix", "--unix-dgram"):
            with running(ECHOD, kind, self.path) as program:
                program.process.kill()
                program.status()
            self.assertTrue(self.path.is_socket())
            with running(ECHOD, kind, self.path) as program:
                self.assertEqual(program.end(), 0)
            self.assertFalse(os.path.lexists(self.path))


unittest.main(argv=sys.argv[:1], verbosity=2)
