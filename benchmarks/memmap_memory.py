"""Peak memory of fitting a memory-mapped table: ``python benchmarks/memmap_memory.py [gigabytes]``.

Writes a table of the given size (4 by default) to a temporary directory, fits it without copying
and prints the peak resident memory that the process added, in MB. Pages of the file itself that
the system keeps in its cache are not counted: they belong to the file.
"""

import os
import sys
import tempfile
import threading
import time
from pathlib import Path

import numpy as np

from moe_classic import MoERegressor

P = 49


def write_table(path: Path, n: int, rng: np.random.Generator) -> None:
    """Write n rows of P features and a target, a slice at a time."""
    table = np.memmap(path, dtype=np.float64, mode="w+", shape=(n, P + 1))
    for start in range(0, n, 100_000):
        rows = table[start : start + 100_000]
        X = rng.standard_normal((len(rows), P))
        rows[:, :P] = X
        rows[:, P] = np.where(X[:, 0] > 0.0, X[:, 1], 1.0 - X[:, 2])
        rows[:, P] += 0.3 * rng.standard_normal(len(rows))
    table.flush()


def anonymous_mb() -> float:
    """Resident memory that is not backed by a file, in MB."""
    status = Path("/proc/self/status").read_text()
    return float(status.split("RssAnon:")[1].split()[0]) / 1024.0


def main() -> None:
    gigabytes = float(sys.argv[1]) if len(sys.argv) > 1 else 4.0
    n = int(gigabytes * 2**30 / (8 * (P + 1)))
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "table.bin"
        write_table(path, n, np.random.default_rng(0))
        table = np.memmap(path, dtype=np.float64, mode="r", shape=(n, P + 1))
        before, peak, done = anonymous_mb(), [0.0], threading.Event()

        def watch() -> None:
            while not done.wait(0.02):
                peak[0] = max(peak[0], anonymous_mb())

        watcher = threading.Thread(target=watch)
        watcher.start()
        start = time.perf_counter()
        moe = MoERegressor(2, n_init=3, max_iter=20, tol=1e-4, random_state=0)
        moe.fit(table[:, :P], table[:, P])
        done.set()
        watcher.join()
        seconds = time.perf_counter() - start
        print(f"{n} rows x {P} features, {os.path.getsize(path) / 2**30:.1f} GB on disk")
        print(f"added peak memory {peak[0] - before:.0f} MB, total {peak[0]:.0f} MB")
        print(f"{seconds:.0f} s, {moe.n_iter_} passes, converged {moe.converged_}")


if __name__ == "__main__":
    main()
