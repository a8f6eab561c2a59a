"""sockserver-httpd under each strategy, with real clients."""
import concurrent.futures
import gzip
import http.client
import json
import os
import re
import signal
import socket
import struct
import subprocess
import sys

from running import DEADLINE_S, wait_until
from service import FILES, ServiceTest, run, under_each_strategy

PROGRAM = sys.argv[1]


class Static(ServiceTest):
    def curl(self, *arguments):
        return subprocess.run(
            ["curl", "-s", "--max-time", str(DEADLINE_S), *arguments],
            check=True, capture_output=True).stdout

    def test_says_where_it_listens(self):
        self.assertEqual(
            self.server.announced,
            f"sockserver-httpd: serving {os.path.realpath(self.directory)} on "
            f"http://127.0.0.1:{self.port}/ ({self.strategy})")

    def test_curl_gets_each_file(self):
        for name, content in FILES.items():
            if ".hidden" in name:
                continue
            url = f"http://127.0.0.1:{self.port}/" + name.replace(
                "<", "%3C").replace(">", "%3e")
            with self.subTest(name):
                self.assertEqual(self.curl(url), content)

    def test_pythons_client_gets_files_over_one_connection(self):
        client = http.client.HTTPConnection("127.0.0.1", self.port,
                                            timeout=DEADLINE_S)
        self.addCleanup(client.close)
        for name in ("digits.txt", "mib.bin", "kib.bin"):
            client.request("GET", "/" + name)
            self.assertEqual(client.getresponse().read(), FILES[name])

    def test_chromes_way_to_ask_gets_gzip_made_on_the_fly(self):
        _, fields, content = self.connect().get(
            "/sub/app.js", Accept_Encoding="gzip, deflate, br, zstd")
        self.assertEqual(fields["content-encoding"], "gzip")
        self.assertEqual(gzip.decompress(content), FILES["sub/app.js"])

    def test_tag_of_one_response_validates_the_next(self):
        connection = self.connect()
        for coding in ("identity", "gzip"):
            _, fields, _ = connection.get("/sub/app.js",
                                          Accept_Encoding=coding)
            status, _, content = connection.get(
                "/sub/app.js", Accept_Encoding=coding,
                If_None_Match=fields["etag"])
            self.assertEqual((status, content), (304, b""))

    def test_each_way_to_cut_a_request_in_two(self):
        request = (b"POST /digits.txt?x HTTP/1.1\r\nHost: a\r\n"
                   b"Transfer-Encoding: chunked\r\n\r\n"
                   b"3\r\nabc\r\n0\r\n\r\n")
        connection = self.connect()
        for i in range(1, len(request)):
            connection.send(request[:i])
            connection.send(request[i:])
            self.assertEqual(connection.response()[0], 405)

    def test_byte_by_byte(self):
        connection = self.connect()
        for byte in b"GET /digits.txt HTTP/1.1\r\nHost: a\r\n\r\n":
            connection.send(bytes([byte]))
        self.assertEqual(connection.response()[2], FILES["digits.txt"])

    def test_two_ranges(self):
        _, fields, content = self.connect().get("/digits.txt",
                                                Range="bytes=0-1,-2")
        boundary = re.fullmatch(r"multipart/byteranges; boundary=(\w+)",
                                fields["content-type"])[1].encode()
        kind = b"\r\nContent-Type: text/plain; charset=utf-8\r\n"
        self.assertEqual(
            content,
            b"--" + boundary + kind
            + b"Content-Range: bytes 0-1/10\r\n\r\n01\r\n"
            b"--" + boundary + kind
            + b"Content-Range: bytes 8-9/10\r\n\r\n89\r\n"
            b"--" + boundary + b"--\r\n")

    def test_ranges_of_a_large_file(self):
        connection = self.connect()
        status, _, content = connection.get("/mib.bin",
                                            Range="bytes=1000000-1000999")
        self.assertEqual((status, content),
                         (206, FILES["mib.bin"][1000000:1001000]))

    def test_a_changed_file_is_seen(self):
        connection = self.connect()
        path = os.path.join(self.directory, "digits.txt")
        self.assertEqual(connection.get("/digits.txt")[2], b"0123456789")
        with open(path, "wb") as file:
            file.write(b"abc")
        wait_until(lambda: connection.get("/digits.txt")[2] == b"abc",
                   "the new content is served")
        os.unlink(path)
        wait_until(lambda: connection.get("/digits.txt")[0] == 404,
                   "the file is gone")

    def test_a_link_that_begins_to_lead_out_is_not_followed(self):
        connection = self.connect()
        path = os.path.join(self.directory, "digits.txt")
        self.assertEqual(connection.get("/digits.txt")[0], 200)
        os.unlink(path)
        os.symlink("/etc/passwd", path)
        wait_until(lambda: connection.get("/digits.txt")[0] == 404,
                   "the link is refused")

    def test_special_files_are_not_served(self):
        os.mkfifo(os.path.join(self.directory, "fifo"))
        self.assertEqual(self.connect().get("/fifo")[0], 403)

    def test_names_of_any_bytes(self):
        name = bytes(set(range(1, 256)) - {ord("/")})
        path = os.path.join(os.fsencode(self.directory), name)
        with open(path, "wb") as file:
            file.write(b"found")
        connection = self.connect()
        _, _, content = connection.get("/", Accept="application/json")
        self.assertIn(b"Hello", content)  # the index
        os.mkdir(os.path.join(self.directory, "names"))
        os.rename(path, os.path.join(os.fsencode(self.directory), b"names",
                                     name))
        entries = json.loads(connection.get(
            "/names/", Accept="application/json")[2])["entries"]
        self.assertEqual(len(entries), 1)
        self.assertEqual(connection.get("/names/" + entries[0]["href"])[2],
                         b"found")
        page = connection.get("/names/")[2].decode()
        href = re.search(r'<td><a href="([^"]+)">[^.]', page)[1]
        self.assertEqual(connection.get("/names/" + href)[2], b"found")

    def test_listing_is_sorted_and_escaped(self):
        connection = self.connect()

        def names(query):
            page = connection.get("/list/" + query)[2].decode()
            return re.findall(r'<a href="([^"?]+\.bin)">', page)

        self.assertEqual(names(""), ["%3Cc%3E.bin", "a.bin", "b.bin"])
        self.assertEqual(names("?sort=size"),
                         ["a.bin", "b.bin", "%3Cc%3E.bin"])
        self.assertEqual(names("?sort=size&order=desc"),
                         ["%3Cc%3E.bin", "b.bin", "a.bin"])
        self.assertIn(b"&lt;c&gt;.bin", connection.get("/list/")[2])
        self.assertNotIn(b"<c>", connection.get("/list/")[2])

    def test_listing_hides_dot_files_and_links_that_lead_out(self):
        os.unlink(os.path.join(self.directory, "index.html"))
        connection = self.connect()
        wait_until(lambda: b"digits.txt" in connection.get("/")[2],
                   "the directory is listed")
        page = connection.get("/")[2]
        for name in (b".hidden", b"out"):
            self.assertNotIn(b'"' + name, page)

    def test_time_in_text_and_json(self):
        connection = self.connect()
        self.assertRegex(connection.get("/time")[2],
                         rb"^\w{3} \w{3} [ \d]\d \d\d:\d\d:\d\d \d{4}\n$")
        self.assertIn("unix", json.loads(connection.get(
            "/time", Accept="application/json")[2]))

    def test_metrics_count_requests(self):
        connection = self.connect()
        connection.get("/digits.txt")
        connection.get("/none")
        text = connection.get("/metrics")[2].decode()
        for line in ('http_requests_total{status="200"} 1',
                     'http_requests_total{status="404"} 1',
                     "http_request_duration_seconds_count 2",
                     "http_connections_open 1"):
            self.assertIn(line + "\n", text)


