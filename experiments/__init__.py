"""Why: the command line, and the questions asked of traces."""
