"""What the suite costs: ``python benchmarks/suite.py [arguments of pytest ...]``.

CPU seconds of every test, fixtures and the processes that it started and waited for included, added
up by folder, and the slowest tests. Times of single tests hang on what runs beside them: two states
of the tree are compared by runs in turn.
"""

import os
import subprocess
import sys
import tempfile
from collections import Counter
from pathlib import Path

import pytest

HERE = Path(__file__).resolve().parent
#: Where the processes of the suite write what tests took.
FOLDER = "MOE_CLASSIC_SUITE"


def cpu_seconds():
    """Of this process, and of those it has waited for."""
    times = os.times()
    return times.user + times.system + times.children_user + times.children_system


@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol(item):
    """A line for each test, in a file for each process."""
    before = cpu_seconds()
    done = yield
    path = Path(os.environ[FOLDER]) / str(os.getpid())
    with path.open("a") as file:
        file.write(f"{cpu_seconds() - before:.3f} {item.nodeid}\n")
    return done


def run(arguments):
    """CPU seconds by test, and what pytest returned."""
    with tempfile.TemporaryDirectory() as folder:
        path = os.pathsep.join([str(HERE), os.environ.get("PYTHONPATH", "")])
        shell = os.environ | {FOLDER: folder, "PYTHONPATH": path}
        command = [sys.executable, "-m", "pytest", "-p", "suite", *arguments]
        status = subprocess.run(command, cwd=HERE.parent, env=shell, check=False).returncode
        lines = [line for file in Path(folder).iterdir() for line in file.read_text().splitlines()]
    return {name: float(time) for time, _, name in (line.partition(" ") for line in lines)}, status


def place(name):
    """Folder or file below ``tests`` in which a test stands."""
    return "/".join(name.partition("::")[0].split("/")[:2])


def main():
    taken, status = run(sys.argv[1:])
    folders, counts = Counter(), Counter(map(place, taken))
    for name, seconds in taken.items():
        folders[place(name)] += seconds
    print(f"\n{len(taken)} tests, {sum(taken.values()):.0f} CPU seconds")
    for name, seconds in folders.most_common(20):
        print(f"{seconds:8.1f} s {counts[name]:6} tests  {name}")
    print("\nslowest")
    for name, seconds in Counter(taken).most_common(10):
        print(f"{seconds:8.1f} s  {name}")
    sys.exit(status)


if __name__ == "__main__":
    main()
