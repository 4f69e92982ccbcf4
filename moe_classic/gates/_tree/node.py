"""What may stand at the nodes of a tree."""

from __future__ import annotations

from typing import Any

from moe_classic.gates._constant import ConstantGate
from moe_classic.gates._softmax import SoftmaxGate


def node_gate(node: Any) -> SoftmaxGate | ConstantGate:
    """The gate that ``node=`` of a tree asks for.

    Raises
    ------
    TypeError, ValueError
        If it is no gate, or one that describes x itself.
    """
    known = {"softmax": SoftmaxGate, "constant": ConstantGate}
    if isinstance(node, str) and node in known:
        return known[node]()
    if isinstance(node, (SoftmaxGate, ConstantGate)):
        return node
    if node in ("gaussian", "mixed") or getattr(node, "generative", False):
        raise ValueError(
            f"TreeGate: node={node!r} is a generative gate, it describes x itself; in a "
            "tree that density would be counted once a level. Use node='softmax' or "
            "'constant'."
        )
    if isinstance(node, str):
        raise ValueError(
            f"TreeGate: node={node!r} is not known; choose one of {sorted(known)} or "
            "pass a SoftmaxGate."
        )
    raise TypeError(
        f"TreeGate: node={node!r} must be one of {sorted(known)} or an instance of "
        "moe_classic.gates.SoftmaxGate or ConstantGate."
    )
