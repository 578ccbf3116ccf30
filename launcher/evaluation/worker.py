"""The process behind `tlplan eval` and `tlplan chat`: the only one of theirs with torch.

    python -m launcher.evaluation.worker eval RUN [--data FILE] [--rows N] [--seconds S]
    python -m launcher.evaluation.worker chat RUN
    python -m launcher.evaluation.worker distance MODEL_FOLDER < texts, one JSON line each

eval and distance print one JSON document; chat answers one JSON line a line of stdin.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any

from launcher.errors import DataError, TlplanError
from launcher.runs.folder import RunFolder
from launcher.runs.stored_plan import plan_in_force
from launcher.training.environment import (
    prepare_environment,
    require_packages,
    set_up_libraries,
)

_LONGEST_ANSWER = 128


def main() -> int:
    """Do what was asked; a failure is one JSON line with its code."""
    options = _parsed()
    # Libraries write to stdout as they please; the answer must stay alone there.
    answer, sys.stdout = sys.stdout, sys.stderr
    try:
        if options.command == "distance":
            os.environ.update(HF_HUB_OFFLINE="1", HF_HUB_DISABLE_TELEMETRY="1")
            from launcher.evaluation.distance import distance_of  # torch: some ten seconds

            _say(answer, distance_of(options.run, [json.loads(line) for line in sys.stdin]))
            return 0
        plan = plan_in_force(RunFolder(options.run))
        prepare_environment(plan)
        require_packages(plan)
        set_up_libraries(plan)
        if options.command == "eval":
            from launcher.evaluation.again import evaluate_again  # torch: some ten seconds

            report = evaluate_again(
                options.run, data=options.data, rows=options.rows, seconds=options.seconds
            )
            _say(answer, report)
        else:
            _chat(options.run, answer)
    except TlplanError as failure:
        _say(answer, _error(failure.code.name, failure.message, failure.hints))
        return failure.code
    except Exception as problem:  # noqa: BLE001  the command must be told whatever it was
        traceback.print_exc()
        _say(answer, _error("BUG", f"{type(problem).__name__}: {problem}", ()))
        return 1
    return 0


def _chat(run: Path, answer: Any) -> None:
    from launcher.evaluation.run_models import RunModels  # torch: some ten seconds

    models = RunModels(run)
    untrained = _untrained(models) if models.is_classifier else None
    _say(answer, {"ready": True, "task": models.plan.training.task, "classes": models.classes})
    for line in sys.stdin:
        question = json.loads(line)
        if models.is_classifier:
            try:
                chances = models.chances(question)
                base = None if untrained is None else untrained(question)
                _say(answer, {"chances": chances, "base": base})
            except DataError as failure:  # a path that was mistyped; the models stay loaded
                _say(answer, {"problem": failure.message})
            continue
        for condition in ("base", "tuned"):
            text = models.answer(question, condition, longest_tokens=_LONGEST_ANSWER)
            _say(answer, {"condition": condition, "answer": text})


def _untrained(models: Any) -> Callable[[str], list[tuple[str, float]]] | None:
    """Cosines of each class by the untrained model and few examples; None without the data."""
    from launcher.evaluation.again import nearest_of_run

    try:
        nearest = nearest_of_run(models)
    except TlplanError:
        return None

    def similarities(content: str) -> list[tuple[str, float]]:
        found = nearest.similarities(models.features(content))[0].tolist()
        named = zip((models.classes[number] for number in nearest.classes), found, strict=True)
        return sorted(named, key=lambda item: -item[1])

    return similarities


def _error(code: str, message: str, hints: tuple[str, ...]) -> dict[str, Any]:
    error = {"code": code, "message": message, "hints": list(hints)}
    return {"schema_version": 1, "error": error}


def _say(stream: Any, value: Any) -> None:
    stream.write(json.dumps(value, ensure_ascii=False) + "\n")
    stream.flush()


def _parsed() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m launcher.evaluation.worker")
    parser.add_argument("command", choices=("eval", "chat", "distance"))
    parser.add_argument("run", type=Path)
    parser.add_argument("--data", type=Path)
    parser.add_argument("--rows", type=int, default=100)
    parser.add_argument("--seconds", type=int, default=120)
    options = parser.parse_args()
    options.run = options.run.resolve()
    return options


if __name__ == "__main__":
    sys.exit(main())
