"""The discrete-event simulator: the same plans in simulated time, on simpy's clock."""
