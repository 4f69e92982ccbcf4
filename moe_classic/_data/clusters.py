"""The Dask cluster that answers, and what is said when nobody does."""

from __future__ import annotations

import pickle
import sys
import uuid
from concurrent.futures import CancelledError
from typing import Any

#: Seconds to wait for a worker, and between looks at a pass that is under way.
_PATIENCE = 10.0
#: Bytes of a question that every task may carry.
_FEW_BYTES = 100_000


class Cluster:
    """Dask's client of the moment of the first question, or its scheduler of this machine."""

    def __init__(self) -> None:
        self._client: Any = None
        self._asked = False

    def computed(self, value: Any) -> Any:
        """The value of something delayed.

        Raises
        ------
        ConnectionError
            If there are no workers, or nobody answers any more.
        """
        if not self._asked:
            self._client, self._asked = _current_client(), True
        if self._client is None:
            return value.compute()
        self._check_client()
        try:
            return self._waited_for(self._client.compute(value))
        except _lost() as error:
            raise ConnectionError(_told(error)) from error

    def sendable(self, value: Any) -> Any:
        """What tasks are given, for :func:`received` to give back the value.

        Few bytes go with every task. As a task of its own, which each worker is sent once, it would
        draw tasks to the worker that happened to have it first, away from their rows.
        """
        if self._client is None:
            return _apart(value)
        from cloudpickle import dumps

        packed = dumps(value)
        return packed if len(packed) <= _FEW_BYTES else _apart(packed)

    def memory(self) -> float:
        """Bytes that all workers together may have; 0 where nobody says, or all is here."""
        if self._client is None:
            return 0.0
        self._check_client()
        return float(sum(self._client.run(_memory_limit).values()))

    def kept(self, values: list[Any]) -> list[Any]:
        """The same values, computed once and kept by the workers for as long as these are."""
        kept: list[Any] = self._client.persist(values)
        return kept

    def _waited_for(self, future: Any) -> Any:
        """The result of a future, whose cluster is looked at every now and then."""
        try:
            while True:
                try:
                    return future.result(timeout=_PATIENCE)
                except TimeoutError:
                    if future.status == "error":  # a task's own
                        raise
                self._check_client()
        finally:
            future.release()

    def _check_client(self) -> None:
        """Raise unless the client is open and its cluster has somebody to work."""
        if self._client.status not in {"running", "connecting"}:
            raise ConnectionError(
                f"the Dask client that this fit began with is {self._client.status}. Connect a new "
                "one and fit again."
            )
        try:
            self._client.wait_for_workers(1, timeout=_PATIENCE)
        except TimeoutError as error:
            raise ConnectionError(
                f"the cluster of the Dask client {self._client!r} has no workers, after waiting "
                f"{_PATIENCE:g} s. Start some, for example by client.cluster.scale(2), and fit "
                "again."
            ) from error


def received(sent: Any) -> Any:
    """The value that :meth:`Cluster.sendable` was given."""
    return pickle.loads(sent) if isinstance(sent, bytes) else sent


def _apart(value: Any) -> Any:
    """An object of its own in the graph."""
    from dask.delayed import delayed

    return delayed(value, name=f"moe-{uuid.uuid4().hex}", traverse=False)


def _memory_limit(dask_worker: Any) -> float:
    """Bytes that a worker may have, 0 where there is no limit."""
    return float(getattr(dask_worker.memory_manager, "memory_limit", 0) or 0)


def _current_client() -> Any:
    """The client that Dask would ask, None if it has a scheduler of this machine."""
    from dask import config

    distributed = sys.modules.get("distributed")
    asked = config.get("scheduler", None)
    if distributed is None or asked not in {None, "distributed", "dask.distributed"}:
        return None
    try:
        return distributed.default_client()
    except ValueError as error:
        if asked is None:
            return None
        raise ConnectionError(
            "Dask is set to compute on a cluster, and no client is open. Connect one, or choose "
            'a scheduler of this machine: dask.config.set(scheduler="threads").'
        ) from error


def _lost() -> tuple[type[Exception], ...]:
    """What Dask raises when nobody answers."""
    from distributed.comm.core import CommClosedError
    from distributed.scheduler import KilledWorker

    return CommClosedError, CancelledError, KilledWorker


def _told(error: BaseException) -> str:
    """What became of the cluster, and what to do."""
    what = f"({type(error).__name__}: {str(error).splitlines()[0] if str(error) else 'no more'})"
    if type(error).__name__ == "KilledWorker":
        return (
            "a partition has ended one Dask worker after another, perhaps for want of memory; make "
            f"partitions smaller, by repartition or rechunk, and fit again. {what}"
        )
    return (
        "the Dask cluster was lost during a pass over the rows. Connect a new client and fit "
        f"again. {what}"
    )
