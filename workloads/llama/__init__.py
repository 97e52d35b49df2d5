"""Llama 2 (Touvron et al. 2023, arXiv 2307.09288) and its kin: costs of any three-way split."""
