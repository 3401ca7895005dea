"""Control of linear systems and of water: continuous states."""
