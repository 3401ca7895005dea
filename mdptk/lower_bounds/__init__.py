"""Lower bounds: families of problems on which every algorithm must lose."""
