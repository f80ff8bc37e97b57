"""The batcher: like lengths together, the oldest first, no more than the queue holds, no answer after its deadline."""

import asyncio
import threading
import time

import pytest

from labkit.deploy.batcher import ASIDES, Batcher, Closed, Full, Late
from labkit.deploy.limits import Limits


class Gate:
    """A model that answers with capitals, notes its batches, and stands still while the gate is shut."""

    def __init__(self, budget=1000, **limits):
        self.batches, self.open = [], threading.Event()
        self.open.set()
        self.batcher = Batcher(self.encode, self.answer, budget, Limits(**{"wait": 0.0, "inputs": 1, **limits}))

    def encode(self, texts):
        if any("unreadable" in t for t in texts):
            raise ValueError("cannot be encoded")
        return [(t, len(t)) for t in texts]

    def answer(self, texts):
        self.batches.append(list(texts))
        self.open.wait(20)
        if any("broken" in t for t in texts):
            raise ValueError("cannot be answered")
        return [t.upper() for t in texts]

    async def busy(self):
        """Shut the gate with a first input behind it: what is offered now waits."""
        self.open.clear()
        first = self.batcher.offer(["first"])
        while not self.batches:
            await asyncio.sleep(0.001)
        return first


@pytest.fixture
def gate(request):
    made = []

    def make(**options):
        made.append(Gate(**options))
        return made[-1]

    yield make
    for one in made:
        one.open.set()
        assert one.batcher.close(20)


def asked(scenario):
    """The scenario's result; one that hangs fails."""
    return asyncio.run(asyncio.wait_for(scenario, 30))


def test_what_waits_while_the_model_computes_is_answered_in_one_batch(gate):
    model = gate()

    async def scenario():
        first = await model.busy()
        rest = [model.batcher.offer([t]) for t in ("aa", "bb", "cc")]
        model.open.set()
        return await asyncio.gather(first, *rest)

    assert asked(scenario()) == [["FIRST"], ["AA"], ["BB"], ["CC"]]
    assert model.batches == [["first"], ["aa", "bb", "cc"]]


def test_like_lengths_share_a_batch_and_padding_stays_in_the_budget(gate):
    model = gate(budget=40)
    texts = ["x" * n for n in (10, 30, 11, 2, 29, 9)]

    async def scenario():
        first = await model.busy()
        rest = [model.batcher.offer([t]) for t in texts]
        model.open.set()
        return await asyncio.gather(first, *rest)

    assert [x for (x,) in asked(scenario())[1:]] == [t.upper() for t in texts]
    sizes = [[len(t) for t in batch] for batch in model.batches[1:]]
    assert sizes[0] == [10, 11, 9]  # round the one that waits longest
    assert all(len(s) * max(s) <= 40 or len(s) == 1 for s in sizes)


def test_a_long_input_that_waits_longest_is_not_passed_over_for_ever(gate):
    model = gate(budget=60, batch=4)

    async def scenario():
        first = await model.busy()
        rest = [model.batcher.offer([t]) for t in ("x" * 50, *("yy" for _ in range(20)))]
        model.open.set()
        await asyncio.gather(first, *rest)

    asked(scenario())
    assert model.batches[1] == ["x" * 50]


def test_one_input_more_than_the_queue_holds_is_refused_with_a_time(gate):
    model = gate(queue=3)

    async def scenario():
        first = await model.busy()
        kept = [model.batcher.offer([t]) for t in "ab"]
        with pytest.raises(Full) as full:
            model.batcher.offer(["c"])
        model.open.set()
        await asyncio.gather(first, *kept)
        again = await model.batcher.offer(["c"])
        return full.value.seconds, again

    seconds, again = asked(scenario())
    assert seconds > 0 and again == ["C"]


