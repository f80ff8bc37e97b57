"""Families that read sound, by name: tiny networks with random weights, saved by plain transformers, go through everything."""

import numpy as np
import pytest
import torch
import transformers
from transformers import (
    HubertConfig,
    ResNetConfig,
    Wav2Vec2Config,
    Wav2Vec2ConformerConfig,
    Wav2Vec2FeatureExtractor,
    WavLMConfig,
    WhisperConfig,
    WhisperFeatureExtractor,
)

import labkit as lk
from labkit.base.records import BadInput
from labkit.modalities.audio import Audio
from labkit.models.families import family_of

RATE, LABELS = Audio.rate, ("low", "high")
TASK = lk.tasks.Classification(modality=Audio(), labels=LABELS)
RAW = {
    "hidden_size": 32,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "intermediate_size": 48,
    "conv_dim": (16, 16),
    "conv_kernel": (400, 3),
    "conv_stride": (320, 2),
    "num_conv_pos_embeddings": 16,
    "num_conv_pos_embedding_groups": 2,
    "classifier_proj_size": 16,
    "mask_time_length": 200,  # longer than any clip here: by itself the network would fail
}
NETWORKS = {
    "wav2vec2": (Wav2Vec2Config(**RAW), Wav2Vec2FeatureExtractor(return_attention_mask=False)),
    "wav2vec2-large": (
        Wav2Vec2Config(**RAW, do_stable_layer_norm=True, feat_extract_norm="layer"),
        Wav2Vec2FeatureExtractor(return_attention_mask=True),
    ),
    "hubert": (HubertConfig(**RAW), Wav2Vec2FeatureExtractor(return_attention_mask=False)),
    "wavlm": (WavLMConfig(**RAW), Wav2Vec2FeatureExtractor(return_attention_mask=False)),
    "conformer": (
        Wav2Vec2ConformerConfig(**RAW, conv_depthwise_kernel_size=5, position_embeddings_type="relative"),
        Wav2Vec2FeatureExtractor(return_attention_mask=False),
    ),
    "whisper": (
        WhisperConfig(
            d_model=32,
            encoder_layers=2,
            encoder_attention_heads=2,
            encoder_ffn_dim=48,
            decoder_layers=1,
            decoder_attention_heads=2,
            num_mel_bins=40,
            max_source_positions=50,
            classifier_proj_size=16,
        ),
        WhisperFeatureExtractor(feature_size=40, chunk_length=1),
    ),
    "resnet": (
        ResNetConfig(num_channels=1, embedding_size=8, hidden_sizes=[8, 16], depths=[1, 1], layer_type="basic"),
        WhisperFeatureExtractor(feature_size=48, hop_length=250, n_fft=512, chunk_length=1, do_normalize=True),
    ),
}
MASKED = {"wav2vec2-large"}


def tone(hertz, seconds=0.3, seed=0):
    noise = np.random.default_rng(seed).standard_normal(round(seconds * RATE))
    return (0.4 * np.sin(2 * np.pi * hertz * np.arange(len(noise)) / RATE) + 0.02 * noise).astype(np.float32)


def corpus() -> lk.Corpus:
    rows = [lk.Example(tone((300, 1500)[i % 2] + 5 * i, 0.2 + 0.01 * i, i), i % 2) for i in range(24)]
    return lk.Corpus("beeps", tuple(rows[:16]), tuple(rows[16:20]), tuple(rows[20:]), TASK)


@pytest.fixture(scope="module")
def places(tmp_path_factory):
    """A folder for each family, with a head that was never trained."""
    made = {}
    for name, (config, extractor) in NETWORKS.items():
        made[name] = tmp_path_factory.mktemp("sound") / name
        kind = getattr(transformers, Audio().head("classification", config))
        torch.manual_seed(0)
        config.id2label = {0: "no", 1: "yes", 2: "?"}
        kind.from_config(config).save_pretrained(made[name])
        extractor.save_pretrained(made[name])
    return made


def load(place):
    return lk.load(place, task=TASK)


@pytest.mark.parametrize("name", NETWORKS)
def test_an_answer_does_not_depend_on_the_batch(places, name):
    model = load(places[name])
    clips = [tone(400 + 100 * i, s, i) for i, s in enumerate((0.06, 0.3, 0.9))]
    together = [p.probabilities["high"] for p in lk.predict(model, clips)]
    alone = [lk.predict(model, [clip])[0].probabilities["high"] for clip in clips]
    assert together == pytest.approx(alone, abs=1e-5)
    masked = "attention_mask" in Audio().pad(model.processor, Audio().encode(model.processor, clips, 256))
    assert masked == (name in MASKED)


@pytest.mark.parametrize("name", NETWORKS)
def test_blocks_hold_every_parameter_once_and_the_head_alone_trains(places, name):
    model = load(places[name])
    blocks = lk.blocks(model)
    held = [p for b in blocks for p in b.parameters]
    assert sorted(held) == sorted(n for n, _ in model.named_parameters())
    assert [b.name for b in blocks] == ["embeddings", "layer 1", "layer 2", "head"]
    assert all("classifier" in p or "projector" in p for p in blocks[-1].parameters)
    if (
        family_of(model).reads == "mean" and name != "whisper"
    ):  # freezing the convolutions that hear is freezing a block
        assert {n for n, _ in model.named_parameters() if "feature_extractor." in n} <= set(blocks[0].parameters)
    run = lk.Trainer(model, corpus(), lk.HeadOnly(), lk.TrainConfig(epochs=1)).fit()
    assert run.scores["test"].n == 4


