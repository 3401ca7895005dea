"""Learning rewards and constraints from what experts do."""
