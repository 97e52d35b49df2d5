"""Measuring what stages take on this machine, for the simulator to use."""
