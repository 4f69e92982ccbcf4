"""Rows beyond one process: ``python benchmarks/beyond.py [--rows N] [--columns P]``.

A table is written to Parquet in 16 parts and fitted by a Dask cluster of one worker process, then
of two, and by ``fit_blocks`` on the same parts. Printed are seconds, their ratios, how far apart
predictions are, and the largest memory of a worker at the end. Only ratios say something about
another machine.
"""

import argparse
import os
import tempfile
import time
from pathlib import Path

for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ.setdefault(name, "1")

import dask.dataframe as dd
import numpy as np
import pandas as pd
import psutil
from _problems import regions
from distributed import Client, LocalCluster

from moe_classic import MoERegressor

PARTS = 16


def write(folder, rows, columns, experts):
    """Parts of a table with as many regimes as experts."""
    names = [f"x{j}" for j in range(columns)]
    X, y, _ = regions(rows, columns, experts)
    for i, part in enumerate(np.array_split(np.arange(rows), PARTS)):
        table = pd.DataFrame(X[part], columns=names).assign(y=y[part])
        table.to_parquet(folder / f"part{i:03d}.parquet")
    return names


def on_workers(folder, names, count, make):
    """A fit, its seconds, and the most megabytes that a worker had."""
    with (
        LocalCluster(n_workers=count, threads_per_worker=1, dashboard_address=None) as cluster,
        Client(cluster) as client,
    ):
        client.run(__import__, "moe_classic")  # processes take seconds to begin
        rows = dd.read_parquet(folder)
        begun = time.perf_counter()
        moe = make().fit(rows[names], rows["y"])
        seconds = time.perf_counter() - begun
        most = max(client.run(lambda: psutil.Process().memory_info().rss).values()) / 2**20
    return moe, seconds, most


def in_blocks(folder, names, make):
    """The same in one process that reads one part after another."""

    def blocks():
        for path in sorted(Path(folder).glob("*.parquet")):
            table = pd.read_parquet(path)
            yield table[names], table["y"]

    begun = time.perf_counter()
    return make().fit_blocks(blocks), time.perf_counter() - begun


def main():
    """Run once and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=400_000)
    parser.add_argument("--columns", type=int, default=10)
    parser.add_argument("--experts", type=int, default=5)
    options = parser.parse_args()

    def make():
        return MoERegressor(options.experts, n_init=1, random_state=0)

    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        names = write(folder, options.rows, options.columns, options.experts)
        here, alone = in_blocks(folder, names, make)
        one, slow, most_one = on_workers(folder, names, 1, make)
        two, fast, most_two = on_workers(folder, names, 2, make)
    some = pd.DataFrame(np.random.default_rng(0).normal(size=(1000, len(names))), columns=names)
    print(f"fit_blocks          {alone:8.2f} s   {here.n_iter_} passes")
    print(
        f"Dask, one worker    {slow:8.2f} s   {slow / alone:.3f} of fit_blocks, {most_one:.0f} MB"
    )
    print(f"Dask, two workers   {fast:8.2f} s   {slow / fast:.3f} times one, {most_two:.0f} MB")
    for name, moe in (("one worker", one), ("two workers", two)):
        gap = np.abs(moe.predict(some) - here.predict(some)).max()
        print(f"largest difference of predictions, {name}: {gap:.2g}")


if __name__ == "__main__":
    main()
