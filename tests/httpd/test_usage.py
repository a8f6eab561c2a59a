"""The command line of sockserver-httpd."""
import json
import os
import re
import resource
import subprocess
import sys
import tempfile
import unittest

from running import DEADLINE_S, running, wait_until
from service import Connection, port_of

PROGRAM, VERSION = sys.argv[1:3]


def ended(*arguments):
    return subprocess.run([PROGRAM, *arguments], capture_output=True,
                          text=True, timeout=DEADLINE_S)


class WrongUsage(unittest.TestCase):
    def check(self, message, *arguments, status=2):
        done = ended(*arguments)
        self.assertEqual((done.returncode, done.stdout), (status, ""))
        self.assertRegex(done.stderr, f"^sockserver-httpd: {message}.*\n$")

    def test_is_told_in_one_line(self):
        self.check('bad option "--nonsense"', "--nonsense")
        self.check('bad option "-x"', "-x")
        self.check("--data wants a value", "--data")
        self.check("--data wants /PATH=TEXT", "--data", "time=now")
        self.check("--data wants /PATH=TEXT", "--data", "/time")
        self.check("--data wants one path", "--data", "/:a=b")
        self.check("--data wants one path", "--data", "/a/*=b")
        self.check("--header wants", "--header", "no colon")
        self.check("--header wants", "--header", "A: b\r\nC: d")
        self.check("--log-format is", "--log-format", "pretty")
        self.check("--index wants", "--index", "../index.html")
        self.check("no strategy is called", "--strategy", "magic")
        self.check("PORT must be a number", "70000")
        self.check("one PORT is enough", "1", "2")
        self.check("--defer-accept must be a number from 0",
                   "--defer-accept", "-1")

    def test_faults_at_start_end_with_1(self):
        self.check("/nonexistent: No such file", "--directory",
                   "/nonexistent", status=1)
        self.check("/nonexistent/log: No such file", "--access-log",
                   "/nonexistent/log", status=1)

    def test_help_and_version(self):
        self.assertEqual(ended("--version").stdout,
                         f"sockserver-httpd {VERSION}\n")
        self.assertIn("Usage: sockserver-httpd", ended("--help").stdout)


class Options(unittest.TestCase):
    def setUp(self):
        directory = tempfile.TemporaryDirectory()
        self.addCleanup(directory.cleanup)
        self.directory = directory.name

    def write(self, name, content=b"x"):
        with open(os.path.join(self.directory, name), "wb") as file:
            file.write(content)

    def serve(self, *arguments):
        manager = running(PROGRAM, "--directory", self.directory, *arguments,
                          "0")
        server = manager.__enter__()
        self.addCleanup(manager.__exit__, None, None, None)
        connection = Connection(port_of(server))
        self.addCleanup(connection.close)
        return server, connection

    def test_header_is_on_each_response(self):
        _, connection = self.serve("--header", "X-A: b", "--header", "C:d")
        for target in ("/healthz", "/none"):
            fields = connection.get(target)[1]
            self.assertEqual((fields["x-a"], fields["c"]), ("b", "d"))

    def test_data_is_at_the_very_path(self):
        _, connection = self.serve("--data", "/a:b=1", "--data", "/c*=2")
        self.assertEqual(connection.get("/a:b")[2], b"1")
        self.assertEqual(connection.get("/c*")[2], b"2")
        for other in ("/ab", "/axy", "/cd"):
            self.assertEqual(connection.get(other)[0], 404)

    def test_content_type_of_unknown_files(self):
        self.write("a")
        _, connection = self.serve("--content-type", "text/x-own")
        self.assertEqual(connection.get("/a")[1]["content-type"],
                         "text/x-own; charset=utf-8")

    def test_index_names(self):
        self.write("second", b"2")
        _, connection = self.serve("--index", "first,second")
        self.assertEqual(connection.get("/")[2], b"2")

    def test_no_listing(self):
        _, connection = self.serve("--no-listing")
        self.assertEqual(connection.get("/")[0], 404)

    def test_dot_files_when_asked_for(self):
        self.write(".a", b"dotted")
        _, connection = self.serve("--dot-files")
        self.assertEqual(connection.get("/.a")[2], b"dotted")
        self.assertIn(b'".a"', connection.get("/")[2])

    def test_a_low_limit_on_descriptors_is_raised(self):
        soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        self.addCleanup(resource.setrlimit, resource.RLIMIT_NOFILE,
                        (soft, hard))
        resource.setrlimit(resource.RLIMIT_NOFILE, (64, hard))
        _, first = self.serve("--quiet")
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
        for _ in range(100):
            connection = Connection(first.socket.getpeername()[1])
            self.addCleanup(connection.close)
            self.assertEqual(connection.get("/healthz")[0], 200)

    def read_log(self, path, lines):
        def read():
            with open(path, encoding="latin-1") as file:
                text = file.read()
            return text if text.count("\n") >= lines else None

        return wait_until(read, f"{path} has {lines} lines")

    def test_common_log(self):
        path = os.path.join(self.directory, "log")
        self.write("a", b"four")
        _, connection = self.serve("--access-log", path)
        connection.get("/a")
        self.assertRegex(
            self.read_log(path, 1),
            r'^127\.0\.0\.1 - - \[\d\d/\w{3}/\d{4}:\d\d:\d\d:\d\d \+0000\] '
            r'"GET /a HTTP/1\.1" 200 4\n$')

    def test_combined_log_cannot_be_forged(self):
        path = os.path.join(self.directory, "log")
        _, connection = self.serve("--access-log", path,
                                   "--log-format", "combined")
        connection.get('/a"b\\', User_Agent='"x" \\ \xff\t',
                       Referer="http://b/")
        connection.send(b"GET /\x01\x0b\x1b[31m HTTP/1.1\r\n\r\n")
        connection.read_all()
        first, second = self.read_log(path, 2).splitlines()
        self.assertTrue(first.endswith(
            r'"GET /a\"b\\ HTTP/1.1" 404 231 "http://b/" "\"x\" \\ '
            r'\xc3\xbf"'), first)
        self.assertTrue(second.endswith(
            r'"GET /\x01\x0b\x1b[31m HTTP/1.1" 400 235 "-" "-"'), second)

    def test_json_log(self):
        path = os.path.join(self.directory, "log")
        _, connection = self.serve("--access-log", path,
                                   "--log-format", "json")
        connection.get("/healthz", User_Agent='a"b\\c\td')
        line = json.loads(self.read_log(path, 1))
        self.assertEqual(
            (line["client"], line["request"], line["user_agent"],
             line["status"], line["bytes"]),
            ("127.0.0.1", "GET /healthz HTTP/1.1", 'a"b\\c\td', 200, 3))

    def test_log_goes_to_standard_output_if_asked(self):
        server, connection = self.serve("--access-log", "-")
        connection.get("/healthz")
        self.assertIn('"GET /healthz HTTP/1.1" 200 3', server.read_line())

    def test_log_goes_to_standard_error_unless_quiet(self):
        for quiet in ([], ["--quiet"]):
            server, connection = self.serve(*quiet)
            connection.get("/healthz")
            connection.close()
            self.assertEqual(server.end(), 0)
            self.assertEqual(bool(re.search("GET /healthz", server.errors())),
                             not quiet)


unittest.main(argv=sys.argv[:1], verbosity=2)
