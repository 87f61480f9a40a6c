"""A small simulated robot world: frames with ground truth, for training, tests and the demo."""
