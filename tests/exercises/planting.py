"""Answers planted to try the checks: wrong ones as students give them, and right ones in other styles."""

WRONG, RIGHT = [], []


def wrong(id, words):
    """The decorated answer to exercise `id` must fail, with a finding that has these English words in it."""

    def keep(answer):
        WRONG.append((id, words, answer))
        return answer

    return keep


def right(id):
    """The decorated answer to exercise `id` must pass, though it is not written as the solution is."""

    def keep(answer):
        RIGHT.append((id, answer))
        return answer

    return keep
