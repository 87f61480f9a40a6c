"""Programs that try running nodes: load, soak, fuzz and the simulated patrol."""
