"""Links of our own: TUN devices in namespaces, and one process that forwards every packet."""
