"""Llama in three parts: layers of `transformers`' own modules, caches kept with each part."""
