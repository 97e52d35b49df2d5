"""Speed of what runs for real, as ratios against a baseline in the same run."""
