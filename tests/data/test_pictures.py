"""Folders, arrays and columns of paths become corpora; who or what rows are of stays on one side of a split."""

import json

import numpy as np
import pytest
from PIL import Image as Pillow

import labkit as lk
from labkit.base.records import BadInput, Example
from labkit.data.loading import load_data
from labkit.data.splitting import split_groups
from labkit.modalities.image import Image
from labkit.tasks import Classification


def draw(path, shade, seed):
    path.parent.mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng(seed)
    Pillow.fromarray((rng.integers(0, 60, (10, 12, 3)) + shade).astype(np.uint8)).save(path)


def pets(root, n=8, start=0):
    """cat/0.png … and dog/0.png …, dogs brighter."""
    for i in range(n):
        draw(root / "cat" / f"{i}.png", 20, start + i)
        draw(root / "dog" / "deeper" / f"{i}.jpg", 150, start + 100 + i)
    return root


class TestFolders:
    def test_a_folder_a_class_by_name_with_the_file_beside_each_row(self, tmp_path):
        corpus = load_data(pets(tmp_path / "pets"))
        assert corpus.name == "pets" and corpus.task == Classification(Image(), ("cat", "dog"))
        rows = [e for split in corpus.splits.values() for e in split]
        assert len(rows) == 16 and all(e.extra["file"].split("/")[0] == corpus.labels[e.target] for e in rows)
        assert all(e.input.shape == (10, 12, 3) and (e.input.mean() > 100) == (e.target == 1) for e in rows)

    def test_folders_train_validation_and_test_are_splits(self, tmp_path):
        for i, split in enumerate(("train", "validation", "test")):
            pets(tmp_path / split, n=3, start=1000 * i)
        corpus = load_data(tmp_path)
        assert [len(rows) for rows in corpus.splits.values()] == [6, 6, 6]
        assert corpus.test[0].extra["file"] == "cat/0.png"

    def test_the_same_picture_in_two_splits_stays_in_the_later_one(self, tmp_path):
        pets(tmp_path / "train", n=4), pets(tmp_path / "test", n=1), pets(tmp_path / "valid", n=2, start=50)
        corpus = load_data(tmp_path)
        assert [(d.reason, d.count) for d in corpus.dropped] == [("leak", 2)]

    def test_what_is_no_picture_is_left_alone_and_what_only_claims_to_be_one_is_named(self, tmp_path):
        root = pets(tmp_path / "pets")
        (root / "cat" / "notes.txt").write_text("a note")
        (root / ".hidden").mkdir()
        assert load_data(root).labels == ("cat", "dog")
        (root / "dog" / "broken.png").write_bytes(b"nothing")
        with pytest.raises(BadInput, match=r"broken\.png is no readable picture"):
            load_data(root)

    def test_a_link_that_leads_out_is_refused_and_one_inside_is_read(self, tmp_path):
        root, elsewhere = pets(tmp_path / "pets"), tmp_path / "secret.png"
        draw(elsewhere, 90, 7)
        (root / "cat" / "inside.png").symlink_to(root / "cat" / "0.png")
        load_data(root)
        (root / "cat" / "out.png").symlink_to(elsewhere)
        with pytest.raises(BadInput, match=r"out\.png leads out of the folder"):
            load_data(root)

    def test_a_linked_folder_is_not_walked_into(self, tmp_path):
        root = pets(tmp_path / "pets")
        (root / "dog" / "again").symlink_to(root, target_is_directory=True)
        assert sum(map(len, load_data(root).splits.values())) == 16

    def test_a_folder_with_nothing_says_what_is_wanted(self, tmp_path):
        (tmp_path / "cat").mkdir()
        with pytest.raises(BadInput, match="a sub-folder for each class"):
            load_data(tmp_path)


class TestPaths:
    def table(self, tmp_path, cells, column="image"):
        pets(tmp_path / "pets")
        (tmp_path / "rows.csv").write_text(f"{column},label\n" + "\n".join(cells), "utf-8")
        return tmp_path / "rows.csv"

    def test_a_column_of_paths_is_read_from_the_tables_own_folder(self, tmp_path):
        cells = [f"pets/cat/{i}.png,1" for i in range(8)] + [f"pets/dog/deeper/{i}.jpg,2" for i in range(8)]
        corpus = load_data(self.table(tmp_path, cells), labels={"1": "cat", "2": "dog"})
        assert corpus.labels == ("cat", "dog") and corpus.train[0].input.shape == (10, 12, 3)
        assert corpus.train[0].extra["file"].startswith("pets/")

    def test_json_lines_and_another_name_of_the_column_do_as_well(self, tmp_path):
        pets(tmp_path / "pets")
        rows = [{"photo": f"pets/cat/{i}.png", "label": i % 2} for i in range(8)]
        (tmp_path / "rows.jsonl").write_text("\n".join(map(json.dumps, rows)), "utf-8")
        assert load_data(tmp_path / "rows.jsonl", text="photo").task.modality == Image()

    @pytest.mark.parametrize("path", ["../outside.png", "{root}/outside.png"])
    def test_a_path_that_leads_out_is_refused(self, tmp_path, path):
        draw(tmp_path / "outside.png", 9, 9)
        (tmp_path / "in").mkdir()
        cells = [f"pets/cat/{i}.png,a" for i in range(8)] + [path.format(root=tmp_path) + ",b"] * 3
        with pytest.raises(BadInput, match=r"outside\.png leads out of the folder"):
            load_data(self.table(tmp_path / "in", cells))

    def test_a_missing_file_is_named_with_its_line(self, tmp_path):
        cells = [f"pets/cat/{i}.png,a" for i in range(8)] + ["pets/gone.png,b"]
        with pytest.raises(BadInput, match=r"line 10: there is no file pets/gone\.png"):
            load_data(self.table(tmp_path, cells))

    def test_texts_that_end_like_files_only_here_and_there_stay_texts(self, tmp_path):
        cells = [f"see picture{i}.png,a" for i in range(5)] + [f"no picture {i},b" for i in range(5)]
        assert load_data(self.table(tmp_path, cells, column="text")).task == Classification(labels=("a", "b"))


