"""Puts the fault that FAULT holds as JSON into each worker that is started cold.

Python imports this file by its name at every start, where its folder is on PYTHONPATH.
"""

import json
import os
import sys
from pathlib import Path

_WORKER = "launcher.training.worker"

if _WORKER in sys.orig_argv and "FAULT" in os.environ:
    from tests.faults import hooks

    run = Path(sys.orig_argv[sys.orig_argv.index(_WORKER) + 1])
    hooks.install(json.loads(os.environ["FAULT"]), run)
