"""Where a command itself runs: here, as root of a user namespace, or in a guest with a kernel."""