class Sessions(ServiceTest):
    def visit(self, cookie=None):
        with self.connect() as connection:
            fields = {"Accept": "application/json"}
            if cookie:
                fields["Cookie"] = f"a=b; {cookie}"
            _, got, content = connection.get("/visits", **fields)
            return got["set-cookie"].split(";")[0], json.loads(content)

    def post(self, form, cookie=None):
        with self.connect() as connection:
            line = f"Cookie: {cookie}\r\n" if cookie else ""
            connection.send(
                b"POST /visits HTTP/1.1\r\nHost: a\r\n" + line.encode()
                + b"Content-Type: application/x-www-form-urlencoded\r\n"
                b"Content-Length: %d\r\n\r\n" % len(form) + form)
            status, fields, _ = connection.response()
            self.assertEqual(status, 303)
            self.assertEqual(fields["location"], "/visits")
            return fields["set-cookie"].split(";")[0]

    def test_each_visitor_has_a_count(self):
        ada, bob = self.visit()[0], self.visit()[0]
        self.assertNotEqual(ada, bob)
        for i in range(2, 6):
            self.assertEqual(self.visit(ada), (ada, {"visits": i, "name": ""}))
        self.assertEqual(self.visit(bob)[1]["visits"], 2)

    def test_log_in_and_out(self):
        before = self.visit()[0]
        cookie = self.post(b"name=Ada+L%C3%B6we", before)
        self.assertNotEqual(cookie, before, "a log-in needs a new identifier")
        self.assertEqual(self.visit(cookie)[1], {"visits": 2,
                                                 "name": "Ada Löwe"})
        self.assertEqual(self.visit(before)[1]["visits"], 1)
        self.post(b"logout=1", cookie)
        self.assertEqual(self.visit(cookie)[1], {"visits": 1, "name": ""})

    def test_a_made_up_identifier_is_replaced(self):
        cookie, visitor = self.visit("session=" + "0" * 32)
        self.assertNotEqual(cookie, "session=" + "0" * 32)
        self.assertEqual(visitor["visits"], 1)

    def test_cookie_is_kept_from_scripts_and_other_sites(self):
        _, fields, _ = self.connect().get("/visits")
        self.assertRegex(
            fields["set-cookie"],
            r"^session=[0-9a-f]{32}; Path=/; Max-Age=1800; SameSite=Lax; "
            r"HttpOnly$")

    def test_names_are_escaped(self):
        cookie = self.post(b"name=%3Cscript%3E%26%22")
        _, _, page = self.connect().get("/visits", Cookie=cookie)
        self.assertIn(b"Hello, &lt;script&gt;&amp;&quot;</h1>", page)


