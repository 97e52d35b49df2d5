"""What the orchestrator and the workers say to each other."""
