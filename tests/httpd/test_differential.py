"""Compares what the parser accepts with what Node's accepts, for requests that
are mutated from good ones.  Whatever the stricter of the two lets pass the
other must let pass, too: the parser accepts nothing that Node's refuses.  The
other way round, the reasons are known and told below."""
import base64
import os
import random
import re
import shutil
import subprocess
import sys

PARSER = sys.argv[1]
HERE = os.path.dirname(os.path.abspath(__file__))
NODE = shutil.which("node")
REQUESTS = 20000

GOOD = [
    b"GET / HTTP/1.1\r\nHost: a\r\n\r\n",
    b"POST /a?b HTTP/1.1\r\nHost: a:80\r\nContent-Length: 5\r\n\r\nhello",
    b"PUT /x HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"
    b"5\r\nhello\r\n0\r\n\r\n",
    b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"
    b"1;a=b\r\nx\r\n0\r\nX: y\r\n\r\n",
    b"GET /a HTTP/1.0\r\nConnection: keep-alive\r\nX-Y: \tz \r\n\r\n",
    b"HEAD http://a/b HTTP/1.1\r\nhost: a\r\nCookie: a=b; c=d\r\n\r\n",
]
PIECES = [b"\r\n", b"\n", b"\r", b"\0", b" ", b"\t", b":", b"\x80", b"0", b"1",
          b";", b",", b"Host: b\r\n", b"Content-Length: 5\r\n",
          b"Transfer-Encoding: chunked\r\n", b"Transfer-Encoding: gzip\r\n",
          b"Content-Length: 5, 5\r\n", b"chunked, ", b"+", b"-", b"0x",
          b"HTTP/1.1", b"HTTP/2.0", b"GET ", b" folded\r\n", b"\x7f", b"\x1f"]


def mutated(random_source):
    data = random_source.choice(GOOD)
    for _ in range(random_source.randint(0, 3)):
        at = random_source.randint(0, len(data))
        kind = random_source.randint(0, 2)
        if kind == 0:
            data = data[:at] + random_source.choice(PIECES) + data[at:]
        elif kind == 1:
            data = data[:at] + data[at + random_source.randint(1, 4):]
        else:
            data = (data[:at] + bytes([random_source.randint(0, 255)])
                    + data[at + 1:])
    return data


def our_verdicts(requests):
    data = b"".join(b"%d\n%s" % (len(r), r) for r in requests)
    output = subprocess.run([PARSER], input=data, capture_output=True,
                            check=True, timeout=300).stdout.decode()
    return [line.split()[0] for line in output.splitlines()]


def node_verdicts(requests):
    data = b"\n".join(base64.b64encode(r) for r in requests) + b"\n"
    output = subprocess.run(
        [NODE, "--no-deprecation", os.path.join(HERE, "node_judge.js")],
        input=data, capture_output=True, check=True, timeout=300)
    return output.stdout.decode().split()


def method_of(request):
    return re.match(rb"(?:\r?\n)*([!-~]*)", request)[1]


def is_excused(request):
    """Where Node is stricter for reasons of its own: it knows its methods by
    name, which we do one step later, and answers 501; it wants versions 1.0
    and 1.1 only; it looks at the host in a target, which we drop unseen; it
    refuses a tab behind a length; and it reads trailers as it reads fields,
    of which we look at the form alone."""
    known = (b"GET", b"HEAD", b"POST", b"PUT")
    line = request.lstrip(b"\r\n").split(b"\r\n")[0]
    return (method_of(request) not in known
            or not re.search(rb" HTTP/1\.[01]$", line)
            or re.search(rb" https?://", line, re.IGNORECASE)
            or re.search(rb"(?i)(length:[ \t]*\d+|chunked) *\t", request)
            or re.search(rb"(?is)\n0+\r\n.*(coding|length|connection)",
                         request))


def main():
    if NODE is None:
        print("skipped: node is not there")
        return 77
    seed = int(os.environ.get("SEED", random.randrange(2 ** 32)))
    print(f"SEED={seed}")
    source = random.Random(seed)
    requests = GOOD + [mutated(source) for _ in range(REQUESTS)]
    counts, faults = {}, 0
    for request, ours, nodes in zip(requests, our_verdicts(requests),
                                    node_verdicts(requests), strict=True):
        counts[ours, nodes] = counts.get((ours, nodes), 0) + 1
        if (ours == "accepted" and nodes != "accepted"
                and not is_excused(request)):
            faults += 1
            if faults <= 20:
                print(f"accepted, but Node says {nodes}: {request!r}")
    for (ours, nodes), count in sorted(counts.items()):
        print(f"{count:6} {ours}, Node: {nodes}")
    return 1 if faults else 0


sys.exit(main())
