"""launcher/model_files.py: what a folder must hold before anything is started."""

from __future__ import annotations

import json
import struct
from pathlib import Path

import pytest

from launcher.errors import MissingHere, NoAccess, TlplanError, UsageError
from launcher.model_files import require_model
from planner.request import RequestError
from planner.run_plan import ModelSection
from tests.models import minilm

__all__ = ["minilm"]


def _folder(path: Path, *, data_bytes: int = 8) -> ModelSection:
    """A model folder with one tensor of eight bytes, of which `data_bytes` are there."""
    header = json.dumps({"w": {"dtype": "F32", "shape": [2], "data_offsets": [0, 8]}}).encode()
    content = struct.pack("<Q", len(header)) + header + bytes(data_bytes)
    (path / "model.safetensors").write_bytes(content)
    (path / "tokenizer.json").write_text("{}")
    return ModelSection(name="m", hub_id=None, revision=None, folder=str(path))


def test_a_whole_folder_passes(tmp_path: Path) -> None:
    """A tokenizer and weights as long as their header says are enough."""
    require_model(_folder(tmp_path))


def test_a_torn_weight_file_is_named(tmp_path: Path) -> None:
    """A file that was cut short is told by its path."""
    with pytest.raises(UsageError, match=r"model\.safetensors is damaged"):
        require_model(_folder(tmp_path, data_bytes=7))


@pytest.mark.parametrize(
    ("missing", "told"), [("tokenizer.json", "no tokenizer"), ("model.safetensors", "no weights")]
)
def test_a_missing_part_is_named(tmp_path: Path, missing: str, told: str) -> None:
    """The message says what is not there."""
    model = _folder(tmp_path)
    (tmp_path / missing).unlink()

    with pytest.raises(UsageError, match=told):
        require_model(model)


def test_a_file_that_the_index_names_must_be_there(tmp_path: Path) -> None:
    """A shard that was not copied is told by its name."""
    model = _folder(tmp_path)
    index = {"weight_map": {"w": "model.safetensors", "v": "model-2.safetensors"}}
    (tmp_path / "model.safetensors.index.json").write_text(json.dumps(index))

    with pytest.raises(UsageError, match=r"model-2\.safetensors is missing"):
        require_model(model)


CODE = {"AutoConfig": "own.OwnConfig", "AutoModelForCausalLM": "own.Own"}


@pytest.mark.parametrize(
    ("config", "error", "told"),
    [
        ({"model_type": "own", "auto_map": CODE}, UsageError, "brings code of its own"),
        ({"model_type": "own"}, MissingHere, "does not know the model type own"),
    ],
)
def test_code_that_a_model_brings_is_never_run(
    tmp_path: Path, config: dict[str, object], error: type[TlplanError], told: str
) -> None:
    """An architecture that Transformers lacks is refused before anything is made or loaded."""
    model = _folder(tmp_path)
    (tmp_path / "config.json").write_text(json.dumps(config))
    (tmp_path / "own.py").write_text("raise SystemExit('it ran')\n")

    with pytest.raises(error, match=told):
        require_model(model)


@pytest.mark.parametrize("revision", [None, "main", "0123456"])
def test_code_is_allowed_for_a_whole_commit_only(revision: str | None) -> None:
    """A branch may move to other code; so may a folder."""
    with pytest.raises(RequestError, match="needs a whole commit of the Hub"):
        ModelSection(
            name="a", hub_id="org/a", revision=revision, folder=None, trust_remote_code=True
        )
    with pytest.raises(RequestError, match="needs a whole commit of the Hub"):
        ModelSection(name="a", hub_id=None, revision="0" * 40, folder="/a", trust_remote_code=True)


def test_a_known_architecture_is_loaded_by_the_librarys_own_code(tmp_path: Path) -> None:
    """Its auto_map is for older versions and not looked at."""
    model = _folder(tmp_path)
    (tmp_path / "config.json").write_text(json.dumps({"model_type": "llama", "auto_map": CODE}))

    require_model(model)


def test_the_encoder_from_the_package_index_is_whole(minilm: Path) -> None:
    """The real sentence encoder that other tests will classify with has all its parts."""
    require_model(ModelSection(name="minilm", hub_id=None, revision=None, folder=str(minilm)))


def test_a_model_out_of_reach_is_told_before_anything_is_made(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Offline and not in the cache: the name, the reason, and that it is gated besides."""
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path))
    monkeypatch.setenv("HF_ENDPOINT", "http://127.0.0.1:9")
    gated = ModelSection(
        name="llama-3.2-1b", hub_id="meta-llama/Llama-3.2-1B", revision=None, folder=None
    )

    with pytest.raises(NoAccess, match=r"Llama-3\.2-1B is not here") as told:
        require_model(gated)

    assert any("gated" in hint for hint in told.value.hints)
