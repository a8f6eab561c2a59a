"""The servers that httpd.py compares: sockserver-httpd under each strategy,
nginx as it comes and tuned, lighttpd, h2o, libmicrohttpd with replies made
beforehand, a bare epoll loop that sends such ones too, and Python's
http.server.  lwan, darkhttpd and facil.io are no packages of Debian 12.
Accepting is deferred by ours and h2o as they come, by nginx where it is tuned,
and by the bare loop.
"""
import os
import re
import shutil
import sys
from contextlib import contextmanager
from pathlib import Path

from harness.errors import CannotStart
from harness.ports import free_port, wait_for_listener
from harness.process import running
from harness.servers import discover

# Workers for 600 connections that stay, of strategies in which a worker has one
# connection, or a few.
WORKERS = {"forking": 600, "threading": 600, "thread-pool": 600,
           "prefork": 600, "prefork:thread-pool": 80}
FEW = (*WORKERS, "synchronous", "prefork:threading", "python")

NGINX = """daemon off; worker_processes 1; master_process off;
pid {dir}/nginx.pid; error_log {dir}/nginx.log crit;
worker_rlimit_nofile {files};
events {{ worker_connections {files}; }}
http {{ access_log off; default_type application/octet-stream;
  keepalive_requests 100000000; {options}
  client_body_temp_path {dir}/b; proxy_temp_path {dir}/p;
  fastcgi_temp_path {dir}/f; uwsgi_temp_path {dir}/u; scgi_temp_path {dir}/s;
  server {{ listen 127.0.0.1:{port} backlog=4096{listen}; root {www}; }} }}
"""
LIGHTTPD = """server.document-root = "{www}"
server.port = {port}
server.bind = "127.0.0.1"
server.max-fds = {files}
server.max-connections = {half}
server.max-keep-alive-requests = 100000000
server.max-keep-alive-idle = 600
server.errorlog = "{dir}/lighttpd.log"
"""
H2O = """num-threads: 1
max-connections: {files}
http1-request-timeout: 600
{user}
error-log: {dir}/h2o.log
listen: {{ host: 127.0.0.1, port: {port} }}
hosts:
  default:
    paths:
      /: {{ file.dir: {www} }}
"""


class Server:
    """A server by its name, and a function that makes its command line for a
    port and a row."""

    def __init__(self, name, command, announces):
        self.name = name
        self.command = command
        self.announces = announces

    def fits(self, row):
        """Whether it can have so many connections at once."""
        return row[0] != "idle" or self.name.removeprefix("sks:") not in FEW

    @contextmanager
    def started(self, core, row):
        """The port and the process of a running server."""
        port = 0 if self.announces else free_port()
        command = self.command(port, row)
        if shutil.which(command[0]) is None:
            raise CannotStart(f"{command[0]} is not there")
        with running(command, core) as process:
            if self.announces:
                line = process.read_line(20) or ""
                found = re.search(r"http://[\d.]+:(\d+)/", line)
                if not found:
                    raise CannotStart("no port" + process.complaint())
                port = int(found[1])
            else:
                wait_for_listener(port, process)
            yield port, process.pid


class Configured:
    """Makes configuration files of the peers."""

    def __init__(self, directory, www):
        # Half of the descriptors that there may be, for servers that want two
        # for a connection.
        files = os.sysconf("SC_OPEN_MAX")
        user = "user: root" if os.getuid() == 0 else ""
        self.values = {"dir": directory, "www": www, "files": files,
                       "half": files // 2, "user": user}

    def write(self, name, text, **values):
        path = Path(self.values["dir"], name)
        path.write_text(text.format(**self.values, **values))
        return str(path)

    def nginx(self, options, listen=""):
        return lambda port, _: [
            "nginx", "-p", self.values["dir"], "-c",
            self.write("nginx.conf", NGINX, port=port, options=options,
                       listen=listen)]

    def lighttpd(self, port, _):
        return ["lighttpd", "-D", "-f",
                self.write("lighttpd.conf", LIGHTTPD, port=port)]

    def h2o(self, port, _):
        return ["h2o", "-m", "worker", "-c",
                self.write("h2o.conf", H2O, port=port)]


def ours(program, name, www, kind=""):
    """sockserver-httpd under a strategy; idle connections are kept.  kind says
    how it was built, if not as usual."""
    def command(_, row):
        workers = WORKERS.get(name) if not row[2] else None
        return [str(program), "--quiet", "--directory", www,
                "--strategy", name, "--idle-timeout", "600",
                *(["--max-workers", str(workers)] if workers else []), "0"]
    return Server(f"sks:{name}{kind}", command, True)


def all_servers(args, directory, www, files):
    """Those whose names begin as args.servers says."""
    made = Configured(directory, www)
    servers = [ours(args.httpd, name, www) for name in discover(args.httpd)]
    if args.io_uring_httpd:
        servers.append(ours(args.io_uring_httpd.absolute(), "coroutine", www,
                            "+io_uring"))
    servers += [
        Server("nginx", made.nginx("sendfile on; tcp_nopush on;"), False),
        Server("nginx-tuned", made.nginx(
            "sendfile off; open_file_cache max=1000;"
            "open_file_cache_valid 60s; output_buffers 2 512k;",
            " deferred"), False),
        Server("lighttpd", made.lighttpd, False),
        Server("h2o", made.h2o, False)]
    if args.microhttpd:
        servers.append(Server("microhttpd", lambda *_: [
            str(args.microhttpd.absolute()), *files], True))
    servers += [
        Server("floor", lambda *_: [
            str(args.floor.absolute()), "0", *files], True),
        Server("python", lambda port, _: [
            sys.executable, "-m", "http.server", "--bind", "127.0.0.1",
            "--protocol", "HTTP/1.1", "--directory", www, str(port)], False)]
    wanted = args.servers.split(",")
    return [server for server in servers if not args.servers
            or any(server.name.startswith(name) for name in wanted)]
