"""A finished run's models: the base it started from and the tuned one, ready to be asked."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch

from launcher.errors import UsageError
from launcher.evaluation.generating import answers_to
from launcher.evaluation.nearest import features_of
from launcher.evaluation.outcomes import Condition
from launcher.runs.folder import RunFolder
from launcher.runs.stored_plan import plan_in_force
from launcher.training.loading import code_of_result, load_classifier, load_config, load_model
from launcher.training.text_part import writing_class
from planner.run_plan import RunPlan

_NEVER = float("inf")


class RunModels:
    """Base and tuned model of one run; adapters are switched off for the base."""

    def __init__(self, run: Path) -> None:
        self.plan: RunPlan = plan_in_force(RunFolder(run))
        self._adapter, self._model = run / "adapter", run / "model"
        if not self._adapter.is_dir() and not self._model.is_dir():
            raise UsageError(
                f"{run} has no result yet: it has neither an adapter nor a model",
                f"tlplan resume {RunFolder(run).typed} goes on with it",
            )
        self.is_classifier = self.plan.training.task != "causal-lm"
        result = self._adapter if self._adapter.is_dir() else self._model
        self.classes = self._classes(run) if self.is_classifier else ()
        self._tuned, self._base = self._loaded()
        self.preparation = self._preparation(result)

    @contextmanager
    def model(self, condition: Condition) -> Iterator[Any]:
        """The model of a condition, in evaluation mode and without gradients."""
        with torch.no_grad():
            if condition == "tuned":
                yield self._tuned
            elif self._base is not None:
                yield self._base
            else:
                with self._tuned.disable_adapter():
                    yield self._tuned

    @property
    def context_tokens(self) -> int:
        """The longest prompt and answer together."""
        return int(getattr(self._tuned.config, "max_position_embeddings", None) or 2048)

    def answer(self, question: str, condition: Condition, *, longest_tokens: int) -> str:
        """What a condition's language model says to a question."""
        tokenizer = self.preparation
        with self.model(condition) as model:
            prompt = question_tokens(tokenizer, question)
            (answer,) = answers_to(
                model, tokenizer, [prompt], longest_tokens=longest_tokens, deadline=_NEVER
            )
        return answer.text

    def chances(self, content: str) -> list[tuple[str, float]]:
        """Classes of a text, or of a picture by its path, the most likely first."""
        with self.model("tuned") as model:
            logits = model(**self._inputs(content, model)).logits
        shares = torch.softmax(logits[0].float(), dim=-1).tolist()
        return sorted(zip(self.classes, shares, strict=True), key=lambda item: -item[1])

    def features(self, content: str) -> torch.Tensor:
        """What the untrained model makes of a text or picture: 1 x width, of length 1."""
        with self.model("base") as model:
            return features_of(model, self._inputs(content, model))

    def _inputs(self, content: str, model: Any) -> dict[str, torch.Tensor]:
        if self.plan.training.task == "text-classification":
            inputs = self.preparation(
                content,
                truncation=True,
                max_length=self.plan.training.sequence_tokens,
                return_tensors="pt",
            )
        else:
            inputs = {"pixel_values": torch.from_numpy(self.preparation(content))[None]}
        device = next(model.parameters()).device
        return {name: value.to(device) for name, value in inputs.items()}

    def _loaded(self) -> tuple[Any, Any]:
        if self._adapter.is_dir():
            # Its methods carry no types.
            import peft

            adapted: Any = peft.PeftModel
            base = (
                load_classifier(self.plan, self.classes)
                if self.is_classifier
                else load_model(self.plan)
            )
            return adapted.from_pretrained(base, str(self._adapter)).eval(), None
        import transformers

        loaders: Any = {
            "causal-lm": writing_class(load_config(self.plan)),
            "text-classification": transformers.AutoModelForSequenceClassification,
            "image-classification": transformers.AutoModelForImageClassification,
        }
        loader = loaders[self.plan.training.task]
        options = {"use_safetensors": True, **code_of_result(self.plan)}
        tuned = loader.from_pretrained(str(self._model), **options).eval()
        if self.plan.hardware.device == "cuda":
            tuned = tuned.to("cuda")
        base_model: Any = (
            load_classifier(self.plan, self.classes)
            if self.is_classifier
            else load_model(self.plan)
        )
        return tuned, base_model.eval()

    def _preparation(self, result: Path) -> Any:
        """The tokenizer, or the function that makes a tensor of a picture."""
        if self.plan.training.task == "image-classification":
            from launcher.training.pictures import picture_preparation

            return picture_preparation(load_config(self.plan), result)[0]
        from transformers import AutoTokenizer

        tokenizer = AutoTokenizer.from_pretrained(str(result), **code_of_result(self.plan))
        if tokenizer.pad_token is None:
            tokenizer.pad_token = tokenizer.eos_token
        return tokenizer

    def _classes(self, run: Path) -> tuple[str, ...]:
        from launcher.runs.events import read_events

        for event in read_events(RunFolder(run).events):
            if event["type"] == "data" and "classes" in event:
                return tuple(event["classes"])
        raise UsageError(f"{run}: its events do not name the classes it was trained on")


def question_tokens(tokenizer: Any, question: str) -> list[int]:
    """A question as the model expects one: as a chat where it has a template."""
    if tokenizer.chat_template is None:
        return list(tokenizer(question)["input_ids"])
    encoded = tokenizer.apply_chat_template(
        [{"role": "user", "content": question}],
        tokenize=True,
        return_dict=True,
        add_generation_prompt=True,
    )
    return list(encoded["input_ids"])
