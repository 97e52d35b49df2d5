"""How much of the unsplit model's accuracy a split keeps."""
