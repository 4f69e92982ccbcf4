"""How values are written down and compared: every digit of a few entries, and sums of the rest."""

from __future__ import annotations

from typing import Any

import numpy as np

from .registry import OPTIMUM, Case, Values

#: Entries of an array that are written down one by one.
_HEAD = 12

#: Relative to an array's largest entry. What only moves the code gives the same bits; a sum that is
#: taken in another order moves the last digits of an optimum by some 1e-13, conditioning included.
SAME = 1e-10
#: Closed forms on another machine: exp and log differ in the last digit, a few operations follow.
CLOSED = 1e-6
#: Fits stop where less than tol = 1e-6 nats per unit of weight are estimated to be left; the
#: estimate is rough by an order or two where EM is slow, and paths differ between machines.
AT_OPTIMUM = 1e-4

Record = dict[str, Any]


def _sums(x: np.ndarray) -> dict[str, float]:
    """Sums over the finite entries: plain, of sizes, and one that depends on the order."""
    finite = np.where(np.isfinite(x), x, 0.0)
    wave = np.cos(np.arange(x.size))
    return {
        "sum": float(finite.sum()),
        "size": float(np.abs(finite).sum()),
        "wave": float(finite @ wave),
        "odd": int((~np.isfinite(x)).sum()),
    }


def digest(value: Any) -> Any:
    """What is written down of a value; JSON keeps all digits of a float."""
    if isinstance(value, str):
        return value
    given = np.asarray(value)
    if given.dtype.kind in "OSU":
        return " ".join(map(str, given.ravel()))
    x = given.astype(np.float64)
    record: Record = {"shape": list(x.shape), "head": x.ravel()[:_HEAD].tolist()}
    return record | (_sums(x.ravel()) if x.size > _HEAD else {})


def digests(values: Values) -> dict[str, Any]:
    """Digests of all values of a case."""
    return {name: digest(value) for name, value in values.items()}


def _scale(head: np.ndarray) -> float:
    """Largest finite entry."""
    return float(np.abs(head[np.isfinite(head)]).max(initial=0.0))


def _assert_close(new: Any, old: Any, tolerance: float, name: str) -> None:
    """Compare two digests, entries relative to the largest, sums to that of the sizes."""
    if isinstance(old, str):
        assert new == old, name
        return
    assert isinstance(new, dict), name
    assert new["shape"] == old["shape"], name
    was = np.array(old["head"])
    error = {"rtol": tolerance, "atol": tolerance * _scale(was), "err_msg": name}
    np.testing.assert_allclose(np.array(new["head"]), was, **error)
    assert new.keys() == old.keys(), name
    if "sum" in old:
        assert new["odd"] == old["odd"], name
        for part in ("sum", "size", "wave"):
            assert abs(new[part] - old[part]) <= tolerance * old["size"], f"{part} of {name}"


def assert_same(new: Record, old: Record, tolerance: float = SAME) -> None:
    """Compare all values of a case."""
    assert new.keys() == old.keys(), f"answers {sorted(new.keys() ^ old.keys())}"
    for name, was in old.items():
        _assert_close(new[name], was, tolerance, name)


def _finite(record: Any) -> bool:
    """Whether all entries of a digest are finite; texts are."""
    if isinstance(record, str):
        return True
    return bool(np.isfinite(record["head"]).all()) and not record.get("odd", 0)


def assert_alike(case: Case, new: Record, old: Record) -> None:
    """Compare what does not depend on the arithmetic.

    Where an optimum is not isolated, or a comparison of nearly equal numbers decides, another last
    digit may lead elsewhere: what remains is that there are the same answers, finite as they were.
    """
    if case.closed:
        assert_same(new, old, CLOSED)
        return
    assert new.keys() == old.keys()
    for name, was in old.items():
        assert _finite(new[name]) or not _finite(was), name
        if name.startswith(OPTIMUM):
            error = {"rtol": 0.0, "atol": AT_OPTIMUM, "err_msg": name}
            np.testing.assert_allclose(new[name]["head"], was["head"], **error)
