"""The shape of the package in figures: ``python benchmarks/house.py [TREE ...]``.

A tree is a checkout that holds ``moe_classic/``; without one, this. Several stand side by side, to
compare before and after. A room is a folder or a module at the top of the package; its face is what
can be imported without knowing its files. Everything but the bases and the time of an import is
read from the sources.
"""

import argparse
import ast
import json
import os
import statistics
import subprocess
import sys
from functools import cache
from pathlib import Path

import numpy as np

HERE = Path(__file__).resolve().parents[1]
ESTIMATORS = "estimators"

PROBE = """
import json, sys, time
start = time.perf_counter()
import moe_classic
seconds = time.perf_counter() - start
loaded = [name for name in ("matplotlib", "pandas") if name in sys.modules]
moe_classic.MoERegressor
whole = time.perf_counter() - start
bases = {}
for name in moe_classic.__all__:
    cls = getattr(moe_classic, name)
    if isinstance(cls, type):
        bases[name] = sum(c.__module__.startswith("moe_classic") for c in cls.__mro__)
found = {"seconds": seconds, "whole": whole, "loaded": loaded, "bases": bases}
print(json.dumps(found | {"of": moe_classic.__file__}))
"""


# ------------------------------------------------------------------------- sources


@cache
def parsed(path):
    """Syntax tree of a file."""
    return ast.parse(path.read_text("utf-8"))


def room(path, root):
    """Top-level folder or module in which a file lives."""
    return path.relative_to(root).parts[0].removesuffix(".py")


def names_imported(path, root):
    """Absolute dotted names that a file imports."""
    package = path.relative_to(root.parent).parts[:-1]
    for node in ast.walk(parsed(path)):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = list(package[: len(package) - node.level + 1]) if node.level else []
            base += [node.module] if node.module else []
            yield from (".".join([*base, alias.name]) for alias in node.names)


def imports(root):
    """(file, file imported) pairs of the package."""
    files = {}
    for path in sorted(root.rglob("*.py")):
        parts = path.relative_to(root.parent).with_suffix("").parts
        files[".".join(parts).removesuffix(".__init__")] = path
    pairs = set()
    for path in files.values():
        for name in names_imported(path, root):
            known = name
            while known not in files and "." in known:
                known = known.rpartition(".")[0]
            if known in files and files[known] != path:
                pairs.add((path, files[known]))
    return sorted(pairs)


# ------------------------------------------------------------------------- graphs


def circles(arrows):
    """Groups of nodes that reach each other, and the floor of every node."""
    nodes = sorted({n for pair in arrows for n in pair})
    below = {n: {b for a, b in arrows if a == n} for n in nodes}
    reach = {n: set() for n in nodes}
    for n in nodes:
        queue = [n]
        while queue:
            for b in below[queue.pop()] - reach[n]:
                reach[n].add(b)
                queue.append(b)
    group = {n: frozenset({n} | {m for m in reach[n] if n in reach[m]}) for n in nodes}

    @cache
    def floor(members):
        under = {group[b] for n in members for b in below[n]} - {members}
        return 1 + max((floor(u) for u in under), default=0)

    return {g for g in group.values() if len(g) > 1}, {n: floor(group[n]) for n in nodes}


def storeys(tree):
    """Storey of every room by the table in the tests, where there is one."""
    path = tree / "tests" / "contracts" / "test_structure.py"
    for node in parsed(path).body if path.exists() else []:
        if isinstance(node, ast.Assign) and getattr(node.targets[0], "id", "") == "STOREYS":
            rooms = ast.literal_eval(node.value)
            return {name: level for level, names in enumerate(rooms) for name in names}
    return {}


# ------------------------------------------------------------------------- figures


def rooms_and_arrows(tree, root):
    """Rooms, floors, arrows, arrows upwards and circles."""
    pairs = imports(root)
    arrows = {(room(a, root), room(b, root)) for a, b in pairs}
    # The face of the whole and its command line stand on top; what asks for them names a room.
    arrows = {(a, b) for a, b in arrows if a != b and b != "__init__"}
    groups, floors = circles(frozenset(arrows))
    levels = storeys(tree) or floors
    up = [(a, b) for a, b in arrows if levels[a] < levels[b]]
    files = {(a, b) for a, b in pairs if b.name != "__init__.py"}
    return {
        "files": len(list(root.rglob("*.py"))),
        "folders": len({p.parent for p in root.rglob("*.py")}) - 1,
        "rooms (folders and modules at the top)": len({room(p, root) for p in root.rglob("*.py")}),
        "floors by rooms": max(floors.values()),
        "arrows between rooms": len(arrows),
        "arrows upwards": len(up),
        "circles of rooms": len(groups),
        "circles of files": len(circles(frozenset(files))[0]),
    }


