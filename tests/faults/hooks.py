"""Faults that come from inside a worker, set off at an exact place.

They are put into the forked worker before it starts; the program itself knows nothing of them.
A fault is a dict with a `kind`; with `once` it happens in the first worker only.
"""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

Fault = dict[str, Any]


def install(fault: Fault | None, run: Path) -> None:
    """Arrange for `fault` in this very process."""
    if not fault or not _first_time(fault, run):
        return
    _KINDS[fault["kind"]](fault, run)


def _first_time(fault: Fault, run: Path) -> bool:
    return not (fault.get("once", True) and _marker(run).exists())


def _marker(run: Path) -> Path:
    return run.with_name(f"{run.name}.happened")


def _happens(run: Path) -> None:
    _marker(run).touch()


def _nan(fault: Fault, run: Path) -> None:
    """A loss, a gradient or a weight becomes NaN in one step."""
    _in_step(fault, run, _poison)


def _poison(trainer: Any, fault: Fault, loss: Any) -> Any:
    import torch

    if fault["where"] == "loss":
        return loss * float("nan")
    trained = [each for each in trainer.model.parameters() if each.requires_grad]
    with torch.no_grad():
        target = trained[-1].grad if fault["where"] == "gradient" else trained[-1]
        target[..., 0] = float(fault.get("value", "nan"))
    return loss


def _raise(fault: Fault, run: Path) -> None:
    """An exception of a library, worded by the driver, in a step, an evaluation or elsewhere."""
    where = fault.get("where", "step")
    if where == "step":
        _in_step(fault, run, _refuse)
        return
    import launcher.training.run as training
    from launcher.training import measuring
    from launcher.training.classifier_measuring import ClassifierMeasurements

    places: dict[str, list[tuple[Any, str]]] = {
        "evaluate": [(measuring, "held_out_loss"), (ClassifierMeasurements, "probabilities")],
        "save": [(training, "save_result")],
    }

    def refuse(*_: Any, **__: Any) -> None:
        _happens(run)
        raise RuntimeError(fault["text"])

    for module, name in places[where]:
        setattr(module, name, refuse)


def _refuse(_trainer: Any, fault: Fault, _loss: Any) -> Any:
    raise RuntimeError(fault["text"])


def _hang(fault: Fault, run: Path) -> None:
    """A step never ends."""
    _in_step(fault, run, lambda *_: time.sleep(3600))


def _at_call(fault: Fault, run: Path) -> None:
    """Something happens at the n-th call of a function that saving is made of."""
    import safetensors.torch
    import torch

    place: tuple[Any, str] = {
        "fsync": (os, "fsync"),
        "rename": (Path, "rename"),
        "write": (Path, "write_text"),
        "state": (torch, "save"),
        "weights": (safetensors.torch, "save_file"),
    }[fault["call"]]
    module, name = place
    real = getattr(module, name)
    calls = {"left": fault["nth"]}

    def counted(*arguments: Any, **options: Any) -> Any:
        calls["left"] -= 1
        if calls["left"] == 0:
            _happens(run)
            _act(fault, run)
        return real(*arguments, **options)

    setattr(module, name, counted)


def _act(fault: Fault, run: Path) -> None:
    if fault["act"] == "fill":
        fill(run.parent, leave_bytes=fault.get("leave", 0))
        return
    if fault["act"] in ("kill supervisor", "kill both"):
        os.kill(os.getppid(), signal.SIGKILL)
    if fault["act"] in ("kill worker", "kill both"):
        os.kill(os.getpid(), signal.SIGKILL)


def _at_phase(fault: Fault, run: Path) -> None:
    """Signals to worker or supervisor at the moment when a phase begins."""
    from launcher.runs.events import EventLog

    real = EventLog.append
    target = os.getppid() if fault["to"] == "supervisor" else os.getpid()
    waited = {"left": fault.get("nth", 1)}

    def told(log: EventLog, event_type: str, /, **fields: Any) -> None:
        real(log, event_type, **fields)
        if event_type != fault.get("event", "phase"):
            return
        if event_type == "phase" and fields["phase"] != fault["phase"]:
            return
        waited["left"] -= 1
        if waited["left"] == 0 and not _marker(run).exists():
            _happens(run)
            for number in fault["signals"]:
                # The supervisor is told first: the worker may not live to do it.
                if fault["to"] == "both":
                    os.kill(os.getppid(), number)
                os.kill(target, number)
                time.sleep(fault.get("pause", 0))

    EventLog.append = told  # type: ignore[method-assign]


