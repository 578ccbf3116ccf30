"""Pictures as the tensors a model was made for: its own preparation, or the usual one."""

from __future__ import annotations

import json
from collections.abc import Callable
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from PIL import Image

from launcher.data.images import decoding_problem
from launcher.errors import DataError

if TYPE_CHECKING:
    from numpy.typing import NDArray

Prepare = Callable[[str], "NDArray[np.float32]"]
"""From the path of a picture to channels x height x width."""

_BILINEAR = Image.Resampling.BILINEAR
_SETTINGS_NAME = "preprocessor_config.json"


def picture_preparation(config: Any, model_folder: Path | None) -> tuple[Prepare, dict[str, Any]]:
    """How a picture becomes a tensor, and the same as the settings saved beside the result.

    Where the model brings a preprocessor_config.json for colour pictures, transformers'
    processor of that name does it; else pictures are resized to the model's size, scaled to 0
    to 1 and normalised.
    """
    settings = _own_settings(model_folder)
    channels = int(getattr(config, "num_channels", 3))
    if settings and channels == 3:
        # Its class methods carry no types.
        import transformers

        processors: Any = transformers.AutoImageProcessor
        processor = processors.from_pretrained(str(model_folder))

        def prepare_with_processor(path: str) -> NDArray[np.float32]:
            with _opened(path) as picture:
                made = processor(picture.convert("RGB"), return_tensors="np")
            pixels: NDArray[np.float32] = made["pixel_values"][0].astype(np.float32)
            return pixels

        return prepare_with_processor, processor.to_dict()
    settings = {**_usual_settings(config, channels), **settings}
    return _plain(settings, channels), settings


def _plain(settings: dict[str, Any], channels: int) -> Prepare:
    size = (settings["size"]["width"], settings["size"]["height"])
    mean: Any = np.asarray(settings["image_mean"], dtype=np.float32)[:channels, None, None]
    spread: Any = np.asarray(settings["image_std"], dtype=np.float32)[:channels, None, None]

    def prepare(path: str) -> NDArray[np.float32]:
        with _opened(path) as picture:
            made = picture.convert("L" if channels == 1 else "RGB").resize(size, _BILINEAR)
        values: Any = np.asarray(made, dtype=np.float32) / np.float32(255)
        pixels = values[None] if channels == 1 else values.transpose(2, 0, 1)
        scaled: NDArray[np.float32] = (pixels - mean) / spread
        return scaled

    return prepare


def _usual_settings(config: Any, channels: int) -> dict[str, Any]:
    size = getattr(config, "image_size", 224)
    height, width = size if isinstance(size, (list, tuple)) else (size, size)
    return {
        "image_processor_type": "ViTImageProcessor",
        "do_resize": True,
        "size": {"height": int(height), "width": int(width)},
        "resample": 2,
        "do_rescale": True,
        "rescale_factor": 1 / 255,
        "do_normalize": True,
        "image_mean": [0.5] * channels,
        "image_std": [0.5] * channels,
    }


def _own_settings(model_folder: Path | None) -> dict[str, Any]:
    if model_folder is None:
        return {}
    try:
        settings = json.loads((model_folder / _SETTINGS_NAME).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return settings if isinstance(settings, dict) else {}


def _opened(path: str) -> Any:
    try:
        # Read here: a picture that breaks off leaves its file open otherwise.
        picture = Image.open(BytesIO(Path(path).read_bytes()))
        picture.load()
    except Exception as error:  # decoders raise whatever their format makes them
        reason = decoding_problem(error)
        raise DataError(f"{path}: image: {reason}", "replace or remove the file") from error
    return _in_eight_bits(picture)


def _in_eight_bits(picture: Any) -> Any:
    """A picture of one deep channel as grey of 0 to 255; Pillow would cut it off at 255."""
    if picture.mode not in ("I", "F") and not picture.mode.startswith("I;16"):
        return picture
    values: Any = np.asarray(picture, dtype=np.float32)
    if picture.mode == "F" and values.max(initial=0) <= 1:
        values = values * 255
    elif values.max(initial=0) > 255:
        values = values / 257
    return Image.fromarray(values.clip(0, 255).round().astype(np.uint8))


class PictureSettings:
    """Stands in for a tokenizer where a result is saved: writes preprocessor_config.json."""

    def __init__(self, settings: dict[str, Any]) -> None:
        self.settings = settings

    def save_pretrained(self, folder: str, **_: Any) -> None:
        """Write the settings where transformers looks for them."""
        text = json.dumps(self.settings, indent=2, default=str)
        (Path(folder) / _SETTINGS_NAME).write_text(text + "\n", encoding="utf-8")
