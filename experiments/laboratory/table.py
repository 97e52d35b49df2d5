"""The designs that the table of trade-offs compares, where nobody names others.

Windows are dealt in turn, so that where clouds are as many as windows nobody sees more than one.
What differs is which blocks clouds run, what travels, and what the device keeps for itself.
"""

from typing import Final

DESIGNS: Final = (
    "sharded/deferred:assignment=round-robin,codec=int8",
    "sharded/deferred:assignment=round-robin,codec=int8,withhold=1",
    "sharded/deferred:assignment=round-robin,codec=int8,withhold=1,trend=1",
    "sharded/exact:assignment=round-robin,codec=int8",
    "sharded/prefix:assignment=round-robin,codec=int8",
    "sharded/local-attention:assignment=round-robin,codec=int8",
    "sharded/landmark:assignment=round-robin,codec=int8,pool=4",
    "sharded/deferred:assignment=clustered,clouds=4,codec=int8",
    "sharded/deferred:assignment=spread,clouds=4,codec=int8",
    "sharded/deferred:assignment=round-robin,upload=embeddings,codec=int8",
    "sharded/deferred:assignment=round-robin,upload=embeddings,epsilon=8",
)