def _hold(fault: Fault, run: Path) -> None:
    """The worker waits behind a step until it is told to go on."""
    from launcher.runs.events import EventLog

    real = EventLog.append

    def told(log: EventLog, event_type: str, /, **fields: Any) -> None:
        real(log, event_type, **fields)
        if event_type == "step" and fields["step"] == fault["step"] and not _marker(run).exists():
            _happens(run)
            while not going_on(run).exists():
                time.sleep(0.01)

    EventLog.append = told  # type: ignore[method-assign]


def going_on(run: Path) -> Path:
    """The file whose being there ends a `hold`."""
    return run.with_name(f"{run.name}.go")


def held(run: Path) -> bool:
    """Whether a worker waits, or has waited, at its `hold`."""
    return _marker(run).exists()


def _fill(fault: Fault, run: Path) -> None:
    """The disk of the run is filled up, but for `leave` bytes, when an event is written."""
    from launcher.runs.events import EventLog

    real = EventLog.append
    waited = {"left": fault.get("nth", 1)}

    def told(log: EventLog, event_type: str, /, **fields: Any) -> None:
        real(log, event_type, **fields)
        if event_type != fault["event"] or fields.get("phase") != fault.get("phase"):
            return
        waited["left"] -= 1
        if waited["left"] == 0:
            _happens(run)
            fill(run.parent, leave_bytes=fault.get("leave", 0))

    EventLog.append = told  # type: ignore[method-assign]


def fill(folder: Path, *, leave_bytes: int) -> None:
    """Take all space of the disk of `folder` but `leave_bytes`, in a file named filler."""
    usage = os.statvfs(folder)
    with (folder / "filler").open("wb") as file:
        os.posix_fallocate(file.fileno(), 0, usage.f_bavail * usage.f_frsize - leave_bytes)


def _clock(fault: Fault, run: Path) -> None:
    """The wall clock jumps at a step, for the worker and for its supervisor."""
    jump_clock(fault, run)

    def nothing(_trainer: Any, _fault: Fault, loss: Any) -> Any:
        return loss

    _in_step(fault, run, nothing)


def jump_clock(fault: Fault, run: Path) -> None:
    """From the moment the fault has happened, time.time() is some seconds off."""
    real = time.time
    marker = _marker(run)

    def jumped() -> float:
        return real() + (fault["seconds"] if marker.exists() else 0)

    time.time = jumped


def _memory(fault: Fault, run: Path) -> None:
    """Host memory is nearly used up in a step, which lasts until the supervisor has seen it."""
    from launcher.training.stopping import StopRequest

    real = StopRequest._on_save_signal
    asked: list[bool] = []

    def told(stop: Any, *arguments: Any) -> None:
        real(stop, *arguments)
        asked.append(True)

    def wait(_trainer: Any, _fault: Fault, loss: Any) -> Any:
        deadline = time.monotonic() + 60
        while not asked and time.monotonic() < deadline:
            time.sleep(0.01)
        return loss

    StopRequest._on_save_signal = told  # type: ignore[method-assign]
    _in_step(fault, run, wait)


def use_up_memory(run: Path) -> None:
    """From the moment the fault has happened, the supervisor reads little memory as left."""
    from launcher.runs import memory_watch

    real = memory_watch.read_host_memory

    def read() -> Any:
        host = real()
        return host._replace(available_bytes=100 << 20) if _marker(run).exists() else host

    memory_watch.read_host_memory = read


def _in_step(fault: Fault, run: Path, act: Callable[..., Any]) -> None:
    """Call `act` behind the backward pass of the step that `fault` names."""
    from launcher.training.trainer import SafeSaving

    def step(trainer: Any, *arguments: Any, **options: Any) -> Any:
        loss = super(SafeSaving, trainer).training_step(*arguments, **options)
        over = fault.get("once", True) and _marker(run).exists()
        if trainer.state.global_step + 1 != fault["step"] or over:
            return loss
        _happens(run)
        return act(trainer, fault, loss)

    SafeSaving.training_step = step  # type: ignore[method-assign]


_KINDS: dict[str, Callable[[Fault, Path], None]] = {
    "nan": _nan,
    "raise": _raise,
    "hang": _hang,
    "hold": _hold,
    "call": _at_call,
    "signal": _at_phase,
    "clock": _clock,
    "fill": _fill,
    "memory": _memory,
}
