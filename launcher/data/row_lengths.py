"""Tokens of every row: counted where that is quick, else from a sample and the rows' bytes."""

from __future__ import annotations

import math
from pathlib import Path

from launcher.data.dataset import DataSet
from launcher.data.lengths import BYTES_PER_TOKEN, Lengths, measure_lengths
from launcher.data.row_problem import RowProblemError
from launcher.data.sources import Source
from launcher.data.stream import RowStream
from launcher.data.surveying import Surveyed

_COUNT_ALL_BYTES = 24 << 20


def lengths_of_source(source: Source, surveyed: Surveyed, tokenizer_file: Path | None) -> Lengths:
    """Lengths of the good rows in tokens, in their order."""
    if surveyed.survey.bytes_of_text <= _COUNT_ALL_BYTES:
        return measure_lengths(_good_rows(source, surveyed), tokenizer_file)
    ratio, how = _bytes_per_token(surveyed, tokenizer_file)
    return Lengths(
        per_row=tuple(math.ceil(length / ratio) for length in surveyed.survey.lengths),
        exact=False,
        how=how,
    )


def _good_rows(source: Source, surveyed: Surveyed) -> DataSet:
    assert surveyed.shape is not None
    survey = surveyed.survey
    rows = tuple(
        checked.row for checked in RowStream(source) if not isinstance(checked.row, RowProblemError)
    )
    return DataSet(
        path=source.path,
        files=surveyed.files,
        layout=surveyed.shape.layout,
        found_as=surveyed.shape.name,
        rows=rows,
        row_lines=tuple(survey.lines),
        row_files=tuple(survey.files),
        row_keys=tuple(survey.keys),
        bytes_read=0,
        sha256="",
    )


def _bytes_per_token(surveyed: Surveyed, tokenizer_file: Path | None) -> tuple[float, str]:
    texts = [each.text for each in surveyed.survey.sample]
    sampled_bytes = sum(len(text.encode("utf-8", "surrogatepass")) for text in texts)
    if tokenizer_file is not None:
        try:
            # tokenizers: about 10 ms.
            from launcher.data.token_count import TokenCounter, TokenizerUnreadableError
        except ImportError:
            return BYTES_PER_TOKEN, "estimated from bytes (the tokenizers package is not installed)"
        try:
            tokens = sum(TokenCounter(tokenizer_file).count_documents(texts))
        except TokenizerUnreadableError as error:
            return BYTES_PER_TOKEN, f"estimated from bytes ({error})"
        ratio = sampled_bytes / max(tokens, 1)
        return ratio, f"{ratio:.2f} bytes a token, counted on {len(texts)} rows"
    return BYTES_PER_TOKEN, f"estimated at {BYTES_PER_TOKEN:g} bytes a token"
