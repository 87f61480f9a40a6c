"""The demo: a simulated robot drives about and answers questions about what it sees."""
