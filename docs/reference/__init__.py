"""Pages of reference, made of the program itself by `hooks.on_files`."""
