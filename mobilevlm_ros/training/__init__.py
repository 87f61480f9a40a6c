"""The MobileVLM recipe at small scale: nano, trained from scratch on the simulated room."""
