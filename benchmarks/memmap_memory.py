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

import mmap
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

import numpy as np

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


def fit(path: Path) -> None:
    """Fit the table without copying it, and print what that took."""
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
    print(f"{seconds:.0f} s, {moe.n_iter_} passes over all rows, converged {moe.converged_}")


def main() -> None:
    if sys.argv[1:2] == ["--fit"]:
        fit(Path(sys.argv[2]))
        return
    gigabytes = float(sys.argv[1]) if len(sys.argv) > 1 else 4.0
    n = int(gigabytes * 2**30 / (8 * (P + 1)))
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "table.bin"
        write_table(path, n, np.random.default_rng(0))
        subprocess.run([sys.executable, __file__, "--fit", str(path)], check=True)


if __name__ == "__main__":
    main()
