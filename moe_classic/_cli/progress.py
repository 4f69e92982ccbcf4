"""What the command says while it works: a line for each result, and a bar where rich draws one."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any


def say(text: str = "") -> None:
    """Write lines to standard output at once."""
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


@contextmanager
def progress(total: int) -> Iterator[Callable[[str], None]]:
    """Hands out what is told each result in a line.

    A bar of what is done stands below the lines where rich is installed and somebody looks on.
    """
    done, bar = 0, _bar()
    task = None if bar is None else bar.add_task("comparing", total=total)

    def tell(result: str) -> None:
        nonlocal done
        done += 1
        say(f"{done:>{len(str(total))}}/{total}  {result}")
        if bar is not None and task is not None:
            bar.advance(task)

    if bar is None:
        yield tell
        return
    with bar:
        yield tell


def _bar() -> Any:
    """A bar on standard error, None where it could not be seen or rich is not there."""
    if not sys.stderr.isatty():
        return None
    try:
        from rich.console import Console
        from rich.progress import BarColumn, MofNCompleteColumn, Progress, TimeElapsedColumn
    except ImportError:
        return None
    columns = (BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    return Progress(*columns, console=Console(stderr=True), transient=True)
