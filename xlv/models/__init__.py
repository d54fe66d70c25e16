"""Language models: where they come from, how to load them, how to read and steer their residual stream."""
