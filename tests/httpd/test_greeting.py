"""The service that docs/http-parts.md takes apart."""
import contextlib
import subprocess
import sys
import unittest

from running import DEADLINE_S, running
from service import port_of

SERVICE = sys.argv[1]


class Greeting(unittest.TestCase):
    def setUp(self):
        stack = contextlib.ExitStack()
        self.addCleanup(stack.close)
        self.port = port_of(stack.enter_context(running(SERVICE, "0")))

    def curl(self, path, *arguments, **options):
        return subprocess.run(
            ["curl", "-s", "--max-time", str(DEADLINE_S), *arguments,
             f"http://127.0.0.1:{self.port}{path}"],
            check=True, capture_output=True, **options).stdout

    def test_greets_by_the_name_in_the_path(self):
        self.assertEqual(self.curl("/hello/Ada"), b"Hello, Ada\n")
        self.assertEqual(self.curl("/hello/A%2bB?loud=1"), b"Hello, A+B!\n")

    def test_streams_a_response(self):
        lines = "".join(f"{i}\n" for i in range(10, -1, -1)).encode()
        self.assertEqual(self.curl("/countdown"), lines)
        self.assertEqual(self.curl("/countdown", "--http1.0"), lines)

    def test_reads_a_body_as_it_comes(self):
        for arguments in ([], ["-H", "Transfer-Encoding: chunked"]):
            self.assertEqual(
                self.curl("/length", "-X", "PUT", *arguments,
                          "--data-binary", "@-", input=bytes(100_000)),
                b"100000 bytes\n")

    def test_other_methods_and_paths(self):
        status = ["-o", "/dev/null", "-w", "%{http_code}"]
        self.assertEqual(self.curl("/length", *status), b"405")
        self.assertEqual(self.curl("/", *status), b"404")


unittest.main(argv=sys.argv[:1], verbosity=2)
