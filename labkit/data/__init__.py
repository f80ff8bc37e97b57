"""Rows in, a Corpus out: tables, splits, batches, what they look like."""