STRATEGIES = {"full": lk.Full(), "top-1": lk.TopK(1), "bitfit": lk.BitFit(), "lora": lk.LoRA(), "adapter": lk.Adapter()}


@pytest.mark.parametrize("name", ["wav2vec2-large", "whisper"])
@pytest.mark.parametrize("strategy", STRATEGIES)
def test_strategies_train_what_they_say_and_the_folder_is_read_again(places, tmp_path, name, strategy):
    run = lk.train_into(tmp_path / "out", corpus(), STRATEGIES[strategy], lk.TrainConfig(epochs=1), model=places[name])
    clip = tone(700)
    again = lk.load(tmp_path / "out")
    assert run.scores["test"].n == 4 and again.task == TASK
    assert lk.predict(again, clip)[0].label in LABELS


def test_plain_transformers_reads_what_was_trained(places, tmp_path):
    lk.train_into(tmp_path / "out", corpus(), lk.Full(), lk.TrainConfig(epochs=1), model=places["wav2vec2-large"])
    model = transformers.AutoModelForAudioClassification.from_pretrained(tmp_path / "out")
    extractor = transformers.AutoFeatureExtractor.from_pretrained(tmp_path / "out")
    clip = tone(700)
    inputs = extractor(clip, sampling_rate=RATE, return_tensors="pt")
    theirs = model.eval()(**inputs).logits.softmax(-1)[0].tolist()
    ours = lk.predict(lk.load(tmp_path / "out", task=lk.tasks.Classification(Audio(trim=0), LABELS)), clip)[0]
    assert list(ours.probabilities.values()) == pytest.approx(theirs, abs=1e-4)


def test_lora_beside_convolutions_in_groups_is_refused_and_beside_attention_is_not(places):
    with pytest.raises(BadInput, match=r"depthwise Conv1d.*query-value"):
        lk.LoRA(where="all").check(load(places["conformer"]))
    model = lk.LoRA().prepare(load(places["conformer"]))
    assert any("lora" in n for n, p in model.named_parameters() if p.requires_grad)


def test_the_same_seed_gives_the_same_run_with_and_without_a_stop(places, tmp_path):
    rows = corpus()
    task = lk.tasks.Classification(modality=Audio(speed=0.1, noise=0.2, mask=0.2), labels=LABELS)
    rows = lk.Corpus("beeps", rows.train, rows.valid, rows.test, task)
    config = lk.TrainConfig(epochs=2, batch_size=8, seed=3)

    def trainer(out=None, resume=False):
        return lk.Trainer(load(places["resnet"]), rows, lk.Full(), config, out=out, resume=resume)

    whole = trainer().fit()
    stopped = trainer(tmp_path / "run")
    for event in stopped.run():
        if isinstance(event, lk.EpochDone):
            break
    resumed = trainer(tmp_path / "run", resume=True).fit()
    assert resumed.answers == whole.answers
    assert [e.train_loss for e in resumed.history] == [e.train_loss for e in whole.history]


def test_a_processor_whose_frames_do_not_fit_the_network_is_refused(places, tmp_path):
    for source in ("config.json", "model.safetensors"):
        (tmp_path / source).write_bytes((places["whisper"] / source).read_bytes())
    WhisperFeatureExtractor(feature_size=40, chunk_length=2).save_pretrained(tmp_path)
    with pytest.raises(BadInput, match="gives 200 frames and the network reads 100"):
        load(tmp_path)


def test_a_folder_without_a_processor_is_named(places, tmp_path):
    for source in ("config.json", "model.safetensors"):
        (tmp_path / source).write_bytes((places["hubert"] / source).read_bytes())
    with pytest.raises(BadInput, match="holds no usable model"):
        load(tmp_path)


def test_the_packaged_model_hears_the_same_in_plain_transformers():
    place, clip = lk.locate("tiny-commands"), lk.commands().test[7].input
    model = transformers.AutoModelForImageClassification.from_pretrained(place, dtype="float32").eval()
    extractor = transformers.AutoFeatureExtractor.from_pretrained(place)
    labels = lk.load("tiny-commands").task.labels
    ours = lk.load("tiny-commands", task=lk.tasks.Classification(Audio(lasts=0), labels))
    heard = ours.task.modality.prepared(clip, RATE)
    inputs = extractor(heard, sampling_rate=RATE, return_tensors="pt", do_normalize=True).input_features[:, None]
    with torch.no_grad():
        theirs = model(inputs).logits[0].softmax(-1)
    said = lk.predict(ours, clip)[0]
    assert said.label == model.config.id2label[int(theirs.argmax())] and said.label.startswith("en ")
    assert list(said.probabilities.values()) == pytest.approx(theirs.tolist(), abs=2e-3)
