"""How much a run has to be slowed down for this machine to stand in for its topology."""
