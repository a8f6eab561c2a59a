"""The client at a terminal, and fed by a pipe."""
import os
import pathlib
import pty
import re
import select
import signal
import subprocess
import termios
import time

from library import (CANNOT_CONNECT, DONE, EXISTS, NOT_FOUND, REFUSED, USAGE,
                     LibraryTest, main)
from running import DEADLINE_S

PROMPT = "file> "
SUPPRESSIONS = pathlib.Path(__file__).absolute().with_name("lsan.supp")


class Terminal:
    """A program on a terminal of its own, and what it showed."""

    def __init__(self, command, folder):
        self.pid, self.fd = pty.fork()
        if self.pid == 0:
            os.chdir(folder)
            os.environ.update(TERM="xterm", HOME=str(folder), LC_ALL="C.UTF-8",
                              ASAN_OPTIONS="fast_unwind_on_malloc=0",
                              LSAN_OPTIONS=f"suppressions={SUPPRESSIONS}")
            os.execv(command[0], command)
        self.shown = ""
        self.ended = None

    def type(self, text):
        os.write(self.fd, text.encode())

    def expect(self, pattern):
        """Waits until it shows this; what came up to it is forgotten."""
        end = time.monotonic() + DEADLINE_S
        while not (found := re.search(pattern, self.shown)):
            readable, _, _ = select.select([self.fd], [], [], max(
                0, end - time.monotonic()))
            if not readable:
                raise AssertionError(f"no {pattern!r} in {self.shown!r}")
            try:
                data = os.read(self.fd, 65536)
            except OSError:
                data = b""
            if not data:
                raise AssertionError(f"ended without {pattern!r}: "
                                     f"{self.shown!r}")
            self.shown += data.decode(errors="replace")
        self.shown = self.shown[found.end():]
        return found.group()

    def expect_prompt(self):
        """Waits until a line can be typed: what is typed earlier is taken by
        the terminal itself."""
        self.expect(PROMPT)
        end = time.monotonic() + DEADLINE_S
        while termios.tcgetattr(self.fd)[3] & termios.ICANON:
            assert time.monotonic() < end
            time.sleep(0.01)

    def status(self):
        """Reads to the end; the exit status."""
        while True:
            try:
                if not os.read(self.fd, 65536):
                    break
            except OSError:
                break
        _, status = os.waitpid(self.pid, 0)
        self.ended = os.waitstatus_to_exitcode(status)
        return self.ended

    def close(self):
        if self.ended is None:
            os.kill(self.pid, signal.SIGKILL)
            os.waitpid(self.pid, 0)
        os.close(self.fd)


