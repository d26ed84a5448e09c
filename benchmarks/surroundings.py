"""When, where and with what a run measures."""

from __future__ import annotations

import os
import platform
import re
import shlex
import sys
from collections.abc import Iterable
from datetime import datetime, timezone
from importlib.metadata import version
from pathlib import Path

PRIVATE = "--(?:secretkey|json)"
"""Options whose values are not shown: a secret, and a place on the machine of whoever measures."""


def about(program: str, distributions: Iterable[str]) -> dict[str, str]:
    """As lines of a report; `program` is the module that was started, `distributions` what it depends on."""
    return {
        "date": datetime.now(timezone.utc).strftime("%Y-%m-%d %H:%M UTC"),
        "command": shlex.join(["python", "-m", program, *_published(sys.argv[1:])]),
        "machine": f"{os.cpu_count()} processors, {_processor()}; {_memory()}{platform.system()} {platform.release()}",
        "load before": f"{os.getloadavg()[0]:.1f}",
        "versions": f"Python {platform.python_version()}, {_versions(distributions)}",
    }


def _published(arguments: list[str]) -> list[str]:
    """
    >>> _published(["--secretkey", "x", "--rounds", "3", "--secretkey=y", "--json", "/home/me/x.json"])
    ['--secretkey', '...', '--rounds', '3', '--secretkey=...', '--json', '...']
    """
    shown = [re.sub(f"^({PRIVATE}=).*", r"\1...", each) for each in arguments]
    pairs = zip(["", *shown], shown, strict=False)
    return ["..." if re.fullmatch(PRIVATE, before) else each for before, each in pairs]


def _versions(distributions: Iterable[str]) -> str:
    return ", ".join(f"{name} {version(name)}" for name in dict.fromkeys(distributions))


def _processor() -> str:
    return _found(Path("/proc/cpuinfo"), r"^model name\s*: (.*)$") or platform.processor() or platform.machine()


def _memory() -> str:
    kib = _found(Path("/proc/meminfo"), r"^MemTotal:\s*(\d+) kB$")
    return f"{int(kib) / 1024**2:.0f} GiB; " if kib else ""


def _found(path: Path, pattern: str) -> str:
    found = re.search(pattern, path.read_text(), re.MULTILINE) if path.exists() else None
    return found[1] if found else ""
