"""Where things run: nodes, links, devices, and the files that describe them."""
