"""Whether a model can be loaded at all, asked before a run folder is made."""

from __future__ import annotations

import json
from pathlib import Path

import hwdb
from launcher.errors import NoAccess, UsageError
from launcher.model_code import require_known_architecture
from planner.run_plan import ModelSection

_TOKENIZERS = ("tokenizer.json", "tokenizer.model", "vocab.json", "vocab.txt", "spiece.model")
_INDEX = "model.safetensors.index.json"


def require_model(model: ModelSection, *, reads_text: bool = True) -> None:
    """Raise UsageError for a folder that lacks a file, NoAccess for a Hub model out of reach.

    Raises what `require_known_architecture` does for one that Transformers cannot load by itself.
    """
    if model.folder is not None:
        config = Path(model.folder) / "config.json"
        if config.is_file():
            require_known_architecture(config.read_text(encoding="utf-8"), model.folder)
        _require_folder(Path(model.folder), reads_text=reads_text)
    elif model.hub_id is not None:
        _require_access(model.hub_id, model.revision, trusted=model.trust_remote_code)


def _require_access(hub_id: str, revision: str | None, *, trusted: bool) -> None:
    from launcher.hub import config_text  # huggingface_hub: about 110 ms

    try:
        require_known_architecture(config_text(hub_id, revision), hub_id, trusted=trusted)
    except NoAccess as failure:
        if "gated" in failure.message or "refuses" in failure.message:
            raise
        reason = failure.message.rpartition(": ")[2]
        hints = ["--model FOLDER trains a model that is here already"]
        if _is_gated(hub_id):
            hints.insert(0, "it is gated too: accept its licence there, then set HF_TOKEN")
        raise NoAccess(f"{hub_id} is not here and cannot be fetched: {reason}", *hints) from None


def _is_gated(hub_id: str) -> bool:
    try:
        return hwdb.find_model(hub_id).gated
    except hwdb.NotFound:
        return False


def _require_folder(folder: Path, *, reads_text: bool) -> None:
    if reads_text and not any((folder / name).is_file() for name in _TOKENIZERS):
        raise UsageError(
            f"{folder} has no tokenizer: none of {', '.join(_TOKENIZERS[:2])} is there",
            "copy the tokenizer's files from where the model comes from",
        )
    weights = _weight_files(folder)
    if not weights:
        raise UsageError(
            f"{folder} has no weights: no safetensors file is there",
            "only safetensors are loaded; pickled weights (.bin, .pt) are not",
        )
    for file in weights:
        _require_whole(file)


def _weight_files(folder: Path) -> list[Path]:
    """The files the index names, else every safetensors file."""
    index = folder / _INDEX
    if not index.is_file():
        return sorted(folder.glob("*.safetensors"))
    try:
        names = set(json.loads(index.read_text(encoding="utf-8"))["weight_map"].values())
    except (ValueError, KeyError, AttributeError):
        raise UsageError(f"{index} cannot be read: it is no index of safetensors files") from None
    return [folder / name for name in sorted(names)]


def _require_whole(file: Path) -> None:
    """Raise UsageError for a safetensors file that is missing or shorter than its header says.

    The format: eight bytes with the length of a JSON header, the header, the tensors.
    """
    if not file.is_file():
        raise UsageError(f"{file} is missing", "copy or download it again")
    size = file.stat().st_size
    broken = UsageError(f"{file} is damaged: shorter than its header says", "copy it again")
    with file.open("rb") as stream:
        length = int.from_bytes(stream.read(8), "little")
        if length > size - 8:
            raise broken
        try:
            header = json.loads(stream.read(length))
            ends = [value["data_offsets"][1] for key, value in header.items() if key[:2] != "__"]
        except (ValueError, KeyError, TypeError, AttributeError, IndexError):
            raise broken from None
    if 8 + length + max(ends, default=0) > size:
        raise broken
