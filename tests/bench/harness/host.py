"""What the figures were measured on."""

import os
import platform
import re
import subprocess
from pathlib import Path


def describe(load_program: Path, echod: Path) -> dict[str, str]:
    """Name and value of what a reader needs to judge the figures."""
    return {"kernel": f"{platform.system()} {platform.release()} "
                      f"{platform.machine()}",
            "processors": f"{os.cpu_count()} x {_processor()}",
            "memory": _memory(),
            "C compiler": _output_of(load_program),
            "libc": " ".join(platform.libc_ver()) or "not glibc",
            "Python": platform.python_version(),
            "sockserver-echod": _output_of(echod)}


def _processor() -> str:
    match = re.search(r"^model name\s*:\s*(.+)$",
                      Path("/proc/cpuinfo").read_text(), re.MULTILINE)
    return match[1] if match else platform.processor() or "unknown"


def _memory() -> str:
    match = re.search(r"^MemTotal:\s*(\d+)",
                      Path("/proc/meminfo").read_text(), re.MULTILINE)
    return f"{int(match[1]) / 2**20:.1f} GiB" if match else "unknown"


def _output_of(program: Path) -> str:
    """What the program says of its version."""
    try:
        done = subprocess.run([program, "--version"], capture_output=True,
                              text=True, timeout=10, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return "not there"
    return done.stdout.strip() or "no version"
