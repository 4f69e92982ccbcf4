"""Who does the adding: a loop, threads over blocks, processes over tasks."""

from .libraries import one_thread
from .map_reduce import SerialEngine, ThreadedEngine, make_engine
from .tasks import Workers

__all__ = [
    "SerialEngine",
    "ThreadedEngine",
    "Workers",
    "make_engine",
    "one_thread",
]
