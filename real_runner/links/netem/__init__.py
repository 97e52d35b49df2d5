"""Links of the kernel: veth devices whose queueing disciplines are netem."""
