"""Segment Anything (Kirillov et al. 2023, arXiv 2304.02643): geometry, stages, sharding modes."""
