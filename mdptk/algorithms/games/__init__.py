"""Zero-sum games: two players, in one round or on states."""
