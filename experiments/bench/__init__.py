"""Speed of the simulator, relative to what bare simpy does on the same machine."""
