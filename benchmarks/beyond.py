"""Rows beyond one process: ``python benchmarks/beyond.py [--only PART] [--rows N]``.

processes
    An EM iteration in one process, in two threads and in two processes that share the rows, in
    turn; and a whole fit that chooses among them by itself.
parquet
    A table in Parquet, fitted by ``fit_blocks`` and by a Dask cluster of one worker process, then
    of two. ``--rows 20000000`` writes about 2 GB.
scheduler
    Passes whose work is a second of sleep a partition: what is beyond that is the scheduler's.

Seconds of the clock mean something where nothing else runs; ``--busy`` leaves them out and keeps
what CPU time says: that of an iteration in one process over that of the process that works longest.
"""

import argparse
import os
import tempfile
import time
from pathlib import Path

for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ.setdefault(name, "1")

import numpy as np
import pandas as pd
import psutil
from _problems import em_pass, em_problem, regions
from _results import add_output, keep
from joblib import parallel_config

from moe_classic import MoERegressor
from moe_classic._engine import one_thread

#: Rows of a part of a table in Parquet.
PART = 250_000
#: Rows, features and experts.
SHAPES = ((500_000, 10, 5), (500_000, 20, 8))
ROUNDS = 15


# ------------------------------------------------------------------------- processes


def children_seconds():
    """CPU seconds of all processes that this one has begun."""
    found = psutil.Process().children(recursive=True)
    return sum(sum(p.cpu_times()[:2]) for p in found)


def arrays(value):
    """All arrays in a record of statistics."""
    if isinstance(value, np.ndarray):
        yield value
    fields = value if isinstance(value, tuple) else getattr(value, "__dict__", {}).values()
    for part in fields:
        yield from arrays(part)


def iterations(n, p, K):
    """Seconds and CPU seconds of an iteration by the loop, threads and processes."""
    X, y, _ = regions(n, p, K)
    problems, said = {}, {}
    for engine, n_jobs in (("loop", 1), ("threading", 2), ("loky", 2)):
        problems[engine], start = em_problem(X, y, K, n_jobs=n_jobs)
        with parallel_config(backend="threading" if engine == "loop" else engine):
            said[engine] = problems[engine].evaluate(start)[1]
    same = all(map(np.array_equal, arrays(said["threading"]), arrays(said["loky"])))
    taken = {engine: [] for engine in problems}
    with one_thread("blas"):
        for _ in range(ROUNDS):
            for engine, problem in problems.items():
                before = time.perf_counter(), time.process_time(), children_seconds()
                em_pass(problem, start)
                after = time.perf_counter(), time.process_time(), children_seconds()
                taken[engine].append(np.subtract(after, before))
    problems["loky"].engine.close()
    return {engine: np.array(v) for engine, v in taken.items()}, same


def whole_fits(n, p, K):
    """Seconds of a fit from its starts, with one job and with two that choose for themselves."""
    X, y, _ = regions(n, p, K)
    seconds = []
    for n_jobs in (1, 2):
        begun = time.perf_counter()
        MoERegressor(K, n_init=1, random_state=0, tol=1e-9, max_iter=200, n_jobs=n_jobs).fit(X, y)
        seconds.append(time.perf_counter() - begun)
    return seconds


def processes(options):
    """Two processes over one table."""
    rows = []
    for n, p, K in SHAPES:
        n = options.rows or n
        taken, same = iterations(n, p, K)
        clock = {engine: np.median(v[:, 0]) for engine, v in taken.items()}
        alone = taken["loop"][:, 1].mean()
        longest = taken["loky"][:, 1:].mean(axis=0).max()
        figures = {"cpu": float(alone / longest), "same": "yes" if same else "no"}
        if not options.busy:
            one, two = whole_fits(n, p, K)
            figures |= {
                "threads": clock["loop"] / clock["threading"],
                "processes": clock["loop"] / clock["loky"],
                "fit": one / two,
            }
        rows.append({"rows": n, "features": p, "experts": K, **figures})
        print(rows[-1])
    keep("beyond", rows, ["rows", "features", "experts"], options.output)


# ------------------------------------------------------------------------- parquet


def write(folder, rows, columns, experts):
    """Parts of a table with as many regimes as experts, one at a time."""
    names = [f"x{j}" for j in range(columns)]
    slopes = np.random.default_rng(0).standard_normal((experts, columns))
    for i, start in enumerate(range(0, rows, PART)):
        rng, n = np.random.default_rng([1, i]), min(PART, rows - start)
        X = rng.standard_normal((n, columns))
        z = (X[:, 0] * 2.0).round().astype(int) % experts
        y = (X * slopes[z]).sum(axis=1) + 0.3 * rng.standard_normal(n)
        table = pd.DataFrame(X, columns=names).assign(y=y)
        table.to_parquet(folder / f"part{i:03d}.parquet")
    return names


