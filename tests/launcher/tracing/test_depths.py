"""How deep shallow models are, and how often each counts."""

from __future__ import annotations

import pytest

from launcher.tracing.depths import Share, depths_of, depths_of_split

KINDS = {
    "one kind": ["a"] * 32,
    "alternating": ["slide", "full"] * 13,
    "five to one, ragged end": (["slide"] * 5 + ["full"]) * 4 + ["slide"] * 2,
    "a first block of its own": ["dense"] + ["expert"] * 26,
    "three to one": (["linear"] * 3 + ["full"]) * 12,
}


def counted(shares: list[Share], kinds: list[str]) -> dict[str, int]:
    """How many blocks of each kind the weighted sum of the shallow models has."""
    return {
        kind: sum(share.times * kinds[: share.layers].count(kind) for share in shares)
        for kind in set(kinds)
    }


@pytest.mark.parametrize("kinds", KINDS.values(), ids=KINDS.keys())
def test_shallow_models_add_up_to_the_full_one(kinds):
    """Every kind of block counts as often as the full model has it, everything else once."""
    shares = depths_of(kinds)

    assert counted(shares, kinds) == {kind: kinds.count(kind) for kind in set(kinds)}
    assert sum(share.times for share in shares) == 1
    assert sum(share.layers for share in shares) < len(kinds)


def test_a_plain_model_is_traced_with_two_and_three_blocks():
    """Two models that differ by one block are enough."""
    assert [share.layers for share in depths_of(["a"] * 80)] == [2, 3]


@pytest.mark.parametrize("kinds", [["a"] * 4, ["a", "b", "c", "d", "e", "f", "g", "h"]])
def test_a_model_is_traced_whole_where_that_is_cheaper_or_nothing_repeats(kinds):
    """Few blocks, or blocks that are all different."""
    assert depths_of(kinds) == [Share(layers=len(kinds), times=1)]


@pytest.mark.parametrize("trained", [1, 2, 3, 12, 31])
def test_frozen_and_trained_blocks_add_up_apart(trained):
    """The weighted sum has as many frozen and as many trained blocks as the full model."""
    shares = depths_of_split(["a"] * 32, trained=trained)

    assert sum(share.times * share.frozen for share in shares) == 32 - trained
    assert sum(share.times * (share.layers - share.frozen) for share in shares) == trained
    assert sum(share.times for share in shares) == 1
