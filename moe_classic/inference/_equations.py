"""Equations about parameters, such as ``x[1] = x[2]``, as rows of a matrix.

::

    equations   sum = sum [= sum ...] [, equations]
    sum         [-] term {+ term | - term}
    term        number | [number *] parameter
    parameter   [part :] name [ [expert] ]
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import pandas as pd

from moe_classic._components import spoken
from moe_classic._typing import Bools, Floats

_TOKEN = re.compile(
    r"\s*(?:(?P<number>(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?)|`(?P<quoted>[^`]+)`"
    r"|(?P<name>[^\W\d][\w.]*)|(?P<sign>[-+*=,:\[\]]))"
)


@dataclass(frozen=True)
class _Sum:
    """Linear combinations of parameters plus constants: rows (m, M) and (m,)."""

    rows: Floats
    constant: Floats

    def plus(self, other: _Sum, sign: float) -> _Sum:
        """Sum or difference; a single combination goes with each of the other's."""
        return _Sum(self.rows + sign * other.rows, self.constant + sign * other.constant)

    @property
    def count(self) -> int:
        """Number of combinations."""
        return len(self.rows)


def linear_hypothesis(index: pd.MultiIndex, text: str) -> tuple[Floats, Floats]:
    """R (m, M) and r (m,) of the equations ``R b = r`` about parameters with labels ``index``."""
    return _Reader(index, text).equations()


class _Reader:
    """Reads one text from left to right."""

    def __init__(self, index: pd.MultiIndex, text: str) -> None:
        self.text, self.tokens, self.at = text, _tokens(text), 0
        self.labels = index.to_frame(index=False)
        kinds = set(self.labels["kind"])
        pairs = zip(self.labels["kind"], self.labels["term"], strict=True)
        self.spoken = np.array([spoken(kind, term, kinds) for kind, term in pairs])
        self.experts = list(dict.fromkeys(e for e in self.labels["expert"] if e))

    def equations(self) -> tuple[Floats, Floats]:
        """All of the text."""
        R, r = [], []
        while True:
            sides = [self._sum()]
            while self._take("="):
                sides.append(self._sum())
            if len(sides) == 1:
                raise self._error("has no '='")
            for left, right in pairwise(sides):
                gap = self._joined(left, right, -1.0)
                R.append(gap.rows)
                r.append(-gap.constant)
            if not self._take(","):
                break
        if self.at < len(self.tokens):
            raise self._error(f"goes on with {self.tokens[self.at][1]!r} where it could end")
        rows = np.concatenate(R)
        if not rows.any(axis=1).all():
            raise self._error("has an equation without a parameter")
        return rows, np.concatenate(r)

    def _sum(self) -> _Sum:
        """Terms with their signs."""
        total = self._scaled(-1.0) if self._take("-") else self._scaled(1.0)
        while True:
            if self._take("+"):
                total = self._joined(total, self._scaled(1.0), 1.0)
            elif self._take("-"):
                total = self._joined(total, self._scaled(1.0), -1.0)
            else:
                return total

    def _joined(self, left: _Sum, right: _Sum, sign: float) -> _Sum:
        """Two sums, where their numbers of combinations allow it."""
        if left.count != right.count and 1 not in (left.count, right.count):
            raise self._error(
                f"puts {left.count} parameters beside {right.count}; name experts in brackets"
            )
        return left.plus(right, sign)

    def _scaled(self, sign: float) -> _Sum:
        """A number, a parameter, or their product."""
        kind, word = self._next()
        if kind != "number":
            self.at -= 1
            return self._parameter(sign)
        value = sign * float(word)
        if self._take("*"):
            return self._parameter(value)
        return _Sum(np.zeros((1, len(self.labels))), np.array([value]))

    def _parameter(self, factor: float) -> _Sum:
        """One name: a row for each parameter that is called so."""
        part, name = None, self._name()
        if self._take(":"):
            part, name = name, self._name()
        found = self._of_part(part) & self._called(name)
        if self._take("["):
            found &= self._of_expert()
            if not self._take("]"):
                raise self._error("lacks a ']'")
        if not found.any():
            raise self._unknown(name)
        places = np.flatnonzero(found)
        if len(set(self.labels["kind"][places])) > 1:
            raise self._error(f"is not clear: {name!r} is {sorted(set(self.spoken[places]))}")
        rows = np.zeros((places.size, len(self.labels)))
        rows[np.arange(places.size), places] = factor
        return _Sum(rows, np.zeros(places.size))

    def _of_part(self, part: str | None) -> Bools:
        """Parameters of experts, of one output of theirs, or of the gate."""
        parts = self.labels["part"].to_numpy()
        if part is None:
            return np.asarray(parts != "gate")
        found = np.isin(parts, [part, f"expert: {part}"])
        if not found.any():
            raise self._error(f"names a part {part!r}; there are {sorted(set(parts))}")
        return np.asarray(found)

    def _called(self, name: str) -> Bools:
        """Parameters with a name, as tables or as pages have it."""
        exact = self.spoken == name
        return exact if exact.any() else np.asarray(self.labels["term"] == name)

    def _of_expert(self) -> Bools:
        """Parameters of the expert in brackets."""
        kind, word = self._next()
        if kind == "number":
            if not word.isdigit() or not 1 <= int(word) <= len(self.experts):
                raise self._error(f"names expert {word}; they are 1 to {len(self.experts)}")
            word = self.experts[int(word) - 1]
        elif word not in self.experts:
            raise self._error(f"names expert {word!r}; there are {self.experts}")
        return np.asarray(self.labels["expert"] == word)

    # -------------------------------------------------------------------- words

    def _next(self) -> tuple[str, str]:
        """The next word."""
        if self.at == len(self.tokens):
            raise self._error("ends too early")
        self.at += 1
        return self.tokens[self.at - 1]

    def _take(self, sign: str) -> bool:
        """Whether the next word is ``sign``; if so it is passed."""
        here = self.at < len(self.tokens) and self.tokens[self.at] == ("sign", sign)
        self.at += here
        return here

    def _name(self) -> str:
        """The next word, which must be a name."""
        kind, word = self._next()
        if kind != "name":
            raise self._error(f"has {word!r} where a parameter should be")
        return word

    def _error(self, what: str) -> ValueError:
        """What is wrong with the text."""
        return ValueError(
            f"hypothesis={self.text!r} {what}. Write equations such as 'x[1] = x[2]', 'x = 0', "
            "'gate: x = 0', with names in backticks where they have spaces."
        )

    def _unknown(self, name: str) -> ValueError:
        """A name that no parameter has there."""
        there = list(dict.fromkeys(self.spoken.tolist()))
        if (self.spoken[np.asarray(self.labels["expert"] == "all")] == name).any():
            return self._error(f"names {name!r} of one expert, but all share it: '{name}[all]'")
        listed = ", ".join(map(repr, there[:10])) + (" ..." if len(there) > 10 else "")
        return self._error(f"names {name!r}, which is not there; the tables have {listed}")


def _tokens(text: str) -> list[tuple[str, str]]:
    """Words of a text with their kinds."""
    found, at = [], 0
    stripped = text.rstrip()
    while at < len(stripped):
        match = _TOKEN.match(stripped, at)
        if match is None:
            raise ValueError(
                f"hypothesis={text!r} cannot be read from {stripped[at:][:20]!r} on. Names with "
                "other than letters, digits, points and underscores stand in backticks."
            )
        kind = str(match.lastgroup)
        found.append(("name" if kind == "quoted" else kind, str(match[kind])))
        at = match.end()
    return found