def on_workers(folder, names, count, make):
    """A fit, its seconds, and the most megabytes that a worker had."""
    import dask.dataframe as dd
    from distributed import Client, LocalCluster

    with (
        LocalCluster(n_workers=count, threads_per_worker=1, dashboard_address=":0") as cluster,
        Client(cluster) as client,
    ):
        client.run(__import__, "moe_classic.estimators")  # processes take seconds to begin
        rows = dd.read_parquet(folder)
        begun = time.perf_counter()
        moe = make().fit(rows[names], rows["y"])
        seconds = time.perf_counter() - begun
        most = max(client.run(lambda: psutil.Process().memory_info().rss).values()) / 2**20
        lazily = time.perf_counter()
        answers = (
            moe.predict(rows[names])
            .to_frame()
            .assign(score=moe.score_samples(rows[names], rows["y"]))
        )
        answers.to_parquet(folder.parent / f"answers{count}")
        lazily = time.perf_counter() - lazily
    return moe, seconds, most, lazily


def in_blocks(folder, names, make):
    """The same in one process that reads one part after another."""

    def blocks():
        for path in sorted(Path(folder).glob("*.parquet")):
            table = pd.read_parquet(path)
            yield table[names], table["y"]

    begun = time.perf_counter()
    return make().fit_blocks(blocks), time.perf_counter() - begun


def parquet(options):
    """A cluster of one worker, and of two."""
    n = options.rows or 2_000_000

    def make():
        return MoERegressor(5, n_init=1, random_state=0, max_iter=options.passes)

    with tempfile.TemporaryDirectory(dir=options.place) as place:
        folder = Path(place) / "rows"
        folder.mkdir()
        names = write(folder, n, 10, 5)
        size = sum(p.stat().st_size for p in folder.glob("*.parquet")) / 1e9
        here, alone = in_blocks(folder, names, make)
        runs = {count: on_workers(folder, names, count, make) for count in (1, 2)}
    (one, slow, most_one, _), (two, fast, most_two, lazily) = runs[1], runs[2]
    some = pd.DataFrame(np.random.default_rng(0).normal(size=(1000, len(names))), columns=names)
    print(f"{n:,} rows, {size:.2f} GB of Parquet, {here.n_iter_} passes over all rows")
    print(f"fit_blocks          {alone:8.2f} s")
    print(f"Dask, one worker    {slow:8.2f} s   {most_one:.0f} MB")
    print(f"Dask, two workers   {fast:8.2f} s   {slow / fast:.3f} times one, {most_two:.0f} MB")
    print(f"predict and score_samples to Parquet by two workers {lazily:.2f} s")
    for count, moe in ((1, one), (2, two)):
        gap = np.abs(moe.predict(some) - here.predict(some)).max()
        print(f"largest difference of predictions to those of fit_blocks, {count}: {gap:.2g}")


# ------------------------------------------------------------------------- scheduler


def scheduler(options):
    """What a pass takes beyond the work of its partitions."""
    import dask
    from distributed import Client, LocalCluster

    from moe_classic._data import stream_of

    def rows(X, y, w, groups):
        return X, y[None], np.ones(len(y)), groups

    def work(block):
        time.sleep(1.0)
        return len(block[0])

    X, y = np.zeros((1000, 10)), np.zeros(1000)
    with (
        LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address=":0") as cluster,
        Client(cluster),
    ):
        stream = stream_of([dask.delayed((X, y)) for _ in range(16)], rows)
        stream.reduce(work, int.__add__)
        begun = time.perf_counter()
        for _ in range(3):
            stream.reduce(work, int.__add__)
        seconds = (time.perf_counter() - begun) / 3
    beyond = seconds / 8.0 - 1.0
    print(f"16 partitions of 1 s, two workers: {seconds:.3f} s a pass, {beyond:.1%} beyond 8 s")


PARTS = {"processes": processes, "parquet": parquet, "scheduler": scheduler}


def main():
    """Run the parts that are asked for."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--only", choices=PARTS, default=None)
    parser.add_argument("--rows", type=int, default=None)
    parser.add_argument("--passes", type=int, default=30, help="most passes of the Parquet fit")
    parser.add_argument("--place", default=None, help="folder for the Parquet files")
    parser.add_argument("--busy", action="store_true", help="leave out seconds of the clock")
    add_output(parser)
    options = parser.parse_args()
    for name, part in PARTS.items():
        if options.only in (None, name):
            part(options)


if __name__ == "__main__":
    main()
