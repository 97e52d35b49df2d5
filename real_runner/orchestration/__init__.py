"""The side that asks policies, hands out steps, and keeps the trace."""
