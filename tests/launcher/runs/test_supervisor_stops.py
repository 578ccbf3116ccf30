"""launcher/runs/supervisor.py when it is asked to stop: once, twice, early, in vain."""

from __future__ import annotations

import os
import signal
from dataclasses import replace

from launcher.runs.starting import _spawn
from launcher.runs.state import liveness
from launcher.view.stopping import send_stop
from tests.launcher.run_samples import ended_state, fake_supervision, wait_until
from tests.launcher.runs.conftest import StartRun
from tests.launcher.runs.test_supervisor import events_of, state_of


def test_a_first_stop_saves_and_ends_with_75(start: StartRun) -> None:
    """SIGTERM reaches the worker, which saves; the run is interrupted and resumable."""
    folder = start(hold_after=2)

    os.kill(state_of(folder).supervisor_pid, signal.SIGTERM)

    assert ended_state(folder).exit_code == 75
    assert liveness(folder) == "interrupted"
    assert events_of(folder, "checkpoint")[0]["step"] == 2
    assert events_of(folder, "failed")[0]["hints"] == [
        f"tlplan resume {folder.typed} goes on from the last checkpoint"
    ]


def test_a_second_stop_ends_at_once_with_130(start: StartRun) -> None:
    """A worker that does not react is killed by the second signal."""
    folder = start(hold_after=2, ignores_sigterm=True)
    pid = state_of(folder).supervisor_pid

    os.kill(pid, signal.SIGTERM)
    wait_until(lambda: state_of(folder).phase == "stopping")
    os.kill(pid, signal.SIGINT)

    assert ended_state(folder).exit_code == 130


def test_a_sigterm_that_comes_twice_at_once_is_one_request(start: StartRun) -> None:
    """A scheduler sends it to every process of a run, and `launch` passes its own on."""
    folder = start(grace_seconds=1.0, hold_after=2, ignores_sigterm=True)
    pid = state_of(folder).supervisor_pid

    os.kill(pid, signal.SIGTERM)
    wait_until(lambda: state_of(folder).phase == "stopping")
    send_stop(folder)

    assert ended_state(folder).exit_code == 75


def test_two_requests_that_come_in_one_moment_are_two(start: StartRun) -> None:
    """The second was meant to end it at once, in whichever order the kernel hands them over."""
    folder = start(hold_after=2, ignores_sigterm=True)
    pid = state_of(folder).supervisor_pid

    for number in (signal.SIGSTOP, signal.SIGTERM, signal.SIGINT, signal.SIGCONT):
        os.kill(pid, number)

    assert ended_state(folder).exit_code == 130


def test_a_stop_that_comes_before_the_supervisor_can_take_it_waits(start: StartRun) -> None:
    """It was started with the signal blocked, so it takes it when it is ready: exit code 75."""
    folder = start(hold_after=2)
    os.kill(state_of(folder).supervisor_pid, signal.SIGTERM)
    ended_state(folder)
    told = len(events_of(folder, "phase"))
    before = signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGTERM])
    try:
        pid = _spawn(folder, replace(fake_supervision(), resume=True))
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)

    os.kill(pid, signal.SIGTERM)

    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 75
    assert [each["phase"] for each in events_of(folder, "phase")[told:]] == ["starting"]


def test_a_worker_that_never_stops_is_killed_after_its_grace(start: StartRun) -> None:
    """The run is still resumable: 75, with the reason."""
    folder = start(grace_seconds=0.1, hold_after=2, ignores_sigterm=True)

    os.kill(state_of(folder).supervisor_pid, signal.SIGTERM)

    state = ended_state(folder)
    assert state.exit_code == 75
    assert state.reason == "stopped on request; it did not end in time and was killed"
