"""Files of tokens and tags in columns (CoNLL): one token a line, a blank line between sentences."""

from labkit.base.language import tr
from labkit.base.records import BadInput, Raw
from labkit.tasks.tagged_rows import bio_tag


def conll_rows(content: str, path) -> tuple[list[str], list[Raw]]:
    """A row for each sentence, with `tokens` and `tags`: the first and the last column of its lines.

    Columns are separated by tabulators, or else by white space. Lines between sentences that begin with # or -DOCSTART- say
    nothing; a sentence is known by the line of its first token.
    """
    rows: list[Raw] = []
    cells = {"tokens": [], "tags": []}
    for number, line in enumerate([*content.splitlines(), ""], start=1):
        parts = line.rstrip().split("\t") if "\t" in line else line.split()
        if not any(parts) or parts[0] == "-DOCSTART-":
            if cells["tokens"]:
                rows.append(Raw(cells, number - len(cells["tokens"])))
            cells = {"tokens": [], "tags": []}
            continue
        if line.startswith("#") and not cells["tokens"] and not is_tagged(parts):
            continue
        if len(parts) < 2 or not parts[0] or not parts[-1]:
            raise BadInput(
                tr(
                    f"{path} 第 {number} 行 {line[:40]!r} 没有标签：每行应是一个词和它的标签，如“北 B-LOC”，句子之间空一行。",
                    f"{path}, line {number}: {line[:40]!r} has no tag. Each line should be a token and its tag, like "
                    "'Paris B-LOC', with a blank line between sentences.",
                )
            )
        cells["tokens"].append(parts[0])
        cells["tags"].append(bio_tag(str(path), number, parts[0], parts[-1]))
    return ["tokens", "tags"], rows


def is_tagged(parts: list[str]) -> bool:
    """Whether a line that begins with # is that token: it has a tag."""
    return parts[0] == "#" and len(parts) > 1 and (parts[-1] == "O" or parts[-1][1:2] == "-")
