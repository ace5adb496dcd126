"""The platform's figures: what it costs, measured, beside the bound each figure must keep."""
