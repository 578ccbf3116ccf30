"""The README of an adapter: how plain Transformers and PEFT load it, with the names of classes."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from peft import PeftModel

_LOADERS = {
    "ForSequenceClassification": "AutoModelForSequenceClassification",
    "ForImageClassification": "AutoModelForImageClassification",
}
"""By the end of the name of the model's class."""


def write_model_card(model: PeftModel, folder: Path) -> None:
    """Write README.md in place of PEFT's form to be filled in, whose front matter stays."""
    path = folder / "README.md"
    written = path.read_text(encoding="utf-8") if path.is_file() else ""
    _, mark, rest = written.partition("---\n")
    matter, end, _ = rest.partition("\n---\n")
    front = f"{mark}{matter}{end}\n" if end else ""
    path.write_text(front + _text(model), encoding="utf-8")


def _text(model: PeftModel) -> str:
    base: Any = model.get_base_model()
    kind = type(base).__name__
    loader = next((auto for end, auto in _LOADERS.items() if kind.endswith(end)), None)
    named = model.peft_config[model.active_adapter].base_model_name_or_path
    options = ""
    if loader is not None:
        options = f", id2label={base.config.id2label!r}, ignore_mismatched_sizes=True"
    loader = loader or "AutoModelForCausalLM"
    return f"""# Adapter of {Path(str(named)).name}

Trained by tlplan. In this folder:

```python
from peft import PeftModel
from transformers import {loader}

base = {loader}.from_pretrained({str(named)!r}{options})
model = PeftModel.from_pretrained(base, ".").eval()
```
"""
