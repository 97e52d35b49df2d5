"""Stable Diffusion XL (Podell et al. 2023, arXiv 2307.01952): costs of its parts and payloads."""
