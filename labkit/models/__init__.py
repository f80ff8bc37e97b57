"""A name in, a model out; the table of families; what can be added to a model; its language-model head."""