def people(n=12, each=10):
    return [Example(f"words {i} of {p}", i % 2, {"speaker": f"p{p}"}) for p in range(n) for i in range(each)]


class TestGroups:
    def test_no_group_is_parted_and_shares_are_near_what_was_asked(self):
        rest, chosen = split_groups(
            Classification(labels=("a", "b")), people(), 30, 0, lambda e: e.extra["speaker"], "speaker"
        )
        one, other = ({e.extra["speaker"] for e in part} for part in (rest, chosen))
        assert not one & other and len(chosen) == 30 and sum(e.target for e in chosen) == 15

    def test_the_same_seed_chooses_the_same_groups_and_another_seed_others(self):
        def chosen(seed):
            _, part = split_groups(
                Classification(labels=("a", "b")), people(), 30, seed, lambda e: e.extra["speaker"], "s"
            )
            return {e.extra["speaker"] for e in part}

        assert chosen(0) == chosen(0) and len({frozenset(chosen(s)) for s in range(4)}) > 1

    def csv(self, tmp_path, rows):
        path = tmp_path / "r.csv"
        path.write_text(
            "text,label,speaker\n" + "\n".join(f"{e.input},{e.target},{e.extra['speaker']}" for e in rows), "utf-8"
        )
        return path

    def test_a_column_keeps_its_rows_together_where_it_is_asked_for(self, tmp_path):
        corpus = lk.load_csv(self.csv(tmp_path, people()), groups="speaker")
        sides = [{e.extra["speaker"] for e in rows} for rows in corpus.splits.values()]
        assert not sides[0] & sides[1] | sides[1] & sides[2] | sides[0] & sides[2]
        assert corpus.notes == ("split by speaker",)
        parted = lk.load_csv(self.csv(tmp_path, people()))
        assert {e.extra["speaker"] for e in parted.train} & {e.extra["speaker"] for e in parted.test}

    def test_a_column_that_is_not_there_is_named(self, tmp_path):
        with pytest.raises(BadInput, match="no column 'signer' to group by, only: text, label, speaker"):
            lk.load_csv(self.csv(tmp_path, people()), groups="signer")

    def test_too_few_groups_are_refused_where_they_were_asked_for(self, tmp_path):
        with pytest.raises(BadInput, match="there are 2 groups, and 3 are needed"):
            lk.load_csv(self.csv(tmp_path, people(n=2)), groups="speaker")

    def test_a_class_that_is_one_groups_alone_is_refused(self, tmp_path):
        rows = [Example(e.input, int(e.extra["speaker"] == "p0"), e.extra) for e in people()]
        with pytest.raises(BadInput, match="a class stands on one side alone"):
            lk.load_csv(self.csv(tmp_path, rows), groups="speaker")

    def test_given_splits_that_share_a_group_say_so(self, tmp_path):
        rows = people()
        (tmp_path / "t").mkdir()
        test = self.csv(tmp_path / "t", [Example(e.input + "!?x", e.target, e.extra) for e in rows[:30]])
        corpus = lk.load_csv(self.csv(tmp_path, rows), test=test, groups="speaker")
        assert any(
            "3 groups of speaker stand in train and in test (p0, p1, p2): scores will flatter" in n
            for n in corpus.notes
        )

    def test_questions_on_one_context_stay_together_by_themselves(self, tmp_path):
        rows = [
            {"question": f"what is {i} of {c}", "context": f"context {c} holds {i}", "answers": {"text": [f"{i}"], "answer_start": [16 + len(str(c)) - 1]}}
            for c in range(12) for i in range(1)
        ]  # fmt: skip
        rows = [{**r, "question": r["question"] + word} for r in rows for word in ("?", " now", " then")]
        (tmp_path / "qa.jsonl").write_text("\n".join(map(json.dumps, rows)), "utf-8")
        corpus = lk.load_csv(tmp_path / "qa.jsonl")
        sides = [{e.input[1] for e in part} for part in corpus.splits.values()]
        assert not sides[0] & sides[1] | sides[1] & sides[2] | sides[0] & sides[2]

    def test_the_packaged_doodles_part_no_hand(self):
        corpus = lk.doodles()
        sides = [{e.extra["drawer"] for e in rows} for rows in corpus.splits.values()]
        assert [len(rows) for rows in corpus.splits.values()] == [480, 144, 336] and list(map(len, sides)) == [
            20,
            6,
            14,
        ]
        assert not sides[0] & sides[1] | sides[1] & sides[2] | sides[0] & sides[2]


def test_augmentation_is_a_setting_of_the_corpus_that_models_do_not_mind(tmp_path):
    plain = load_data(pets(tmp_path / "pets"))
    varied = load_data(tmp_path / "pets", augment={"flip": True, "rotate": 10})
    assert varied.task == plain.task and varied.fingerprint != plain.fingerprint and varied.task.modality.flip
    with pytest.raises(BadInput, match="no setting speed; there are: shift, rotate, scale, flip"):
        plain.augmented(speed=2)
    with pytest.raises(BadInput, match="no more itself in a mirror"):
        lk.Corpus("x", plain.train, plain.valid, plain.test, Classification(Image(), ("left", "right"))).augmented(
            flip=True
        )
