"""What --model may name, and how a name or a config.json that will not do is told."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

import hwdb
from launcher.errors import UsageError
from launcher.models import resolve_model, shape_of_config

TINY_LLAMA: dict[str, Any] = {
    "model_type": "llama",
    "architectures": ["LlamaForCausalLM"],
    "hidden_size": 64,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "intermediate_size": 128,
    "vocab_size": 1000,
    "tie_word_embeddings": False,
}


def model_folder(folder: Path, **changed: Any) -> Path:
    """A folder with the config.json of a small Llama, some keys changed; None removes one."""
    config = {key: value for key, value in (TINY_LLAMA | changed).items() if value is not None}
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "config.json").write_text(json.dumps(config, indent=1))
    return folder


@pytest.fixture(autouse=True)
def no_network(monkeypatch: pytest.MonkeyPatch) -> None:
    """Any way to the network fails the test."""

    def refuse(*_: object) -> str:
        pytest.fail("asked the Hub")

    monkeypatch.setattr("launcher.hub.config_text", refuse)


@pytest.mark.parametrize(
    ("name", "model_id", "hub_id"),
    [
        ("llama-3.1-8b", "llama-3.1-8b", "meta-llama/Llama-3.1-8B"),
        ("LLAMA-3.1-8B", "llama-3.1-8b", "meta-llama/Llama-3.1-8B"),
        ("meta-llama/Llama-3.1-8B", "llama-3.1-8b", "meta-llama/Llama-3.1-8B"),
        ("meta-llama/Llama-3.1-8B-Instruct", "llama-3.1-8b", "meta-llama/Llama-3.1-8B-Instruct"),
    ],
)
def test_a_known_name_needs_no_network(name: str, model_id: str, hub_id: str) -> None:
    """Ids and Hub names of hwdb resolve to their row, instruct variants to their own name."""
    model = resolve_model(name)

    assert (model.id, model.hub_id, model.source) == (model_id, hub_id, "hwdb")
    assert model.shape.parameters == 8_030_261_248


def test_a_revision_is_kept() -> None:
    """What stands behind @ is the revision to launch with."""
    model = resolve_model("meta-llama/Llama-3.1-8B@abc123")

    assert model.revision == "abc123"


@pytest.mark.parametrize("name", [row.id for row in hwdb.all_models()])
def test_every_model_of_hwdb_has_a_shape_or_a_reason(name: str) -> None:
    """A model is planned with its own numbers, or refused with what is missing."""
    row = hwdb.find_model(name)
    refusal = None
    try:
        parameters = resolve_model(name).shape.parameters
    except UsageError as refused:
        refusal = refused.message

    if refusal is None:
        assert abs(parameters - row.parameters) <= 0.1 * row.parameters
    else:
        assert row.architecture in refusal


def test_a_plain_word_is_never_looked_up_on_the_network() -> None:
    """An unknown short name ends with suggestions."""
    with pytest.raises(UsageError, match=r"lama-3\.1-8b") as caught:
        resolve_model("lama-3.1-8b")

    assert any("llama-3.1-8b" in hint for hint in caught.value.hints)


@pytest.mark.parametrize("ending", ["", "/", "/config.json"])
def test_a_folder_or_its_config_is_a_model(tmp_path: Path, ending: str) -> None:
    """Names the model after the folder and counts it from its config.json."""
    folder = model_folder(tmp_path / "my-model")
    model = resolve_model(f"{folder}{ending}")

    assert (model.id, model.source, model.hub_id) == ("my-model", "folder", None)
    assert model.folder == str(folder)
    assert model.shape.layers == 2
    assert model.shape.recognized


def test_a_relative_folder_is_a_model(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A folder with a config.json wins over a Hub name written the same."""
    model_folder(tmp_path / "org" / "name")
    monkeypatch.chdir(tmp_path)

    assert resolve_model("org/name").source == "folder"
    assert resolve_model("./org/name").folder == str(tmp_path / "org" / "name")


def test_an_unknown_family_is_said_to_be_one(tmp_path: Path) -> None:
    """A model type nobody described is counted as a Llama-like one and marked."""
    folder = model_folder(tmp_path / "new", model_type="brandnew", architectures=["NewForCausalLM"])

    assert not resolve_model(str(folder)).shape.recognized


@pytest.mark.parametrize(
    ("changed", "named"),
    [
        ({"hidden_size": None}, "hidden_size"),
        ({"num_hidden_layers": "two"}, "num_hidden_layers"),
        ({"vocab_size": -1}, "vocab_size"),
        ({"num_attention_heads": 0}, "num_attention_heads"),
        ({"intermediate_size": 1.5}, "intermediate_size"),
    ],
)
def test_a_broken_config_is_told_with_file_and_key(
    tmp_path: Path, changed: dict[str, Any], named: str
) -> None:
    """The message names the file and the key that is missing or is no number."""
    folder = model_folder(tmp_path / "broken", **changed)
    with pytest.raises(UsageError) as caught:
        resolve_model(str(folder))

    assert str(folder / "config.json") in caught.value.message
    assert named in caught.value.message


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ('{\n "hidden_size": 64,\n}', "config.json:3: not JSON"),
        ("[]", "config.json: must be a JSON object"),
        ("", "config.json:1: not JSON"),
        ('{"model_type": "llama"}', 'config.json: config has no "hidden_size"'),
    ],
)
def test_a_text_that_is_no_config_is_told_with_its_line(text: str, told: str) -> None:
    """A syntax error names the line."""
    with pytest.raises(UsageError) as caught:
        shape_of_config(text, "config.json")

    assert caught.value.message.startswith(told)


def test_a_missing_folder_is_told_as_typed(tmp_path: Path) -> None:
    """A path without a model is no Hub name."""
    for name in ("./nowhere", str(tmp_path / "nowhere" / "config.json")):
        with pytest.raises(UsageError, match="no such file"):
            resolve_model(name)


def test_bytes_that_are_no_text_are_told(tmp_path: Path) -> None:
    """A config.json in another encoding is a usage error."""
    (tmp_path / "config.json").write_bytes(b"\xff\xfe{}")
    with pytest.raises(UsageError, match="cannot be read"):
        resolve_model(str(tmp_path))
