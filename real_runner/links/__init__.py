"""Emulated networks: what connects workers on this machine as the topology says."""
