"""Many scenarios that differ along axes, simulated on every core or a cluster, and kept."""
