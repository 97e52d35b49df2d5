"""Makes the environment known to Gymnasium, which imports this for a name that begins with it.

``gymnasium.make("experiments.learning.registration:Tessera-v0", scenario=…, arms=[…])``
"""

from experiments.extras import needs

with needs("learning"):
    import gymnasium

gymnasium.register("Tessera-v0", "experiments.learning.environment:TesseraEnv")
