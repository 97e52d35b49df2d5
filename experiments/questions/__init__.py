"""Short scripts to copy: each asks one question, prints its figures and draws one picture."""
