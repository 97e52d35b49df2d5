"""Reports: one HTML page of a result folder, for people, with its data, and without a network.

`kept` reads a folder back, `sections` make values of it, `page` turns these into HTML. No figure is
worked out here that another part of `experiments` works out already.
"""
