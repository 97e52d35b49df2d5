"""Small SAMs, trained on drawn scenes."""
