"""How far rows are from what a model knows: its loss per token on them, against general text."""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from launcher.errors import UsageError
from launcher.evaluation.bootstrap import mean_interval
from launcher.evaluation.likelihood import general_suite, text_losses

LONGEST_TOKENS = 256
"""Of each text; a beginning is enough to be surprised by."""
_SECONDS = 60.0
"""After this no further row is measured."""
_FEWEST_ROWS = 16


def distance_of(model_folder: Path, texts: Sequence[str]) -> dict[str, Any]:
    """Nats a token: on the rows, on general text, and the difference with its interval.

    Raises UsageError for a model that is no causal language model.
    """
    import torch
    import transformers

    loaders: Any = transformers
    try:
        model = loaders.AutoModelForCausalLM.from_pretrained(
            str(model_folder), use_safetensors=True, trust_remote_code=False
        )
    except ValueError as problem:
        raise UsageError(f"{model_folder}: {str(problem).splitlines()[0]}") from None
    model = model.float().eval()
    tokenizer = loaders.AutoTokenizer.from_pretrained(str(model_folder))
    deadline = time.monotonic() + _SECONDS
    with torch.no_grad():
        rows = text_losses(model, tokenizer, texts[:_FEWEST_ROWS], longest=LONGEST_TOKENS)
        rows += text_losses(
            model,
            tokenizer,
            texts[_FEWEST_ROWS:],
            longest=LONGEST_TOKENS,
            going_on=lambda: time.monotonic() < deadline,
        )
        general = text_losses(model, tokenizer, general_suite()[1], longest=LONGEST_TOKENS)
    if not rows:
        raise UsageError("no row has two tokens or more to measure a distance on")
    expected = sum(general) / len(general)
    apart = mean_interval([loss - expected for loss in rows])
    return {
        "rows": len(rows),
        "loss_on_rows": sum(rows) / len(rows),
        "loss_on_general_text": expected,
        "distance_nats": apart._asdict(),
    }
