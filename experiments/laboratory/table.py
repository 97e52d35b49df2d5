"""The designs that the table of trade-offs compares, where nobody names others.

Each window of the picture goes to one cloud where clouds are as many as windows, so that nobody
sees more than one; what differs is which blocks clouds run, what travels, and how it is written.
"""

from typing import Final

DESIGNS: Final = (
    "sharded/deferred:assignment=round-robin",
    "sharded/exact:assignment=round-robin",
    "sharded/prefix:assignment=round-robin",
    "sharded/deferred:assignment=round-robin,codec=int8",
    "sharded/exact:assignment=round-robin,codec=int8",
    "sharded/landmark:assignment=round-robin",
    "sharded/local-attention:assignment=round-robin",
    "sharded/deferred:assignment=clustered,clouds=4",
    "sharded/deferred:assignment=spread,clouds=4",
    "sharded/deferred:assignment=round-robin,upload=embeddings",
    "sharded/deferred:assignment=round-robin,upload=embeddings,epsilon=8,clip=1",
)
