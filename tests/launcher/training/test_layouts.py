"""Every layout of a data file trains, on the tokens it should and no others."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from launcher.data.rows import read_data
from launcher.errors import DataError
from tests.launcher.training.plans import (
    ROWS,
    carry_out,
    chat_row,
    completion_row,
    make_plan,
    of_type,
    text_row,
    write_rows,
)

MARKS_UNLESS_SKIPPED = (
    "{%- for m in messages -%}{{- '<|im_start|>' + m['role'] + '\n' -}}"
    "{%- if m['role'] == 'assistant' and m['content'] != 'skip' -%}"
    "{%- generation -%}{{- m['content'] + '<|im_end|>' -}}{%- endgeneration -%}"
    "{%- else -%}{{- m['content'] + '<|im_end|>' -}}{%- endif -%}{%- endfor -%}"
)
MARKS_WHOLE_TURN = (
    "{%- for m in messages -%}{%- if m['role'] == 'assistant' -%}"
    "{%- generation -%}{{- m['content'] + '<|im_end|>' -}}{%- endgeneration -%}"
    "{%- else -%}{{- m['content'] + '<|im_end|>' -}}{%- endif -%}{%- endfor -%}"
)

UNMARKED = (
    "{% for m in messages %}{% if m['role'] == 'assistant' %}{{ m['content'] + eos_token }}"
    "{% else %}[INST] {{ m['content'] }} [/INST]{% endif %}{% endfor %}"
)


@pytest.fixture(scope="module")
def tokenizer(tiny_model: Path) -> Any:
    """SmolLM2's tokenizer."""
    from transformers import AutoTokenizer

    return AutoTokenizer.from_pretrained(str(tiny_model))


def learned_texts(
    path: Path, tokenizer: Any, *, loss_on: Any = "answers", sequence_tokens: int = 128
) -> list[str]:
    """What is learned of each row of a file, as text."""
    from launcher.training.dataset import IGNORED, RowTokenizer

    rows = RowTokenizer(
        tokenizer, model_name="smollm2", loss_on=loss_on, sequence_tokens=sequence_tokens
    ).tokenize(read_data(path))
    return [tokenizer.decode(row.input_ids[row.labels != IGNORED]) for row in rows]


def test_answers_of_a_chat_are_learned_with_their_stop_token(
    tmp_path: Path, tokenizer: Any
) -> None:
    """Every assistant turn and its end is learned; system, user and role names are not."""
    row = {
        "messages": [
            {"role": "system", "content": "Be kind."},
            {"role": "user", "content": "One?"},
            {"role": "assistant", "content": "Yes."},
            {"role": "user", "content": "Two?"},
            {"role": "assistant", "content": "No."},
        ]
    }

    learned = learned_texts(write_rows(tmp_path / "d.jsonl", [row]), tokenizer)

    assert learned == ["Yes.<|im_end|>No.<|im_end|>"]


def test_a_completion_is_learned_with_its_end(tmp_path: Path, tokenizer: Any) -> None:
    """The prompt is not learned, the completion and the end of the text are."""
    path = write_rows(tmp_path / "d.jsonl", [{"prompt": "2 + 2 =", "completion": " 4"}])

    assert learned_texts(path, tokenizer) == [" 4<|im_end|>"]


def test_a_text_is_learned_whole(tmp_path: Path, tokenizer: Any) -> None:
    """All of a text is learned, whatever the loss is on."""
    path = write_rows(tmp_path / "d.jsonl", [{"text": "Any text."}])

    assert learned_texts(path, tokenizer) == ["Any text.<|im_end|>"]


@pytest.mark.parametrize("make_row", [chat_row, completion_row])
def test_all_tokens_learns_the_prompt_too(tmp_path: Path, tokenizer: Any, make_row: Any) -> None:
    """loss_on all-tokens leaves nothing out."""
    path = write_rows(tmp_path / "d.jsonl", [make_row(ROWS[0])])

    (learned,) = learned_texts(path, tokenizer, loss_on="all-tokens")

    assert ROWS[0]["question"] in learned
    assert ROWS[0]["answer"] in learned


