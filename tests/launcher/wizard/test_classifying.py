"""Rows with labels and pictures lead to models that can learn them, and to a plan that runs."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from launcher.wizard.draft import Draft
from launcher.wizard.model.listing import Catalogue, suited_models
from tests.launcher.cli.program import tlplan
from tests.launcher.training.pictures import tiny_vit, write_digits
from tests.launcher.wizard.driving import draft_of, run, wizard
from tests.models import minilm

__all__ = ["minilm", "tiny_vit"]


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A working folder with texts that have one of two labels."""
    monkeypatch.chdir(tmp_path)
    rows = [
        json.dumps({"text": f"Order {row} came {word}.", "label": word})
        for row in range(120)
        for word in ("late", "broken")
    ]
    (tmp_path / "labels.jsonl").write_text("\n".join(rows) + "\n")
    return tmp_path


def check_plan(folder: Path, text: str, task: str) -> None:
    """What the wizard ended in is a plan of the task that a launch takes."""
    (folder / "plan.yaml").write_text(text)
    checked = tlplan("launch", "plan.yaml", "--dry-run", folder=folder)
    assert checked.code == 0, checked.err
    assert f"task: {task}" in text


def test_pictures_lead_to_models_that_learn_from_them(here: Path, tiny_vit: Path) -> None:
    """A model of language is no dead end: Enter shows image models, and the folder stays typed."""
    shutil.copytree(tiny_vit, here / "vit")
    write_digits(here / "digits", 60)

    async def journey() -> None:
        async with wizard() as on:
            await on.press("enter")
            await on.fill("smollm2-135m")
            await on.press("enter")
            await on.fill("digits")
            await on.press("enter")
            await on.until(lambda: "Choose another model" in on.text)
            assert "60 rows of pictures by class; smollm2-135m reads text" in on.text
            await on.press("enter")
            await on.until(lambda: "Which model?" in on.text)
            await on.verdicts_known()
            assert "deit-small" in on.text
            assert "llama" not in on.text
            await on.fill("./vit")
            await on.press("enter")
            await on.until(lambda: "Enter goes on" in on.text)
            await on.press("enter")
            await on.until(lambda: "images by class" in on.text)
            assert "each picture becomes 17 tokens" in on.text
            await on.press("enter", "enter")
            await on.until(lambda: "read just now" in on.text)
            ready = on.app.step(4)._ready
            assert ready is not None
            (here / "made.yaml").write_text(ready.text)

    run(journey())
    check_plan(here, (here / "made.yaml").read_text(), "image-classification")


def test_labels_bring_up_encoders_and_decoders_with_a_head(here: Path, minilm: Path) -> None:
    """Back from labelled rows the list begins with encoders; one of them ends in a plan."""
    shutil.copytree(minilm, here / "minilm")

    async def journey() -> None:
        draft = draft_of(gpu="cpu", model="smollm2-135m")
        async with wizard(draft=draft) as on:
            await on.go_to(2)
            await on.fill("labels.jsonl")
            await on.until(lambda: "text and label" in on.text)
            assert "2: late 50 %, broken 50 %" in on.text
            await on.press("escape")
            await on.verdicts_known()
            await on.press(*["pageup"] * 20)
            assert "▸ albert-base-v2" in on.text
            await on.fill("./minilm")
            await on.press("enter")
            await on.until(lambda: "Enter goes on" in on.text)
            await on.press("enter")
            await on.until(lambda: "text and label" in on.text)
            await on.press("enter")
            epochs = next(line for line in on.text.splitlines() if "Epochs" in line).split()[-1]
            await on.press("enter")
            await on.until(lambda: "read just now" in on.text)
            assert f", {epochs} epochs" in on.text
            ready = on.app.step(4)._ready
            assert ready is not None
            (here / "made.yaml").write_text(ready.text)

    run(journey())
    check_plan(here, (here / "made.yaml").read_text(), "text-classification")


def test_words_find_classifiers_without_any_rows(here: Path) -> None:
    """Whoever knows the name need not bring the data first; without words language is listed."""
    del here
    catalogue = Catalogue()

    names = {row.name for row in catalogue.matching("modernbert")}
    pictures = {row.name for row in catalogue.matching("image-classification")}

    assert {"modernbert-base", "modernbert-large"} <= names
    assert "vit-base-patch16-224" in pictures
    assert not names & {row.name for row in catalogue.rows}


def test_what_can_be_learned_decides_what_is_listed() -> None:
    """Texts: encoders, then decoders with a head; pictures: image models alone."""
    of_text, of_pictures = (
        suited_models("text-classification"),
        suited_models("image-classification"),
    )

    assert [each.task for each in of_text] == sorted(
        (each.task for each in of_text), key=lambda task: task != "text-classification"
    )
    assert "llama-3.1-8b" in {each.id for each in of_text}
    assert {each.task for each in of_pictures} == {"image-classification"}


@pytest.mark.parametrize(
    ("learns", "suggested"),
    [("text-classification", "modernbert-base"), ("image-classification", "dinov2-base")],
)
def test_the_suggestion_is_an_encoder_or_image_model(learns: str, suggested: str) -> None:
    """Of a usual size and open; the cursor stands on it."""

    async def journey() -> None:
        draft = Draft(budget=draft_of().budget, learns=learns)  # type: ignore[arg-type]
        async with wizard(draft=draft) as on:
            await on.go_to(1)
            await on.verdicts_known()
            assert f"▸ {suggested}" in on.text

    run(journey())
