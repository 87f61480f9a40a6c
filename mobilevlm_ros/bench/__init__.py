"""Measuring this machine: our engine beside what else there is, in one run."""
