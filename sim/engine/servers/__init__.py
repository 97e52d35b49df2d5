"""Devices as servers: who waits, who is served, and how fast.

`fifo` is what a device is unless its node says otherwise, and the fastest; `pool` knows every
discipline, memory, noise and co-location; `batching` gathers equal jobs before a pool; `background`
and `autoscaling` act on a pool from outside. `assembly` builds what a `topologies.serving.Serving`
describes and prices the steps of plans as `server.Job` values.
"""
