"""What each token adds to a prediction: against a slow loop, and where the right answer is known."""

from types import SimpleNamespace

import pytest
import torch
import toys
from stand_ins import FAMILIES, corpus, family, wordpiece

import labkit as lk
from labkit import plots
from labkit.inspection import attribution
from labkit.inspection.attribution import attribute
from labkit.inspection.attribution_html import tokens_html
from labkit.models.loading import load
from labkit.tasks import Classification

TEXTS = ["好的地方，慢的人", "不赞", "一个人在这里看了好多年的书，坏"]


@pytest.fixture(scope="module")
def folders(tmp_path_factory):
    root = tmp_path_factory.mktemp("models")
    return {kind: family(kind, root / kind) for kind in FAMILIES}


@pytest.fixture
def make(folders):
    """A model with sharp answers: `make("gpt2", labels=3)`."""

    def made(kind="bert", labels=2, sharp=40.0):
        model = load(folders[kind], labels=[f"mark{i}" for i in range(labels)])
        for name in lk.blocks(model)[-1].parameters:
            model.get_parameter(name).data.mul_(sharp)
        return model

    return made


class Linear(torch.nn.Module):
    """Class scores are a linear map of the sum of the tokens' vectors."""

    def __init__(self):
        super().__init__()
        self.processor, self.task = wordpiece(), Classification(labels=("no", "yes"))
        self.config = SimpleNamespace(model_type="linear")
        self.vectors = torch.nn.Embedding(len(self.processor), 8)
        self.head = torch.nn.Linear(8, 2)

    def get_input_embeddings(self):
        return self.vectors

    def forward(self, input_ids, attention_mask):
        return SimpleNamespace(logits=self.head(self.vectors(input_ids).sum(1)))


@pytest.mark.parametrize("method", ["integrated", "gradient", "occlusion"])
def test_a_linear_model_is_shared_out_exactly(method):
    model = Linear()
    (found,) = attribute(model, "好了", label="yes", method=method)
    worth = (model.vectors.weight @ (model.head.weight[1] - model.head.weight[0])).detach()
    ids, mask = model.processor("好了")["input_ids"], model.processor.mask_token_id
    assert found.scores == pytest.approx([0.0, *(float(worth[i] - worth[mask]) for i in ids[1:-1]), 0.0], abs=1e-5)
    assert found.tokens == ("[CLS]", "好", "了", "[SEP]")


def slow(model, text, target, points=80):
    """The definition, step by step, with the vectors given to the model as such."""
    ids = torch.tensor([model.processor(text)["input_ids"]])
    table, ends = model.get_input_embeddings().weight, (model.processor.cls_token_id, model.processor.sep_token_id)
    blank = table[attribution.hidden(model.processor)]
    end = table[ids].detach()
    start = torch.stack([e if int(i) in ends else blank for i, e in zip(ids[0], end[0], strict=True)])[None].detach()
    total = torch.zeros_like(end)
    for k in range(points):
        at = (start + (k + 0.5) / points * (end - start)).requires_grad_(True)
        logits = model(inputs_embeds=at, attention_mask=torch.ones_like(ids)).logits[0]
        rest = [z for i, z in enumerate(logits) if i != target]
        (logits[target] - torch.stack(rest).logsumexp(0)).backward()
        total += at.grad / points
    return ((end - start) * total).sum(-1)[0].tolist()


@pytest.mark.parametrize("kind, labels", [("bert", 2), ("bert", 3), ("gpt2", 2), ("distilbert", 2)])
def test_integrated_gradients_are_those_of_a_slow_loop(make, kind, labels):
    model = make(kind, labels)
    found = attribute(model, "好，坏人", label="mark1", tolerance=1e-4)[0]
    want = slow(model, "好，坏人", target=1)
    ids = model.processor("好，坏人")["input_ids"]
    assert len(want) == len(ids)
    if len(found.tokens) == len(ids):  # else several tokens make up a character
        assert found.scores == pytest.approx(want, abs=2e-3)
    assert sum(found.scores) == pytest.approx(sum(want), abs=2e-3)


@pytest.mark.parametrize("kind", FAMILIES)
def test_the_scores_make_up_the_whole_difference(make, kind):
    all_found = attribute(make(kind, sharp=200.0), TEXTS, tolerance=0.005)
    assert max(abs(found.log_odds - found.baseline) for found in all_found) > 0.1, "there is something to share out"
    for found in all_found:
        assert found.gap <= 0.005 * max(1.0, abs(found.log_odds - found.baseline))


@pytest.mark.parametrize("strategy", [lk.LoRA(rank=2), lk.PTuningV2(tokens=3), lk.Adapter(), lk.HeadOnly()], ids=str)
def test_models_that_carry_something_added_are_explained_too(make, strategy):
    model = strategy.prepare(make())
    for found in attribute(model, TEXTS):
        assert found.gap <= 0.02 * max(1.0, abs(found.log_odds - found.baseline))
        assert found.probabilities == pytest.approx(lk.predict(model, found.text)[0].probabilities)


def test_a_tighter_tolerance_takes_more_points(make):
    model = make(sharp=300.0)
    loose, tight = (attribute(model, TEXTS[2], tolerance=t)[0] for t in (1.0, 1e-6))
    assert tight.points > loose.points == attribution.FIRST
    assert tight.gap < loose.gap
    assert tight.points <= attribution.MOST


