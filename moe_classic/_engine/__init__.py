"""Who does the adding: a loop, threads or processes over blocks, processes over tasks."""

from .libraries import one_thread
from .map_reduce import SerialEngine, ThreadedEngine
from .processes import ProcessEngine, make_engine
from .tasks import Workers

__all__ = [
    "ProcessEngine",
    "SerialEngine",
    "ThreadedEngine",
    "Workers",
    "make_engine",
    "one_thread",
]
