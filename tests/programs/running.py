"""Starts a program of the project and watches it from outside."""
import contextlib
import os
import pathlib
import re
import select
import signal
import subprocess
import time

# Bounds every wait, for a machine that is slow or a program that hangs; no
# test depends on its value.
DEADLINE_S = 60


def wait_until(condition, what):
    """Returns the first true result of condition, or fails."""
    end = time.monotonic() + DEADLINE_S
    while not (result := condition()):
        if time.monotonic() > end:
            raise AssertionError(f"waited in vain until {what}")
        time.sleep(0.01)
    return result


def strategies(program):
    """The strategies of this build, as a program of the project tells them to
    whoever asks for another one."""
    done = subprocess.run([program, "--strategy", "?"], check=False, text=True,
                          timeout=DEADLINE_S, stderr=subprocess.PIPE)
    return done.stderr.rpartition(" only ")[2].strip().split(", ")


class Program:
    """A running program.  announced is the line that it starts with."""

    def __init__(self, *command, announces=True):
        self.process = subprocess.Popen(
            [str(word) for word in command], stdin=subprocess.PIPE,
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        self.announced = self.read_line() if announces else ""

    def read_line(self):
        """The next line of the standard output, without its end."""
        readable, _, _ = select.select([self.process.stdout], [], [],
                                       DEADLINE_S)
        if not readable:
            raise AssertionError("the program says nothing")
        return self.process.stdout.readline().rstrip("\n")

    @property
    def port(self):
        """The port in the line that it starts with."""
        return int(re.search(r":(\d+)[ ,]", self.announced).group(1))

    def end(self):
        """Sends SIGTERM; returns the exit status.

        ThreadSanitizer may keep a signal back while its thread sleeps, and then
        the program's handler has not run: there alone it is sent again.
        """
        keeps_signals_back = self.has_thread_sanitizer()
        self.process.send_signal(signal.SIGTERM)
        if keeps_signals_back:
            try:
                return self.process.wait(5)
            except subprocess.TimeoutExpired:
                print("ThreadSanitizer keeps SIGTERM back: sent again")
                self.process.send_signal(signal.SIGTERM)
        return self.status()

    def has_thread_sanitizer(self):
        """Whether the program was built with it; a shell that started the
        program has become it."""
        try:
            program = pathlib.Path("/proc", str(self.process.pid), "exe")
            return b"__tsan_init" in program.read_bytes()
        except OSError:
            return False  # It has ended already.

    def status(self):
        """Waits for the end of the program."""
        return self.process.wait(DEADLINE_S)

    def errors(self):
        """What an ended program wrote to its standard error."""
        return self.process.stderr.read()

    def children(self):
        """The processes whose parent it is, zombies too."""
        return [pid for pid in os.listdir("/proc") if pid.isdigit()
                and parent_of(pid) == self.process.pid]

    def holdings(self):
        """How many descriptors, threads and children it has."""
        proc = pathlib.Path("/proc", str(self.process.pid))
        return (len(os.listdir(proc / "fd")), len(os.listdir(proc / "task")),
                len(self.children()))

    def listening_port(self):
        """The port of a TCP listener of a program that does not tell it."""
        return wait_until(lambda: find_listener(self.process.pid),
                          "the program listens")


def parent_of(pid):
    try:
        stat = pathlib.Path("/proc", pid, "stat").read_text()
    except OSError:
        return None  # It has ended meanwhile.
    return int(stat.rpartition(")")[2].split()[1])


def find_listener(pid):
    """The port of the process's IPv4 listener; None if there is none."""
    inodes = set()
    for link in pathlib.Path("/proc", str(pid), "fd").iterdir():
        with contextlib.suppress(OSError):
            inodes.update(re.findall(r"socket:\[(\d+)\]", os.readlink(link)))
    for line in pathlib.Path("/proc/net/tcp").read_text().splitlines()[1:]:
        fields = line.split()
        if fields[3] == "0A" and fields[9] in inodes:
            return int(fields[1].split(":")[1], 16)
    return None


@contextlib.contextmanager
def running(*command, announces=True):
    """A program for the length of a with statement."""
    program = Program(*command, announces=announces)
    try:
        yield program
    except BaseException:
        print(f"{command[0]} had ended with {program.process.poll()}:")
        raise
    finally:
        if program.process.poll() is None:
            program.process.kill()
        print(program.process.communicate()[1], end="")