def test_the_gradient_alone_takes_one_point(make):
    found = attribute(make(), TEXTS[0], method="gradient")[0]
    assert found.points == 1
    assert found.gap > 1e-3


@pytest.mark.parametrize("kind", ["bert", "gpt2"])
def test_texts_are_not_changed_by_their_neighbours(make, kind):
    model = make(kind)
    together = attribute(model, TEXTS)
    assert together == [attribute(model, text)[0] for text in TEXTS]


@pytest.mark.parametrize("kind", FAMILIES)
def test_the_tokens_spell_the_text_and_special_ones_add_nothing(make, kind):
    found = attribute(make(kind), TEXTS[0])[0]
    assert "".join(t for t, s in zip(found.tokens, found.special, strict=True) if not s) == TEXTS[0]
    assert {score for score, special in zip(found.scores, found.special, strict=True) if special} <= {0.0}
    assert found.special[0] != (kind == "gpt2"), "GPT-2 has no special tokens around a text"
    assert len(found.tokens) == len(found.scores) == len(found.special)


def test_what_speaks_for_one_of_two_labels_speaks_against_the_other(make):
    model = make()
    one, other = (attribute(model, TEXTS[0], label=label)[0] for label in ("mark0", "mark1"))
    assert one.scores == pytest.approx([-s for s in other.scores], abs=1e-4)
    assert attribute(model, TEXTS[0])[0].label == one.predicted == lk.predict(model, TEXTS[0])[0].label


@pytest.mark.parametrize("fails", [False, True])
def test_the_model_is_left_as_it_was(make, monkeypatch, fails):
    model = lk.HeadOnly().prepare(make()).train()
    model.bert.encoder.layer[0].eval()
    modes = [m.training for m in model.modules()]
    needs = [p.requires_grad for p in model.parameters()]
    weights, random = [p.clone() for p in model.parameters()], torch.get_rng_state()
    if fails:
        monkeypatch.setattr(attribution, "mean_slope", lambda *_: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            attribute(model, TEXTS)
    else:
        attribute(model, TEXTS)
    assert [m.training for m in model.modules()] == modes
    assert [p.requires_grad for p in model.parameters()] == needs
    assert all(torch.equal(a, b) for a, b in zip(weights, model.parameters(), strict=True))
    assert all(p.grad is None for p in model.parameters())
    assert torch.equal(random, torch.get_rng_state())
    assert not model.get_input_embeddings()._forward_hooks


def test_a_long_text_is_cut_and_says_so(make):
    whole, cut = attribute(make(), ["好" * 20, "好" * 100], max_length=32)
    assert (whole.cut, whole.characters) == (False, 20)
    assert (cut.cut, cut.characters, len(cut.tokens)) == (True, 30, 32)


def test_the_strongest_tokens_come_first_whatever_their_sign(make):
    found = attribute(make(), TEXTS[0])[0]
    sizes = [abs(score) for _, score in found.strongest(4)]
    assert sizes == sorted(map(abs, found.scores), reverse=True)[:4]


@pytest.mark.parametrize(
    "given, told",
    [
        ({"texts": []}, "at least one text"),
        ({"texts": ["好", " "]}, "at least one text"),
        ({"texts": "好", "label": "great"}, "mark0, mark1"),
        ({"texts": "好", "method": "lime"}, "integrated, gradient"),
    ],
)
def test_what_cannot_be_explained_is_refused(make, given, told):
    with pytest.raises(lk.BadInput, match=told):
        attribute(make(), **given)


def test_a_task_that_has_no_tokens_or_no_classes_is_refused(tmp_path):
    task = toys.regression().task
    with pytest.raises(lk.BadInput, match=r"this model's task is regression \(vectors\)"):
        attribute(load(toys.network(tmp_path / "toy"), task=task), "好")


# Pictures


def test_the_figure_shows_every_token_and_names_what_is_compared(make):
    found = attribute(make(), TEXTS[2]) * 2
    fig = plots.attribution(found, names=("before", "after"))
    said = [t.get_text() for t in fig.axes[0].texts]
    assert sum("好" in t for t in said) == 2
    assert [t.split(":")[0] for t in said if "p(" in t] == ["before", "after"]
    assert fig.axes[0].get_title(loc="left")
    assert fig.axes[1].get_ylabel() == "log-odds (nats)"


def test_a_text_of_markup_is_shown_as_text():
    html = said_by_linear("<b>好")._repr_html_()
    assert "&lt;" in html
    assert "<b>好" not in html


def test_a_deeper_ground_means_a_larger_score(make):
    found = attribute(make(), TEXTS[0])[0]
    html = tokens_html(found)
    (token, score), *_ = found.strongest(1)
    assert f'rgba({"68,119,170" if score > 0 else "238,102,119"},0.62)" title="{score:+.2f}">{token}<' in html


def said_by_linear(text):
    return attribute(Linear(), text)[0]


def test_a_marked_corpus_is_explained_by_its_marks(folders):
    rows = corpus(160)
    model = load(folders["bert"], labels=rows.labels)
    lk.Trainer(model, rows, lk.Full(), lk.TrainConfig(epochs=8, lr=1e-3, batch_size=8, device="cpu")).fit()
    (found,) = attribute(model, "的一是赞在有", label="mark0")
    assert found.strongest(1)[0][0] == "赞"
    assert found.strongest(1)[0][1] > 0