@pytest.mark.parametrize(
    ("template", "bad_row", "share"),
    [
        (
            MARKS_UNLESS_SKIPPED,
            [{"role": "user", "content": "Hi"}, {"role": "assistant", "content": "skip"}],
            "no token",
        ),
        (MARKS_WHOLE_TURN, [{"role": "assistant", "content": "Hello"}], "every token"),
    ],
    ids=["nothing", "everything"],
)
def test_a_chat_learned_not_at_all_or_whole_is_an_error_with_its_line(
    tmp_path: Path, tiny_model: Path, template: str, bad_row: list[dict[str, str]], share: str
) -> None:
    """0 % or 100 % of a row's tokens means that the marks are wrong; the row is named."""
    from transformers import AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(str(tiny_model))
    tokenizer.chat_template = template
    path = write_rows(tmp_path / "d.jsonl", [chat_row(ROWS[0]), {"messages": bad_row}])

    with pytest.raises(DataError, match=rf"d\.jsonl:2: .*{share}"):
        learned_texts(path, tokenizer)


def test_a_chat_without_any_template_gets_a_generic_one(tmp_path: Path, tiny_model: Path) -> None:
    """A base model learns the answers and their end all the same, and is told how."""
    from transformers import AutoTokenizer

    from launcher.training.dataset import IGNORED, RowTokenizer

    tokenizer: Any = AutoTokenizer.from_pretrained(str(tiny_model))
    tokenizer.chat_template = None
    path = write_rows(tmp_path / "d.jsonl", [chat_row(ROWS[0])])

    making = RowTokenizer(tokenizer, model_name="base", loss_on="answers", sequence_tokens=128)
    (row,) = making.tokenize(read_data(path))

    assert tokenizer.decode(row.input_ids) == (
        "<|user|>\nTicket 0: the printer is broken.\n"
        "<|assistant|>\nQUEUE=hardware | printer<|im_end|>\n"
    )
    learned = tokenizer.decode(row.input_ids[row.labels != IGNORED])
    assert learned == "QUEUE=hardware | printer<|im_end|>"
    assert "base has no chat template: a generic one is used" in making.notes[0]
    assert "endgeneration" not in tokenizer.chat_template


def test_a_chat_without_template_and_end_token_is_an_error(
    tmp_path: Path, tiny_model: Path
) -> None:
    """Nothing could say where an answer ends."""
    from transformers import AutoTokenizer

    tokenizer: Any = AutoTokenizer.from_pretrained(str(tiny_model))
    tokenizer.chat_template = tokenizer.eos_token = None
    path = write_rows(tmp_path / "d.jsonl", [chat_row(ROWS[0])])

    with pytest.raises(DataError, match="neither a chat template nor an end token"):
        learned_texts(path, tokenizer)


def test_a_template_without_marks_is_marked_by_its_turns(tmp_path: Path, tiny_model: Path) -> None:
    """What an answer adds to the question before it is learned, its end token included."""
    from transformers import AutoTokenizer

    tokenizer: Any = AutoTokenizer.from_pretrained(str(tiny_model))
    tokenizer.chat_template = UNMARKED
    row = chat_row(ROWS[0])
    row["messages"] += chat_row(ROWS[1])["messages"]
    path = write_rows(tmp_path / "d.jsonl", [row])

    learned = learned_texts(path, tokenizer)

    assert learned == ["QUEUE=hardware | printer<|im_end|>QUEUE=hardware | laptop<|im_end|>"]


@pytest.mark.parametrize(
    ("template", "why"),
    [
        (UNMARKED.replace("+ eos_token", ""), "never learn to stop"),
        ("{{ messages | length }}", "does not mark the answers"),
    ],
    ids=["no end", "no turns"],
)
def test_a_template_that_cannot_be_marked_is_an_error_with_the_way_out(
    tmp_path: Path, tiny_model: Path, template: str, why: str
) -> None:
    """It can be trained on all tokens only, and the error says so."""
    from transformers import AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(str(tiny_model))
    tokenizer.chat_template = template
    path = write_rows(tmp_path / "d.jsonl", [chat_row(ROWS[0])])

    with pytest.raises(DataError, match=why) as failure:
        learned_texts(path, tokenizer)

    assert "loss_on: all-tokens" in failure.value.hints[0]
    assert len(learned_texts(path, tokenizer, loss_on="all-tokens")) == 1


