"""How far the simulator is from the real runner: fit on some runs, predict others, compare."""
