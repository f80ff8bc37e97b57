"""An attribution is held against random orders: one that tells the truth passes, and one that does not is labelled so."""

import io

import pytest
import torch
from stand_ins import corpus, family

import labkit as lk
from labkit import plots
from labkit.base.records import BadInput
from labkit.inspection.hiding import STEPS, Curve, Curves, Hidden, curves, deletion, holds, occluded, summed_up
from labkit.models.state import asking

ROWS = corpus(n=64, low=8, high=16)


def linear(weights):
    """An input of parts, each with a worth: the log-odds are the worth of what is there."""
    return Hidden(len(weights), lambda masks: (~masks).float() @ torch.tensor(weights))


WORTH = [3.0, 0.0, -1.0, 0.5, 2.0, 0.0, 0.1, -0.2]


def test_what_is_hidden_alone_is_worth_what_it_adds():
    assert occluded(linear(WORTH)) == pytest.approx(WORTH, abs=1e-6)


def test_curves_begin_with_everything_and_end_with_nothing():
    (curve,) = curves(linear(WORTH), [range(8)])
    assert len(curve) == STEPS + 1
    assert curve[0].item() == pytest.approx(torch.tensor(sum(WORTH)).sigmoid().item()) and curve[-1] == 0.5


def test_the_true_order_passes_and_its_reverse_and_noise_do_not():
    wide = [w + 0.01 * i for i, w in enumerate(WORTH * 3)]
    assert holds(*deletion(linear(wide), wide, range(24)))
    assert not holds(*deletion(linear(wide), [-w for w in wide], range(24)))
    passed = [
        holds(*deletion(linear(wide), torch.rand(24, generator=torch.Generator().manual_seed(s)).tolist(), range(24)))
        for s in range(60)
    ]
    assert sum(passed) <= 8  # 3 are expected: one in twenty


def test_too_few_parts_are_not_tested():
    assert deletion(linear(WORTH), WORTH, range(3)) is None


def test_the_interval_is_that_of_the_mean_gain_over_rows():
    pairs = [
        (torch.tensor([1.0] + [0.5 - d] * STEPS), torch.tensor([[1.0] + [0.5] * STEPS] * 2)) for d in (0.1, 0.2, 0.3)
    ]
    found = summed_up("occlusion", pairs)
    assert found.gain == pytest.approx(0.2) and found.better and found.rows == 3
    assert found.high - found.gain == pytest.approx(1.96 * 0.1 / 3**0.5, rel=1e-4)
    assert not Curve("rollout", (), (), 0.01, -0.1, 0.12, 3).better


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    made = lk.load(family("bert", tmp_path_factory.mktemp("m") / "bert"), labels=ROWS.labels)
    lk.Trainer(made, ROWS, lk.Full(), lk.TrainConfig(epochs=8, lr=3e-3, batch_size=4, device="cpu")).fit()
    return made


TEXTS = [e.input for e in ROWS.test[:6]]


def test_occlusion_is_the_loss_of_log_odds_without_the_token(model):
    (found,) = lk.attribute(model, TEXTS[0], method="occlusion")
    ids = model.processor(TEXTS[0])["input_ids"]

    def odds(ids):
        with asking(model):
            logits = model(
                input_ids=torch.tensor([ids]), attention_mask=torch.ones(1, len(ids), dtype=torch.long)
            ).logits[0]
        target = model.task.labels.index(found.label)
        return (logits[target] - logits[1 - target]).item()

    for i in range(1, len(ids) - 1):
        less = [model.processor.mask_token_id if j == i else x for j, x in enumerate(ids)]
        assert found.scores[i] == pytest.approx(odds(ids) - odds(less), abs=1e-4)
    assert found.scores[0] == found.scores[-1] == 0


@pytest.mark.parametrize("kind", ["bert", "distilbert", "gpt2"])
def test_rollout_is_the_product_of_attention_and_standing_still(kind, tmp_path):
    made = lk.load(family(kind, tmp_path / "model"), labels=ROWS.labels)
    (found,) = lk.attribute(made, TEXTS[0], method="rollout", test=False)
    ids = torch.tensor([made.processor(TEXTS[0])["input_ids"]])
    made.set_attn_implementation("eager")
    with asking(made):
        flows = made(input_ids=ids, attention_mask=torch.ones_like(ids), output_attentions=True).attentions
    total = torch.eye(ids.shape[1])
    for flow in flows:
        mixed = flow[0].mean(0) + torch.eye(ids.shape[1])
        total = mixed / mixed.sum(1, keepdim=True) @ total
    want = total[-1 if kind == "gpt2" else 0]
    assert want.sum().item() == pytest.approx(1)
    kept = [i for i, special in enumerate(found.special) if not special]
    if len(found.tokens) == ids.shape[1]:
        assert [found.scores[i] for i in kept] == pytest.approx([want[i].item() for i in kept], abs=1e-5)
    assert min(found.scores) >= 0


def test_the_way_attention_is_computed_is_as_before(model):
    before = model.config._attn_implementation
    lk.attribute(model, TEXTS[0], method="rollout")
    assert model.config._attn_implementation == before


@pytest.mark.parametrize("lang, word", [("zh", "删除检验"), ("en", "deletion test")])
def test_one_that_fails_is_labelled_in_text_and_html_and_another_is_not(model, lang, word, monkeypatch):
    monkeypatch.setenv("LABKIT_LANG", lang)
    every = [
        x for m in ("integrated", "gradient", "occlusion", "rollout") for x in lk.attribute(model, TEXTS, method=m)
    ]
    assert {x.truthful for x in every} == {True, False}
    for one in every:
        assert (word in str(one)) is (one.truthful is False) is (word in one._repr_html_())


def test_a_test_that_is_not_asked_for_says_nothing(model):
    (found,) = lk.attribute(model, TEXTS[0], test=False)
    assert found.truthful is None and "deletion" not in str(found)


@pytest.mark.parametrize("lang", ["zh", "en"])
def test_curves_of_methods_show_as_a_table_and_a_figure(model, lang, monkeypatch):
    monkeypatch.setenv("LABKIT_LANG", lang)
    found = lk.deletion_curves(model, TEXTS, ["integrated", "rollout"])
    assert isinstance(found, Curves) and [one.method for one in found] == ["integrated", "rollout"]
    assert found[0].better and all(0 <= p <= 1 for one in found for p in one.curve)
    assert str(found).count("\n") >= 3 and "<table>" in found._repr_html_()
    fig = plots.deletions(found)
    fig.savefig(io.BytesIO(), format="raw")
    seen, (width, height) = fig.get_tightbbox(), fig.get_size_inches()
    assert seen.x0 >= 0 and seen.y0 >= 0 and seen.x1 <= width and seen.y1 <= height


def test_texts_that_are_too_short_are_refused(model):
    with pytest.raises(BadInput, match="too short"):
        lk.deletion_curves(model, ["好", "坏"], ["occlusion"])
