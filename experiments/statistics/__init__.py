"""Statistics of simulation output: intervals, warm-up, paired comparison, backlog tests.

Plain functions of numbers; what they are asked of is for the rest of `experiments` to say.
"""
