"""How much of a tensor stays in a core's cache, which decides how large the parts are that work is cut into."""

import torch

__all__ = ["cache_floats", "even_part"]

#: Assumed where the processor does not say: a size that every server and desktop processor of the last ten years has.
FALLBACK_BYTES = 2**19


def cache_floats() -> int:
    """Floats in a core's second-level cache."""
    capabilities = getattr(torch.cpu, "get_capabilities", dict)
    try:
        size = int(capabilities().get("l2_cache_size") or 0)
    except (RuntimeError, TypeError, ValueError):
        size = 0
    return max(size, FALLBACK_BYTES) // 4


def even_part(total: int, most: int) -> int:
    """The part size of at most ``most`` that cuts ``total`` into the fewest parts, all (but the last) alike; at least 1."""
    parts = max(1, -(-total // max(1, most)))
    return max(1, -(-total // parts))
