"""The `mobilevlm` command, one module per verb."""
