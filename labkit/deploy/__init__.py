"""A trained model at work: a service that answers over HTTP, and what its log says against the training data."""
