"""What a fit tells: records of gate and experts, explanations, cards."""

from .cards import expert_cards, html_repr
from .estimator import FittedEstimator
from .explanation import Explanation, check_min_weight, explain, explain_margins, explain_rows
from .fitted import FittedBlend, FittedMixture
from .importance import importances, one_equation
from .net import FittedNet, tokens_of
from .palette import EXPERT_COLORS, expert_color
from .printed import PrintedTable, Section, number, probability
from .records import (
    AnyExpert,
    AnyGate,
    FittedGate,
    expert_labels,
    summary_table,
    term_index,
    view_experts,
    view_gate,
)
from .remarks import ALIASED, CONSTANT, SEPARATED
from .subjects import (
    gathered_subjects,
    numbered_subjects,
    require_groups,
    subject_log_gate,
    subject_log_joint,
    subject_weights,
    told_experts,
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
from .unwrap import (
    checked_pairs,
    checked_rows,
    column_names,
    fitted_experts,
    fitted_mixture,
    fitted_moe,
    fitted_net,
    fitted_record,
    inner_rows,
    kind_of,
    told_ends,
    with_record,
)

__all__ = [
    "ALIASED",
    "CONSTANT",
    "EXPERT_COLORS",
    "SEPARATED",
    "AnyExpert",
    "AnyGate",
    "Explanation",
    "FittedBlend",
    "FittedEstimator",
    "FittedGate",
    "FittedMixture",
    "FittedNet",
    "FittedTreeGate",
    "PathExplanation",
    "PrintedTable",
    "Section",
    "TreeNode",
    "check_min_weight",
    "checked_pairs",
    "checked_rows",
    "column_names",
    "expert_cards",
    "expert_color",
    "expert_equations",
    "expert_labels",
    "explain",
    "explain_margins",
    "explain_rows",
    "export_graphviz",
    "export_text",
    "fitted_experts",
    "fitted_mixture",
    "fitted_moe",
    "fitted_net",
    "fitted_record",
    "gathered_subjects",
    "html_repr",
    "importances",
    "inner_rows",
    "kind_of",
    "number",
    "numbered_subjects",
    "one_equation",
    "probability",
    "require_groups",
    "subject_log_gate",
    "subject_log_joint",
    "subject_weights",
    "summary_table",
    "term_index",
    "tokens_of",
    "told_ends",
    "told_experts",
    "view_experts",
    "view_gate",
    "view_tree",
    "with_record",
]
