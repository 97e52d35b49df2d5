"""Experiments as short scripts to copy: each asks one question, prints its figures, draws one picture."""
