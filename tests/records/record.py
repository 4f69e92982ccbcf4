"""Write ``recorded.json`` anew: ``python -m tests.records.record [words of a case's name]``.

Right when numbers are *meant* to change: a better start, another default, a corrected formula, a
new case. The commit says which cases changed and why; a change that moves or renames code has no
reason to come here. With words only cases whose names contain them are computed, which asks for
the arithmetic of the rest; without, all cases are, with the arithmetic that is here. What changed
is printed.
"""

from __future__ import annotations

import importlib.util
import json
import sys
from pathlib import Path
from typing import Any

from .arithmetic import fingerprint
from .cases import CASES
from .digests import assert_same, digests

FILE = Path(__file__).with_name("recorded.json")


def load() -> dict[str, Any]:
    """The record: ``arithmetic`` and ``cases``."""
    return json.loads(FILE.read_text(encoding="utf-8"))


def _line(name: str, values: Any) -> str:
    """A case with one value a line, so that a difference shows what changed."""
    rows = (f"   {json.dumps(k)}: {json.dumps(v)}" for k, v in values.items())
    return f"  {json.dumps(name)}: {{\n" + ",\n".join(rows) + "\n  }"


def save(arithmetic: dict[str, str], cases: dict[str, Any]) -> None:
    """Write the record."""
    lines = ",\n".join(_line(name, values) for name, values in sorted(cases.items()))
    head = json.dumps(arithmetic)
    FILE.write_text(
        f'{{\n "arithmetic": {head},\n "cases": {{\n{lines}\n }}\n}}\n', encoding="utf-8"
    )


def _changed(name: str, new: Any, old: dict[str, Any]) -> str:
    """What became of a case."""
    if name not in old:
        return "new"
    try:
        assert_same(new, old[name])
    except AssertionError as error:
        return "changed: " + " ".join(str(error).split())[:100]
    return ""


def main(words: str = "") -> None:
    """Compute cases and write them down."""
    arithmetic = fingerprint()
    old = load() if FILE.exists() else {"arithmetic": arithmetic, "cases": {}}
    if words and old["arithmetic"] != arithmetic:
        raise SystemExit("the rest was recorded with another arithmetic: record all cases.")
    kept = {k: v for k, v in old["cases"].items() if words and words not in k and k in CASES}
    for name, case in CASES.items():
        if name in kept:
            continue
        missing = [m for m in case.needs if importlib.util.find_spec(m) is None]
        if missing:
            raise SystemExit(f"{name}: install {', '.join(missing)}.")
        kept[name] = digests(case.run())
        if told := _changed(name, kept[name], old["cases"]):
            sys.stdout.write(f"{name}: {told}\n")
    save(arithmetic, kept)
    sys.stdout.write(f"{len(kept)} cases in {FILE.name}\n")


if __name__ == "__main__":
    main(" ".join(sys.argv[1:]))
