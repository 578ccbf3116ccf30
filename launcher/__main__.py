"""Where tlplan starts, and the one place where a failure becomes lines and an exit code."""

from __future__ import annotations

import gc
import os
import sys
from collections.abc import Sequence

from launcher.exit_codes import ExitCode

_ALLOCATIONS = 50_000
"""Objects made between two looks for garbage; Python's own 700 are a look for each module."""


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command in `argv` (without the program's name) and return its exit code."""
    # An answer makes little garbage; looking for it while modules load takes a tenth of the time.
    gc.set_threshold(_ALLOCATIONS)
    words = list(sys.argv[1:] if argv is None else argv)
    code: int = ExitCode.DONE
    try:
        try:
            code = _answer(words)
        except BrokenPipeError:
            raise
        except (Exception, KeyboardInterrupt) as failure:  # noqa: BLE001  (the last one there is)
            from launcher.cli.failure import tell

            code = tell(failure, as_json="--json" in words)
        if sys.stdout is not None:
            sys.stdout.flush()
    except BrokenPipeError:
        # The reader has seen enough, as in `| head -3`. What is left would be told at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return int(code)


def _answer(words: list[str]) -> int:
    if words == ["--version"]:
        from launcher.version import VERSION

        sys.stdout.write(f"tlplan {VERSION}\n")
        return ExitCode.DONE
    if not words:
        from launcher.cli.open_wizard import can_open, open_wizard

        if can_open():
            return open_wizard()
    if not words or words in (["--help"], ["-h"]):
        from launcher.cli.help import show_short_help

        return show_short_help(asked=bool(words))
    from launcher.cli.command_line import parse

    try:
        module, arguments = parse(words)
    except SystemExit:  # argparse ends so after a command's --help
        return ExitCode.DONE
    code: int = module.run(arguments)
    return code


if __name__ == "__main__":
    sys.exit(main())
