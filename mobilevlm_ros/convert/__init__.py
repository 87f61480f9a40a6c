"""Checkpoints to bundles: ONNX for the vision part, GGUF for the language model."""
