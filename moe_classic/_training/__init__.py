"""From arguments and rows to the best parameters: components bound, starts, long runs."""

from .bound_model import Plan, bind
from .buffer import Kept
from .failures import report_fits, warn_failure
from .finalists import Run
from .online import OnlineState, check_online, observe, step
from .progress import Watch
from .resolve import by_name, resolve_experts, resolve_gate
from .starts import STRATEGIES, View, params_from_responsibilities, soften
from .thresholds import best_cut
from .trainer import SHORT_PASSES, Ground, StreamTrainer, Trained, Trainer, unwatched
from .wrap import (
    adapted,
    components,
    describes_outputs,
    keeps_target,
    labelled,
    learns_by_batches,
    refuse_blocks,
    wrapped_expert,
    wrapped_gate,
)

__all__ = [
    "SHORT_PASSES",
    "STRATEGIES",
    "Ground",
    "Kept",
    "OnlineState",
    "Plan",
    "Run",
    "StreamTrainer",
    "Trained",
    "Trainer",
    "View",
    "Watch",
    "adapted",
    "best_cut",
    "bind",
    "by_name",
    "check_online",
    "components",
    "describes_outputs",
    "keeps_target",
    "labelled",
    "learns_by_batches",
    "observe",
    "params_from_responsibilities",
    "refuse_blocks",
    "report_fits",
    "resolve_experts",
    "resolve_gate",
    "soften",
    "step",
    "unwatched",
    "warn_failure",
    "wrapped_expert",
    "wrapped_gate",
]
