"""Mininet builds the network from the same topology: its hosts, bridges for routers, its links."""