def test_inputs_that_come_together_are_taken_on_all_or_none(gate):
    model = gate(queue=3, inputs=3)

    async def scenario():
        first = await model.busy()
        with pytest.raises(Full):
            model.batcher.offer(["a", "b", "c"])
        pair = model.batcher.offer(["a", "b"])
        model.open.set()
        return (await asyncio.gather(first, pair))[1]

    assert asked(scenario()) == ["A", "B"]
    assert model.batcher.held == 0


def test_what_cannot_be_done_before_the_deadline_is_not_taken_on(gate):
    model = gate()
    model.batcher.pace = 5.0  # seconds an input, as it was of late

    async def scenario():
        first = await model.busy()
        with pytest.raises(Full) as full:
            model.batcher.offer(["a"], 1.0)
        model.open.set()
        await first
        return full.value.seconds

    assert asked(scenario()) == 5.0


def test_an_input_whose_deadline_passed_is_not_computed_any_more(gate):
    model = gate()

    async def scenario():
        first = await model.busy()
        late = model.batcher.offer(["late"], 0.05)
        await asyncio.sleep(0.1)
        model.open.set()
        return (await asyncio.gather(first, late))[1]

    (outcome,) = asked(scenario())
    assert isinstance(outcome, Late)
    assert model.batches == [["first"]] and model.batcher.counts.late == 1


def test_an_answer_that_comes_after_the_deadline_is_not_given(gate):
    model = gate(deadline=0.05)

    async def scenario():
        first = await model.busy()
        await asyncio.sleep(0.1)
        model.open.set()
        return await first

    (outcome,) = asked(scenario())
    assert isinstance(outcome, Late)


@pytest.mark.parametrize("bad", ["unreadable", "broken"])
def test_one_bad_input_fails_alone(gate, bad):
    model = gate(inputs=2)

    async def scenario():
        first = await model.busy()
        rest = [model.batcher.offer(t) for t in (["a", bad], ["b"], ["c"])]
        model.open.set()
        return (await asyncio.gather(first, *rest))[1:]

    (good, failed), *others = asked(scenario())
    assert good == "A" and isinstance(failed, ValueError)
    assert others == [["B"], ["C"]]


def test_after_a_batch_that_raised_the_next_one_is_answered(gate):
    model = gate()

    async def scenario():
        return await model.batcher.offer(["broken"]), await model.batcher.offer(["fine"])

    (failed,), fine = asked(scenario())
    assert isinstance(failed, ValueError) and fine == ["FINE"]


def test_something_else_is_computed_by_the_same_thread_and_few_may_wait(gate):
    model = gate()

    async def scenario():
        first = await model.busy()
        kept = [model.batcher.aside(lambda: threading.current_thread().name) for _ in range(ASIDES)]
        with pytest.raises(Full):
            model.batcher.aside(lambda: None)
        model.open.set()
        return (await asyncio.gather(first, *kept))[1:]

    assert asked(scenario()) == ["labkit-batches"] * ASIDES


def test_closing_answers_what_is_in_and_takes_nothing_more(gate):
    model = gate()

    async def scenario():
        first = await model.busy()
        second = model.batcher.offer(["second"])
        closing = asyncio.create_task(asyncio.to_thread(model.batcher.close, 20))
        while not model.batcher.stopping:
            await asyncio.sleep(0.001)
        with pytest.raises(Closed):
            model.batcher.offer(["third"])
        model.open.set()
        return await asyncio.gather(first, second, closing)

    assert asked(scenario()) == [["FIRST"], ["SECOND"], True]


def test_a_lone_input_waits_for_others_no_longer_than_it_was_told(gate):
    model = gate(wait=300.0)

    async def scenario():
        first = model.batcher.offer(["a"])
        await asyncio.sleep(0.05)
        return await asyncio.gather(first, model.batcher.offer(["b"]))

    began = time.monotonic()
    assert asked(scenario()) == [["A"], ["B"]]
    assert model.batches == [["a", "b"]]
    assert time.monotonic() - began >= 0.3
