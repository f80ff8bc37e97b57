"""Pictures through the whole of training: a ResNet and a ViT, saved by plain transformers and read by it again."""

import json

import numpy as np
import pytest
import torch
from PIL import Image as Pillow

import labkit as lk
from labkit.base.records import BadInput, Example, StepDone
from labkit.cli.commands import main
from labkit.data.corpus import Corpus
from labkit.modalities.image import Image
from labkit.models.families import blocks
from labkit.models.loading import quiet
from labkit.strategies import NAMES, BitFit, Full, HeadOnly, LoRA, TopK
from labkit.tasks import Classification

KINDS = ("resnet", "vit")
both = pytest.mark.parametrize("kind", KINDS)
CARD = {
    "image_processor_type": "ViTImageProcessor",
    "size": {"height": 16, "width": 16},
    "image_mean": [0.4, 0.5, 0.6],
    "image_std": [0.2, 0.3, 0.2],
}


def rows(n, seed):
    """Grey squares on noise: in the left half, or in the right."""
    rng, made = np.random.default_rng(seed), []
    for i in range(n):
        pixels = rng.integers(0, 90, (16, 16), dtype=np.uint8)
        top, left = rng.integers(2, 8), rng.integers(1, 3) + 8 * (i % 2)
        pixels[top : top + 6, left : left + 5] = 230
        made.append(Example(pixels, i % 2))
    return tuple(made)


CORPUS = Corpus("squares", rows(32, 0), rows(12, 1), rows(12, 2), Classification(Image(), ("port", "starboard")))


@pytest.fixture(scope="module")
def places(tmp_path_factory):
    from transformers import ResNetConfig, ResNetModel, ViTConfig, ViTModel

    root = tmp_path_factory.mktemp("pictures")
    torch.manual_seed(0)
    size = {"hidden_size": 16, "num_hidden_layers": 3, "num_attention_heads": 2, "intermediate_size": 24}
    made = {
        "resnet": ResNetModel(ResNetConfig(embedding_size=8, hidden_sizes=[8, 12, 16], depths=[1, 1, 1], layer_type="basic")),
        "vit": ViTModel(ViTConfig(image_size=16, patch_size=4, **size)),
    }  # fmt: skip
    with quiet():
        for kind, model in made.items():
            model.save_pretrained(root / kind)
            (root / kind / "preprocessor_config.json").write_text(json.dumps(CARD))
    return {kind: root / kind for kind in made}


@pytest.fixture
def make(places):
    def made(kind, strategy, corpus=CORPUS, out=None, resume=False, **config):
        settings = {"epochs": 2, "lr": 5e-3, "batch_size": 8, "device": "cpu", **config}
        model = lk.load(places[kind], task=corpus.task)
        return lk.Trainer(model, corpus, strategy, lk.TrainConfig(**settings), out=out, resume=resume)

    return made


def state(model):
    return {n: t.detach().clone() for n, t in [*model.named_parameters(), *model.named_buffers()]}


def same(one, two):
    return one.keys() == two.keys() and all(torch.equal(one[n], two[n]) for n in one)


@both
class TestKept:
    @pytest.mark.parametrize("strategy", [HeadOnly(), TopK(1), TopK(2)], ids=str)
    def test_what_is_kept_of_the_frozen_part_changes_no_number(self, make, kind, strategy):
        kept, fresh = make(kind, strategy, epochs=3), make(kind, strategy, epochs=3, cache="off")
        one, other = kept.fit(), fresh.fit()
        assert sorted(kept.frozen.kept) == ["train", "valid"] and not fresh.frozen.kept
        assert [e.train_loss for e in one.history] == pytest.approx([e.train_loss for e in other.history], abs=1e-4)
        assert [e.valid_loss for e in one.history] == pytest.approx([e.valid_loss for e in other.history], abs=1e-4)

    def test_half_of_the_memory_will_do_and_too_little_is_said(self, make, kind):
        half = make(kind, HeadOnly(), cache="half")
        half.fit()
        assert half.frozen.kept["train"].flat.dtype == torch.float16
        tight = make(kind, TopK(1), cache_mb=0)
        assert any("more than cache_mb=0" in n for n in tight.fit().notices)

    def test_pictures_that_vary_are_asked_anew_and_only_in_training(self, make, kind):
        varied = CORPUS.augmented(shift=0.1, rotate=8)
        trainer = make(kind, HeadOnly(), varied)
        trainer.fit()
        assert list(trainer.frozen.kept) == ["valid"]
        plain, first, again, later = (
            trainer.batches.batch("train", [0, 1], vary=v).inputs["pixel_values"]
            for v in (None, (0, 0), (0, 0), (0, 1))
        )
        assert torch.equal(first, again) and not torch.equal(first, later) and not torch.equal(first, plain)


@both
def test_a_run_on_pictures_that_vary_resumes_to_the_bit(make, kind, tmp_path):
    varied = CORPUS.augmented(shift=0.1, rotate=8, scale=0.1)
    whole, first = make(kind, Full(), varied, epochs=3), make(kind, Full(), varied, out=tmp_path, epochs=3)
    expected = whole.fit()
    for event in first.run():
        if isinstance(event, StepDone) and event.step == 6:
            break
    first.save_state()
    second = make(kind, Full(), varied, out=tmp_path, resume=True, epochs=3)
    assert second.fit().test == expected.test and same(state(whole.model), state(second.model))
    with pytest.raises(BadInput, match=r"data|corpus"):
        make(kind, Full(), varied.augmented(rotate=9), out=tmp_path, resume=True, epochs=3)


