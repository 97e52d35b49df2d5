"""How a plan is executed in wall-clock time: PyTorch shards in worker processes."""
