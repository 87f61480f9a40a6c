"""Three simulated robots patrol the same room: by the model, by the truth, and blind."""