class Hardship(ServiceTest):
    def test_reset_in_mid_response(self):
        for _ in range(20):
            connection = self.connect(receive_buffer=4096)
            connection.send(b"GET /mib.bin HTTP/1.1\r\nHost: a\r\n\r\n")
            connection.socket.recv(1000)
            connection.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER,
                                         struct.pack("ii", 1, 0))
            connection.close()
        self.assertEqual(self.connect().get("/healthz")[0], 200)
        self.assertEqual(self.server.end(), 0)
        self.assertEqual(self.server.errors(), "")

    def test_refusal_reaches_a_client_that_goes_on_sending(self):
        connection = self.connect()
        connection.send(b"POST /visits HTTP/1.1\r\nHost: a\r\n"
                        b"Content-Length: 8000000\r\n\r\n")
        connection.send(bytes(8_000_000))
        self.assertEqual(connection.response()[0], 413)
        self.assertEqual(connection.read_all(), b"")

    def test_many_clients(self):
        def client(i):
            with self.connect() as connection:
                for _ in range(5):
                    name = ("digits.txt", "kib.bin", "mib.bin")[i % 3]
                    self.assertEqual(connection.get("/" + name)[2],
                                     FILES[name])

        with concurrent.futures.ThreadPoolExecutor(30) as pool:
            for future in [pool.submit(client, i) for i in range(90)]:
                future.result()

    def test_drain_says_close_on_the_last_response(self):
        connection = self.connect(receive_buffer=4096)
        request = b"GET /%s HTTP/1.1\r\nHost: a\r\n\r\n"
        connection.send(request % b"8mib.bin" + request % b"healthz")
        # The first response is under way, as no socket holds all of it.
        while len(connection.received) < 1000:
            connection.more()
        self.server.process.send_signal(signal.SIGTERM)
        wait_until(self.has_noticed, "the server is stopping")
        _, fields, content = connection.response()
        self.assertNotIn("connection", fields)
        self.assertEqual(content, FILES["8mib.bin"])
        _, fields, content = connection.response()
        self.assertEqual((fields["connection"], content), ("close", b"ok\n"))
        self.assertEqual(connection.read_all(), b"")
        self.assertEqual(self.server.status(), 0)

    def has_noticed(self):
        """True once the first SIGTERM is handled: the next one would end the
        program at once."""
        with open(f"/proc/{self.server.process.pid}/status") as status:
            caught = re.search(r"SigCgt:\s*(\w+)", status.read())[1]
        return not int(caught, 16) >> (signal.SIGTERM - 1) & 1

    def test_idle_clients_do_not_hold_up_the_end(self):
        connection = self.connect()
        connection.get("/healthz")
        self.assertEqual(self.server.end(), 0)
        self.assertEqual(connection.read_all(), b"")


class OneSystemCall(ServiceTest):
    """A response in two packets would meet a delayed acknowledgement of the
    first, were they small; one packet tells that it left in one piece."""

    def test_small_response_arrives_in_one_piece(self):
        connection = self.connect()
        for _ in range(3):
            connection.send(b"GET /kib.bin HTTP/1.1\r\nHost: a\r\n\r\n")
            piece = connection.socket.recv(65536)
            self.assertTrue(piece.endswith(FILES["kib.bin"][-16:]))
            self.assertGreater(len(piece), 1024)

    def test_hundred_responses_take_no_delayed_acknowledgement(self):
        """Each is one segment, so that none waits for the acknowledgement of
        another one before it: from memory and, head and file, by
        sendfile(2)."""
        for name in "/kib.bin", "/20kib.bin":
            connection = self.connect()
            for _ in range(100):
                connection.get(name)
            self.assertEqual(self.segments_with_data(connection), (100, 100))

    @staticmethod
    def segments_with_data(connection):
        """How many came and how many were sent: tcpi_data_segs_in and
        tcpi_data_segs_out of <linux/tcp.h>."""
        info = connection.socket.getsockopt(socket.IPPROTO_TCP,
                                            socket.TCP_INFO, 512)
        return struct.unpack_from("<II", info, 152)


sys.exit(run(under_each_strategy(PROGRAM, Static, Sessions, Hardship,
                                 OneSystemCall)))
