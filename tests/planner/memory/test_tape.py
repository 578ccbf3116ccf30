"""Passes small enough to count by hand. Every tensor has its own letter as size."""

from __future__ import annotations

from planner.memory.moments import Moments
from planner.memory.replay import Pass
from planner.memory.size import Dimensions, Size
from planner.memory.tape import Tape

# Powers of ten, so that a sum shows its terms.
_AT = {"h": 1.0, "q": 10.0, "k": 100.0, "i": 1000.0, "V": 10_000.0}


def _at(size: Size) -> float:
    return size.at(Dimensions(_AT))


def _peak(moments: Moments) -> float:
    return max(_at(moments[number].total) for number in range(len(moments)))


def _chain(*, saves: bool) -> Pass:
    """Two operations, x (h) -> a (q) -> b (k), that keep their input or nothing."""
    tape = Tape()
    x = tape.input(Size.of("h"), needs_grad=True)
    a = tape.run("first", [x], Size.of("q"), saves=[x] if saves else [])
    tape.run("second", [a], Size.of("k"), saves=[a] if saves else [])
    return tape.replay()


def test_a_chain_that_keeps_nothing_frees_each_input() -> None:
    """Forward holds an operation's input and output; backward two gradients."""
    done = _chain(saves=False)

    assert _at(done.saved) == 0
    assert _peak(done.forward) == 10 + 100  # a and b
    assert _peak(done.backward) == 100 + 10  # the gradients of b and a
    assert not done.saves_input


def test_a_chain_that_keeps_its_inputs_pays_in_backward() -> None:
    """What was saved lies beside the gradients until its operation ran backward."""
    done = _chain(saves=True)

    assert _at(done.saved) == 10  # a; the caller owns x
    assert done.saves_input
    # Backward of "second": a kept, gradients of b and a.
    assert _peak(done.backward) == 10 + 100 + 10


def test_an_operation_may_keep_its_output() -> None:
    """Softmax keeps what it made; the input goes."""
    tape = Tape()
    x = tape.input(Size.of("h"), needs_grad=True)
    a = tape.run("scores", [x], Size.of("q"))
    b = tape.run("softmax", [a], Size.of("k"), saves_output=True)
    tape.run("mix", [b], Size.of("i"))

    done = tape.replay()

    assert _at(done.saved) == 100  # b alone
    assert _peak(done.forward) == 100 + 1000  # a is gone when mix runs
    assert _peak(done.backward) == 100 + 1000 + 100  # b, gradients of the result and of b


def test_a_residual_shares_its_gradient() -> None:
    """Both sides of a sum get one gradient, and the branch's is added into it."""
    tape = Tape()
    x = tape.input(Size.of("h"), needs_grad=True)
    inner = tape.run("branch", [x], Size.of("i"), saves=[x])
    back = tape.run("project", [inner], Size.of("h"), saves=[inner])
    tape.add("add", [x, back], Size.of("h"))

    done = tape.replay()

    assert _at(done.saved) == 1000
    # Forward: inner and its projection, then the projection and the sum beside the saved inner.
    assert _peak(done.forward) == 1000 + 1 + 1
    # Backward of "project": inner, its gradient, and one h that is the gradient of everything.
    assert _peak(done.backward) == 1000 + 1000 + 1


def test_a_tensor_saved_twice_is_kept_once() -> None:
    """Two operations that save one tensor share it, and the later release frees it."""
    tape = Tape()
    x = tape.input(Size.of("h"), needs_grad=True)
    a = tape.run("norm", [x], Size.of("q"))
    left = tape.run("left", [a], Size.of("h"), saves=[a])
    right = tape.run("right", [a], Size.of("h"), saves=[a])
    tape.add("add", [left, right], Size.of("h"))

    done = tape.replay()

    assert _at(done.saved) == 10


def test_scratch_counts_only_while_it_is_used() -> None:
    """A kernel's workspace is in its own moment and in no later one."""
    tape = Tape()
    x = tape.input(Size.of("h"), needs_grad=True)
    a = tape.run("kernel", [x], Size.of("q"), forward_scratch=Size.of("V"))
    tape.run("next", [a], Size.of("k"), backward_scratch=Size.of("i"))

    done = tape.replay()

    assert _peak(done.forward) == 10 + 10_000
    assert _peak(done.backward) == 100 + 10 + 1000


def test_weight_gradients_stay_after_the_pass() -> None:
    """A trained matrix leaves its gradient behind."""
    tape = Tape()
    x = tape.input(Size.of("h"), needs_grad=True)
    weight = tape.weight(Size.of("V"), trained=True)
    tape.run("linear", [x, weight], Size.of("q"), saves=[x])

    done = tape.replay()

    assert _at(done.weight_gradients) == 10_000
    assert _peak(done.backward) == 10 + 10_000 + 1


def test_a_view_keeps_the_whole() -> None:
    """What saves a part of a tensor keeps all of its bytes; the gradient is of the whole's size."""
    tape = Tape()
    x = tape.input(Size.of("h"), needs_grad=True)
    whole = tape.run("project", [x], Size.of("V"))
    part = tape.view("slice", whole, Size.of("k"))
    tape.run("mix", [part], Size.of("q"), saves=[part])

    done = tape.replay()

    assert _at(done.saved) == 10_000
    # Backward of "mix", the whole still saved; then the slice lays k into a V.
    assert _peak(done.backward) == 10_000 + 10 + 100


def test_a_shared_gradient_is_not_written_over() -> None:
    """Where others still hold a gradient, a second one is added out of place."""
    tape = Tape()
    x = tape.input(Size.of("h"), needs_grad=True)
    left = tape.run("left", [x], Size.of("k"))
    right = tape.run("right", [x], Size.of("k"))
    again = tape.run("again", [right], Size.of("k"))
    tape.add("add", [left, right, again], Size.of("k"))

    # The sum's gradient is held by left and right when that of "again" arrives at right.
    assert _peak(tape.replay().backward) == 3 * 100


def test_python_holding_a_tensor_keeps_it_alive() -> None:
    """A frame's local lives until the line that last names it."""
    tape = Tape()
    x = tape.input(Size.of("h"), needs_grad=True)
    a = tape.run("first", [x], Size.of("k"))
    b = tape.run("second", [a], Size.of("h"))
    tape.run("third", [b], Size.of("q"))
    let_go = _peak(tape.replay().forward)
    tape.keep(a)

    held = _peak(tape.replay().forward)

    assert let_go == 100 + 1
    assert held == 100 + 1 + 10


def test_nothing_is_kept_where_nothing_needs_a_gradient() -> None:
    """Frozen layers under frozen inputs save nothing."""
    tape = Tape()
    x = tape.input(Size.of("h"), needs_grad=False)
    a = tape.run("first", [x], Size.of("q"), saves=[x], saves_aside=Size.of("V"))
    tape.run("second", [a], Size.of("k"), saves=[a])

    assert _at(tape.replay().saved) == 0
