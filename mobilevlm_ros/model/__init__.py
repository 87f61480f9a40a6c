"""MobileVLM in PyTorch: the reference that training makes and conversion is proved against."""
