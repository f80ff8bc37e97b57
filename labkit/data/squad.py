"""Nested SQuAD files, `.json`: articles with paragraphs with questions, as the rows that flattened files have."""

import json

from labkit.base.language import tr
from labkit.base.records import BadInput, Raw

NAMES = ("id", "title", "context", "question", "answers")


def squad_rows(content: str, path) -> tuple[list[str], list[Raw], tuple[str, ...]]:
    """Column names, a row for each question, and a note. A row's line is the number of its question, from 1: such files are
    often one line long.

    >>> text = '{"data": [{"paragraphs": [{"context": "红枣三斤", "qas": [{"question": "几斤？", "answers": []}]}]}]}'
    >>> squad_rows(text, "a.json")[1][0].cells["answers"]
    {'text': [], 'answer_start': []}
    """
    rows: list[Raw] = []
    try:
        for article in json.loads(content)["data"]:
            for paragraph in article["paragraphs"]:
                for asked in paragraph["qas"]:
                    answers = asked.get("answers") or []
                    cells = {
                        "id": asked.get("id"),
                        "title": article.get("title"),
                        "context": paragraph["context"],
                        "question": asked["question"],
                        "answers": {
                            "text": [one["text"] for one in answers],
                            "answer_start": [one["answer_start"] for one in answers],
                        },
                    }
                    rows.append(Raw(cells, len(rows) + 1))
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise BadInput(
            tr(
                f"{path} 不是 SQuAD 式的 JSON（第 {len(rows) + 1} 个问题处，{type(error).__name__}：{error}）。应是 "
                '{"data": [{"paragraphs": [{"context": …, "qas": [{"question": …, "answers": [{"text": …, "answer_start": …}]}]}]}]}；'
                "每行一个对象的文件请命名为 .jsonl。",
                f"{path} is no JSON of SQuAD's form (at question {len(rows) + 1}, {type(error).__name__}: {error}). It should be "
                '{"data": [{"paragraphs": [{"context": …, "qas": [{"question": …, "answers": [{"text": …, "answer_start": …}]}]}]}]}; '
                "a file with an object a line should be called .jsonl.",
            )
        ) from None
    return list(NAMES), rows, (tr("SQuAD 的嵌套写法，行号是第几个问题", "nested SQuAD: a line is a question"),)
