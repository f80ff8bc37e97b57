"""The words of a text as a tokenizer cuts it: what gets a tag, and in which window of a long text."""

from collections.abc import Sequence


def pieces_of(text: str, offsets: Sequence[tuple[int, int]]) -> list[tuple[int, int, int]]:
    """The words of a text as a tokenizer cuts it: (number of its first token, begin, end); `offsets` are the tokens' own.

    >>> pieces_of("用iPhone好", [(0, 0), (0, 1), (1, 3), (3, 7), (7, 8), (0, 0)])      # [CLS] 用 iP ##hone 好 [SEP]
    [(1, 0, 1), (2, 1, 7), (4, 7, 8)]

    Letters and digits that touch make one word, whatever the tokenizer thinks of it; a Chinese character is one by itself.
    Tokens that share a character (bytes of one) go together; special tokens, and those of white space, are none.
    """
    found: list[tuple[int, int, int]] = []
    for token, (begin, end) in enumerate(offsets):
        while begin < end and text[begin].isspace():
            begin += 1
        while begin < end and text[end - 1].isspace():
            end -= 1
        if begin >= end:
            continue
        if found and (begin < found[-1][2] or (begin == found[-1][2] and one_word(text[begin - 1], text[begin]))):
            found[-1] = (*found[-1][:2], max(end, found[-1][2]))
        else:
            found.append((token, begin, end))
    return found


def one_word(a: str, b: str) -> bool:
    return a < "\u2e80" and b < "\u2e80" and a.isalnum() and b.isalnum()


def shared_out(windows: Sequence[list[tuple[int, int, int]]]) -> list[list[tuple[int, int, int]]]:
    """The pieces of overlapping windows, each left to one of the two that hold it: the overlap is cut in its middle.

    >>> shared_out([[(1, 0, 1), (2, 1, 2), (3, 2, 3)], [(1, 1, 2), (2, 2, 3), (3, 3, 4)]])
    [[(1, 0, 1), (2, 1, 2)], [(2, 2, 3), (3, 3, 4)]]
    """
    owned, low = [], 0
    for i, some in enumerate(windows):
        high = None
        if i + 1 < len(windows):
            begins = {begin for _, begin, _ in some}
            both = [begin for _, begin, _ in windows[i + 1] if begin in begins]
            high = both[len(both) // 2] if both else max((end for *_, end in some), default=low)
        owned.append([piece for piece in some if piece[1] >= low and (high is None or piece[1] < high)])
        low = low if high is None else high
    return owned
