"""What a fit tells: records of gate and experts, explanations, cards."""

from .cards import html_repr
from .estimator import FittedEstimator
from .explanation import Explanation, explain, explain_margins, explain_rows
from .palette import EXPERT_COLORS, expert_color
from .records import (
    AnyExpert,
    AnyGate,
    FittedGate,
    expert_labels,
    summary_table,
    view_experts,
    view_gate,
)
from .tree import (
    FittedTreeGate,
    PathExplanation,
    TreeNode,
    expert_equations,
    export_graphviz,
    export_text,
    view_tree,
)
from .unwrap import fitted_moe, inner_rows, kind_of

__all__ = [
    "EXPERT_COLORS",
    "AnyExpert",
    "AnyGate",
    "Explanation",
    "FittedEstimator",
    "FittedGate",
    "FittedTreeGate",
    "PathExplanation",
    "TreeNode",
    "expert_color",
    "expert_equations",
    "expert_labels",
    "explain",
    "explain_margins",
    "explain_rows",
    "export_graphviz",
    "export_text",
    "fitted_moe",
    "html_repr",
    "inner_rows",
    "kind_of",
    "summary_table",
    "view_experts",
    "view_gate",
    "view_tree",
]
