"""A fuzz campaign on the machines of a Dask cluster (extra `cluster`)."""

from __future__ import annotations

import logging
from asyncio import CancelledError
from contextlib import contextmanager
from itertools import islice
from typing import TYPE_CHECKING

from flockcore.errors import FlockError
from flockpit.barrier.jobs import Part, Plan, work
from flockpit.exports import engine_version

if TYPE_CHECKING:
    from collections.abc import Generator

    from distributed import Client, Future

    from flockcore.barrier.report import Report

__all__ = ["on_cluster"]

_PATIENCE_S = 10
"""How long to wait for the scheduler, and for its first worker."""
_AHEAD = 8
"""Parts that are under way for each thread of the workers."""
_RETRIES = 10
"""How often a part is made again; that its worker died counts beside it, in the scheduler."""


def on_cluster(plan: Plan, address: str) -> Generator[Report]:
    """Make the parts on the workers of a scheduler; those of a worker that dies are made again.

    Args:
        plan: What to make. Workers need this version of flockpit, and the module of its policy.
        address: The scheduler's, such as ``tcp://host:8786``.

    Raises:
        FlockError: `distributed` is not installed, no scheduler answers, it has no workers, is
            lost, or its workers cannot do it.
    """
    try:
        import distributed
    except ModuleNotFoundError as error:
        if error.name != "distributed":
            raise
        raise FlockError(
            "a cluster needs Dask, which is not installed: pip install 'flockpit[cluster]'"
        ) from error
    with _quiet(), _connected(distributed.Client, address) as client:
        yield from _made(plan, client, address)


@contextmanager
def _quiet() -> Generator[None]:
    """Keep out what Dask logs of a lost connection: tracebacks, where we say it in one line."""
    before = logging.root.manager.disable
    logging.disable(logging.CRITICAL)
    try:
        yield
    finally:
        logging.disable(before)


def _connected(kind: type[Client], address: str) -> Client:
    try:
        client = kind(address, timeout=_PATIENCE_S, set_as_default=False)
    except (OSError, ValueError, TypeError) as error:
        raise FlockError(
            f"no scheduler answers at {address} within {_PATIENCE_S} s; a Dask scheduler's address"
            f" such as tcp://host:8786 is needed ({_said(error)})"
        ) from error
    try:
        client.wait_for_workers(1, timeout=_PATIENCE_S)
    except Exception as error:
        client.close()
        raise FlockError(f"the scheduler at {address} has no workers") from error
    return client


def _made(plan: Plan, client: Client, address: str) -> Generator[Report]:
    from distributed import as_completed

    def sent(part: Part) -> Future:
        return client.submit(_work, plan, part, engine_version(), retries=_RETRIES, pure=False)

    threads = max(sum(client.nthreads().values()), 1)
    parts = plan.parts(workers=threads)
    try:
        waiting = as_completed(map(sent, islice(parts, _AHEAD * threads)), loop=client.loop)
        for future in waiting:
            report = future.result()
            yield report
            if report.stopped is not None:
                parts = iter(())  # what comes after it would not count
            waiting.update(map(sent, islice(parts, 1)))
    except (Exception, CancelledError) as error:
        raise FlockError(f"the cluster at {address} gave up: {_said(error)}") from error


def _work(plan: Plan, part: Part, version: str) -> Report:
    if engine_version() != version:
        raise FlockError(f"a worker has flockpit {engine_version()}; {version} is needed")
    return work(plan, part)


def _said(error: BaseException) -> str:
    return f"{type(error).__name__}: {error}" if str(error) else type(error).__name__
