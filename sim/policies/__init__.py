"""The policies that ship with Tessera, one idea per file."""
