"""Opening a file of tensors, of which only what is asked for is read."""

from pathlib import Path

from safetensors import SafetensorError, safe_open

from real_runner.errors import RealRunError


def opened(file: Path) -> "safe_open":
    """Return a ``.safetensors`` file, open; `RealRunError` where it is none."""
    try:
        return safe_open(file, "pt")
    except (SafetensorError, OSError) as error:
        reason = (str(error).splitlines() or [type(error).__name__])[0]
        raise RealRunError(
            f"weights {file}: cannot be read ({reason}); give a .safetensors file"
        ) from error
