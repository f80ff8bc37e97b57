"""One run: the loop, its batches, what stays frozen, its state on disk, its record, and asking a model."""
