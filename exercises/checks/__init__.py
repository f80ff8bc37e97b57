"""Exercises that check themselves: `check` under an answer, `progress` to see where one stands, `report` to hand in.

One file a lesson holds its exercises; solutions/src/NN_name.py asks them. Works without network or server.
"""

from labkit_exercises.checking import check
from labkit_exercises.handin import report
from labkit_exercises.ledger import guess, scored
from labkit_exercises.overview import progress

__all__ = ["check", "guess", "progress", "report", "scored"]
