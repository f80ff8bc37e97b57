"""Write labkit/assets/instructions.jsonl: reviews of the packaged set under instructions, with answers in a fixed form.

    python tools/make_instructions.py

Two questions (is the customer content? what is the review about?), each worded in several ways. Two wordings of each are
kept for rows that no training row is worded like. Reviews keep their split: what is asked here in test rows was never in
the training part of the reviews.
"""

import json
import random
from pathlib import Path

import labkit

OUT = Path(__file__).resolve().parents[1] / "labkit" / "assets" / "instructions.jsonl"
WORDINGS = {
    "feeling": [
        "判断这条评论的情感：{}",
        "这条评论是正面的还是负面的？{}",
        "{}\n上面这条评论的情感是什么？",
        "读一读这条评论，说出它的情感。评论：{}",
        "顾客写道：“{}”请说出顾客的情感。",
    ],
    "topic": [
        "判断这条评论的类别：{}",
        "这条评论说的是哪一类东西？{}",
        "{}\n上面这条评论属于哪个类别？",
        "读一读这条评论，说出它的类别。评论：{}",
        "顾客写道：“{}”请说出评论的类别。",
    ],
}
NEW = {
    "feeling": ["写下面这句话的人高兴吗？{}", "{}\n以上文字流露出怎样的情感？"],
    "topic": ["下面这句话在讲什么？{}", "{}\n以上文字可以归入什么类别？"],
}
FEELINGS = ("负面", "正面")
TOPICS = {
    "takeaway": "外卖",
    "hotel": "酒店",
    "clothes": "衣服",
    "phone": "手机",
    "book": "图书",
    "film": "电影",
}
SIZES = {"train": 1000, "valid": 100, "test": 200}


def answer(kind, review):
    if kind == "feeling":
        return f"情感：{FEELINGS[review.target]}"
    return f"类别：{TOPICS[review.extra['domain']]}"


def row(split, kind, wording, number, review):
    prompt = wording.format(review.input)
    return {"prompt": prompt, "answer": answer(kind, review), "split": split, "question": kind, "wording": number}


def rows():
    corpus = labkit.reviews()
    rng = random.Random("instructions")
    for split, n in SIZES.items():
        chosen = rng.sample([r for r in corpus.splits[split] if len(r.input) <= 80], n)
        for i, review in enumerate(chosen):
            kind = ("feeling", "topic")[i % 2]
            number = rng.randrange(len(WORDINGS[kind]))
            yield row(split, kind, WORDINGS[kind][number], number, review)
            if split == "test":
                number = rng.randrange(len(NEW[kind]))
                yield row("unseen", kind, NEW[kind][number], len(WORDINGS[kind]) + number, review)


def main():
    lines = [json.dumps(r, ensure_ascii=False) for r in rows()]
    OUT.write_text("\n".join(lines) + "\n", "utf-8")
    print(f"{len(lines)} rows, {OUT.stat().st_size} bytes")


if __name__ == "__main__":
    main()
