"""Peak memory of fitting a memory-mapped table: ``python benchmarks/memmap_memory.py [gigabytes]``.

Writes a table of the given size (4 by default) to a temporary directory and fits it in a fresh
process, so that what it took to write the table is not counted. Figures are absolute: interpreter
and libraries are in them.

What a process holds is of two kinds. Anonymous memory is its own and must exist somewhere as long
as it is in use. Pages of a mapped file are copies of what is on disk: the system leaves them
resident while nobody else wants the room and takes them back when somebody does, so that a plain
resident size grows to the whole file whatever the program does. Here they are given back every few
milliseconds, as a system short of memory would take them; the peak that the system keeps for the
process (``VmHWM``) then is the room in which the fit can live, pages of the file in use included.
"""

from __future__ import annotations

import argparse
import mmap
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

import numpy as np
from _results import add_output, keep

#: Features; a row is these and a target.
P = 19
#: Seconds between two looks.
PAUSE = 0.002


def write_table(path: Path, n: int, rng: np.random.Generator) -> None:
    """Write n rows of P features and a target, a slice at a time."""
    with path.open("wb") as file:
        for start in range(0, n, 100_000):
            rows = np.empty((min(100_000, n - start), P + 1))
            X = rows[:, :P] = rng.standard_normal((len(rows), P))
            rows[:, P] = np.where(X[:, 0] > 0.0, X[:, 1], 1.0 - X[:, 2])
            rows[:, P] += 0.3 * rng.standard_normal(len(rows))
            rows.tofile(file)


def memory_mb(name: str) -> float:
    """A line of the system's account of this process, in MB."""
    status = Path("/proc/self/status").read_text()
    return float(status.split(f"{name}:")[1].split()[0]) / 1024.0


def fit(path: Path, gigabytes: float, folder: Path) -> None:
    """Fit the table without copying it, print what that took and write it down."""
    from moe_classic import MoERegressor

    table = np.memmap(path, dtype=np.float64, mode="r").reshape(-1, P + 1)
    pages, peak, done = table._mmap, [0.0], threading.Event()
    before = memory_mb("VmHWM")

    def watch() -> None:
        while not done.wait(PAUSE):
            peak[0] = max(peak[0], memory_mb("RssAnon"))
            pages.madvise(mmap.MADV_DONTNEED)

    watcher = threading.Thread(target=watch)
    watcher.start()
    start = time.perf_counter()
    moe = MoERegressor(2, n_init=3, tol=1e-4, random_state=0).fit(table[:, :P], table[:, P])
    seconds = time.perf_counter() - start
    done.set()
    watcher.join()
    print(f"{len(table):,} rows x {P} features, {path.stat().st_size / 2**30:.1f} GB on disk")
    print(f"peak of the process {memory_mb('VmHWM'):.0f} MB, before the fit {before:.0f} MB")
    print(f"peak of its own, anonymous memory {peak[0]:.0f} MB")
    figures = {
        "anonymous memory, the process's own": peak[0],
        "all resident memory, pages of the file in use included": memory_mb("VmHWM"),
        "interpreter and libraries alone": before,
    }
    rows = [{"gigabytes": gigabytes, "what": k, "megabytes": v} for k, v in figures.items()]
    keep("memmap_memory", rows, ["gigabytes", "what"], folder)
    print(f"{seconds:.0f} s, {moe.n_iter_} passes over all rows, converged {moe.converged_}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("gigabytes", nargs="?", type=float, default=4.0)
    parser.add_argument("--fit", type=Path, help=argparse.SUPPRESS)
    add_output(parser)
    options = parser.parse_args()
    if options.fit:
        fit(options.fit, options.gigabytes, options.output)
        return
    n = int(options.gigabytes * 2**30 / (8 * (P + 1)))
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "table.bin"
        write_table(path, n, np.random.default_rng(0))
        again = [f"{options.gigabytes:g}", "--fit", str(path), "--output", str(options.output)]
        subprocess.run([sys.executable, __file__, *again], check=True)


if __name__ == "__main__":
    main()
