"""The parts of the Relay panel, in the order of the work."""
