"""Stable Diffusion XL of `diffusers`' own classes, cut in head, middle and tail."""
