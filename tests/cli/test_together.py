"""Processes that are started together end together, with one sentence."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from napari_relay.cli.together import is_first, is_started_together, run_together

pytestmark = pytest.mark.skipif(os.name == "nt", reason="signals as POSIX has them")

NOTE = "import os, sys, time, signal, pathlib; r = os.environ['RANK']; "
WAIT = "time.sleep(60)"
STARTER = (
    "import sys; from napari_relay.cli.together import run_together; "
    "sys.exit(run_together(2, [sys.executable, '-c', sys.argv[1]]))"
)


def command(code: str) -> list[str]:
    return [sys.executable, "-c", NOTE + code]


def hear_ctrl_c() -> None:
    """Listen, though the tests themselves may run in the background of a shell."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


def is_running(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return "Z" not in Path(f"/proc/{pid}/stat").read_text().split(")")[1].split()[0]


def within(seconds: float) -> Iterator[None]:
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        yield
        time.sleep(0.05)


def written_pids(folder: Path) -> list[int]:
    for _ in within(30):
        found = [file.read_text() for file in folder.glob("*.pid")]
        if len(found) == 2 and all(found):
            return [int(text) for text in found]
    raise AssertionError("the processes did not start")


def writing_pid(folder: Path) -> str:
    return f"pathlib.Path({str(folder)!r}, r + '.pid').write_text(str(os.getpid())); "


def test_each_process_knows_its_place_and_the_first_one_alone_speaks(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    words = "RANK LOCAL_RANK WORLD_SIZE LOCAL_WORLD_SIZE MASTER_ADDR MASTER_PORT"
    code = (
        f"said = ' '.join(os.environ[word] for word in {words!r}.split()); "
        f"pathlib.Path({str(tmp_path)!r}, r).write_text(said); print('I am', r)"
    )
    assert run_together(2, command(code)) == 0
    first, second = ((tmp_path / rank).read_text().split() for rank in "01")
    assert first[:4] == ["0", "0", "2", "2"]
    assert second[:4] == ["1", "1", "2", "2"]
    assert first[4:] == second[4:]
    assert capfd.readouterr().out == "I am 0\n"


def test_a_killed_process_ends_all_with_one_sentence(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    code = writing_pid(tmp_path) + "time.sleep(60) if r == '0' else os.kill(os.getpid(), 9)"
    assert run_together(2, command(code)) == 1
    said = capfd.readouterr().err
    assert said.count("\n") == 1
    assert "Process 1 of the training was ended by SIGKILL" in said
    assert "run the same command again" in said
    assert not any(is_running(pid) for pid in written_pids(tmp_path))


@pytest.mark.parametrize("rank", [0, 1])
def test_what_a_failing_process_says_is_said_once(
    rank: int, capfd: pytest.CaptureFixture[str]
) -> None:
    code = f"r == '{rank}' and sys.exit(print('no such image', file=sys.stderr) or 7); "
    # The other one only notices that its companion is gone.
    assert run_together(2, command(code + "sys.exit(3)")) == 7
    assert capfd.readouterr().err == "no such image\n"


def test_ctrl_c_is_heard_by_the_first_process_which_may_finish_its_step(tmp_path: Path) -> None:
    heard = (
        "r == '0' and signal.signal(2, lambda *_: (print('kept'), sys.stdout.flush(), "
        "os._exit(130))); "
    )
    code = NOTE + heard + writing_pid(tmp_path) + WAIT
    starter = subprocess.Popen(
        [sys.executable, "-c", STARTER, code],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        preexec_fn=hear_ctrl_c,
    )
    pids = written_pids(tmp_path)
    starter.send_signal(signal.SIGINT)
    said, errors = starter.communicate(timeout=30)
    assert (starter.returncode, said, errors) == (130, b"kept\n", b"")
    assert not any(is_running(pid) for pid in pids)


@pytest.mark.parametrize("end", [signal.SIGKILL, signal.SIGTERM])
def test_processes_end_when_their_starter_is_gone(tmp_path: Path, end: int) -> None:
    follow = "from napari_relay.cli.together import follow_starter; follow_starter(); "
    code = NOTE + follow + writing_pid(tmp_path) + WAIT
    starter = subprocess.Popen([sys.executable, "-c", STARTER, code])
    pids = written_pids(tmp_path)
    starter.send_signal(end)
    starter.wait(timeout=30)
    assert any(not any(is_running(pid) for pid in pids) for _ in within(20))


def test_a_process_that_is_deaf_to_polite_requests_is_killed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("napari_relay.cli.together.GRACE", 0.3)
    deaf = "signal.signal(15, signal.SIG_IGN); " + writing_pid(tmp_path)
    other = tmp_path / "0.pid"
    code = (
        f"{deaf} r == '1' and [time.sleep(0.05) for _ in iter("
        f"lambda: pathlib.Path({str(other)!r}).exists(), True)] + [os.kill(os.getpid(), 9)]; "
    )
    assert run_together(2, command(code + WAIT)) == 1
    assert not any(is_running(pid) for pid in written_pids(tmp_path))


def test_a_process_on_its_own_speaks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RANK", "1")
    monkeypatch.delenv("TORCHELASTIC_RUN_ID", raising=False)
    assert is_first()
    assert not is_started_together()
