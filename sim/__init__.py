"""How a request is decided and executed: plans, policies, traces, and simulated time."""
