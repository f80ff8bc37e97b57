"""A CRF on top of a tagger: sums over all sequences against brute force, decoding, training, and what is saved."""

import itertools
from dataclasses import replace

import numpy as np
import pytest
import torch
from stand_ins import bert

import labkit as lk
from labkit.base.records import BadInput
from labkit.deploy.export import check
from labkit.models.loading import load
from labkit.tasks import Tagging, chain, task_of
from labkit.tasks.spans import viterbi

LABELS = ("A", "B")
LENGTHS = np.array([3, 1, 4])
TASK = Tagging(labels=LABELS, crf=True)


def every_path(scores, table):
    """(path, its score) of all sequences of tags of one row."""
    for path in itertools.product(range(scores.shape[1]), repeat=len(scores)):
        pairs = sum(table[1 + a, b] for a, b in itertools.pairwise(path))
        yield path, table[0, path[0]] + pairs + sum(scores[i, tag] for i, tag in enumerate(path))


@pytest.fixture
def made():
    torch.manual_seed(0)
    scores, table = torch.randn(8, 5, requires_grad=True), torch.randn(6, 5, requires_grad=True)
    return scores, table, list(torch.split(scores, LENGTHS.tolist()))


def test_the_sum_over_all_sequences_and_its_gradients_are_those_of_brute_force(made):
    scores, table, rows = made
    bound, weights = chain.bounded(table, LABELS), torch.tensor([1.0, -2.0, 0.5])
    ours = chain.LogSum.apply(scores, bound, LENGTHS)
    brute = torch.stack([torch.stack([s for _, s in every_path(row, bound)]).logsumexp(0) for row in rows])
    torch.testing.assert_close(ours, brute)
    one, other = (torch.autograd.grad((x * weights).sum(), [scores, table]) for x in (ours, brute))
    for a, b in zip(one, other, strict=True):
        torch.testing.assert_close(a, b.nan_to_num(), atol=1e-5, rtol=1e-4)


def test_the_loss_is_that_of_the_true_sequence_or_of_all_that_have_the_tags_that_are_known(made):
    scores, table, rows = made
    bound = chain.bounded(table, LABELS)
    for target in (torch.tensor([1, 2, 0, 0, 3, 4, 0, 1]), torch.tensor([1, -1, 0, -1, 3, 4, -1, 1])):
        ours = chain.unlikely(scores, bound, target, LENGTHS)
        for row, tags, loss in zip(rows, torch.split(target, LENGTHS.tolist()), ours, strict=True):
            paths = list(every_path(row, bound))
            fits = [s for path, s in paths if all(t in (-1, p) for p, t in zip(path, tags.tolist(), strict=True))]
            wanted = torch.stack([s for _, s in paths]).logsumexp(0) - torch.stack(fits).logsumexp(0)
            torch.testing.assert_close(loss, wanted)


def test_decoding_finds_the_likeliest_sequence_and_how_likely_its_tags_are(made):
    scores, table, _ = made
    bound = chain.bounded(table, LABELS).detach().double().numpy()
    plain = scores.detach().double().numpy()
    best = viterbi(plain, LENGTHS, bound[0], bound[1:])
    each = chain.likely(plain, bound[0], bound[1:], LENGTHS)
    at = 0
    for n in LENGTHS:
        paths = list(every_path(plain[at : at + n], bound))
        assert tuple(best[at : at + n]) == max(paths, key=lambda pair: pair[1])[0]
        shares = np.exp(np.array([s for _, s in paths]) - np.logaddexp.reduce([s for _, s in paths]))
        for i in range(n):
            wanted = [sum(p for (path, _), p in zip(paths, shares, strict=True) if path[i] == k) for k in range(5)]
            np.testing.assert_allclose(each[at + i], wanted, atol=1e-9)
        at += n


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    return bert(tmp_path_factory.mktemp("chain") / "net", num_hidden_layers=2)


def corpus():
    one = "东西南北好棒赞美"
    rows = [lk.Example(f"我在{a}{b}不说", ((2, 4, "A"),)) for a, b in itertools.product(one, repeat=2)]
    return lk.Corpus("toy", tuple(rows[12:44]), tuple(rows[:6]), tuple(rows[6:12]), TASK)


@pytest.mark.parametrize("strategy", [lk.Full(), lk.LoRA(rank=2), lk.TopK(1)], ids=str)
def test_it_learns_is_saved_and_says_the_same_again(place, tmp_path, strategy):
    config = lk.TrainConfig(epochs=12, lr=5e-3, batch_size=8, device="cpu")
    trainer = lk.Trainer(load(place, task=TASK), corpus(), strategy, config)
    run = trainer.fit()
    assert any("chain" in name for name in run.moved) and run.history[-1].train_loss < run.history[0].train_loss
    lk.save(trainer.model, tmp_path / "kept")
    again = load(tmp_path / "kept")
    assert again.task == TASK == task_of(TASK.card())
    one, other = (lk.predict(m, [e.input for e in corpus().test]) for m in (trainer.model, again))
    assert [t.entities for t in one] == [t.entities for t in other] and any(t.entities for t in one)


def test_plain_transformers_reads_what_was_saved_without_the_table(place, tmp_path):
    from transformers import AutoModelForTokenClassification

    model = load(place, task=TASK)
    lk.save(model, tmp_path / "kept")
    plain = AutoModelForTokenClassification.from_pretrained(tmp_path / "kept")
    ids = torch.tensor([[1, 5, 6, 2]])
    torch.testing.assert_close(plain(ids).logits, model(ids).logits)


def test_a_head_of_other_types_and_its_table_are_drawn_anew(place, tmp_path):
    lk.save(load(place, task=TASK, seed=1), tmp_path / "kept")
    tables = [load(tmp_path / "kept", task=t, seed=2).chain.weight for t in (TASK, replace(TASK, labels=("C", "D")))]
    assert tables[0].shape == tables[1].shape and not torch.equal(*tables)


def test_the_last_map_alone_trains_without_the_table(place):
    model = lk.HeadOnly(pooler=False).prepare(load(place, task=TASK))
    assert {n for n, p in model.named_parameters() if p.requires_grad} == {"classifier.weight", "classifier.bias"}


def test_it_is_not_exported(place):
    with pytest.raises(BadInput, match="CRF cannot be exported"):
        check(load(place, task=TASK), "float")
    check(load(place, task=replace(TASK, crf=False)), "float")