def test_rows_cut_before_their_answer_are_left_out_and_named(
    tiny_model: Path, tmp_path: Path
) -> None:
    """What the cut leaves nothing of is not trained on, and a warning names its line."""
    from launcher.runs.events import EventLog, read_events
    from launcher.training.loading import load_tokenizer
    from launcher.training.preparing import prepare_rows

    rows = [chat_row(row) for row in ROWS]
    rows[4]["messages"][0]["content"] = "word " * 200
    data = write_rows(tmp_path / "d.jsonl", rows)
    plan = make_plan(model=tiny_model, data=data, run=tmp_path)

    prepare_rows(plan, load_tokenizer(plan), EventLog(tmp_path / "events.jsonl"))

    facts, warning = read_events(tmp_path / "events.jsonl")
    assert facts["truncated_rows"] == 1
    assert facts["longest_row_tokens"] > 200
    assert facts["rows"] + facts["held_out_rows"] == 23
    assert "lines 5" in warning["message"]


def test_data_that_the_cut_empties_is_an_error(tiny_model: Path, tmp_path: Path) -> None:
    """With nothing left to learn the run ends before any weight is loaded."""
    data = write_rows(tmp_path / "d.jsonl", [chat_row(row) for row in ROWS])
    plan = make_plan(model=tiny_model, data=data, run=tmp_path / "run", sequence_tokens=4)

    with pytest.raises(DataError, match=r"d\.jsonl:\d+: .*nothing left to learn"):
        carry_out(plan)


@pytest.mark.training
@pytest.mark.parametrize("make_row", [completion_row, text_row])
def test_layouts_train(make_row: Any, tiny_model: Path, tmp_path: Path) -> None:
    """Prompt and completion, and text, lower the loss as chats do."""
    data = write_rows(tmp_path / "d.jsonl", [make_row(row) for row in ROWS])
    plan = make_plan(model=tiny_model, data=data, run=tmp_path / "run", max_steps=3)

    events = carry_out(plan)

    assert events[-1]["evaluation_after"] < events[-1]["evaluation_before"]
    assert len(of_type(events, "answer")) == 2


@pytest.mark.training
def test_packing_trains_several_rows_at_once(tiny_model: Path, chats: Path, tmp_path: Path) -> None:
    """With packing a row of a batch is filled with several rows of the file."""
    plan = make_plan(
        model=tiny_model,
        data=chats,
        run=tmp_path / "run",
        packing=True,
        max_steps=2,
        micro_batch_rows=1,
    )

    events = carry_out(plan)

    assert all(step["tokens_per_second"] > 0 for step in of_type(events, "step"))
    assert of_type(events, "step")[0]["tokens"] > 90
    assert events[-1]["evaluation_after"] < events[-1]["evaluation_before"]


def test_packed_rows_do_not_see_each_other(tiny_model: Path) -> None:
    """The logits of a row are the same packed behind another and alone."""
    import torch
    from transformers import AutoModelForCausalLM
    from trl.trainer.sft_trainer import DataCollatorForLanguageModeling

    model = AutoModelForCausalLM.from_pretrained(
        str(tiny_model), dtype=torch.float32, attn_implementation="sdpa"
    )
    first, second = list(range(100, 120)), list(range(500, 530))
    collate = DataCollatorForLanguageModeling(pad_token_id=2, padding_free=True)
    packed = collate.torch_call([{"input_ids": first}, {"input_ids": second}])
    packed.pop("labels")

    with torch.no_grad():
        together = model(**packed, use_cache=False).logits[0, len(first) :]
        alone = model(torch.tensor([second]), use_cache=False).logits[0]

    assert torch.allclose(together, alone, atol=1e-3)
