"""Measurements, each a module that writes a JSON result."""
