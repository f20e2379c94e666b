"""Benchmarks: `make bench`. Medians of several runs in one go, beside a floor measured in the same go."""
