"""The workers of a run: how they are started, reached and ended."""
