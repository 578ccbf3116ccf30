"""Rows of a data file as tokens and labels, each still knowing its line in the file."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from launcher.data.dataset import DataSet, Row
from launcher.data.generic_template import generic_template
from launcher.data.rendered import refused_row, without_template
from launcher.errors import DataError
from launcher.training.answer_marks import Marking, answer_marking
from planner.run_plan import LossOn

if TYPE_CHECKING:
    import numpy as np
    from datasets import Dataset  # type: ignore[import-untyped,unused-ignore]
    from numpy.typing import NDArray
    from transformers import PreTrainedTokenizerBase

IGNORED = -100
"""The label of a token that is not learned."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenRow:
    """One row, cut to the plan's length."""

    line: int
    input_ids: NDArray[np.int32]
    labels: NDArray[np.int32]
    """The token itself where it is learned, IGNORED where not."""
    uncut_tokens: int

    @property
    def learned_tokens(self) -> int:
        """Tokens of the cut row that are learned."""
        return int((self.labels != IGNORED).sum())


class RowTokenizer:
    """Turns rows of one data set into tokens, by the layout and by what the loss is on."""

    def __init__(
        self,
        tokenizer: PreTrainedTokenizerBase,
        *,
        model_name: str,
        loss_on: LossOn,
        sequence_tokens: int,
    ) -> None:
        self.tokenizer = tokenizer
        self.model_name = model_name
        self.answers_only = loss_on == "answers"
        self.sequence_tokens = sequence_tokens
        self.notes: list[str] = []
        """What was done in place of what the model lacks."""

    def tokenize(self, data: DataSet) -> list[TokenRow]:
        """Every row of the file. Raises DataError naming the line of a row that cannot be used."""
        marking = self._marking(data)
        rows = []
        for index, (row, line) in enumerate(zip(data.rows, data.row_lines, strict=True)):
            place = data.place(index)
            if data.layout == "messages":
                tokens, learned = self._chat(row, marking, place)
            elif data.layout == "prompt_completion":
                tokens, learned = self._completion(row)
            else:
                tokens = self._ids(row["text"] + self._end())
                learned = [True] * len(tokens)
            rows.append(self._cut(line, tokens, learned))
        return rows

    def _marking(self, data: DataSet) -> Marking | None:
        """How answers are found in a conversation; None where every token is learned."""
        if data.layout != "messages":
            return None
        if self.tokenizer.chat_template is None:
            self._take_generic_template(data)
        return answer_marking(self.tokenizer, self.model_name) if self.answers_only else None

    def _take_generic_template(self, data: DataSet) -> None:
        if self.tokenizer.eos_token is None:
            raise without_template(data.path, self.model_name)
        self.tokenizer.chat_template = generic_template()
        self.notes.append(
            f"{self.model_name} has no chat template: a generic one is used, with the roles as "
            f'text such as "<|user|>" and {self.tokenizer.eos_token} behind an answer; the '
            "result carries it"
        )

    def _chat(self, row: Row, marking: Marking | None, place: str) -> tuple[list[int], list[bool]]:
        messages = row["messages"]
        try:
            if marking is None:
                encoded: Any = self.tokenizer.apply_chat_template(
                    messages, tokenize=True, return_dict=True
                )
                return encoded["input_ids"], [True] * len(encoded["input_ids"])
            tokens, learned = marking(messages)
        except Exception as error:  # a template is somebody's program: it can raise anything
            raise refused_row(place, self.model_name, error) from error
        if all(learned) or not any(learned):
            share = "every token" if any(learned) else "no token"
            raise DataError(
                f"{place}: with loss_on answers, {share} of this row would be learned",
                "check its roles, or set loss_on: all-tokens in section data of the plan",
            )
        return tokens, learned

    def _completion(self, row: Row) -> tuple[list[int], list[bool]]:
        prompt = self._ids(row["prompt"])
        tokens = self._ids(row["prompt"] + row["completion"] + self._end())
        if not self.answers_only:
            return tokens, [True] * len(tokens)
        # Tokens can merge across the border; the completion starts where the two part.
        start = 0
        while start < len(prompt) and prompt[start] == tokens[start]:
            start += 1
        return tokens, [position >= start for position in range(len(tokens))]

    def _ids(self, text: str) -> list[int]:
        ids: list[int] = self.tokenizer(text)["input_ids"]
        end = self.tokenizer.eos_token_id
        # Some tokenizers end every text themselves, and the end must not come twice.
        return ids[:-1] if len(ids) > 1 and ids[-2:] == [end, end] else ids

    def _end(self) -> str:
        end = self.tokenizer.eos_token
        return str(end) if end is not None else ""

    def _cut(self, line: int, tokens: list[int], learned: list[bool]) -> TokenRow:
        import numpy as np

        input_ids = np.asarray(tokens[: self.sequence_tokens], dtype=np.int32)
        mask = np.asarray(learned[: self.sequence_tokens], dtype=bool)
        return TokenRow(
            line=line,
            input_ids=input_ids,
            labels=np.where(mask, input_ids, IGNORED).astype(np.int32),
            uncut_tokens=len(tokens),
        )


def as_dataset(rows: Sequence[TokenRow]) -> Dataset:
    """The rows as the trainer takes them."""
    from datasets import Dataset

    return Dataset.from_dict(
        {
            "input_ids": [row.input_ids for row in rows],
            "labels": [row.labels for row in rows],
        }
    )
