"""General utilities: concave functions of the occupancy measure."""
