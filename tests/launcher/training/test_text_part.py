"""Models that also see pictures train their text part, and nothing else of them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.launcher.training.plans import FULL, LORA, carry_out, make_plan, of_type
from tests.planner.samples import shape_of_config

pytestmark = pytest.mark.training

_TEXT = {
    "hidden_size": 64,
    "intermediate_size": 128,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "head_dim": 16,
    "max_position_embeddings": 512,
}
_VISION = {"hidden_size": 32, "intermediate_size": 64}
_SIGLIP = {"num_hidden_layers": 2, "num_attention_heads": 2, "image_size": 56, "patch_size": 14}
_MODELS: dict[str, tuple[str, dict[str, Any]]] = {
    "gemma3": (
        "Gemma3",
        {"vision_config": {**_VISION, **_SIGLIP, "vision_use_head": False}},
    ),
    "mistral3": (
        "Mistral3",
        {"text_config": {"model_type": "mistral"}, "vision_config": {**_VISION, **_SIGLIP}},
    ),
    "qwen3_vl": (
        "Qwen3VL",
        {
            "text_config": {"rope_scaling": {"rope_type": "default", "mrope_section": [2, 3, 3]}},
            "vision_config": {
                **_VISION,
                "depth": 2,
                "num_heads": 2,
                "out_hidden_size": 64,
                "deepstack_visual_indexes": [0],
            },
        },
    ),
}


@pytest.fixture(params=_MODELS)
def model(request: pytest.FixtureRequest, tiny_model: Path, tmp_path: Path) -> Path:
    """Folder of a model with a vision tower, two layers each, and SmolLM2's tokenizer."""
    import torch
    import transformers

    name, parts = _MODELS[request.param]
    tokenizer = transformers.AutoTokenizer.from_pretrained(str(tiny_model))
    text = {**_TEXT, "vocab_size": len(tokenizer), **parts.get("text_config", {})}
    classes: Any = transformers
    config = getattr(classes, f"{name}Config")(**{**parts, "text_config": text})
    torch.manual_seed(1)
    folder = tmp_path / request.param
    getattr(classes, f"{name}ForConditionalGeneration")(config).save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


def test_adapters_go_to_the_text_part(model: Path, chats: Path, tmp_path: Path) -> None:
    """Four in attention and three in the MLP of each layer, none in the tower."""
    from safetensors import safe_open

    plan = make_plan(model=model, data=chats, run=tmp_path / "run", method=LORA, max_steps=2)
    events = carry_out(plan)

    assert events[-1]["result"] == "adapter"
    with safe_open(tmp_path / "run" / "adapter" / "adapter_model.safetensors", "pt") as weights:
        names = list(weights.keys())
    assert len(names) == 2 * 7 * 2
    assert all(".language_model.layers." in name for name in names)


def test_a_full_fine_tune_leaves_the_tower(model: Path, chats: Path, tmp_path: Path) -> None:
    """What is trained is the text part that the estimate counts, and the tower is saved again."""
    shape = shape_of_config(json.loads((model / "config.json").read_text()))
    plan = make_plan(model=model, data=chats, run=tmp_path / "run", method=FULL, max_steps=2)
    events = carry_out(plan)

    (counted,) = of_type(events, "model")
    assert counted["trainable_parameters"] == shape.parameters
    beside = counted["parameters"] - counted["trainable_parameters"]
    # Of SigLIP's joint with the text one norm is not counted.
    assert shape.idle_parameters == pytest.approx(beside, rel=0.05)
    assert (tmp_path / "run" / "model" / "model.safetensors").stat().st_size > 4 * shape.parameters


def test_only_the_last_layers_learn(model: Path, chats: Path, tmp_path: Path) -> None:
    """The last block is one of the text part, though the tower has as many; the head learns too."""
    plan = make_plan(
        model=model, data=chats, run=tmp_path / "run", method=FULL, max_steps=2, trainable_layers=1
    )
    (counted,) = of_type(carry_out(plan), "model")

    shape = shape_of_config(json.loads((model / "config.json").read_text()))
    assert (
        counted["trainable_parameters"]
        == shape.block_parameters + shape.sizes["h"] * shape.sizes["V"]
    )
