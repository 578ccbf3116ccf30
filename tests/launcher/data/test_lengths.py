"""Token lengths for planning, against what transformers counts."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from tokenizers import AddedToken, Tokenizer, models, pre_tokenizers, processors, trainers
from transformers import PreTrainedTokenizerFast

from launcher.data.dataset import DataSet
from launcher.data.lengths import Lengths, measure_lengths
from launcher.data.rows import read_data

CHATS = [
    [{"role": "user", "content": "Where is my parcel?"}],
    [
        {"role": "system", "content": "You route tickets."},
        {"role": "user", "content": "The router <b>hums</b> & \u00fcbel \U0001f40b"},
    ],
]
for _chat in CHATS:
    _chat.append({"role": "assistant", "content": "QUEUE=network | PRIORITY=P1\n"})

PLAIN = (
    "{% for message in messages %}{{ '<|start|>' + message['role'] + '\n' + message['content']"
    " + '<|end|>\n' }}{% endfor %}{% if add_generation_prompt %}{{ 'never' }}{% endif %}"
)
MARKED = (
    "{{ bos_token }}{% for message in messages %}\n"
    "    {%- if message['role'] == 'assistant' -%}\n"
    "        {% generation %}\n{{ message['content'] + eos_token }}\n{% endgeneration %}\n"
    "    {%- elif message['role'] not in ['user', 'system'] %}\n"
    "        {{- raise_exception('no such role') }}\n"
    "    {%- else %}\n"
    "        {{- strftime_now('%Y') + (message | tojson(indent=2)) }}\n"
    "        {%- continue %}\n"
    "    {%- endif %}\n"
    "{% endfor %}"
)


@pytest.fixture(scope="module")
def model_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model's tokenizer files with a byte-level tokenizer trained on three sentences."""
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    special = [AddedToken(text, special=True) for text in ("<s>", "<|start|>", "<|end|>")]
    trainer = trainers.BpeTrainer(
        vocab_size=400,
        special_tokens=special,
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    sentences = ["Where is my parcel?", "You route support tickets.", "The router hums and hums."]
    tokenizer.train_from_iterator(sentences, trainer)
    tokenizer.post_processor = processors.TemplateProcessing(
        single="<s> $A", special_tokens=[("<s>", 0)]
    )
    # A file may ask for this; it must not change what is counted.
    tokenizer.enable_truncation(max_length=5)
    tokenizer.enable_padding(length=300)
    folder = tmp_path_factory.mktemp("model")
    tokenizer.save(str(folder / "tokenizer.json"))
    return folder


def with_template(folder: Path, template: object | None, *, own_file: bool = False) -> Path:
    """Give the model that chat template, and return its tokenizer.json."""
    config: dict[str, Any] = {"bos_token": "<s>", "eos_token": {"content": "<|end|>"}}
    (folder / "chat_template.jinja").unlink(missing_ok=True)
    if own_file:
        (folder / "chat_template.jinja").write_text(str(template), encoding="utf-8")
        config["chat_template"] = "must not be used"
    elif template is not None:
        config["chat_template"] = template
    (folder / "tokenizer_config.json").write_text(json.dumps(config))
    return folder / "tokenizer.json"


def data_of(tmp_path: Path, rows: list[dict[str, Any]]) -> DataSet:
    """A data file of those rows, read."""
    path = tmp_path / "train.jsonl"
    path.write_text("".join(f"{json.dumps(row)}\n" for row in rows))
    return read_data(path)


def chats(tmp_path: Path) -> DataSet:
    """The conversations above as a data set."""
    return data_of(tmp_path, [{"messages": messages} for messages in CHATS])


def transformers_tokenizer(tokenizer_file: Path) -> PreTrainedTokenizerFast:
    """What training counts with."""
    return PreTrainedTokenizerFast(  # type: ignore[no-untyped-call]
        tokenizer_file=str(tokenizer_file), bos_token="<s>", eos_token="<|end|>"
    )


@pytest.mark.parametrize("template", [PLAIN, MARKED], ids=["plain", "generation marked"])
@pytest.mark.parametrize("own_file", [True, False])
def test_chats_are_counted_as_transformers_counts_them(
    tmp_path: Path, model_folder: Path, template: str, own_file: bool
) -> None:
    """The rendered conversation has the same number of tokens, special ones included."""
    tokenizer_file = with_template(model_folder, template, own_file=own_file)
    reference = transformers_tokenizer(tokenizer_file)
    expected = tuple(
        len(reference.apply_chat_template(chat, chat_template=template, return_dict=False))
        for chat in CHATS
    )

    lengths = measure_lengths(chats(tmp_path), tokenizer_file)

    assert lengths.per_row == expected
    assert lengths.exact
    assert lengths.how == "counted with the model's tokenizer and chat template"


def test_the_default_of_several_templates_is_used(tmp_path: Path, model_folder: Path) -> None:
    """Some models bring a second template for tools."""
    single = measure_lengths(chats(tmp_path), with_template(model_folder, PLAIN))
    named = [{"name": "tool_use", "template": "x"}, {"name": "default", "template": PLAIN}]
    several = measure_lengths(chats(tmp_path), with_template(model_folder, named))

    assert several == single


@pytest.mark.parametrize(
    "row",
    [
        {"text": "Where is my parcel?"},
        {"text": "Where is my parcel?<|end|>"},
        {"prompt": "Where is ", "completion": "my parcel?"},
    ],
    ids=["text", "text with its end token", "prompt and completion"],
)
def test_other_rows_are_counted_with_start_and_one_end_token(
    tmp_path: Path, model_folder: Path, row: dict[str, Any]
) -> None:
    """Training sees the text as one piece that ends with the end token."""
    tokenizer_file = with_template(model_folder, None)
    reference = transformers_tokenizer(tokenizer_file)

    lengths = measure_lengths(data_of(tmp_path, [row]), tokenizer_file)

    assert lengths.per_row == (len(reference("Where is my parcel?<|end|>")["input_ids"]),)
    assert lengths.exact
    assert lengths.how == "counted with the model's tokenizer"


def test_without_any_template_a_generic_one_is_counted(tmp_path: Path, model_folder: Path) -> None:
    """A base model has none; training then writes the roles as text, with the end token."""
    tokenizer_file = with_template(model_folder, None)
    reference = transformers_tokenizer(tokenizer_file)
    row = {
        "messages": [
            {"role": "user", "content": "Where is it?"},
            {"role": "assistant", "content": "Here."},
        ]
    }

    lengths = measure_lengths(data_of(tmp_path, [row]), tokenizer_file)

    text = "<|user|>\nWhere is it?\n<|assistant|>\nHere.<|end|>\n"
    assert lengths.per_row == (len(reference(text, add_special_tokens=False)["input_ids"]),)
    assert lengths.exact
    assert "a generic chat template" in lengths.how


@pytest.mark.parametrize(
    ("template", "why"),
    [
        (
            "{{ raise_exception('no system role') }}",
            "the chat template refuses line 1: no system role",
        ),
        ("{{ messages[0].content + 1 }}", "the chat template refuses line 1: can only concatenate"),
        ("{% if %}", "the chat template is broken: Expected an expression"),
    ],
)
def test_without_a_working_template_contents_are_counted(
    tmp_path: Path, model_folder: Path, template: str | None, why: str
) -> None:
    """Eight tokens a message stand in for the template, and the reader is told why."""
    tokenizer_file = with_template(model_folder, template)
    reference = transformers_tokenizer(tokenizer_file)
    expected = tuple(
        sum(
            len(reference(message["content"], add_special_tokens=False)["input_ids"]) + 8
            for message in chat
        )
        for chat in CHATS
    )

    lengths = measure_lengths(chats(tmp_path), tokenizer_file)

    assert lengths.per_row == expected
    assert not lengths.exact
    assert lengths.how.startswith(f"counted with the model's tokenizer, plus 8 a message ({why}")


@pytest.mark.parametrize(
    ("row", "tokens"),
    [
        ({"text": "1234567"}, 3 + 1),
        ({"text": "\u00fc\u00fc"}, 2 + 1),
        ({"prompt": "1234", "completion": "567"}, 3 + 1),
        (
            {
                "messages": [
                    {"role": "user", "content": "1234"},
                    {"role": "assistant", "content": "1"},
                ]
            },
            (2 + 8) + (1 + 8),
        ),
    ],
)
def test_without_a_tokenizer_bytes_are_divided(
    tmp_path: Path, row: dict[str, Any], tokens: int
) -> None:
    """Three bytes a token, rounded up, plus the end token or the template's share."""
    lengths = measure_lengths(data_of(tmp_path, [row]), None)

    assert lengths.per_row == (tokens,)
    assert not lengths.exact
    assert lengths.how == "estimated at 3 bytes a token (without the model's tokenizer)"


def test_a_broken_tokenizer_is_named(tmp_path: Path) -> None:
    """Planning goes on with an estimate and says which file it could not use."""
    broken = tmp_path / "tokenizer.json"
    broken.write_text("{")

    lengths = measure_lengths(data_of(tmp_path, [{"text": "abc"}]), broken)

    assert lengths.per_row == (2,)
    assert lengths.how.startswith(f"estimated at 3 bytes a token ({broken} cannot be read: ")


def test_what_lengths_tell() -> None:
    """Longest, mean, percentiles by nearest rank, and the share a limit would cut."""
    lengths = Lengths(per_row=(30, 10, 20, 40), exact=True, how="counted")

    assert lengths.longest == 40
    assert lengths.mean == 25.0
    assert [lengths.percentile(percent) for percent in (0, 25, 50, 51, 95, 100)] == [
        10, 10, 20, 30, 40, 40,
    ]  # fmt: skip
    assert lengths.share_above(20) == 0.5
    assert lengths.share_above(40) == 0.0


@pytest.mark.parametrize("percent", [-1, 101])
def test_percentiles_stay_within_bounds(percent: float) -> None:
    """A percentage outside 0 to 100 is the caller's mistake."""
    with pytest.raises(ValueError, match="within 0 and 100"):
        Lengths(per_row=(1,), exact=True, how="counted").percentile(percent)
