"""The differential engine: programs nobody wrote, run by kernels and by the model."""
