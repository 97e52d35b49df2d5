"""Scenarios: the files that say what is run, those that ship with Tessera, and their reader."""