class AtTerminal(LibraryTest):
    def terminal(self, *words, options=()):
        terminal = Terminal(self.command(*words, options=options), self.local)
        self.addCleanup(terminal.close)
        return terminal

    def start_prompt(self):
        terminal = self.terminal()
        terminal.expect("Connected to sockserver-filed")
        for word in ("list", "get NAME", "put LOCAL", "quit"):
            terminal.expect(word)
        terminal.expect_prompt()
        return terminal

    def leave(self, terminal):
        terminal.type("quit\n")
        self.assertEqual(terminal.status(), DONE)

    def test_the_menu_leads_a_newcomer(self):
        self.local.joinpath("mine").write_text("hello")
        self.start()
        terminal = self.start_prompt()
        terminal.type("list\n")
        terminal.expect("The library is empty.")
        terminal.type("put mine\n")
        terminal.expect_prompt()
        terminal.type("list\n")
        terminal.expect("\nmine\r\n")
        terminal.type("get mine copy\n")
        terminal.expect_prompt()
        terminal.expect_prompt()
        self.leave(terminal)
        self.assertEqual(self.local.joinpath("copy").read_text(), "hello")

    def test_a_wrong_command_gets_a_hint_and_no_exit(self):
        self.start()
        terminal = self.start_prompt()
        terminal.type("lsit\n")
        terminal.expect('no command "lsit"; try list')
        terminal.type("get\n")
        terminal.expect(r"it goes: get NAME \[LOCAL\]")
        terminal.type("get none\n")
        terminal.expect("none: there is no such file")
        terminal.type("help\n")
        terminal.expect("rename OLD NEW")
        self.leave(terminal)

    def test_the_local_folder_can_be_changed(self):
        self.local.joinpath("sub").mkdir()
        self.local.joinpath("sub", "inner").touch()
        self.start()
        terminal = self.start_prompt()
        terminal.type("lcd sub\n")
        terminal.expect("/sub\r\n")
        terminal.type("lls\n")
        terminal.expect("inner\r\n")
        terminal.type("lpwd\n")
        terminal.expect("/sub\r\n")
        self.leave(terminal)

    def test_the_tabulator_completes(self):
        self.root.joinpath("some library file").write_text("x")
        self.local.joinpath("local-file").write_text("x")
        self.local.joinpath("folder").mkdir()
        self.local.joinpath("folder", "within").write_text("x")
        self.start()
        terminal = self.start_prompt()
        terminal.type("sta\tsom\t")
        # libedit moves the cursor where it can, so look at the end only.
        terminal.expect(r"library\\ file ")
        terminal.type("\n")
        terminal.expect("1  .*some library file")
        terminal.expect_prompt()
        terminal.type("put loc\t\n")
        terminal.expect_prompt()
        terminal.type("put fold\t")
        terminal.expect("/")
        terminal.type("wi\t\n")
        terminal.expect_prompt()
        self.assertEqual(self.names(),
                         [b"local-file", b"some library file", b"within"])
        terminal.type("l\t")
        terminal.expect("lpwd\r\n")
        terminal.type("s\n")
        terminal.expect("\nwithin\r\n")
        self.leave(terminal)

    def test_earlier_lines_come_back(self):
        self.start()
        terminal = self.start_prompt()
        terminal.type("help\n")
        terminal.expect("--force")
        terminal.expect_prompt()
        terminal.type("\x1b[A")
        terminal.expect("help")
        terminal.type("\n")
        terminal.expect("--force")
        self.leave(terminal)

    def test_ctrl_c_throws_the_line_away(self):
        self.start()
        terminal = self.start_prompt()
        terminal.type("delete ever")
        terminal.expect("delete ever")
        terminal.type("\x03")
        terminal.expect_prompt()
        terminal.type("lpwd\n")
        terminal.expect(str(self.local.name))
        self.leave(terminal)

    def test_no_ctrl_c_is_missed(self):
        self.start()
        terminal = self.start_prompt()
        for _ in range(300):
            terminal.type("\x03")
            terminal.expect("\n.*" + PROMPT)
        terminal.type("lpwd\n")
        terminal.expect(str(self.local.name))
        self.leave(terminal)

    def test_letters_of_several_bytes_can_be_typed(self):
        self.root.joinpath("grüße 文件").write_text("x")
        self.start()
        terminal = self.start_prompt()
        terminal.type("stat 'grüße 文件'\n")
        terminal.expect("1  .*grüße 文件")
        self.leave(terminal)

    def test_ctrl_c_ends_a_transfer_and_not_the_client(self):
        with open(self.root / "x", "wb") as file:
            file.truncate(64 << 30)
        self.start()
        terminal = self.start_prompt()
        terminal.type("get x\n")
        terminal.expect(r"x +\[#* *\] +\d+ %")
        terminal.type("\x03")
        terminal.expect("x: interrupted")
        terminal.expect_prompt()
        terminal.type("stat x\n")
        terminal.expect("68719476736")
        self.leave(terminal)

    def test_end_of_input_leaves(self):
        self.start()
        terminal = self.start_prompt()
        terminal.type("\x04")
        self.assertEqual(terminal.status(), DONE)

    def test_the_prompt_outlives_the_servers_patience(self):
        self.start("--idle", "1")
        terminal = self.start_prompt()
        self.wait_until(lambda: len(self.server.children()) == 0,
                        "the server ended the connection")
        terminal.type("list\n")
        terminal.expect("The library is empty.")
        self.leave(terminal)

    def test_progress_is_shown(self):
        with open(self.local / "x", "wb") as file:
            file.truncate(300 << 20)
        self.start()
        terminal = self.terminal("put", "x")
        terminal.expect(r"x +\[#{16}\] 100 % +314.6 MB +[\d.]+ .?B/s 0:00")
        self.assertEqual(terminal.status(), DONE)
        terminal = self.terminal("get", "x", "y", options=["--quiet"])
        with self.assertRaisesRegex(AssertionError, "ended.*''"):
            terminal.expect("%")

    def test_names_do_not_command_the_terminal(self):
        self.root.joinpath("\x1b[2Jx").touch()
        self.start()
        terminal = self.terminal("list")
        terminal.expect(r"\\x1b\[2Jx\r\n")


class FromPipe(LibraryTest):
    def run_script(self, text):
        return self.run_client(stdin=None, input=text.encode())

    def test_commands_can_be_piped_in(self):
        self.local.joinpath("a b").write_text("hello")
        self.start()
        done = self.run_script("# comment\n\nput 'a b'\nlist\nstat 'a b'\n"
                               "quit\nlist\n")
        self.assertEqual(done.returncode, DONE, done.stderr)
        lines = done.stdout.decode().splitlines()
        self.assertEqual(lines[0], "a b")
        self.assertEqual(len(lines), 3)
        self.assertEqual(done.stderr, b"")

    def test_the_first_fault_is_the_status_and_does_not_end_it(self):
        self.root.joinpath("x").touch()
        self.start()
        done = self.run_script("what\nget none\nlist\n")
        self.assertEqual(done.returncode, USAGE)
        self.assertEqual(done.stdout, b"x\n")
        self.assertEqual(self.run_script("get none\nwhat").returncode,
                         NOT_FOUND)
        self.assertEqual(self.run_script("delete x\n").returncode, REFUSED)
        self.assertEqual(self.run_script("get x\nget x\n").returncode, EXISTS)

    def test_no_server_ends_it_at_once(self):
        self.start()
        command = self.command()
        self.server.end()
        done = subprocess.run(command, input=b"list\n", check=False,
                              stderr=subprocess.PIPE)
        self.assertEqual(done.returncode, CANNOT_CONNECT)


if __name__ == "__main__":
    main()
