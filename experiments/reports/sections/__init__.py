"""The sections of a page, a module each: from what is kept to values that can be rendered.

Each returns nothing where there is nothing to show.
"""
