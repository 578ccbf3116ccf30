"""The quick check's text, byte for byte, on cards, sizes and machines."""

from __future__ import annotations

import pytest

from tests.fake_nvml import fake_driver_environment, machines, with_lines
from tests.launcher.cli.program import check_golden, tlplan, transcript

CARD_CASES = {
    "card": ("--model", "llama-3.1-8b", "--gpu", "rtx-4090"),
    "card-named-in-words": ("--model", "qwen3-14b", "--gpu", "RTX 3090"),
    "card-without-bf16": ("--model", "qwen3-4b", "--gpu", "t4"),
    "size": ("--model", "smollm2-135m", "--gpu", "6GiB"),
    "nothing-fits": ("--model", "llama-3.1-70b", "--gpu", "24GiB"),
    "nothing-fits-so-long": ("--model", "llama-3.1-8b", "--gpu", "12GiB", "--seq", "60000"),
    "asked-method": ("--model", "llama-3.1-8b", "--gpu", "rtx-4090", "--method", "qlora"),
    "last-layers": (
        *("--model", "llama-3.1-8b", "--gpu", "rtx-4090"),
        *("--method", "full", "--train-last", "2"),
    ),
    "many-settings": (
        *("--model", "llama-3.1-8b", "--gpu", "a100-sxm4-80gb", "--seq", "4096", "--batch", "4"),
        *("--rank", "64", "--targets", "q_proj,v_proj", "--optimizer", "paged-adamw-8bit"),
        *("--checkpointing", "none"),
    ),
    "no-gpu": ("--model", "llama-3.1-8b"),
    "unknown-model": ("--model", "lama-3.1-8b"),
    "unknown-card": ("--model", "llama-3.1-8b", "--gpu", "rtx-4900"),
    "ambiguous-card": ("--model", "llama-3.1-8b", "--gpu", "Tesla V100"),
    "size-without-unit": ("--model", "llama-3.1-8b", "--gpu", "24"),
    "several-cards": ("--model", "llama-3.1-8b", "--gpu", "2x rtx-4090"),
    "encoder": ("--model", "bert-base-uncased", "--gpu", "rtx-4090"),
    "ascii": ("--model", "llama-3.1-8b", "--gpu", "rtx-4090", "--ascii"),
    "colors": ("--model", "llama-3.1-8b", "--gpu", "rtx-4090", "--color", "always"),
}

MACHINE_CASES = {
    "machine": machines.RTX_4090_DESKTOP,
    "machine-with-two-cards": machines.TWO_UNEQUAL_3090S,
    "machine-with-mig": machines.H100_AND_A100_WITH_MIG,
    "machine-without-memory-numbers": machines.GB10,
    "machine-with-a-full-card": with_lines(
        machines.RTX_4090_DESKTOP, f"gpu.0.used={22000 * machines.MIB}"
    ),
    "driver-not-loaded": machines.DRIVER_NOT_LOADED,
}


@pytest.mark.parametrize("name", CARD_CASES)
def test_reads_as_in_its_golden_file(name: str) -> None:
    """Prints exactly what the golden file shows, notes and exit code included."""
    words = CARD_CASES[name]

    check_golden(f"quick_check/{name}.txt", transcript(words, tlplan(*words), {}))


@pytest.mark.parametrize("name", MACHINE_CASES)
def test_judges_the_free_memory_of_this_machine(name: str) -> None:
    """Takes the roomiest GPU the driver shows, by what is free on it now."""
    words = ("--model", "llama-3.1-8b")
    answer = tlplan(*words, environment=fake_driver_environment(MACHINE_CASES[name]))

    check_golden(f"quick_check/{name}.txt", transcript(words, answer, {}))


@pytest.mark.parametrize("columns", [70, 60, 40])
def test_keeps_to_a_narrow_terminal(columns: int) -> None:
    """Leaves bars out below 80 columns and the breakdown below 50, and cuts no command."""
    words = ("--model", "llama-3.1-8b", "--gpu", "rtx-4090")
    variables = {"COLUMNS": str(columns)}
    answer = tlplan(*words, **variables)

    check_golden(f"quick_check/{columns}-columns.txt", transcript(words, answer, variables))
    before_commands = answer.out.partition("\nNext")[0]
    assert max(map(len, before_commands.splitlines())) <= columns


def test_calls_a_fit_without_reserve_tight() -> None:
    """Says tight where the expected value fits and the upper end of the interval does not."""
    words = ("--model", "llama-3.1-8b", "--gpu", "18GiB", "--method", "lora")
    answer = tlplan(*words)

    assert "tight, " in answer.out, "choose a size for which lora is tight"
    assert answer.code == 0
    check_golden("quick_check/tight.txt", transcript(words, answer, {}))


def test_a_whole_answer_has_at_most_25_lines_of_80_columns() -> None:
    """Fits a terminal of 80 x 25, with an end of line after the last one."""
    environment = fake_driver_environment(machines.RTX_4090_DESKTOP)
    answer = tlplan("--model", "llama-3.1-8b", environment=environment)
    lines = answer.out.splitlines()

    assert len(lines) <= 25
    assert max(map(len, lines)) <= 80
    assert answer.out.endswith("\n")
    assert answer.err == ""


@pytest.mark.parametrize("variables", [{"LC_ALL": "C"}, {"PYTHONIOENCODING": "latin-1"}])
def test_writes_ascii_where_utf8_is_not_spoken(variables: dict[str, str]) -> None:
    """Falls back to # and +- in a locale or on a stream without UTF-8."""
    answer = tlplan("--model", "llama-3.1-8b", "--gpu", "rtx-4090", **variables)

    assert answer.out.isascii()
    assert "+- " in answer.out
    assert "####" in answer.out


@pytest.mark.parametrize("variables", [{}, {"FORCE_COLOR": "1"}, {"TERM": "xterm-256color"}])
def test_writes_no_escape_into_a_pipe(variables: dict[str, str]) -> None:
    """Has no escape byte where stdout is no terminal, whatever the environment hopes for."""
    answer = tlplan("--model", "llama-3.1-8b", "--gpu", "rtx-4090", **variables)

    assert "\x1b" not in answer.out


def test_a_colored_answer_is_the_plain_one_with_colors() -> None:
    """Colour adds escapes and changes nothing else."""
    import re

    words = ("--model", "llama-3.1-8b", "--gpu", "rtx-4090")
    colored = tlplan(*words, "--color", "always").out

    assert "\x1b[" in colored
    assert re.sub(r"\x1b\[\d+m", "", colored) == tlplan(*words).out


def test_never_repeats_a_sum_that_does_not_add_up() -> None:
    """The parts shown add up to the total shown, to the last digit."""
    for card in ("rtx-4090", "12GiB", "a100-sxm4-80gb", "t4"):
        out = tlplan("--model", "qwen3-8b", "--gpu", card).out
        title, *rows = out.partition("Where ")[2].partition("\n\n")[0].splitlines()
        total = float(title.split()[1])

        assert round(sum(float(row[25:31]) for row in rows), 1) == total