def crossings(tree, root):
    """Imports from one room into files of another.

    A module of its own that the table of storeys lists is its own face.
    """
    listed = storeys(tree)
    across = [(a, b) for a, b in imports(root) if room(a, root) != room(b, root)]
    private = []
    past_face = []
    for a, b in across:
        parts = b.relative_to(root).with_suffix("").parts
        hidden = any(p.startswith("_") and not p.startswith("__") for p in parts)
        if hidden and b.name != "__init__.py" and (len(parts) > 1 or parts[0] not in listed):
            private.append((a, b))
            if len(parts) > 1:
                past_face.append((a, b))
    share = f"{len(private)} ({100 * len(private) / len(across):.0f} %)"
    return {
        "imports across rooms": len(across),
        "  of these, of private modules": share,
        "  of these, past a room's face": len(past_face),
    }


def attributes(tree, *, stored):
    """(owner, name) of private attributes that are set, or read."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute) and node.attr.startswith("_"):
            if node.attr.startswith("__") or isinstance(node.ctx, ast.Store) != stored:
                continue
            yield ast.unparse(node.value), node.attr


def own_names(tree):
    """Private names that a file gives to its own objects: methods, fields, attributes."""
    names = {name for owner, name in attributes(tree, stored=True) if owner == "self"}
    for node in ast.walk(tree):
        if isinstance(node, ast.ClassDef):
            for item in node.body:
                target = getattr(item, "target", None)
                names.add(getattr(item, "name", None) or getattr(target, "id", ""))
    return {name for name in names if name.startswith("_")}


def outside_reads(root):
    """Reads of estimators' private attributes in files of other rooms."""
    names = set()
    for path in root.rglob("*.py"):
        if room(path, root) == ESTIMATORS:
            names |= own_names(parsed(path))
    found = {}
    for path in root.rglob("*.py"):
        if room(path, root) == ESTIMATORS:
            continue
        mine = own_names(parsed(path))
        reads = [
            f"{owner}.{name}"
            for owner, name in attributes(parsed(path), stored=False)
            if name in names - mine and not owner.startswith(("self", "cls", "super"))
        ]
        if reads:
            found[str(path.relative_to(root))] = reads
    return found


def bodies(root):
    """Lines of every function's body, without its docstring."""
    for path in root.rglob("*.py"):
        for node in ast.walk(parsed(path)):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                body = node.body[1:] if ast.get_docstring(node) is not None else node.body
                if body:
                    yield body[-1].end_lineno - body[0].lineno + 1


def probe(tree, runs):
    """Least import time of several fresh interpreters, what was loaded, own bases."""
    environment = os.environ | {"PYTHONPATH": str(tree), "MPLBACKEND": "Agg"}
    answers = []
    for _ in range(runs + 1):
        done = subprocess.run(
            [sys.executable, "-W", "ignore", "-c", PROBE],
            env=environment,
            capture_output=True,
            text=True,
            check=True,
            cwd=tree,
        )
        answers.append(json.loads(done.stdout))
    if not Path(answers[0]["of"]).is_relative_to(tree):
        raise SystemExit(f"imported {answers[0]['of']} in place of {tree}.")
    # The first run may have had to compile and to read from disk.
    return answers[0] | {k: min(a[k] for a in answers[1:]) for k in ("seconds", "whole")}


def measured(tree, runs):
    """All figures of a tree."""
    root = tree / "moe_classic"
    lengths = list(bodies(root))
    reads = outside_reads(root)
    answer = probe(tree, runs)
    return {
        **rooms_and_arrows(tree, root),
        **crossings(tree, root),
        **{f"own classes of {name}": count for name, count in answer["bases"].items()},
        "files that read private attributes of estimators": len(reads),
        "  such reads": sum(map(len, reads.values())),
        "lines of a function's body: median": f"{statistics.median(lengths):g}",
        "lines of a function's body: 95 %": round(float(np.percentile(lengths, 95))),
        "lines of a function's body: longest": max(lengths),
        "import moe_classic, s": f"{answer['seconds']:.3f}",
        "  and moe_classic.MoERegressor, s": f"{answer['whole']:.3f}",
        "import moe_classic loads": ", ".join(answer["loaded"]) or "neither matplotlib nor pandas",
    }


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("trees", nargs="*", type=Path, default=[HERE], metavar="TREE")
    parser.add_argument("--runs", type=int, default=5, help="imports that are timed")
    parser.add_argument("--reads", action="store_true", help="list reads of private attributes")
    options = parser.parse_args()
    trees = [tree.resolve() for tree in options.trees]
    columns = [measured(tree, options.runs) for tree in trees]
    print(f"| | {' | '.join(tree.name for tree in trees)} |")
    print("|---" * (len(trees) + 1) + "|")
    for name in columns[0] | columns[-1]:
        print(f"| {name.strip()} | {' | '.join(str(column.get(name, '')) for column in columns)} |")
    if options.reads:
        for tree in trees:
            for path, reads in sorted(outside_reads(tree / "moe_classic").items()):
                print(f"{tree.name}/{path}: {', '.join(reads)}")


if __name__ == "__main__":
    main()
