"""Worker processes: one per node of the topology, each with an executor and a device to hold."""
