"""launcher/data/rendered.py: conversations that the model's template does not take."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from launcher.data.rendered import require_rendered
from launcher.data.rows import read_data
from launcher.errors import DataError

NO_SYSTEM = (
    "{% for message in messages %}{% if message.role == 'system' %}"
    "{{ raise_exception('no system, please') }}{% endif %}{{ message.content }}{% endfor %}"
)
ASKED = [{"role": "user", "content": "Hi"}, {"role": "assistant", "content": "Hello"}]


def chats(folder: Path, *conversations: list[dict[str, str]]) -> Path:
    """A file of conversations."""
    path = folder / "train.jsonl"
    path.write_text("".join(json.dumps({"messages": each}) + "\n" for each in conversations))
    return path


def tokenizer(folder: Path, **config: str) -> Path:
    """A model folder with nothing but what tells of its tokenizer."""
    (folder / "tokenizer_config.json").write_text(json.dumps(config))
    return folder


def test_a_row_that_the_template_refuses_is_named(tmp_path: Path) -> None:
    """File, line and the template's own words, before a run folder is made."""
    data = chats(tmp_path, ASKED, [{"role": "system", "content": "Be brief."}, *ASKED])
    model = tokenizer(tmp_path, chat_template=NO_SYSTEM, eos_token="<end>")

    with pytest.raises(DataError, match=r"train.jsonl:2: .* refuses this row: no system, please"):
        require_rendered(read_data(data), model, "small")


def test_a_broken_template_is_told_of(tmp_path: Path) -> None:
    """It is no row's fault."""
    model = tokenizer(tmp_path, chat_template="{% for %}", eos_token="<end>")

    with pytest.raises(DataError, match="chat template of small is broken"):
        require_rendered(read_data(chats(tmp_path, ASKED)), model, "small")


def test_chats_need_an_end_token_where_there_is_no_template(tmp_path: Path) -> None:
    """With one a generic template is used; without, no answer would ever end."""
    data = read_data(chats(tmp_path, ASKED))

    require_rendered(data, tokenizer(tmp_path, eos_token="<end>"), "small")
    with pytest.raises(DataError, match="neither a chat template nor an end token"):
        require_rendered(data, tokenizer(tmp_path, pad_token="<pad>"), "small")
