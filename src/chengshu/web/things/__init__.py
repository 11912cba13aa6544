"""The things that sense: how they are doing, the register, and each of them."""
