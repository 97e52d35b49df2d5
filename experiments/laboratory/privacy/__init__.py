"""What clouds, alone and together, learn of pictures: recorded, attacked, and counted."""
