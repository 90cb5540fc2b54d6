"""Several processes of one command on this machine, which begin and end together.

They find each other by the environment variables of torchrun. Each of them holds
the reading end of a pipe whose other end its starter has: when the starter is gone,
however it ended, they end as well.
"""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import IO

from napari_relay.cli.group import FAILED, say_error

LOST = 3
"""Exit status of a process that ended only because another one did."""
GRACE = 5.0
"""Seconds that processes get to end by themselves, and again to end when told to."""
FOLLOWS = "NAPARI_RELAY_FOLLOWS_STDIN"
POLL = 0.05


@dataclass(frozen=True)
class Worker:
    """One of the processes."""

    rank: int
    """Its number; 0 alone speaks to the person."""
    process: subprocess.Popen[bytes]
    """It."""
    said: IO[bytes] | None
    """What it says on the standard error stream; None for the one that speaks."""

    @property
    def status(self) -> int | None:
        """Exit status; None while it runs."""
        return self.process.poll()


def run_together(count: int, command: Sequence[str]) -> int:
    """Run a command in ``count`` processes, to the end of them all.

    Ctrl-C is handed on to the first process; once any failed, that one after
    Ctrl-C included, the others are ended. A second Ctrl-C ends all at once.

    Returns
    -------
    int
        The exit status: 0, or the one of the process that failed. What went wrong
        has been said.
    """
    with _workers(count, command) as workers:
        _wait(workers)
        return _settle(workers)


def follow_starter() -> None:
    """End this process when the one that started it is gone, if that was :func:`run_together`."""
    if is_followed():
        threading.Thread(target=_exit_at_end_of_stdin, name="starter", daemon=True).start()


def is_followed() -> bool:
    """Whether :func:`run_together` started this process, and says what went wrong."""
    return FOLLOWS in os.environ


def is_started_together() -> bool:
    """Whether this process was started by :func:`run_together`, or by torchrun."""
    return "TORCHELASTIC_RUN_ID" in os.environ


def is_first() -> bool:
    """Whether this process speaks to the person."""
    return os.environ.get("RANK", "0") == "0" or not is_started_together()


def _exit_at_end_of_stdin() -> None:
    while os.read(0, 1024):
        pass
    os._exit(LOST)


@contextmanager
def _workers(count: int, command: Sequence[str]) -> Iterator[list[Worker]]:
    """Start the processes; none is left when the block ends."""
    workers: list[Worker] = []
    port = _free_port()
    with ExitStack() as stack:
        stack.callback(_end, workers)
        for rank in range(count):
            said = stack.enter_context(tempfile.TemporaryFile()) if rank else None
            workers.append(_start(rank, _environment(rank, count, port), command, said))
        yield workers


def _start(
    rank: int, environment: dict[str, str], command: Sequence[str], said: IO[bytes] | None
) -> Worker:
    process = subprocess.Popen(
        command,
        env=os.environ | environment,
        stdin=subprocess.PIPE,
        stdout=None if said is None else subprocess.DEVNULL,
        stderr=said,
        # Ctrl-C in a terminal reaches its whole foreground group; these hear it from us.
        start_new_session=True,
    )
    return Worker(rank, process, said)


def _environment(rank: int, count: int, port: int) -> dict[str, str]:
    threads = os.environ.get("OMP_NUM_THREADS", str(max((os.cpu_count() or 1) // count, 1)))
    return {
        "RANK": str(rank),
        "LOCAL_RANK": str(rank),
        "GROUP_RANK": "0",
        "WORLD_SIZE": str(count),
        "LOCAL_WORLD_SIZE": str(count),
        "MASTER_ADDR": "127.0.0.1",
        "MASTER_PORT": str(port),
        "TORCHELASTIC_RUN_ID": "napari-relay",
        "OMP_NUM_THREADS": threads,
        FOLLOWS: "1",
    }


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _wait(workers: Sequence[Worker]) -> None:
    """Wait until all ended well, or one did not.

    Raises
    ------
    KeyboardInterrupt
        When Ctrl-C is pressed again.
    """
    asked = False
    while any(w.status is None for w in workers) and not any(w.status for w in workers):
        try:
            time.sleep(POLL)
        except KeyboardInterrupt:
            if asked:
                raise
            asked = True
            workers[0].process.send_signal(signal.SIGINT)


def _settle(workers: Sequence[Worker]) -> int:
    """Let the others end, say what went wrong where nobody did, and return the exit status."""
    _wait_for(workers, GRACE if any(w.status for w in workers) else 0)
    by_itself = {w.rank: w.status for w in workers if w.status is not None}
    _end(workers)
    if by_itself == dict.fromkeys(range(len(workers)), 0):
        return 0
    if by_itself.get(0, LOST) not in (0, LOST) and by_itself[0] > 0:
        return by_itself[0]
    return _say_cause(workers, by_itself)


def _say_cause(workers: Sequence[Worker], by_itself: dict[int, int]) -> int:
    causes = [w for w in workers if by_itself.get(w.rank, 0) not in (0, LOST)]
    for worker in causes:
        if worker.said is not None and by_itself[worker.rank] > 0:
            worker.said.seek(0)
            sys.stderr.write(worker.said.read().decode(errors="replace"))
            return by_itself[worker.rank]
    ended = " and ".join(_described(w, by_itself[w.rank]) for w in causes) or "The processes ended"
    say_error(
        f"{ended}, so the others were stopped; run the same command again: it goes on from its "
        "last checkpoint."
    )
    return FAILED


def _described(worker: Worker, status: int) -> str:
    return f"Process {worker.rank} of the training was ended by {signal.Signals(-status).name}"


def _end(workers: Sequence[Worker]) -> None:
    """End all that still run, and reap them."""
    for worker in workers:
        worker.process.terminate()
    _wait_for(workers, GRACE)
    for worker in workers:
        worker.process.kill()
        worker.process.wait()
        if worker.process.stdin is not None:
            worker.process.stdin.close()


def _wait_for(workers: Sequence[Worker], seconds: float) -> None:
    until = time.monotonic() + seconds
    while time.monotonic() < until and any(w.status is None for w in workers):
        time.sleep(POLL)
