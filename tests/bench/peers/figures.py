"""Medians, spread, and tables in Markdown."""

MISSING = "not measured"


def at(values, share):
    """The value below which a share of the values lies; of few, the nearest one."""
    return sorted(values)[round(share * (len(values) - 1))]


def spread(values, digits=1):
    """median (10th to 90th percentile)"""
    low, middle, high = (f"{at(values, share):,.{digits}f}" for share in (0.1, 0.5, 0.9))
    return f"{middle} ({low} to {high})"


def tail(values):
    """median / 99th percentile / worst"""
    if not values:
        return MISSING
    return " / ".join(f"{at(values, share):,.0f}" for share in (0.5, 0.99, 1.0))


def table(heads, rows, left=1):
    """The first `left` columns are text, the others numbers."""
    lines = [heads, ["---" if i < left else "---:" for i in range(len(heads))], *rows]
    return "\n".join("| " + " | ".join(map(str, line)) + " |" for line in lines) + "\n"
