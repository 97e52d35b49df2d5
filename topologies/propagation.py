"""How long light takes: the one rule that turns a distance into a delay."""

from typing import Final

# Group index 1.468 at 1550 nm (Corning SMF-28 Ultra product information) gives 4.9 us/km.
# Rounded up to 5, and the distance taken for the fibre's length: an assumption, as real fibre
# follows roads and railways and is often half as long again.
FIBRE_DELAY_S_PER_M: Final = 5e-9


def fibre_delay_s(distance_m: float) -> float:
    """Return the one-way propagation delay of fibre of this length.

    >>> fibre_delay_s(1000e3)
    0.005
    """
    return distance_m * FIBRE_DELAY_S_PER_M
