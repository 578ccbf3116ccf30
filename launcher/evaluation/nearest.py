"""What few examples alone would give a classifier: the class whose examples are nearest.

Nothing is trained: each class is the mean of the untrained model's features of its examples.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable, Mapping, Sequence
from typing import Any, NamedTuple

import torch


class Nearest(NamedTuple):
    """Classes as points among features."""

    classes: tuple[int, ...]
    """Numbers of those that have an example."""
    means: torch.Tensor
    """Classes x width, each of length 1."""

    def similarities(self, features: torch.Tensor) -> torch.Tensor:
        """Rows x classes, cosines."""
        return features @ self.means.T

    def guesses(self, features: torch.Tensor) -> list[int]:
        """The number of the nearest class of each row."""
        best = self.similarities(features).argmax(dim=-1).tolist()
        return [self.classes[index] for index in best]


def nearest_classes(features: torch.Tensor, labels: Sequence[int]) -> Nearest:
    """Classes from the features of examples, rows x width, and the number of each one's class."""
    numbers = torch.tensor(labels)
    present = tuple(sorted(set(labels)))
    means = torch.stack([features[numbers == number].mean(dim=0) for number in present])
    return Nearest(present, torch.nn.functional.normalize(means, dim=-1))


def few_of_each(labels: Sequence[Hashable], most: int) -> list[int]:
    """Indices of the first `most` rows of every class."""
    taken: Counter[Hashable] = Counter()
    chosen = []
    for index, label in enumerate(labels):
        if taken[label] < most:
            taken[label] += 1
            chosen.append(index)
    return chosen


def features_of(model: Any, batch: Mapping[str, torch.Tensor]) -> torch.Tensor:
    """Rows x width, of length 1: the mean of what the last layer makes of a row's tokens.

    `model` is a classifier, with adapters or without; its head is left out.
    """
    body = getattr(model, "get_base_model", lambda: model)().base_model
    hidden = body(**batch).last_hidden_state.float()
    if hidden.dim() == 4:
        hidden = hidden.flatten(2).transpose(1, 2)
    mask = batch.get("attention_mask")
    weights = torch.ones(hidden.shape[:2], device=hidden.device) if mask is None else mask
    summed = (hidden * weights[..., None]).sum(dim=1)
    return torch.nn.functional.normalize(summed / weights.sum(dim=1)[:, None], dim=-1).cpu()