@both
def test_a_saved_folder_answers_the_same_in_plain_transformers(make, kind, tmp_path):
    from transformers import AutoImageProcessor, AutoModelForImageClassification

    trainer = make(kind, Full())
    trainer.fit()
    lk.save(trainer.model, tmp_path / "kept")
    pixels = np.dstack([CORPUS.test[0].input] * 3)
    with quiet():
        processor = AutoImageProcessor.from_pretrained(tmp_path / "kept", use_fast=False)
        plain = AutoModelForImageClassification.from_pretrained(tmp_path / "kept").eval()
    with torch.no_grad():
        theirs = plain(**processor(Pillow.fromarray(pixels), return_tensors="pt")).logits.softmax(-1)[0]
    again = lk.load(tmp_path / "kept")
    (ours,) = lk.predict(again, pixels)
    assert plain.config.id2label == {0: "port", 1: "starboard"} and again.task == CORPUS.task
    assert list(ours.probabilities.values()) == pytest.approx(theirs.tolist(), abs=1e-5)


@both
def test_every_strategy_by_name_works_or_says_that_it_cannot(make, kind):
    able = set()
    for name, method in NAMES.items():
        try:
            trainer = make(kind, method(1) if method is TopK else method(), epochs=1)
        except BadInput as error:
            assert f"does not work on {kind}" in str(error)
            continue
        run = trainer.fit()
        able.add(name)
        assert set(run.moved) & set(blocks(trainer.model)[-1].parameters)
    assert able == {"full", "head", "top-K", "gradual", "bitfit"} | ({"lora", "adapter"} if kind == "vit" else set())


@both
@pytest.mark.parametrize("strategy", [LoRA(rank=2, where="all"), BitFit()], ids=str)
def test_what_was_added_is_saved_loaded_and_merged(make, kind, strategy, tmp_path):
    trainer = make(kind, strategy)
    trainer.fit()
    again = lk.load(lk.save(trainer.model, tmp_path / "kept"))
    pixels = [e.input for e in CORPUS.test]
    said = [p.probability for p in lk.predict(trainer.model, pixels)]
    assert [p.probability for p in lk.predict(again, pixels)] == pytest.approx(said, abs=1e-6)
    assert [p.probability for p in lk.predict(strategy.merge(trainer.model), pixels)] == pytest.approx(said, abs=1e-5)


def test_lora_on_every_map_may_be_asked_for_by_name():
    from labkit.strategies import by_name, name_of

    for strategy in (LoRA(where="all"), HeadOnly(pooler=False), LoRA(where="all", rank=2), Full(decay=0.8)):
        assert by_name(name_of(strategy)) == strategy
    for wrong in ("lora(where=some)", "lora(size=3)", "lora(rank=x)", "nothing(rank=2)"):
        with pytest.raises(BadInput):
            by_name(wrong)


def test_from_a_folder_of_pictures_to_an_answer_on_the_command_line(places, tmp_path, capsys):
    for name, example in [(f"{CORPUS.labels[e.target]}/{i}.png", e) for i, e in enumerate(CORPUS.train)]:
        (tmp_path / "pictures" / name).parent.mkdir(parents=True, exist_ok=True)
        Pillow.fromarray(example.input).save(tmp_path / "pictures" / name)
    out, asked = tmp_path / "out", str(tmp_path / "pictures" / "port" / "0.png")
    given = [
        str(tmp_path / "pictures"),
        "--model",
        str(places["resnet"]),
        "--epochs",
        "1",
        "--augment",
        "rotate=5,shift=0.1",
    ]
    assert main(["train", *given, "--out", str(out), "--strategy", "lora(where=all)"]) == 0
    capsys.readouterr()
    assert main(["predict", str(out), asked, "--json"]) == 0
    (found,) = json.loads(capsys.readouterr().out)["predictions"]
    assert found["label"] in CORPUS.labels and found["file"] == asked
    assert main(["predict", str(out), asked]) == 0
    assert asked in capsys.readouterr().out
    assert main(["predict", str(out), str(tmp_path / "gone.png")]) == 2
    assert "gone.png" in capsys.readouterr().err
    assert main(["train", *given[:-1], "rotate", "--out", str(tmp_path / "no")]) == 2
    assert "rotate=True won't do" in capsys.readouterr().err
    assert main(["train", *given[:-1], "turn=5", "--out", str(tmp_path / "none")]) == 2
    assert "no setting turn" in capsys.readouterr().err and not (tmp_path / "none").exists()


@both
def test_a_service_answers_pictures_in_base64(places, kind):
    import asyncio
    import base64

    from labkit.base.pictures import png
    from labkit.deploy.service import Refused, Service

    async def asked(*values):
        service = Service(lk.load(places[kind], task=CORPUS.task))
        await service.start()
        found = await service.predict(list(values))
        service.close()
        return found

    good = base64.b64encode(png(CORPUS.test[0].input)).decode()
    answer, path = asyncio.run(asked(good, "/etc/passwd"))
    assert answer.label in CORPUS.labels and json.dumps(answer.to_json())
    assert isinstance(path, Refused) and "base64" in path.reason


@both
def test_a_prediction_is_shared_out_among_pixels_and_shown_over_the_picture(places, kind):
    model = lk.load(places[kind], task=CORPUS.task)
    (found,) = lk.attribute(model, CORPUS.test[0].input, test=False)
    assert found.scores.shape[-2:] == (16, 16) and found.gap < 0.05 * max(1, abs(found.log_odds))
    assert found._repr_html_().count("<img") == 2
